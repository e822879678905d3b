"""The store against a plain dict, opened and closed at any time."""

from __future__ import annotations

import shutil
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from lookalike.errors import BadInput, BadShape, NoCollection, StorageFailed, UnknownName
from lookalike.store.sqlite import SqliteStore
from lookalike.testing.store import StoredImage, unit_vectors
from lookalike.types import Stamp, VectorSpace

SPACES = {"a": VectorSpace("a", 4, "fa"), "b": VectorSpace("b", 2, "fb", similarity="l2")}

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)
contents = st.sampled_from(["", "0" * 64, "1" * 64])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
images = st.builds(
    StoredImage,
    id=names,
    source=st.text(st.characters(exclude_characters="/"), max_size=5)
    .filter(lambda text: _encodes(text))
    .map(lambda text: "/r/" + text),
    root=st.sampled_from(["", "/r"]),
    stamp=st.none() | st.builds(Stamp, st.integers(0, 2**63 - 1), st.integers(-(2**63), 2**63 - 1)),
    content_hash=contents,
    width=st.integers(0, 10**6),
    height=st.integers(0, 10**6),
    metadata=st.dictionaries(st.text(max_size=3), json_values, max_size=2),
)


def _encodes(text: str) -> bool:
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


class StoreAgainstDict(RuleBasedStateMachine):
    """Whatever is done to it, the store holds what a dict holds, and so does every snapshot of it."""

    rows: Bundle[int] = Bundle("rows")

    @initialize()
    def make(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.store = SqliteStore.open(self.folder / "c", create=True)
        for space in SPACES.values():
            self.store.add_space(space)
        self.records: dict[str, tuple[int, StoredImage]] = {}
        self.vectors: dict[str, dict[int, Any]] = {"a": {}, "b": {}}
        self.highest = 0

    @rule(
        target=rows,
        batch=st.lists(images, min_size=1, max_size=4),
        given=st.sets(st.sampled_from(["a", "b"])),
        seed=st.integers(0, 99),
    )
    def put(self, batch: list[StoredImage], given: set[str], seed: int) -> int:
        vectors = {name: unit_vectors(len(batch), SPACES[name].dim, seed) for name in given}
        rows = self.store.put(batch, vectors)
        # One after the other, the last of an id against what was there before the batch.
        last = {image.id: at for at, image in enumerate(batch)}
        for image_id, at in last.items():
            row, image = int(rows[at]), batch[at]
            if image_id in self.records:
                assert row == self.records[image_id][0]
                if self.records[image_id][1].content_hash != image.content_hash:
                    for held in self.vectors.values():
                        held.pop(row, None)
            else:
                assert row > self.highest, "rows are never used again"
                self.highest = max(self.highest, row)
            self.records[image_id] = (row, image)
            for name, array in vectors.items():
                self.vectors[name][row] = array[at]
        assert [self.records[image.id][0] for image in batch] == rows.tolist()
        return int(rows[0])

    @rule(gone=st.lists(rows, max_size=3))
    def remove(self, gone: list[int]) -> None:
        there = {row for row, _ in self.records.values()}
        assert self.store.remove(gone) == len(there & set(gone))
        self.records = {name: kept for name, kept in self.records.items() if kept[0] not in gone}
        for held in self.vectors.values():
            for row in gone:
                held.pop(row, None)

    @rule(row=rows, size=st.integers(0, 9))
    def touch(self, row: int, size: int) -> None:
        self.store.touch({row: Stamp(size, 5)})
        for name, (at, image) in self.records.items():
            if at == row:
                self.records[name] = (at, replace(image, stamp=Stamp(size, 5)))

    @rule()
    def open_again(self) -> None:
        self.store.close()
        self.store = SqliteStore.open(self.folder / "c")

    @rule()
    def refresh(self) -> None:
        self.store.refresh_derived()

    @rule()
    def lose_derived_files(self) -> None:
        shutil.rmtree(self.folder / "c" / "derived", ignore_errors=True)

    @invariant()
    def holds_the_same_records(self) -> None:
        expected = {row: image for row, image in self.records.values()}
        found = list(self.store.records())
        assert [record.row for record in found] == sorted(expected)
        for record in found:
            image = expected[record.row]
            for name in ("id", "source", "root", "stamp", "content_hash", "width", "height", "metadata"):
                assert getattr(record, name) == getattr(image, name), name
        assert self.store.count() == len(expected)

    @invariant()
    def holds_the_same_vectors(self) -> None:
        for name, held in self.vectors.items():
            shown = self.store.snapshot(name)
            assert shown.rows.tolist() == sorted(held)
            for row, vector in zip(shown.rows.tolist(), shown.vectors, strict=True):
                np.testing.assert_array_equal(vector, held[row])

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)


StoreAgainstDict.TestCase.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
TestStoreAgainstDict = StoreAgainstDict.TestCase


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    made = SqliteStore.open(tmp_path / "c", create=True)
    made.add_space(SPACES["a"])
    return made


def some(n: int, start: int = 0) -> list[StoredImage]:
    return [StoredImage(f"{i}", f"/r/{i}", "/r", content_hash=f"{i:064x}") for i in range(start, start + n)]


