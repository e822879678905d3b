from __future__ import annotations

import io
import json
import os
import random
import tarfile
import threading
import tracemalloc
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike.errors import FetchFailed, ImageTooLarge
from lookalike.images import FetchLimits, Item, Skipped, read_source, scan
from lookalike.images.spool import Spool
from lookalike.types import Stamp

PACKED = ["tar", "tar.gz", "tgz", "tar.bz2", "tar.xz", "zip"]
Members = list[tuple[str, bytes]]


def pack(path: Path, members: Members, *, format: int = tarfile.PAX_FORMAT) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members:
                archive.writestr(name, data)
        return path
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w")
    with tarfile.open(path, mode, format=format) as tar:  # type: ignore[call-overload]
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def items_of(entries: Iterable[Item | Skipped]) -> list[Item]:
    found = list(entries)
    assert [entry.error for entry in found if isinstance(entry, Skipped)] == []
    return [entry for entry in found if isinstance(entry, Item)]


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.mark.parametrize("suffix", PACKED)
def test_an_archive_gives_its_pictures(tmp_path: Path, suffix: str) -> None:
    long = "long/" + "x" * 180 + ".jpg"
    members = [("a.jpg", noise(1, 5000)), ("b/ü 🐈\n#%.PNG", noise(2, 700)), (long, b"3"), ("readme.md", b"4")]
    path = pack(tmp_path / f"all.{suffix}", members)
    items = items_of(scan(path))
    expected = sorted(members[:3]) if suffix == "zip" else members[:3]
    assert [(item.id, item.read()) for item in items] == expected
    for item, (name, data) in zip(items, expected, strict=True):
        assert item.root == str(path)
        assert item.source == f"{path}!/{name}"
        assert item.stamp == Stamp(len(data), path.stat().st_mtime_ns)
        assert read_source(item.source) == data


