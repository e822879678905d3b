"""Every format and every protocol has its line in the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from lookalike.evaluate.protocols import PROTOCOLS
from lookalike.evaluate.truth import TRUTHS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "evaluation.md"


@pytest.mark.parametrize("name", [*TRUTHS, *PROTOCOLS])
def test_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE.read_text(encoding="utf-8")