def test_more_than_one_page_and_one_list_of_values(store: SqliteStore) -> None:
    n = 2345
    vectors = unit_vectors(n, 4)
    rows = store.put(some(n), {"a": vectors})
    assert [record.id for record in store.records()] == [str(i) for i in range(n)]
    assert [r and r.row for r in store.get([str(i) for i in range(n)][::-1])] == rows[::-1].tolist()
    assert [r and r.row for r in store.known([f"/r/{i}" for i in range(n)])] == rows.tolist()
    assert sorted(row for _, row in store.under("/r")) == rows.tolist()
    assert len(store.find_hash([f"{i:064x}" for i in range(n + 5)], "a")) == n
    np.testing.assert_array_equal(store.vectors("a", rows[::-1]), vectors[::-1])
    assert store.remove(rows[5:]) == n - 5
    assert store.snapshot("a").rows.tolist() == rows[:5].tolist()


def test_a_row_given_twice_is_answered_twice(store: SqliteStore) -> None:
    rows = store.put(some(2), {"a": unit_vectors(2, 4)})
    assert store.vectors("a", [rows[1], rows[0], rows[1]]).shape == (3, 4)
    assert [r and r.row for r in store.get(["1", "1"])] == [rows[1], rows[1]]
    assert store.remove([int(rows[0]), int(rows[0])]) == 1


def test_nothing_asked_nothing_answered(store: SqliteStore) -> None:
    assert store.put([], {"a": unit_vectors(0, 4)}).tolist() == []
    assert store.get([]) == store.get_rows([]) == store.known([]) == []
    assert store.vectors("a", []).shape == (0, 4)
    assert store.remove([]) == 0
    assert store.find_hash([], "a") == {}
    assert store.snapshot("a").vectors.shape == (0, 4)


def test_an_id_that_cannot_be_stored_is_simply_not_there(store: SqliteStore) -> None:
    assert store.get(["\udcff"]) == [None]


def test_threads_share_a_store(store: SqliteStore) -> None:
    faults: list[BaseException] = []

    def work(worker: int) -> None:
        try:
            for i in range(8):
                store.put(some(5, start=1000 * worker + 5 * i), {"a": unit_vectors(5, 4)})
                assert len(store.snapshot("a")) >= 5 * (i + 1)
                assert store.get([str(1000 * worker)])[0] is not None
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert store.count() == 4 * 8 * 5


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (StoredImage("", "/r/x"), "'/r/x' has an empty id"),
        (StoredImage("\ud800", "/r/x"), "not valid Unicode"),
        (StoredImage("x", "/r/x", content_hash="abc"), "64 hex digits, got 'abc'"),
        (StoredImage("x", "/r/x", metadata={"when": object()}), "metadata of 'x' is not JSON"),
        (StoredImage("x", "/r/x", metadata={"v": float("inf")}), "metadata of 'x' is not JSON"),
    ],
)
def test_a_record_that_cannot_be_stored_is_refused(store: SqliteStore, image: StoredImage, message: str) -> None:
    version = store.version
    with pytest.raises(BadInput, match=message):
        store.put([*some(1), image], {"a": unit_vectors(2, 4)})
    assert (store.count(), store.version) == (0, version)


def test_vectors_are_checked_at_the_door(store: SqliteStore) -> None:
    good = unit_vectors(2, 4)
    broken = good.copy()
    broken[1, 2] = np.nan
    with pytest.raises(BadShape, match=r"'a' takes float32 of shape \(2, 4\), got float32 of shape \(2, 3\)"):
        store.put(some(2), {"a": good[:, :3]})
    with pytest.raises(BadShape, match="vector 1 of 2 for the space 'a' is not finite"):
        store.put(some(2), {"a": broken})
    with pytest.raises(BadShape, match=r"vector 0 of 2 for the space 'a' has the norm 1\.01, not 1"):
        store.put(some(2), {"a": good * np.float32(1.01)})
    store.put(some(2), {"a": good * np.float32(1.0005)})


def test_errors_name_what_is_known(store: SqliteStore) -> None:
    with pytest.raises(UnknownName, match=r"no vector space 'b'\. Known: a"):
        store.snapshot("b")
    with pytest.raises(UnknownName, match="row 7 has no vector in the space 'a'"):
        store.vectors("a", [7])
    with pytest.raises(BadInput, match="float vectors compared by cosine or l2"):
        store.add_space(VectorSpace("w", 8, "x", kind="sparse", similarity="kernel"))


def test_where_there_is_no_collection(tmp_path: Path) -> None:
    with pytest.raises(NoCollection, match="no collection at"):
        SqliteStore.open(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "file").write_text("x")
    with pytest.raises(NoCollection, match="is a file"):
        SqliteStore.open(tmp_path / "file", create=True)
    with pytest.raises(NoCollection, match="holds other things \\('file' for one\\)"):
        SqliteStore.open(tmp_path, create=True)


def test_a_closed_store_says_so(store: SqliteStore) -> None:
    store.close()
    with pytest.raises(StorageFailed, match="has been closed"):
        store.count()
