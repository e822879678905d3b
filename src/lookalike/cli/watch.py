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
    gone = 0
    caught_up = False
    say.message(f"Following {', '.join(followed)}; Ctrl-C ends it.")
    own = str(collection.absolute()) + os.sep  # the collection may lie inside the folder that it follows

    def elsewhere(change: object, path: str) -> bool:
        return not path.startswith(own)

    try:
        for changes in watch(
            *followed,
            watch_filter=elsewhere,
            raise_interrupt=True,
            debounce=800,
            rust_timeout=500,
            yield_on_timeout=True,
        ):
            if not changes and caught_up:
                continue
            # The first look is for what changed between the run before and the moment the system began to tell.
            caught_up = True
            report = run()
            changed = report.added or report.replaced or report.pruned or report.skipped_count
            if changed or report.vanished_count != gone:
                show(report)
            gone = report.vanished_count
            total.merge(report)
            if report.stopped:
                break
    except KeyboardInterrupt:
        pass  # the way to end it
    say.message("No longer following.")
    total.stopped = False
    return total