@pytest.mark.parametrize("suffix", ["tar", "tgz", "zip"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text("ab.é/ _-", min_size=1, max_size=8).map(lambda stem: stem.strip("/") + "x.jpg"),
        st.binary(max_size=1500),
        max_size=6,
    ),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
def test_members_equal_what_tarfile_and_zipfile_give(
    tmp_path: Path, suffix: str, files: dict[str, bytes], format: int
) -> None:
    path = pack(tmp_path / f"x.{suffix}", list(files.items()), format=format)
    found = {item.source.partition("!/")[2]: item.read() for item in items_of(scan(path, include_hidden=True))}
    theirs: dict[str, bytes] = {}
    if suffix == "zip":
        with zipfile.ZipFile(path) as archive:
            theirs = {name: archive.read(name) for name in archive.namelist()}
    else:
        with tarfile.open(path) as tar:
            for info in tar:
                member = tar.extractfile(info)
                theirs[info.name] = member.read() if member else b""
    assert found == theirs


@pytest.mark.parametrize("suffix", ["tar", "tgz", "zip"])
def test_a_webdataset_sample_is_put_together(tmp_path: Path, suffix: str) -> None:
    members = [
        ("s/000.jpg", b"picture"),
        ("s/000.json", json.dumps({"width": 3, "deep": [float("inf"), {"a": None}]}).encode()),
        ("s/000.txt", "ein Kätzchen\n".encode()),
        ("s/000.cls", b"7"),
        ("s/001.cls", b"cat"),
        ("s/001.seg.png", b"mask"),
        ("s/001.jpg", b"picture 1"),
        ("s/002.txt", b"a caption of nothing"),
        ("s/003.jpg", b"alone"),
        ("s/004.jpg", b"broken"),
        ("s/004.json", b"{"),
    ]
    items = items_of(scan(pack(tmp_path / f"00000.{suffix}", members)))
    assert {item.id: item.metadata for item in items} == {
        "s/000.jpg": {"width": 3, "deep": [None, {"a": None}], "caption": "ein Kätzchen", "label": 7},
        "s/001.seg.png": {"label": "cat"},
        "s/001.jpg": {"label": "cat"},
        "s/003.jpg": {},
        "s/004.jpg": {},
    }


@pytest.mark.parametrize("suffix", ["tar", "zip"])
def test_what_is_left_out_of_an_archive(tmp_path: Path, suffix: str) -> None:
    names = ["./a.jpg", "b/.hidden.jpg", "__MACOSX/._a.jpg", ".c/d.jpg", "raw/e.jpg", "/abs/f.jpg"]
    path = pack(tmp_path / f"x.{suffix}", [(name, b"x") for name in names])
    items = items_of(scan(path, exclude=["raw"]))
    assert sorted(item.id for item in items) == ["a.jpg", "abs/f.jpg"]
    assert all(read_source(item.source) == b"x" for item in items)
    hidden = {item.id for item in items_of(scan(path, include_hidden=True))}
    assert hidden == {"a.jpg", "b/.hidden.jpg", ".c/d.jpg", "raw/e.jpg", "abs/f.jpg"}


def test_undecodable_member_names_can_be_read_again(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xe9t\xe9.jpg")
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        info = tarfile.TarInfo(name)
        info.size = 2
        tar.addfile(info, io.BytesIO(b"ok"))
    (item,) = items_of(scan(path))
    assert item.id == "%E9t%E9.jpg"
    assert item.read() == read_source(item.source) == b"ok"


def test_links_in_a_tar_are_not_followed(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", [("a.jpg", b"data")])
    with tarfile.open(path, "a") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"link{kind!r}.jpg")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    found = list(scan(path))
    assert [isinstance(entry, Item) for entry in found] == [True, False, False, False]


@pytest.mark.parametrize("suffix", ["tar", "tgz", "zip"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.floats(0, 1), flips=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=4))
def test_no_damage_to_an_archive_stops_a_scan(
    tmp_path: Path, suffix: str, cut: float, flips: list[tuple[float, int]]
) -> None:
    whole = tmp_path / f"whole.{suffix}"
    if not whole.exists():
        pack(whole, [(f"{n}.jpg", noise(n, 400 + 300 * n)) for n in range(6)] + [("5.json", b'{"a": 1}')])
    data = bytearray(whole.read_bytes())
    for place, flip in flips:
        data[int(place * (len(data) - 1))] ^= flip
    damaged = tmp_path / f"damaged.{suffix}"
    damaged.write_bytes(data[: int(cut * len(data))])
    messages = []
    for entry in scan(damaged, limits=FetchLimits(max_bytes=10_000_000)):
        if isinstance(entry, Skipped):
            messages.append(str(entry.error))
            continue
        try:
            entry.read()
        except (FetchFailed, ImageTooLarge) as error:
            messages.append(str(error))
    assert all(str(damaged) in message for message in messages)


@pytest.mark.parametrize("suffix", ["tar", "tgz", "tar.xz", "tar.bz2", "zip"])
def test_a_cut_archive_is_reported_and_what_comes_before_is_used(tmp_path: Path, suffix: str) -> None:
    members = [(f"{n}.jpg", noise(n, 3000)) for n in range(4)]
    path = pack(tmp_path / f"x.{suffix}", members)
    path.write_bytes(path.read_bytes()[:5000])
    found = list(scan(path))
    assert isinstance(found[-1], Skipped)
    assert "damaged" in str(found[-1].error)
    if suffix == "tar":
        first, second = (entry for entry in found[:-1] if isinstance(entry, Item))
        assert first.read() == members[0][1]
        with pytest.raises(FetchFailed, match="ends in the middle"):
            second.read()


@pytest.mark.parametrize("at", [512 + 3072, 512 + 3072 + 200])
def test_a_damaged_header_is_not_taken_for_the_end(tmp_path: Path, at: int) -> None:
    # tarfile by itself says nothing here and gives one member of three.
    path = pack(tmp_path / "x.tar", [(f"{n}.jpg", noise(n, 3000)) for n in range(3)], format=tarfile.USTAR_FORMAT)
    data = bytearray(path.read_bytes())
    data[at : at + 8] = b"\x99" * 8
    path.write_bytes(data)
    with tarfile.open(path) as tar:
        assert len(tar.getnames()) == 1
    found = list(scan(path))
    assert [type(entry) for entry in found] == [Item, Skipped]


@pytest.mark.parametrize(
    ("kind", "size", "message"),
    [(tarfile.REGTYPE, -1024, "negative size"), (tarfile.XHDTYPE, 2**40, "header has 1,099,511,627,776 bytes")],
)
def test_headers_made_to_hang_or_to_fill_memory(tmp_path: Path, kind: bytes, size: int, message: str) -> None:
    path = pack(tmp_path / "x.tar", [("0.jpg", b"fine"), ("1.jpg", b"1")], format=tarfile.USTAR_FORMAT)
    data = bytearray(path.read_bytes())
    header = data[1024:1536]
    header[124:136] = (b"\xff" if size < 0 else b"\x80") + size.to_bytes(11, "big", signed=True)
    header[156:157] = kind
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    data[1024:1536] = header
    path.write_bytes(data)
    item, skipped = scan(path)
    assert isinstance(item, Item)
    assert item.read() == b"fine"
    assert isinstance(skipped, Skipped)
    assert message in str(skipped.error)


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"\x1f\x8b broken", b"PK\x03\x04"])
@pytest.mark.parametrize("suffix", PACKED)
def test_what_is_no_archive_is_skipped(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content)
    (entry,) = scan(path)
    assert isinstance(entry, Skipped)
    assert entry.source == str(path)
    with pytest.raises(FetchFailed, match="x"):
        read_source(f"{path}!/a.jpg")


