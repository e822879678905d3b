from __future__ import annotations

import glob
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike.errors import FetchFailed, ImageTooLarge
from lookalike.images import FetchLimits, Item, Skipped, looks_like_image, scan
from lookalike.images.globs import has_wildcard
from lookalike.types import Stamp


def fill(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def split(entries: object) -> tuple[list[Item], list[Skipped]]:
    found = list(entries)  # type: ignore[call-overload]
    return [e for e in found if isinstance(e, Item)], [e for e in found if isinstance(e, Skipped)]


def ids(root: Path, **options: object) -> list[str]:
    items, skipped = split(scan(root, **options))  # type: ignore[arg-type]
    assert skipped == []
    return [item.id for item in items]


def test_a_folder_gives_its_pictures_in_the_order_of_names(tmp_path: Path) -> None:
    fill(tmp_path, "b.jpg", "a/z.JPEG", "a/y/1.png", "a.nef", "c.txt", "c.HEIC", "Z.webp", "noext")
    items, skipped = split(scan(tmp_path))
    assert [item.id for item in items] == ["Z.webp", "a/y/1.png", "a/z.JPEG", "a.nef", "b.jpg", "c.HEIC"]
    assert skipped == []
    for item in items:
        assert item.source == str(tmp_path / item.id)
        assert item.root == str(tmp_path)
        assert item.read() == item.id.encode()
        status = os.stat(item.source)
        assert item.stamp == Stamp(status.st_size, status.st_mtime_ns)
        assert item.metadata == {}
        assert not item.given_id


def test_hidden_and_useless_folders_are_left_out(tmp_path: Path) -> None:
    fill(
        tmp_path,
        "a.jpg",
        ".b.jpg",
        ".c/d.jpg",
        "@eaDir/e.jpg",
        "x/node_modules/f.jpg",
        ".git/g.jpg",
        "System Volume Information/h.jpg",
        "__MACOSX/i.jpg",
        "mine.collection/thumbs/j.jpg",
        "renamed/collection.sqlite",
        "renamed/k.jpg",
    )
    assert ids(tmp_path) == ["a.jpg"]
    assert ids(tmp_path, include_hidden=True) == [".b.jpg", ".c/d.jpg", "a.jpg"]


def test_excludes(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", "a.png", "raw/b.jpg", "x/raw/c.jpg", "x/d.jpg", "y/d.jpg")
    assert ids(tmp_path, exclude=["*.png", "raw"]) == ["a.jpg", "x/d.jpg", "y/d.jpg"]
    assert ids(tmp_path, exclude=["x/*", "raw/"]) == ["a.jpg", "a.png", "y/d.jpg"]


def test_a_loop_is_reported_once_and_ends(tmp_path: Path) -> None:
    fill(tmp_path, "a/b/c.jpg")
    (tmp_path / "a/b/up").symlink_to(tmp_path / "a")
    (tmp_path / "self").symlink_to("self")
    items, skipped = split(scan(tmp_path))
    assert [item.id for item in items] == ["a/b/c.jpg"]
    assert [s.source for s in skipped] == [str(tmp_path / "a/b/up"), str(tmp_path / "self")]
    assert "loop" in str(skipped[0].error)


def test_folders_that_link_to_each_other_end_soon(tmp_path: Path) -> None:
    # Without a memory of what was entered, every order of the ten folders would be walked through: 10! of them.
    folders = [tmp_path / f"f{n}" for n in range(10)]
    for folder in folders:
        fill(folder, "x.jpg")
    for folder in folders:
        for other in folders:
            (folder / f"to-{other.name}").symlink_to(other)
    items, _ = split(scan(tmp_path))
    assert {f"f{n}/x.jpg" for n in range(10)} <= {item.id for item in items}
    assert len(items) <= 110


def test_links_are_followed_and_keep_their_own_names(tmp_path: Path) -> None:
    fill(tmp_path / "real", "a.jpg")
    root = tmp_path / "root"
    root.mkdir()
    (root / "folder").symlink_to(tmp_path / "real")
    (root / "file.jpg").symlink_to(tmp_path / "real/a.jpg")
    (root / "gone.jpg").symlink_to(tmp_path / "nothing.jpg")
    items, skipped = split(scan(root))
    assert [(item.id, item.source) for item in items] == [
        ("file.jpg", str(root / "file.jpg")),
        ("folder/a.jpg", str(root / "folder/a.jpg")),
    ]
    assert [s.source for s in skipped] == [str(root / "gone.jpg")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_that_looks_like_a_picture_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    items, (skipped,) = split(scan(tmp_path))
    assert items == []
    assert "regular" in str(skipped.error)


AS_NOBODY = """
import os, sys
from lookalike.images import Item, scan
scan(sys.argv[1])  # loads all that is needed, from folders that may be closed to nobody
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for entry in scan(sys.argv[1]):
    if isinstance(entry, Item):
        try:
            print("item", entry.id, entry.read())
        except Exception as error:
            print("unread", entry.id, type(error).__name__, error)
    else:
        print("skipped", os.path.basename(entry.source), entry.error)
"""


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="no users to become")
@pytest.mark.parametrize("pattern", ["", "**/*.jpg"])
def test_what_may_not_be_read_is_skipped(pattern: str) -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to nobody
        root = Path(name)
        root.chmod(0o755)
        fill(root, "a.jpg", "closed/b.jpg", "secret.jpg", "blind/c.jpg")
        (root / "closed").chmod(0o000)
        (root / "blind").chmod(0o444)  # names may be seen, files not
        (root / "secret.jpg").chmod(0o000)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, os.path.join(root, pattern)], capture_output=True, text=True, check=False
        )
        (root / "closed").chmod(0o755)
        (root / "blind").chmod(0o755)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    starts = ["item a.jpg b'a.jpg'", "skipped c.jpg ", "skipped closed ", "unread secret.jpg FetchFailed"]
    assert [line.startswith(start) for line, start in zip(lines, starts, strict=True)] == [True] * 4, lines
    assert all("ermission denied" in line for line in lines[1:])


