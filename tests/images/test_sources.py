from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import lookalike.images
from lookalike.errors import BadInput, FetchFailed, NoSuchFile
from lookalike.images import Item, Skipped, read_source, scan


@pytest.mark.parametrize("name", ["gone.jpg", "gone/", "gone.tar", "gone.csv", "a.jpg/b.jpg", "~nobody/x", "a\0b"])
def test_what_does_not_exist_is_an_error_at_once(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.jpg").write_bytes(b"")
    with pytest.raises(NoSuchFile, match="no such file or folder"):
        scan(name)


def test_a_link_to_nothing_and_a_pattern_without_a_match(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").symlink_to("nothing")
    with pytest.raises(NoSuchFile, match="link"):
        scan(tmp_path / "x.jpg")
    with pytest.raises(NoSuchFile, match="no image matches"):
        scan(tmp_path / "*.png")
    with pytest.raises(NoSuchFile, match="no image matches"):
        scan(tmp_path / "nowhere/**/*.png")


def test_what_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="empty name"):
        scan("")
    (tmp_path / "x").mkdir()
    (tmp_path / "x/collection.sqlite").write_bytes(b"")
    with pytest.raises(BadInput, match="is a collection"):
        scan(tmp_path / "x")
    with pytest.raises(BadInput, match="neither a file nor a folder"):
        scan("/dev/null")


def test_a_single_file_is_taken_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no-suffix").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    for name in ("no-suffix", str(tmp_path / "no-suffix"), "./no-suffix"):
        (item,) = scan(name)
        assert isinstance(item, Item)
        assert (item.id, item.root, item.source) == ("no-suffix", str(tmp_path), str(tmp_path / "no-suffix"))
        assert item.read() == read_source(item.source) == b"1"


def test_a_name_with_wildcards_that_exists_is_itself(tmp_path: Path) -> None:
    for name in ("a[1].jpg", "a1.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    assert [entry.id for entry in scan(tmp_path / "a[1].jpg") if isinstance(entry, Item)] == ["a[1].jpg"]
    (tmp_path / "a[1].jpg").unlink()
    assert [entry.id for entry in scan(tmp_path / "a[1].jpg") if isinstance(entry, Item)] == ["a1.jpg"]


def test_a_pattern_is_relative_to_its_last_plain_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("p/x/a.jpg", "p/y/b.jpg", "p/y/z/c.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    found = [entry for entry in scan("p/*/*.jpg") if isinstance(entry, Item)]
    assert [item.id for item in found] == ["x/a.jpg", "y/b.jpg"]
    assert {item.root for item in found} == {str(tmp_path / "p")}
    assert [entry.id for entry in scan("p/**/*.jpg", exclude=["z"]) if isinstance(entry, Item)] == [
        "x/a.jpg",
        "y/b.jpg",
    ]


def test_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Pictures").mkdir()
    (tmp_path / "Pictures/a.jpg").write_bytes(b"")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (item,) = scan("~/Pictures")
    assert item.source == str(tmp_path / "Pictures/a.jpg")


def test_read_source_of_what_has_gone(tmp_path: Path) -> None:
    with pytest.raises(FetchFailed, match=r"gone\.jpg"):
        read_source(str(tmp_path / "gone.jpg"))
    with pytest.raises(FetchFailed, match=r"gone\.tar"):
        read_source(f"{tmp_path}/gone.tar!/a.jpg")
    odd = tmp_path / "x.tar!/a.jpg"
    odd.parent.mkdir()
    odd.write_bytes(b"a folder may be called anything")
    assert read_source(str(odd)) == b"a folder may be called anything"


def test_the_shared_pictures_are_found(shared_data: Path) -> None:
    entries = list(scan(shared_data / "decoding"))
    suffixes = {".jpg", ".png", ".gif", ".tif", ".webp", ".bmp", ".ppm", ".avif", ".pcx"}
    files = [path for path in (shared_data / "decoding").rglob("*") if path.suffix in suffixes]
    assert [entry for entry in entries if isinstance(entry, Skipped)] == []
    assert sorted(entry.source for entry in entries) == sorted(map(str, files))


def test_looking_through_a_folder_loads_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    script = (
        f"import sys; from lookalike.images import scan; list(scan({str(tmp_path)!r}));"
        "print({'PIL', 'httpx', 'pyarrow', 'ssl'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_exported_names() -> None:
    for name in lookalike.images.__all__:
        assert getattr(lookalike.images, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        lookalike.images.nothing  # noqa: B018
    assert set(lookalike.images.__all__) <= set(dir(lookalike.images))
