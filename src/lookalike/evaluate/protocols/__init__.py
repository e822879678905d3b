"""The table of protocols: who searches what, and what counts. A new one is a file beside this and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

from ...protocols import Searcher
from ..evaluation import Evaluation
from ..truth.joining import Joined
from . import leave_one_out
from .engine import run_plan
from .plan import Outside, Plan

__all__ = ["PROTOCOLS", "Searched", "plan_of", "run_protocol"]

Planner = Callable[[Joined, int], Plan]  # the joined truth and a seed

PROTOCOLS: Mapping[str, Planner] = MappingProxyType({"leave-one-out": leave_one_out.plan})


class Searched(Protocol):
    """What is evaluated: a collection, or vectors from files."""

    @property
    def searcher(self) -> Searcher:
        """Return the search by vector."""
        ...

    def __len__(self) -> int: ...


def plan_of(joined: Joined, protocol: str | None = None, *, seed: int = 0) -> Plan:
    """Return the plan of a protocol."""
    return PROTOCOLS[protocol or "leave-one-out"](joined, seed)


def run_protocol(
    searched: Searched,
    joined: Joined,
    protocol: str | None = None,
    *,
    outside: Outside | None = None,
    cut: int | None = None,
    shown: int = 10,
    seed: int = 0,
) -> Evaluation:
    """Run the search of a collection under a protocol, and judge it."""
    plan = plan_of(joined, protocol, seed=seed)
    return run_plan(searched.searcher, len(searched), joined, plan, outside=outside, cut=cut, shown=shown)
