"""Moving and finding by path, against a loop over the components of paths."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.errors import BadInput
from lookalike.store.sqlite import SqliteStore
from lookalike.testing.store import StoredImage

part = st.sampled_from(["a", "b", "ab", "a!", "a.tar", "\udcff", "a\nb", "a%", "_", "x'", "é", "\x00"])
folder = st.lists(part, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
source = st.tuples(folder, st.sampled_from(["", "!/a", "!/a/b"])).map("".join)


def below(path: str, root: str) -> bool:
    root = root.rstrip("/")
    return path == root or path.startswith((root + "/", root + "!/"))


def loop_rebase(sources: list[str], old: str, new: str) -> list[str] | None:
    old, new = old.rstrip("/"), new.rstrip("/")
    moved = [new + path[len(old) :] if below(path, old) else path for path in sources]
    stay = {path for path in sources if not below(path, old)}
    clash = any(path != after and after in stay for path, after in zip(sources, moved, strict=True))
    return None if clash else moved


@given(
    sources=st.lists(source, min_size=1, max_size=6, unique=True),
    old=folder | st.just("/") | folder.map(lambda path: path + "/"),
    new=folder | st.just("/"),
)
@settings(deadline=None, max_examples=60)
def test_rebase_and_under_equal_the_loop(sources: list[str], old: str, new: str) -> None:
    work = Path(tempfile.mkdtemp())
    try:
        with SqliteStore.open(work / "c", create=True) as store:
            roots = [path.split("!/")[0] if "!/" in path else path.rpartition("/")[0] for path in sources]
            store.put([StoredImage(f"{i}", path, roots[i]) for i, path in enumerate(sources)], {})
            assert {path for path, _ in store.under(old)} == {path for path in sources if below(path, old)}
            expected = loop_rebase(sources, old, new)
            if expected is None:
                with pytest.raises(BadInput, match="where another record is"):
                    store.rebase(old, new)
                expected = sources
            else:
                count = sum(below(path, old) for path in sources) if old.rstrip("/") != new.rstrip("/") else 0
                assert store.rebase(old, new) == count
            assert [record.source for record in store.records()] == expected
            for record in store.records():
                assert not record.root or below(record.source, record.root)
                known = store.known([record.source])[0]
                assert known is not None
                assert known.source == record.source
    finally:
        shutil.rmtree(work)


def test_a_part_of_a_root_moves_and_its_root_with_it(tmp_path: Path) -> None:
    with SqliteStore.open(tmp_path / "c", create=True) as store:
        store.put([StoredImage("x/1", "/r/x/1", "/r"), StoredImage("y/1", "/r/y/1", "/r")], {})
        assert store.rebase("/r/x", "/drive/x") == 1
        assert [(r.id, r.source, r.root) for r in store.records()] == [
            ("x/1", "/drive/x/1", "/drive/x"),
            ("y/1", "/r/y/1", "/r"),
        ]


def test_two_roots_change_places(tmp_path: Path) -> None:
    with SqliteStore.open(tmp_path / "c", create=True) as store:
        store.put([StoredImage("1", "/a/1", "/a"), StoredImage("2", "/b/2", "/b")], {})
        for old, new in (("/a", "/tmp"), ("/b", "/a"), ("/tmp", "/b")):
            assert store.rebase(old, new) == 1
        assert [(r.id, r.source, r.root) for r in store.records()] == [("1", "/b/1", "/b"), ("2", "/a/2", "/a")]


def test_a_folder_moves_into_itself(tmp_path: Path) -> None:
    with SqliteStore.open(tmp_path / "c", create=True) as store:
        store.put([StoredImage("1", "/a/1", "/a"), StoredImage("2", "/a/b/1", "/a")], {})
        assert store.rebase("/a", "/a/b") == 2
        assert [(r.source, r.root) for r in store.records()] == [("/a/b/1", "/a/b"), ("/a/b/b/1", "/a/b")]


def test_urls_move_too_and_empty_paths_are_refused(tmp_path: Path) -> None:
    with SqliteStore.open(tmp_path / "c", create=True) as store:
        store.put([StoredImage("u", "https://old.example/a.jpg")], {})
        assert store.rebase("https://old.example", "https://new.example/b/") == 1
        assert store.known(["https://new.example/b/a.jpg"])[0] is not None
        assert store.rebase("/nowhere", "/else") == 0
        with pytest.raises(BadInput, match="empty path"):
            store.rebase("", "/a")
