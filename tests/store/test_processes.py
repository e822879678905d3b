"""One writer and many readers, in real processes that are really killed."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from lookalike.errors import CollectionBusy
from lookalike.store.sqlite import SqliteStore
from lookalike.testing.store import StoredImage, unit_vectors
from lookalike.types import VectorSpace

from .processes import run, start

SPACE = VectorSpace("s", 8, "f")


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    made = SqliteStore.open(tmp_path / "c", create=True)
    made.add_space(SPACE)
    return made


def test_a_second_writer_is_told_who_writes(store: SqliteStore) -> None:
    other = start("with SqliteStore.open(path).writing(): say('holding'); sys.stdin.read()", store.path)
    assert other.stdout is not None
    assert other.stdout.readline() == "holding\n"
    version = store.version
    with pytest.raises(CollectionBusy, match=rf"another process \(process {other.pid}\) is writing.*Wait"):
        store.put([StoredImage("x", "/x")], {"s": unit_vectors(1, 8)})
    with pytest.raises(CollectionBusy), store.writing():
        pass
    assert (store.count(), store.version) == (0, version), "reading goes on"
    other.communicate()
    store.put([StoredImage("x", "/x")], {"s": unit_vectors(1, 8)})


def test_the_lock_of_a_killed_writer_is_free(store: SqliteStore) -> None:
    other = start("with SqliteStore.open(path).writing(): say('holding'); sys.stdin.read()", store.path)
    assert other.stdout is not None
    other.stdout.readline()
    other.kill()
    other.communicate()
    store.put([StoredImage("x", "/x")], {"s": unit_vectors(1, 8)})


def test_readers_see_what_another_process_commits(store: SqliteStore) -> None:
    assert len(store.snapshot("s")) == 0
    with store.writing():  # a reader neither needs the lock nor waits for it
        before = store.version
        assert run("say(SqliteStore.open(path).count(), len(SqliteStore.open(path).snapshot('s')))", store.path) == (
            "0 0\n"
        )
    run("put(SqliteStore.open(path), 'a', 'b')", store.path)
    assert store.count() == 2
    assert store.version > before
    assert len(store.snapshot("s")) == 2


def test_two_processes_may_make_the_same_collection(tmp_path: Path) -> None:
    both = [start("say(SqliteStore.open(path, create=True).count())", tmp_path / "new") for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, "0\n"), err


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    code = """
store = SqliteStore.open(path, create=True)
store.add_space(SPACE)
for i in range(10**6):
    put(store, f"{i}-0", f"{i}-1", f"{i}-2")
    say(i)
    if i % 7 == 6: store.refresh_derived()
"""
    rng = random.Random(0)
    done = -1
    for attempt in range(4):
        writer = start(code.replace("range(10**6)", f"range({done + 1}, 10**6)"), tmp_path / "c")
        assert writer.stdout is not None
        said = [writer.stdout.readline()]
        time.sleep(rng.uniform(0, 0.2))
        writer.kill()
        said += writer.communicate()[0].split()
        done = max(done, *(int(line) for line in said))
        with SqliteStore.open(tmp_path / "c") as store:
            ids = {record.id for record in store.records()}
            assert {f"{i}-{j}" for i in range(done + 1) for j in range(3)} <= ids, f"lost after kill {attempt}"
            batches = {name.split("-")[0] for name in ids}
            assert len(ids) == 3 * len(batches), "a batch is there whole or not at all"
            assert len(batches) <= done + 2, "at most the one batch that was not acknowledged"
            assert store.snapshot("s").rows.tolist() == [record.row for record in store.records()]


def test_a_child_process_that_inherits_a_store_works_on_its_own(store: SqliteStore) -> None:
    code = """
store = SqliteStore.open(path); put(store, "parent"); store.count()
child = os.fork()
if child == 0:
    ok = store.count() == 1
    store.close()
    os._exit(0 if ok else 1)
say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), len(put(store, "later")), store.count())
"""
    assert run(code, store.path) == "0 1 2\n"
