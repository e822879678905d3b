"""A person's box: what it means, and the sentences that say what is wrong with it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.detect.box import crop, parse_box, rescaled
from lookalike.errors import BadInput
from lookalike.types import Region


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10,20,30,40", Region(10, 20, 30, 40)),
        ("0.1,0.2,0.5,1", Region(20, 20, 100, 100)),
        ("0,0,1,1", Region(0, 0, 200, 100)),
        ("0,0,2,2", Region(0, 0, 2, 2)),
        ("150,50,900,900", Region(150, 50, 200, 100)),
        ("10.4,20.6,30.2,40.9", Region(10, 20, 31, 41)),
        ("0.0001,0.0001,0.0002,0.0002", Region(0, 0, 1, 1)),
    ],
)
def test_pixels_and_fractions_of_a_picture_of_200_x_100(text: str, expected: Region) -> None:
    assert parse_box(text).region(200, 100) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3", "four numbers with commas between, got '1,2,3'"),
        ("a,b,c,d", "four numbers"),
        ("30,0,10,10", "the box 30,0,10,10 is empty: x0 must be below x1"),
        ("0,5,10,5", "is empty"),
        ("-1,0,10,10", "negative"),
        ("0,0,nan,1", "not finite"),
    ],
)
def test_a_box_that_is_none(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        parse_box(text)


def test_a_box_outside_the_picture() -> None:
    with pytest.raises(BadInput, match=r"the box 300,0,400,50 lies outside the picture, which is 200 x 100 pixels"):
        parse_box("300,0,400,50").region(200, 100)
    with pytest.raises(BadInput, match="lies outside"):
        crop(np.zeros((10, 10, 3), np.uint8), Region(10, 0, 20, 5))


def test_a_crop_is_those_pixels_and_a_copy() -> None:
    image = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    cut = crop(image, Region(2, 1, 9, 4))
    np.testing.assert_array_equal(cut, image[1:4, 2:7])
    assert not np.shares_memory(cut, image)


@given(
    edges=st.tuples(*[st.floats(-1, 2)] * 4),
    width=st.integers(1, 50),
    height=st.integers(1, 50),
    score=st.floats(-1, 2),
)
def test_fractions_always_become_a_region_inside(
    edges: tuple[float, float, float, float], width: int, height: int, score: float
) -> None:
    region = rescaled(edges, width, height, score)
    assert 0 <= region.x0 < region.x1 <= width
    assert 0 <= region.y0 < region.y1 <= height
    assert 0 <= region.score <= 1
