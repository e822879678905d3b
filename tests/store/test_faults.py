"""Full disks, read-only folders, damaged and foreign files: real ones."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest

from lookalike.errors import NewerFormat, NoCollection, StorageFailed
from lookalike.store.sqlite import FILE, SqliteStore
from lookalike.testing.store import StoredImage, unit_vectors
from lookalike.types import VectorSpace

from .processes import run

posix = pytest.mark.skipif(sys.platform == "win32", reason="limits and users of POSIX")
SPACE = VectorSpace("s", 8, "f")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with SqliteStore.open(tmp_path / "c", create=True) as store:
        store.add_space(SPACE)
        store.put([StoredImage(f"{i}", f"/r/{i}", "/r") for i in range(20)], {"s": unit_vectors(20, 8)})
        store.refresh_derived()
    return tmp_path / "c"


@posix
def test_a_full_disk_loses_nothing(path: Path) -> None:
    """A real limit of the operating system on the size of files: writes fail as on a full disk."""
    code = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
store = SqliteStore.open(path)
done = 0
try:
    for i in range(10**5):
        put(store, *(f"{i}-{j}" for j in range(50)))
        done += 50
except StorageFailed as error:
    say("failed:", error)
say(store.count() - 20 == done, done > 0)
"""
    out = run(code, path)
    assert "failed:" in out
    assert "collection.sqlite" in out
    assert out.endswith("True True\n")
    with SqliteStore.open(path) as store:
        n = store.count()
        store.put([StoredImage("after", "/r/after", "/r")], {"s": unit_vectors(1, 8)})
        assert store.count() == n + 1
        assert len(store.snapshot("s")) == n + 1


@posix
def test_a_full_disk_while_the_derived_file_is_written(path: Path) -> None:
    shutil.rmtree(path / "derived")
    code = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = SqliteStore.open(path)
put(store, *map(str, range(20, 2000)))
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
say(len(store.snapshot("s")))
try:
    store.refresh_derived()
except StorageFailed as error:
    say(error)
say(os.listdir(path / "derived"))
"""
    out = run(code, path).splitlines()
    assert out[0] == "2000", "a reader goes on in memory"
    assert "the disk is full" in out[1]
    assert "The collection itself is safe" in out[1]
    assert out[2] == "[]", "nothing is left behind"


def _read_only(path: Path) -> None:
    for each in [path, *path.rglob("*")]:
        each.chmod(0o555 if each.is_dir() else 0o444)
    for parent in path.parents:
        if parent.name.startswith("pytest-"):
            parent.chmod(parent.stat().st_mode | 0o055)
        elif parent.stat().st_uid == os.geteuid() and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)


@posix
@pytest.mark.parametrize("derived", [True, False])
def test_a_read_only_folder_can_be_read_and_says_that_it_cannot_be_written(path: Path, derived: bool) -> None:
    if not derived:
        shutil.rmtree(path / "derived")
    _read_only(path)
    code = """
store = SqliteStore.open(path)
say(store.count(), len(store.snapshot("s")), store.get(["3"])[0].source, store.version > 0)
for act in (lambda: put(store, "x"), store.refresh_derived, lambda: store.set_setting("a", "b")):
    try:
        act()
    except StorageFailed as error:
        say(error)
"""
    out = run(code, path, unprivileged=True).splitlines()
    assert out[0] == "20 20 /r/3 True"
    assert len(out) == 4
    assert all("cannot be written: Permission denied" in line and str(path) in line for line in out[1:])


@posix
def test_a_read_only_folder_never_hides_what_its_log_holds(path: Path) -> None:
    """A writer was killed: the last commits are in the log only. They are shown, or it is said that they cannot be."""
    code = "store = SqliteStore.open(path); put(store, 'late'); os.kill(os.getpid(), 9)"
    with pytest.raises(AssertionError):
        run(code, path)
    assert (path / (FILE + "-wal")).stat().st_size > 0
    _read_only(path)
    reader = "say(SqliteStore.open(path).get(['late'])[0].id)"
    assert run(reader, path, unprivileged=True) == "late\n"
    path.chmod(0o755)
    (path / (FILE + "-shm")).unlink()
    path.chmod(0o555)
    either = "try: say(SqliteStore.open(path).get(['late'])[0].id)\nexcept StorageFailed as error: say('told')"
    assert run(either, path, unprivileged=True) in ("late\n", "told\n")


@posix
def test_a_collection_that_cannot_be_made_or_read(path: Path) -> None:
    _read_only(path)
    make = "try: SqliteStore.open(path / 'new', create=True)\nexcept StorageFailed as error: say(error)"
    assert "cannot be made: Permission denied" in run(make, path, unprivileged=True)
    (path / FILE).chmod(0o000)
    look = "try: SqliteStore.open(path)\nexcept StorageFailed as error: say(error)"
    assert FILE in run(look, path, unprivileged=True)


def test_a_damaged_file(path: Path) -> None:
    file = path / FILE
    raw = bytearray(file.read_bytes())
    raw[16384 : len(raw)] = os.urandom(len(raw) - 16384)
    file.write_bytes(raw)
    with pytest.raises(StorageFailed, match=r"damaged or is no database.*Restore"):
        list(SqliteStore.open(path).records())
    file.write_bytes(b"This is no database at all. " * 100)
    with pytest.raises(StorageFailed, match="damaged or is no database"):
        SqliteStore.open(path)


def test_a_newer_format(path: Path) -> None:
    with sqlite3.connect(path / FILE) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(NewerFormat, match=r"has format 99; this version of lookalike knows format 3\. Upgrade"):
        SqliteStore.open(path)


def test_somebody_elses_database(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    with sqlite3.connect(tmp_path / "c" / FILE) as db:
        db.execute("CREATE TABLE theirs (x)")
    db.close()
    for create in (False, True):
        with pytest.raises(NoCollection, match="is not a collection of lookalike"):
            SqliteStore.open(tmp_path / "c", create=create)


def test_an_empty_file_left_by_a_creation_that_was_cut_short(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / FILE).touch()
    with pytest.raises(NoCollection):
        SqliteStore.open(tmp_path / "c")
    with SqliteStore.open(tmp_path / "c", create=True) as store:
        assert store.count() == 0
