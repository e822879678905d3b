"""The program, run in this process and in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from lookalike.cli import main
from running import Done, Run


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOOKALIKE_COLLECTION", raising=False)

    def run(*words: str | Path) -> Done:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        return Done(int(ended.value.code or 0), *capfd.readouterr())

    return run
