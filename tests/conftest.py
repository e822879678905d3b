"""Fixtures that every test may use."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

from torch_libraries import declare_operators

settings.register_profile("untimed", deadline=None)  # speed is measured in benchmarks, never in tests
settings.load_profile("untimed")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs torch where there is none, unless it is what was asked for."""
    if find_spec("torch") is None and config.option.markexpr != "torch":
        absent = pytest.mark.skip(reason="needs torch and libraries that build on it: make test-torch")
        for item in items:
            if item.get_closest_marker("torch"):
                item.add_marker(absent)


@pytest.fixture(autouse=True)
def _torch_libraries(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("torch"):
        declare_operators()


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
