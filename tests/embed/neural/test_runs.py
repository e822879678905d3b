"""A batch cut into runs gives each image the row that it has alone, whatever the sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.embed.neural.runs import Runs


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.none() | st.integers(1, 9), st.none() | st.integers(1, 6))
def test_every_image_has_its_own_row(count: int, fixed: int | None, share: int | None) -> None:
    sizes: list[int] = []

    def run(prepared: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        sizes.append(len(prepared))
        return np.array([[each[0], each[0] ** 2] for each in prepared])

    images = [np.array([at]) for at in range(count)]
    rows = Runs(fixed, share).rows(run, images)
    assert rows.tolist() == [[at, at * at] for at in range(count)]
    if fixed:
        assert set(sizes) == {fixed}
    else:
        assert sum(sizes) == count
        assert max(sizes) <= (share or count)
    if share is None:
        assert len(sizes) == -(-count // (fixed or count))
    if share == 1:
        assert len(sizes) == count


def test_a_small_batch_is_shared_out_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """4 images on 3 cores with at most 4 a run: ceil(4 / 3) = 2 a run, so two cores work and not one."""
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    sizes: list[int] = []

    def run(prepared: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        sizes.append(len(prepared))
        return np.zeros((len(prepared), 2))

    Runs(None, 4).rows(run, [np.zeros(1)] * 4)
    assert sizes == [2, 2]
