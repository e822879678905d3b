"""Boxes that say the same thing, against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.detect.overlap import overlap, strongest
from lookalike.errors import BadInput
from lookalike.types import Region


def test_overlap_by_hand() -> None:
    # 10 x 10 and 10 x 10, moved by 5 in x: 50 shared of 150.
    assert overlap(Region(0, 0, 10, 10), Region(5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap(Region(0, 0, 10, 10), Region(10, 0, 15, 10)) == 0.0
    assert overlap(Region(0, 0, 10, 10), Region(0, 0, 10, 10)) == 1.0


@given(seed=st.integers(0, 10**6), count=st.integers(0, 25), most=st.floats(0, 1))
def test_strongest_equals_a_loop(seed: int, count: int, most: float) -> None:
    random = np.random.default_rng(seed)
    corners = random.integers(0, 20, (count, 2))
    boxes = np.hstack([corners, corners + random.integers(1, 15, (count, 2))]).astype(float)
    scores = random.integers(0, 6, count) / 5  # with ties
    groups = random.integers(0, 2, count)
    regions = [Region(int(x0), int(y0), int(x1), int(y1)) for x0, y0, x1, y1 in boxes]
    expected: list[int] = []
    for best in sorted(range(count), key=lambda i: (-scores[i], i)):
        if all(overlap(regions[best], regions[k]) <= most for k in expected if groups[k] == groups[best]):
            expected.append(best)
    found = strongest(boxes, scores, most_overlap=most, groups=groups)
    assert found.tolist() == expected
    assert strongest(boxes, scores, most_overlap=most, groups=groups, limit=2).tolist() == expected[:2]


def test_an_overlap_out_of_range_is_an_error() -> None:
    with pytest.raises(BadInput, match=r"within \[0, 1\], got 1.5"):
        strongest(np.zeros((1, 4)), np.zeros(1), most_overlap=1.5)
