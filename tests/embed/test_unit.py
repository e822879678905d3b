from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lookalike.embed.unit import unit
from lookalike.errors import ModelError

ROWS = arrays(
    np.float32, st.tuples(st.integers(0, 4), st.integers(1, 9)), elements=st.floats(-(2**120), 2**120, width=32)
)


@given(ROWS)
def test_rows_have_unit_norm_and_keep_their_direction(rows: npt.NDArray[np.float32]) -> None:
    found = unit(rows, source="test")
    assert found.dtype == np.float32
    assert found.shape == rows.shape
    for row, given_row in zip(found.astype(np.float64), rows.astype(np.float64), strict=True):
        length = float(sum(v * v for v in given_row)) ** 0.5
        assert np.linalg.norm(row) == pytest.approx(1, abs=1e-6)
        if length > 1e-30:
            assert row == pytest.approx(given_row / length, abs=1e-6)


def test_tiny_rows_keep_their_direction() -> None:
    assert unit(np.array([[3e-38, 4e-38]], np.float32), source="x")[0] == pytest.approx([0.6, 0.8], abs=1e-6)


def test_a_row_of_zeros_becomes_the_uniform_row() -> None:
    assert unit(np.zeros((1, 4)), source="x").tolist() == [[0.5] * 4]


def test_values_that_are_not_finite_are_an_error() -> None:
    with pytest.raises(ModelError, match="model-x gave NaN or infinity for 2 of 3 images"):
        unit(np.array([[1.0, np.nan], [0.0, 1.0], [np.inf, 0.0]]), source="model-x")
