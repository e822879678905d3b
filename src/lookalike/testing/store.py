"""The contract every store keeps. Authors of plug-ins call this from their own tests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..errors import BadInput, LookalikeError, NoCollection, OtherEmbedder, UnknownName
from ..protocols import Store
from ..types import MOST_REGIONS, Region, Regions, Stamp, Vectors, VectorSpace

__all__ = ["StoredImage", "check_store", "unit_vectors"]


@dataclass(frozen=True)
class StoredImage:
    """A record to put into a store; keeps the ``NewRecord`` protocol."""

    id: str
    source: str
    root: str = ""
    stamp: Stamp | None = None
    content_hash: str = ""
    width: int = 0
    height: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)


def unit_vectors(n: int, dim: int, seed: int = 0) -> Vectors:
    """Return (n, dim) random float32 rows of unit norm."""
    drawn = np.random.default_rng(seed).standard_normal((n, dim))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def _image(name: str, content: str = "", **given: Any) -> StoredImage:
    digest = hashlib.sha256((content or name).encode("utf-8", "surrogatepass")).hexdigest()
    return StoredImage(name, f"/pictures/{name}", "/pictures", Stamp(7, 1_700_000_000_000_000_001), digest, **given)


def check_store(make: Callable[[Path, bool], Store], folder: Path) -> None:
    """Check that a kind of store keeps the contract.

    Args:
        make: opens the store at a path; the second argument says whether to create it.
        folder: an empty folder to work in.

    Raises:
        AssertionError: what it does wrong.
    """
    path = folder / "contract.collection"
    _refuses(lambda: make(path, False), NoCollection, "opening what is not there")
    store = make(path, True)
    space, other = VectorSpace("contract-1", 8, "a" * 8), VectorSpace("contract-2", 4, "b" * 8, similarity="l2")
    store.add_space(space)
    store.add_space(other)
    store.add_space(space)  # again: nothing happens
    _refuses(lambda: store.add_space(VectorSpace("contract-1", 8, "c" * 8)), OtherEmbedder, "a space changed")
    _expect(dict(store.spaces()) == {space.name: space, other.name: other}, "spaces() tells what was added")
    store = _check_records(store, make, path, space, other)
    _check_paths(store, space)
    _check_snapshot(store, space)
    _check_refusals(store, space)
    _check_bits(store)
    _check_regions(store)
    _check_settings_and_backup(store, folder)
    store.close()


def _check_records(
    store: Store, make: Callable[[Path, bool], Store], path: Path, space: VectorSpace, other: VectorSpace
) -> Store:
    vectors, more = unit_vectors(4, 8), unit_vectors(4, 4, 1) * 3
    images = [_image(f"{i}.jpg", width=i, height=2 * i, metadata={"n": i, "t": "\ud800é"}) for i in range(4)]
    before = store.version
    rows = store.put(images, {space.name: vectors, other.name: more}, indexed_ns=17)
    _expect(store.version > before, "version grows with a change")
    _expect(rows.dtype == np.int64 and len(set(rows.tolist())) == 4, "put() returns one int64 row a record")
    found = store.get(["2.jpg", "nothing", "0.jpg"])
    _expect(found[1] is None and found[0] is not None, "get() answers in the order asked, None for an unknown id")
    kept = found[0]
    _expect(
        kept is not None
        and (kept.row, kept.source, kept.root, kept.stamp) == (rows[2], "/pictures/2.jpg", "/pictures", images[2].stamp)
        and (kept.width, kept.height, kept.metadata) == (2, 4, {"n": 2, "t": "\ud800é"})
        and (kept.content_hash, kept.indexed_ns) == (images[2].content_hash, 17),
        "a record comes back as it was put",
    )
    _expect(np.array_equal(store.vectors(space.name, rows[::-1]), vectors[::-1]), "vectors() keeps the order asked")
    same = store.put([_image("1.jpg", "other bytes")], {space.name: vectors[:1]})
    _expect(same[0] == rows[1] and store.count() == 4, "a replaced record keeps its row")
    _expect(np.array_equal(store.vectors(space.name, [rows[1]]), vectors[:1]), "a replaced record's vector is new")
    _refuses(lambda: store.vectors(other.name, [rows[1]]), UnknownName, "the vector of bytes that have changed")
    _expect(
        store.find_hash([images[0].content_hash, images[1].content_hash], space.name)
        == {images[0].content_hash: rows[0]},
        "find_hash() knows the bytes that are there now",
    )
    twice = store.put([_image("t", width=1), _image("t", width=2)], {space.name: vectors[:2]})
    last = store.get(["t"])[0]
    _expect(twice[0] == twice[1] and last is not None and last.width == 2, "of an id given twice the last wins")
    _expect(np.array_equal(store.vectors(space.name, twice[:1]), vectors[1:2]), "and so does its vector")
    _expect(store.remove([int(twice[0]), 10**12]) == 1 and store.get_rows([int(twice[0])]) == [None], "remove()")
    again = store.put([_image("t")], {space.name: vectors[:1]})
    _expect(again[0] > twice[0], "the row of a removed record is never used again")
    store.remove([int(again[0])])
    store.touch({int(rows[0]): Stamp(8, 9)}, indexed_ns=18)
    touched = store.get_rows([int(rows[0])])[0]
    _expect(touched is not None and (touched.stamp, touched.indexed_ns) == (Stamp(8, 9), 18), "touch() notes the stamp")
    store.close()
    store = make(path, False)
    _expect([r.row for r in store.records()] == rows.tolist(), "records() ascend by row, after opening again too")
    _expect(
        [(row, dict(facts)) for row, facts in store.metadata()] == [(r.row, dict(r.metadata)) for r in store.records()],
        "metadata() is that of records()",
    )
    _expect(list(store.rows()) == [r.row for r in store.records()], "rows() are those of records()")
    for name in ("n", "t", "nothing", "\ud800"):
        _expect(
            list(store.column(name)) == [(row, facts[name]) for row, facts in store.metadata() if name in facts],
            f"column({name!r}) is that of metadata()",
        )
    _expect(
        all(
            list(store.same_bytes(r.content_hash))
            == [o.row for o in store.records() if o.content_hash == r.content_hash]
            for r in store.records()
        ),
        "same_bytes() finds every record of a content hash",
    )
    return store


def _check_paths(store: Store, space: VectorSpace) -> None:
    odd = StoredImage("odd%FF", "/a/b/\udcff\n☃.jpg", "/a/b")
    near, member = StoredImage("near", "/a/bc/x.jpg", "/a/bc"), StoredImage("m", "/a/b/t.tar!/x.jpg", "/a/b/t.tar")
    rows = store.put([odd, near, member], {space.name: unit_vectors(3, 8, 2)})
    known = store.known(["/a/b/\udcff\n☃.jpg", "/a/b"])
    _expect(known[0] is not None and known[0].id == "odd%FF" and known[1] is None, "known() finds records by source")
    _expect({row for _, row in store.under("/a/b")} == {rows[0], rows[2]}, "under() goes by whole path components")
    _expect({row for _, row in store.under("/a/b/t.tar")} == {rows[2]}, "under() looks into archives")
    _expect(store.rebase("/a/b", "/new") == 2, "rebase() moves what lies below, by whole path components")
    _expect({row for row, _ in store.find_words("NEAR!")} == {rows[1]}, "find_words() looks at ids")
    _expect({row for row, _ in store.find_words("x", without="near")} == {rows[2]}, "and at names of files")
    moved = store.get(["odd%FF", "near", "m"])
    _expect(
        [r and (r.source, r.root) for r in moved]
        == [("/new/\udcff\n☃.jpg", "/new"), ("/a/bc/x.jpg", "/a/bc"), ("/new/t.tar!/x.jpg", "/new/t.tar")],
        "rebase() changes sources and roots, and nothing else",
    )
    store.put([StoredImage("there", "/new/x.jpg", "/new")], {space.name: unit_vectors(1, 8, 3)})
    _refuses(lambda: store.rebase("/a/bc", "/new"), BadInput, "two records at one place")
    _expect(store.known(["/a/bc/x.jpg"])[0] is not None, "a refused rebase() changes nothing")


def _check_snapshot(store: Store, space: VectorSpace) -> None:
    def agrees(when: str) -> None:
        shown = store.snapshot(space.name)
        rows = [record.row for record in store.records()]
        _expect(shown.rows.tolist() == rows and len(shown) == len(rows), f"a snapshot shows every row {when}")
        _expect(np.array_equal(shown.vectors, store.vectors(space.name, rows)), f"and its vectors {when}")
        parts = [segment.alive()[0] for segment in shown.segments]
        _expect(sorted(np.concatenate(parts).tolist()) == rows, f"segments are disjoint and complete {when}")

    agrees("at first")
    store.refresh_derived()
    agrees("after refresh_derived()")
    old = store.snapshot(space.name)
    n = len(old)
    store.put([_image("0.jpg", "changed"), _image("more.jpg")], {space.name: unit_vectors(2, 8, 4)})
    store.remove([next(iter(store.records())).row + 1])
    agrees("after changes")
    _expect(len(old.rows) == n, "a snapshot stays what it was")


def _check_bits(store: Store) -> None:
    space = VectorSpace("contract-bits", 12, "d" * 8, kind="bits", similarity="hamming")
    store.add_space(space)
    _expect(store.spaces()[space.name] == space, "spaces() tells of a space of bits")
    packed = np.packbits(np.random.default_rng(5).random((5, 12)) < 0.5, axis=1)
    vectors = cast(Vectors, packed)
    rows = store.put([_image(f"bits-{i}") for i in range(4)], {space.name: vectors[:4]})
    found = store.vectors(space.name, rows[::-1])
    _expect(found.dtype == np.uint8 and np.array_equal(found, packed[3::-1]), "packed bits come back as they were put")
    store.refresh_derived()
    store.put([_image("bits-1", "changed"), _image("bits-4")], {space.name: vectors[[4, 4]]})
    store.remove([int(rows[2])])
    shown = store.snapshot(space.name)
    _expect(
        np.array_equal(shown.vectors, packed[[0, 4, 3, 4]]) and shown.vectors.dtype == np.uint8,
        "a snapshot shows the packed bits, after changes too",
    )
    wrong = {
        "float vectors in a space of bits": unit_vectors(1, 12),
        "packed bits of another length": np.zeros((1, 3), np.uint8),
        "more bits than the space has": np.full((1, 2), 255, np.uint8),
    }
    for what, given in wrong.items():
        _refuses(partial(store.put, [_image("bits-5")], {space.name: cast(Vectors, given)}), BadInput, what)


def _check_regions(store: Store) -> None:
    space, plain = VectorSpace("contract-parts", 8, "e" * 8), VectorSpace("contract-plain", 8, "f" * 8)
    store.add_space(space)
    store.add_space(plain)
    boxes = (Region(0, 0, 3, 4), Region(1, 2, 9, 8, 0.25, "\u2603"), Region(5, 5, 6, 6))
    vectors, whole = unit_vectors(3, 8, 6), unit_vectors(3, 8, 7)
    _expect(store.region_snapshot(space.name) is None, "a space has no regions before they are put")
    images = [_image(f"parts-{i}") for i in range(3)]
    given = Regions(np.array([0, 0, 2], np.int64), boxes, vectors)
    rows = store.put(images, {space.name: whole, plain.name: whole}, regions={space.name: given})
    found = store.regions(space.name, rows[::-1])
    _expect(found.owners.tolist() == [rows[0], rows[0], rows[2]], "regions() tells whose they are, ascending by row")
    _expect(found.boxes == boxes and np.array_equal(found.vectors, vectors), "and they come back as they were put")
    _expect(not len(store.regions(space.name, [rows[1], 10**12])), "an image without regions, or no image, has none")
    _expect(store.region_snapshot(plain.name) is None, "regions of one space are none of another's")
    _expect(np.array_equal(store.snapshot(space.name).vectors, whole), "a snapshot shows whole images only")

    def agrees(when: str) -> None:
        shown, all_rows = store.region_snapshot(space.name), [record.row for record in store.records()]
        there = store.regions(space.name, all_rows)
        places = [place for row in all_rows for place in range(there.owners.tolist().count(row))]
        keys = (there.owners * MOST_REGIONS + places).tolist()
        _expect(shown is not None and shown.rows.tolist() == keys, f"region_snapshot() shows every region {when}")
        _expect(shown is not None and np.array_equal(shown.vectors, there.vectors), f"and its vector {when}")

    agrees("at first")
    store.refresh_derived()
    agrees("after refresh_derived()")
    fewer = Regions(np.array([0], np.int64), boxes[:1], vectors[2:])
    store.put([images[0]], {space.name: whole[1:2]}, regions={space.name: fewer})
    _expect(store.regions(space.name, [rows[0]]).boxes == boxes[:1], "regions that are put take the place of others")
    agrees("after some were replaced")
    store.put([images[2]], {})
    _expect(len(store.regions(space.name, [rows[2]])) == 1, "an image put again with the same bytes keeps its regions")
    store.put([_image("parts-2", "changed")], {plain.name: whole[:1]})
    _expect(not len(store.regions(space.name, [rows[2]])), "an image whose bytes have changed loses its regions")
    store.remove([int(rows[0])])
    _expect(not len(store.regions(space.name, rows)), "a removed image's regions go with it")
    agrees("after all were removed")
    for what, wrong, beside in (
        ("regions without the vectors of the whole images", given, {plain.name: whole}),
        ("regions of images that are not put", Regions(np.array([3], np.int64), boxes[:1], vectors[:1]), None),
        ("a region's vector of another norm", Regions(np.array([0], np.int64), boxes[:1], vectors[:1] * 2), None),
    ):
        put = partial(store.put, images, beside or {space.name: whole}, regions={space.name: wrong})
        _refuses(put, BadInput, what)


def _check_refusals(store: Store, space: VectorSpace) -> None:
    good, before = unit_vectors(1, 8), (store.count(), store.version)
    image = [_image("new.jpg")]
    wrong: dict[str, Any] = {
        "a vector too many": unit_vectors(2, 8),
        "another dimension": unit_vectors(1, 7),
        "float64": good.astype(np.float64),
        "NaN": np.full((1, 8), np.nan, np.float32),
        "a norm other than 1": good * np.float32(1.1),
    }
    for what, vectors in wrong.items():
        _refuses(partial(store.put, image, {space.name: vectors}), BadInput, what)
    _refuses(lambda: store.put(image, {"no such space": good}), UnknownName, "an unknown space")
    _refuses(lambda: store.put([_image("\udcff")], {space.name: good}), BadInput, "an id that is no text")
    _refuses(lambda: store.put([_image("x", metadata={"a": float("nan")})], {space.name: good}), BadInput, "NaN")
    _expect((store.count(), store.version) == before, "what was refused has changed nothing")


def _check_settings_and_backup(store: Store, folder: Path) -> None:
    _expect(store.setting("theme", "none") == "none", "an unknown setting has the default")
    store.set_setting("theme", "dark")
    store.set_setting("theme", "light")
    _expect(store.setting("theme") == "light", "a setting comes back")
    with store.writing(), store.writing():
        store.set_setting("nested", "yes")
    store.backup(folder / "backup.sqlite")
    _expect((folder / "backup.sqlite").stat().st_size > 0, "backup() writes a file")


def _expect(kept: object, what: str) -> None:
    # Not ``assert``: it would vanish under -O, and pytest does not rewrite the asserts of an installed package.
    if not kept:
        raise AssertionError(f"the contract is not kept: {what}")


def _refuses(call: Callable[[], object], error: type[LookalikeError], what: str) -> None:
    try:
        call()
    except error:
        return
    raise AssertionError(f"the contract is not kept: {error.__name__} is raised for {what}")
