"""Fixtures that every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def _shared(name: str) -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"needs the shared test material, which is not beside this checkout: {SHARED}")
    folder = SHARED / name
    if not folder.is_dir():
        # Beside the rest of the material a missing folder is a broken set-up, never a reason to pass.
        pytest.fail(f"{folder} is missing")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images with ground truth; skips where there is none."""
    return _shared("data")


@pytest.fixture(scope="session")
def shared_weights() -> Path:
    """The folder of published weights; skips where there is none."""
    return _shared("weights")
