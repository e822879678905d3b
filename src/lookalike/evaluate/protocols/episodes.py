"""(f) N-way K-shot episodes: one image of each of N classes searches the K others of each class.

Each episode draws N classes, and of each K + 1 images: K are searched, one asks. ``hit_rate@1`` is the accuracy of the
nearest image; averages over the K images of a class (prototypes) are another method, and give other values. With
``-within``, the classes of an episode share a group (an alphabet), which is harder: never compare the two.
Sources: Vinyals et al., Matching Networks for One Shot Learning, NeurIPS 2016; Lake et al., Science 350, 2015.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from ...errors import BadInput
from ..truth.base import Ints
from ..truth.joining import Joined
from .leave_one_out import labelled_rows
from .plan import Ignored, Part, Plan
from .relevance import relevance_of

__all__ = ["EPISODES", "episodes"]

EPISODES = 600


def episodes(joined: Joined, seed: int, *, ways: int, shots: int, within: bool, count: int = EPISODES) -> Plan:
    """Draw the episodes.

    Args:
        joined: a truth with one label an image; with groups when ``within``.
        seed: of the draws.
        ways, shots: N > 1 and K > 0.
        within: draw the classes of an episode from one group, every group that is large enough alike.
        count: how many episodes.

    Raises:
        BadInput: too few classes with K + 1 images, or no groups.
    """
    if ways < 2 or shots < 1:
        raise BadInput(f"episodes need at least 2 ways and 1 shot, got {ways} and {shots}.")
    pools = _pools(joined, shots + 1, within)
    large = [classes for classes in pools if len(classes) >= ways]
    if not large:
        most = max(map(len, pools), default=0)
        raise BadInput(
            f"{ways} ways need as many classes with {shots + 1} images{' in one group' * within}; there are {most}.",
            hint="Ask for fewer ways or shots.",
        )
    rng = np.random.default_rng(seed)
    parts, tags = [], []
    for episode in range(count):
        classes = large[int(rng.integers(len(large)))]
        drawn = [rng.choice(classes[at], shots + 1, replace=False) for at in rng.permutation(len(classes))[:ways]]
        asking = np.array([some[0] for some in drawn], np.int64)
        parts.append(Part(asking, np.sort(joined.rows[np.concatenate([some[1:] for some in drawn])])))
        tags += [f"{episode}:"] * ways
    notes = ["Classes are drawn within a group: not comparable with draws across all classes."] * within
    return Plan(
        name=f"{ways}-way-{shots}-shot{'-within' * within}",
        parts=tuple(parts),
        relevance=relevance_of(joined),
        ignored=Ignored(joined, junk=joined.truth.junk),
        facts={"ways": ways, "shots": shots, "within": within, "episodes": count, "seed": seed, "drawing": notes},
        tags=tuple(tags),
    )


def _pools(joined: Joined, least: int, within: bool) -> list[list[Ints]]:
    """Return the classes that may be drawn together, each as the positions of its images, ``least`` or more."""
    truth = joined.truth
    labels, groups = truth.labels, truth.groups
    if labels is None or (labels.sizes > 1).any():
        raise BadInput(f"episodes need one label an image, which {truth.path} does not give.")
    if within and groups is None:
        raise BadInput(f"{truth.path} knows no groups of classes.", hint="Leave -within out.")
    present = labelled_rows(joined)
    codes = labels.codes[labels.starts[present]]
    order = np.argsort(codes, kind="stable")
    bounds = np.flatnonzero(np.diff(codes[order])) + 1
    pools: dict[str, list[Ints]] = defaultdict(list)
    for members in np.split(present[order], bounds):
        if len(members) >= least:
            pools[groups[int(members[0])] if within and groups is not None else ""].append(members)
    return list(pools.values())
