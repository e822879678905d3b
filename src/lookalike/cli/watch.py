"""``lookalike index --watch``: follow folders until Ctrl-C."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ..collection import AddReport
from ..errors import BadInput
from . import say

__all__ = ["follow"]


def follow(
    sources: Sequence[str], collection: Path, run: Callable[[], AddReport], show: Callable[[AddReport], None]
) -> AddReport:
    """Run again whenever something below the sources changes; return the sum of what the runs did.

    The whole source is walked again each time: unchanged files cost a look at their size and time, and no event that
    the operating system drops can be missed.

    Raises:
        BadInput: none of the sources is a folder or file that can be followed.
    """
    from watchfiles import watch

    followed = [os.path.expanduser(source) for source in sources]
    followed = [source for source in followed if Path(source).exists()]
    if not followed:
        raise BadInput("there is no folder to follow.", hint="--watch takes folders and files, not URLs or stdin:")
    total = AddReport()
    say.message(f"Following {', '.join(followed)}; Ctrl-C ends it.")
    own = str(collection.absolute()) + os.sep  # the collection may lie inside the folder that it follows

    def elsewhere(change: object, path: str) -> bool:
        return not path.startswith(own)

    for _ in watch(*followed, watch_filter=elsewhere, raise_interrupt=False, debounce=800, recursive=True):
        report = run()
        if report.added or report.replaced or report.pruned or report.skipped_count or report.stopped:
            show(report)
        total.merge(report)
        if report.stopped:
            break
    return total
