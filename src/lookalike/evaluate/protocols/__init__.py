"""The table of protocols: who searches what, and what counts. A new one is a file beside this and a line here.

The episodes are a family: ``5-way-1-shot``, ``20-way-1-shot-within``, any numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

import numpy as np

from ...errors import UnknownName
from ...nearest_name import choices
from ...protocols import Searcher
from ..evaluation import Evaluation
from ..truth.joining import Joined
from . import chosen, full, leave_one_out, query_gallery, revisited
from .engine import run_plan
from .episodes import episodes
from .plan import Plan

__all__ = ["PROTOCOLS", "Searched", "default_protocol", "plan_of", "run_protocol"]

Planner = Callable[[Joined, int], Plan]  # the joined truth and a seed

PROTOCOLS: Mapping[str, Planner] = MappingProxyType(
    {
        "leave-one-out": leave_one_out.plan,
        "chosen": chosen.plan,
        "full": full.plan,
        "query-gallery": query_gallery.plan,
        "revisited-easy": revisited.planner("easy"),
        "revisited-medium": revisited.planner("medium"),
        "revisited-hard": revisited.planner("hard"),
    }
)
_EPISODES = re.compile(r"([0-9]+)-way-([0-9]+)-shot(-within)?")


class Searched(Protocol):
    """What is evaluated: a collection, or vectors from files."""

    @property
    def searcher(self) -> Searcher:
        """Return the search by vector."""
        ...

    def __len__(self) -> int: ...


def default_protocol(joined: Joined) -> str:
    """Return the protocol that a truth asks for by what it holds."""
    truth = joined.truth
    if truth.variants:
        return f"revisited-{next(iter(truth.variants))}"
    if joined.queries is None:
        return "leave-one-out"
    found = truth.pairs.item[truth.pairs.grades > 0] if truth.pairs is not None else joined.queries[:0]
    if truth.base is not None or np.isin(found, joined.queries).any():
        return "query-gallery"  # queries that are results of one another must stay in the base
    return "full"


def plan_of(joined: Joined, protocol: str | None = None, *, seed: int = 0) -> Plan:
    """Return the plan of a protocol; None takes the truth's own.

    Raises:
        UnknownName: no such protocol; the nearest is offered. BadInput: the truth does not fit it.
    """
    name = protocol or default_protocol(joined)
    if (family := _EPISODES.fullmatch(name)) is not None:
        ways, shots, within = family.groups()
        return episodes(joined, seed, ways=int(ways), shots=int(shots), within=within is not None)
    if name not in PROTOCOLS:
        known = [*PROTOCOLS, "N-way-K-shot", "N-way-K-shot-within"]
        raise UnknownName(f"unknown protocol {name!r}.", hint=choices(name, known))
    return PROTOCOLS[name](joined, seed)


def run_protocol(
    searched: Searched,
    joined: Joined,
    protocol: str | None = None,
    *,
    cut: int | None = None,
    shown: int = 10,
    seed: int = 0,
) -> Evaluation:
    """Run the search of a collection under a protocol, and judge it.

    Args:
        searched: a collection, or a ``VectorSet``.
        joined: the truth, joined to it.
        protocol: a name of ``PROTOCOLS``, or such as ``5-way-1-shot``; None: what the truth asks for.
        cut: how many results of each query are judged; None ranks the whole base, which ``map`` needs.
        shown: how many results of each query are kept for pictures.
        seed: of drawn episodes.

    Raises:
        UnknownName, BadInput: no such protocol, a truth that does not fit it, nothing to find, NaN scores.
    """
    plan = plan_of(joined, protocol, seed=seed)
    return run_plan(searched.searcher, len(searched), joined, plan, cut=cut, shown=shown)