def test_reading_what_has_gone_or_is_too_large(tmp_path: Path) -> None:
    fill(tmp_path, "gone.jpg", "large.jpg")
    gone, large = split(scan(tmp_path, limits=FetchLimits(max_bytes=8)))[0]
    (tmp_path / "gone.jpg").unlink()
    with pytest.raises(FetchFailed, match=r"gone\.jpg"):
        gone.read()
    with pytest.raises(ImageTooLarge, match=r"9 bytes.*limit of 8"):
        large.read()


def test_tars_in_a_folder_are_looked_into(tmp_path: Path) -> None:
    fill(tmp_path / "in", "k.jpg")
    for shard in ("00000.tar", "00001.tar"):
        with tarfile.open(tmp_path / shard, "w") as archive:
            archive.add(tmp_path / "in/k.jpg", "k.jpg")
    items, _ = split(scan(tmp_path, exclude=["in"]))
    assert [item.id for item in items] == ["00000.tar/k.jpg", "00001.tar/k.jpg"]
    assert [item.source for item in items] == [f"{tmp_path}/0000{n}.tar!/k.jpg" for n in (0, 1)]
    assert {item.root for item in items} == {str(tmp_path)}
    assert ids(tmp_path, exclude=["00001.tar", "in"]) == ["00000.tar/k.jpg"]


def test_img2dataset_sidecars_become_metadata_and_others_do_not(tmp_path: Path) -> None:
    fill(tmp_path, *(f"00000/{n}.jpg" for n in "abcde"))
    shard = tmp_path / "00000"
    (shard / "a.json").write_text(json.dumps({"key": "a", "url": "http://x/a", "caption": "a cat", "width": 3}))
    (shard / "b.json").write_text(json.dumps({"key": "b", "sha": float("nan")}))
    (shard / "b.txt").write_text("a dog\n")
    (shard / "c.txt").write_text("0 0.5 0.5 0.2 0.2")  # YOLO
    (shard / "d.json").write_text(json.dumps({"shapes": [], "imageData": "..."}))  # LabelMe
    (shard / "e.json").write_text("[1, 2")
    metadata = {item.id[6]: item.metadata for item in split(scan(tmp_path))[0]}
    assert metadata == {
        "a": {"key": "a", "url": "http://x/a", "caption": "a cat", "width": 3},
        "b": {"key": "b", "sha": None, "caption": "a dog"},
        "c": {},
        "d": {},
        "e": {},
    }
    (item,) = split(scan(shard / "a.jpg"))[0]
    assert item.metadata["caption"] == "a cat"


PARTS = ["a", "b1", "c.jpg", "d.png", "[x]", "**", "*", "?.jpg", "[ab]*", "*.jpg", "[!a]*", "c*g"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).filter(lambda parts: has_wildcard("".join(parts))))
def test_patterns_match_what_pythons_glob_matches(tmp_path: Path, parts: list[str]) -> None:
    fill(tmp_path, *(f"{folder}{name}" for folder in ("", "a/", "a/b1/", "b1/a/", "x/") for name in ("c.jpg", "d.png")))
    pattern = os.path.join(tmp_path, *parts)
    expected = sorted({p for p in glob.glob(pattern, recursive=True) if os.path.isfile(p) and looks_like_image(p)})
    try:
        found = sorted(item.source for item in split(scan(pattern))[0])
    except FileNotFoundError:
        found = []
    assert found == expected


def test_deep_folders_need_no_recursion(tmp_path: Path) -> None:
    # Deeper than Python's stack, made and removed step by step since the whole path is too long for one call.
    here = os.getcwd()
    try:
        os.chdir(tmp_path)
        for _ in range(300):
            os.mkdir("d")
            os.chdir("d")
        Path("x.jpg").write_bytes(b"x")
    finally:
        os.chdir(here)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(220)
    try:
        found = list(scan(tmp_path))
    finally:
        sys.setrecursionlimit(limit)
    assert [entry.id for entry in found if isinstance(entry, Item)] == ["d/" * 300 + "x.jpg"]
