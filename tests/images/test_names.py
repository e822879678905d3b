from __future__ import annotations

import fnmatch
import os
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lookalike.images import IMAGE_SUFFIXES, Item, looks_like_image, scan
from lookalike.images.names import Selection, is_archive, is_url, path_id, path_within, split_archive

# Bytes that a Linux file name may hold, without '%', which is not escaped.
NAMES = st.binary(min_size=1, max_size=40).filter(lambda name: not {b"/"[0], 0, b"%"[0]} & set(name))


@given(NAMES)
@example(b"\xe9t\xe9.jpg")
@example("née\n🐈 #1.jpg".encode())
def test_path_id_loses_no_byte_of_a_name(name: bytes) -> None:
    id = path_id(os.fsdecode(name))
    id.encode("utf-8")  # an id is text
    assert os.fsencode(id) == name if b"%" not in id.encode() else unquote_to_bytes(id) == name


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_path_id_leaves_text_as_it_is(name: str) -> None:
    assert path_id(name, separator="/") == name


@pytest.mark.parametrize(
    ("relative", "separator", "id"),
    [
        ("a/b c.jpg", "/", "a/b c.jpg"),
        ("a\\b.jpg", "\\", "a/b.jpg"),
        ("a\\b.jpg", "/", "a\\b.jpg"),  # a legal name outside Windows
        ("100%.jpg", "/", "100%.jpg"),
        ("x\udcff\udc80.jpg", "/", "x%FF%80.jpg"),
        ("x\ud83d.jpg", "\\", "x%ED%A0%BD.jpg"),  # half a pair, as Windows allows
    ],
)
def test_path_id_by_hand(relative: str, separator: str, id: str) -> None:
    assert path_id(relative, separator=separator) == id


@pytest.mark.skipif(os.name == "nt" or os.uname().sysname == "Darwin", reason="names are bytes on Linux only")
def test_files_with_undecodable_names_are_found_and_read(tmp_path: Path) -> None:
    names = [b"\xff\xfe.jpg", "日本.png".encode("euc-jp"), b"new\nline.jpg", "🐈 #1 100%.JPG".encode(), b" .gif"]
    for name in names:
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(name)
    items = [entry for entry in scan(tmp_path) if isinstance(entry, Item)]
    assert sorted(item.read() for item in items) == sorted(names)
    for item in items:
        name = item.read()
        assert os.fsencode(item.source) == os.path.join(os.fsencode(tmp_path), name)
        assert unquote_to_bytes(item.id.replace("100%", "100%25")) == name


def test_suffixes() -> None:
    assert looks_like_image("a/b.JPG")
    assert looks_like_image("IMG_1.HeIc")
    assert looks_like_image("x.tar!/y.nef")
    assert not looks_like_image("jpg")
    assert not looks_like_image(".jpg")  # a hidden file without a suffix
    assert not looks_like_image("a.jpg/b")
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in IMAGE_SUFFIXES)
    assert is_archive("x.TAR.gz")
    assert not is_archive("tar")


def test_every_suffix_that_pillow_gives_our_formats_is_known() -> None:
    from PIL import Image

    Image.init()
    formats = {"JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "PPM", "JPEG2000", "QOI"}
    rare = {".pfm", ".jpc", ".jpf", ".avifs"}  # float maps, code streams, sequences
    theirs = {suffix for suffix, format in Image.registered_extensions().items() if format in formats} - rare
    assert theirs - IMAGE_SUFFIXES == set()


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("/a/b.tar!/c/d.jpg", ("/a/b.tar", "c/d.jpg")),
        ("/a/b.TGZ!/d.jpg", ("/a/b.TGZ", "d.jpg")),
        ("/wow!/cat.jpg", ("", "/wow!/cat.jpg")),
        ("/wow!/a.zip!/b.tar!/c.jpg", ("/wow!/a.zip", "b.tar!/c.jpg")),
        ("https://host/a.tar!/b.jpg", ("", "https://host/a.tar!/b.jpg")),
        ("cat.jpg", ("", "cat.jpg")),
    ],
)
def test_split_archive(source: str, parts: tuple[str, str]) -> None:
    assert split_archive(source) == parts


def test_urls() -> None:
    assert is_url("HTTPS://a/b")
    assert is_url("http://a")
    assert not is_url("ftp://a/b")
    assert not is_url("httpx/a")


@pytest.mark.skipif(os.name == "nt", reason="POSIX paths")
def test_path_within() -> None:
    assert path_within("/data/list/a/b.jpg", "/data/list") == ("/data/list", "a/b.jpg")
    assert path_within("/data/listing/b.jpg", "/data/list") == ("/", "data/listing/b.jpg")
    assert path_within("/b.jpg", "/") == ("/", "b.jpg")


@given(
    patterns=st.lists(st.sampled_from(["*.png", "raw", "a/*", "b?", "[ab]", "*/c.jpg", "x/"]), max_size=3),
    parts=st.lists(st.sampled_from(["a", "b", "b1", "raw", "c.jpg", "d.png", "x"]), min_size=1, max_size=4),
)
def test_selection_equals_a_loop_over_fnmatch(patterns: list[str], parts: list[str]) -> None:
    selection = Selection.of(patterns, include_hidden=False)
    path = "/".join(parts)
    plain = [pattern.rstrip("/") for pattern in patterns]
    expected = any(fnmatch.fnmatchcase(name, p) for name in (parts[-1], path) for p in plain)
    assert selection.leaves_out(parts[-1], path) == expected
    above = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
    inside = any(fnmatch.fnmatchcase(n, p) for a in above for n in (a, a.rpartition("/")[2]) for p in plain)
    assert selection.wants_member(path) != inside
