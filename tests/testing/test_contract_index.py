from __future__ import annotations

import numpy as np
import pytest

from lookalike.index import INDEXES
from lookalike.index.exact import Exact
from lookalike.testing.index import check_index
from lookalike.types import Candidates, Rows, Vectors


@pytest.mark.parametrize("name", INDEXES.names())
def test_every_index_keeps_the_contract(name: str) -> None:
    check_index(lambda space: INDEXES.create(name, space=space))


def test_exact_keeps_the_contract_for_bits() -> None:
    check_index(Exact, kind="bits")


class _IgnoresAllowed(Exact):
    def search(self, vectors: Vectors, k: int, *, allowed: Rows | None = None) -> Candidates:
        return super().search(vectors, k)


class _TiesByHigherRow(Exact):
    def search(self, vectors: Vectors, k: int, *, allowed: Rows | None = None) -> Candidates:
        found = super().search(vectors, k, allowed=allowed)
        order = np.lexsort((-found.rows, -found.scores))
        return Candidates(np.take_along_axis(found.rows, order, 1), np.take_along_axis(found.scores, order, 1))


def test_the_suite_notices_what_is_wrong() -> None:
    with pytest.raises(AssertionError, match="allowed"):
        check_index(_IgnoresAllowed)
    with pytest.raises(AssertionError, match="lower row"):
        check_index(_TiesByHigherRow)
    with pytest.raises(AssertionError, match="lower row"):
        check_index(_TiesByHigherRow, kind="bits")