@pytest.mark.parametrize("suffix", ["tar", "tgz", "zip"])
def test_a_member_over_the_limit(tmp_path: Path, suffix: str) -> None:
    path = pack(tmp_path / f"x.{suffix}", [("a.jpg", b"0" * 5000), ("b.jpg", b"1")])
    limits = FetchLimits(max_bytes=1000)
    large, small = items_of(scan(path, limits=limits))
    with pytest.raises(ImageTooLarge, match=r"5,000 bytes.*1,000"):
        large.read()
    with pytest.raises(ImageTooLarge):
        read_source(large.source, limits=limits)
    assert small.read() == b"1"


def test_a_zip_that_lies_about_sizes(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", [("a.jpg", b"0" * 5000)])
    data = path.read_bytes()
    path.write_bytes(data.replace((5000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    (item,) = items_of(scan(path, limits=FetchLimits(max_bytes=1000)))
    with pytest.raises((FetchFailed, ImageTooLarge)):
        item.read()


def test_an_encrypted_zip_says_so(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", [("a.jpg", b"0" * 50)])
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag in the member's own header, and in the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    (item,) = items_of(scan(path))
    with pytest.raises(FetchFailed, match="encrypted"):
        item.read()


@pytest.mark.parametrize("suffix", ["tar", "tgz", "zip"])
def test_threads_read_side_by_side(tmp_path: Path, suffix: str) -> None:
    members = [(f"{n:03}.jpg", noise(n, 20_000)) for n in range(60)]
    items = items_of(scan(pack(tmp_path / f"x.{suffix}", members)))
    order = list(range(60))
    random.Random(0).shuffle(order)
    start = threading.Barrier(4)

    def read(numbers: list[int]) -> list[tuple[int, bytes]]:
        start.wait()
        return [(n, items[n].read()) for n in numbers]

    with ThreadPoolExecutor(4) as pool:
        done = dict(pair for part in pool.map(read, [order[n::4] for n in range(4)]) for pair in part)
    assert [done[n] for n in range(60)] == [data for _, data in members]


@pytest.mark.parametrize("suffix", ["tar", "tgz"])
def test_memory_does_not_grow_with_the_archive(tmp_path: Path, suffix: str) -> None:
    path = pack(tmp_path / f"x.{suffix}", [(f"{n}.jpg", bytes(100_000)) for n in range(300)])
    held: list[Item] = []
    tracemalloc.start()
    for entry in scan(path):
        assert isinstance(entry, Item)
        held.append(entry)  # a caller may look far ahead before it reads
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(held) == 300
    assert peak < 3_000_000  # of 30 MB


def test_a_spool_gives_back_what_was_put_in_and_frees_its_disk() -> None:
    spool = Spool()
    pieces = [noise(n, n * 37) for n in range(50)]
    readers = [spool.put(piece) for piece in pieces]
    assert [reader() for reader in reversed(readers)] == pieces[::-1]


def test_a_changed_archive_is_read_anew(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", [("a.jpg", b"old")])
    assert read_source(f"{path}!/a.jpg") == b"old"
    pack(path, [("zz.jpg", noise(0, 2000)), ("a.jpg", b"newer")])
    os.utime(path, ns=(1, 1))
    assert read_source(f"{path}!/a.jpg") == b"newer"
    with pytest.raises(FetchFailed, match=r"no 'gone\.jpg'"):
        read_source(f"{path}!/gone.jpg")


def test_a_scan_begins_before_the_archive_is_read(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", [(f"{n}.jpg", noise(n, 3000)) for n in range(3)])
    entries: Iterator[Item | Skipped] = iter(scan(path))
    path.unlink()
    (entry,) = entries
    assert isinstance(entry, Skipped)
