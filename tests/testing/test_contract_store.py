from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from lookalike.store import STORES
from lookalike.store.sqlite import SqliteStore, open_sqlite
from lookalike.testing.store import check_store
from lookalike.types import Rows


@pytest.mark.parametrize("name", STORES.names())
def test_every_store_keeps_the_contract(name: str, tmp_path: Path) -> None:
    check_store(lambda path, create: STORES.create(name, path=path, create=create), tmp_path)


class _KeepsRemoved(SqliteStore):
    def remove(self, rows: Sequence[int] | Rows) -> int:
        return len(rows)


def test_the_suite_notices_a_store_that_does_not(tmp_path: Path) -> None:
    def make(path: Path, create: bool) -> SqliteStore:
        good = open_sqlite(path, create=create)
        return _KeepsRemoved(good.path, good._connections, good._lock)

    with pytest.raises(AssertionError, match="remove"):
        check_store(make, tmp_path)
