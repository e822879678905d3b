"""Ctrl-C on a real training: a sentence, the exit code of an interrupt, and nothing lost."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from training_command import begun, ended, weights_of, write_classes

pytestmark = [pytest.mark.torch, pytest.mark.slow]


def test_what_was_interrupted_ends_as_if_it_never_was(tmp_path: Path) -> None:
    images = write_classes(tmp_path / "images")
    settings: dict[str, Any] = {"epochs": 6, "save_every": 0, "memory": 32, "ema": 0.9}

    def start(out: str) -> tuple[str, ...]:
        return ("--images", str(images), "--out", str(tmp_path / out), "--quiet")

    code, _, err = ended(begun(tmp_path / "stub", *start("unbroken"), **settings))
    assert code == 0, err
    rng = random.Random(3)
    state = tmp_path / "broken" / "training" / "state.pt"
    for _ in range(3):
        process = begun(tmp_path / "stub", *start("broken"), **settings)
        before = state.stat().st_mtime_ns if state.exists() else 0
        while process.poll() is None and (not state.exists() or state.stat().st_mtime_ns == before):
            time.sleep(0.01)
        time.sleep(rng.random() * 0.1)
        process.send_signal(signal.SIGINT)
        code, out, err = ended(process)
        assert code == 130, err
        assert f"Stopped. The same command goes on; what was learned is in {tmp_path / 'broken'}." in err
        assert "Traceback" not in err
        assert out == ""
        assert not (tmp_path / "broken" / "model.onnx").exists()
    code, _, err = ended(begun(tmp_path / "stub", *start("broken"), **settings))
    assert code == 0, err
    assert "went on and took" in err
    assert weights_of(tmp_path / "broken") == weights_of(tmp_path / "unbroken")
    left = [{file.name for file in (tmp_path / name / "training").iterdir()} for name in ("broken", "unbroken")]
    kinds = [{name.partition(".")[0] if name.startswith("events.") else name for name in each} for each in left]
    assert kinds[0] == kinds[1]  # TensorBoard's files have the time in their names


class Interrupted:
    """What torch does when Ctrl-C comes amid its writing: it fails at closing the archive, which is torn by then."""

    def __reduce__(self) -> Any:
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("unexpected pos 3071040 vs 3070928")


def test_ctrl_c_amid_a_checkpoint_is_ctrl_c_and_leaves_the_one_before(tmp_path: Path) -> None:
    from lookalike.train.checkpoint import save_state

    path = tmp_path / "state.pt"
    save_state(path, {"numbers": [1]})
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        save_state(path, {"numbers": Interrupted()})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
