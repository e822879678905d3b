"""Connected pieces against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from lookalike.detect.components import components


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 12), st.integers(0, 12), st.floats(0, 1), st.integers(0, 10_000))
def test_the_pieces_are_those_of_scipy(height: int, width: int, share: float, seed: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    expected, count = ndimage.label(mask, structure=np.ones((3, 3)))
    found = components(mask)
    assert found.shape == mask.shape
    # Numbered in one order: a piece has the number of those that begin before it, plus one.
    assert int(found.max(initial=0)) == count
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("seed", range(3))
def test_large_and_winding_ones(seed: int) -> None:
    mask = np.random.default_rng(seed).random((300, 200)) < 0.42  # near where pieces begin to span the picture
    np.testing.assert_array_equal(components(mask), ndimage.label(mask, structure=np.ones((3, 3)))[0])
    spiral = np.zeros((41, 41), bool)
    spiral[::2] = True
    spiral[1::4, -1] = spiral[3::4, 0] = True
    assert components(spiral).max() == 1
