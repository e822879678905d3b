"""The progress bar of indexing: images done, images a second, time left."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..collection import AddReport
from ..collection.reports import OnProgress

__all__ = ["bar"]


@contextmanager
def bar(count: Callable[[], int | None], *, quiet: bool) -> Iterator[OnProgress]:
    """Yield what to call with the report so far; draws only on a terminal.

    Args:
        count: returns how many images there are, or None when it cannot be told; runs beside the work.
        quiet: draw nothing.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda report: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[skipped]}"),
        console=Console(stderr=True),
        transient=True,
    )
    task = progress.add_task("indexing", total=None, rate="", skipped="")

    def counted() -> None:
        # Counting is quick beside embedding, but not at once: the bar starts without an end and gets one.
        total = count()
        if total is not None:
            progress.update(task, total=total)

    def show(report: AddReport) -> None:
        speed = progress.tasks[0].speed
        progress.update(
            task,
            completed=report.done,
            rate=f"{speed:.1f} images/s" if speed else "",
            skipped=f"{report.skipped_count} skipped" if report.skipped_count else "",
        )

    with progress:
        threading.Thread(target=counted, daemon=True).start()
        yield show
