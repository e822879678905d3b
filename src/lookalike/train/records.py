"""What a run writes down while it goes: a CSV, TensorBoard's file where its package is there, progress."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

__all__ = ["Log", "OnProgress", "Progress"]

COLUMNS = ("step", "epoch", "loss", "rate", "images_per_second", "metric", "value", "low", "high")


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is.

    Attributes:
        step, steps: done, and in all.
        epoch: from 1.
        loss: mean of the last steps.
        images_per_second: of the training alone.
        best: the best value of the metric so far; None before the first look.
        metric: its name.
    """

    step: int
    steps: int
    epoch: int
    loss: float
    images_per_second: float
    best: float | None
    metric: str


OnProgress: TypeAlias = Callable[[Progress], None]


class Log:
    """A CSV that is appended to, and TensorBoard's events beside it where ``tensorboard`` is installed.

    Args:
        folder: where ``log.csv`` stands.
        after: the last step that counts: lines of later steps, of a run that was killed, are taken out.
        mute: write nothing: another process of the run does.
    """

    def __init__(self, folder: Path, *, after: int, mute: bool = False) -> None:
        self._path = folder / "log.csv"
        self._mute, self._board = mute, None
        if mute:
            return
        rows: list[Mapping[str, str]] = []
        if self._path.is_file():
            with self._path.open(newline="", encoding="utf-8") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) <= after]
        with self._path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        self._board = _board(folder, after)

    def write(self, **values: Any) -> None:
        """Write one line."""
        if self._mute:
            return
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, COLUMNS).writerow(values)
        if self._board is not None:
            for name in ("loss", "rate", "images_per_second"):
                if values.get(name) not in (None, ""):
                    self._board.add_scalar(name, values[name], values["step"])
            if values.get("metric"):
                self._board.add_scalar(str(values["metric"]), values["value"], values["step"])

    def close(self) -> None:
        """Finish TensorBoard's file."""
        if self._board is not None:
            self._board.close()


def _board(folder: Path, after: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError:
        return None
    return SummaryWriter(str(folder), purge_step=after + 1)
