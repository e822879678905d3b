"""Every embedder of the table keeps the contract; each promise of the suite is one that a broken embedder fails."""

from __future__ import annotations

import pytest

from lookalike.embed import EMBEDDERS, create
from lookalike.protocols import Embedder, Learns
from lookalike.testing.embedder import check_embedder
from pictures import picture

NAMES = [name for name in EMBEDDERS.names() if not name.endswith(":")]


@pytest.mark.parametrize("name", NAMES)
def test_the_contract(name: str) -> None:
    check_embedder(lambda: taught(create(name)))


def taught(made: Embedder) -> Embedder:
    return made.fit([picture(seed) for seed in range(80)], 0) if isinstance(made, Learns) else made
