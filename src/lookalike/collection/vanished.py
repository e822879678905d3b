"""Which records' files are no longer there."""

from __future__ import annotations

import os

from ..images.names import split_archive
from ..protocols import Store
from .reports import KEPT_REASONS, AddReport

__all__ = ["Seen", "prune"]

REMOVE_AT_ONCE = 1000  # rows in one transaction


class Seen:
    """The rows that a scan came across: one byte a row, so 68 million images take 68 MB."""

    def __init__(self) -> None:
        self._rows = bytearray()

    def add(self, row: int) -> None:
        """Note one row."""
        if row >= len(self._rows):
            self._rows.extend(bytes(max(row + 1 - len(self._rows), 4096)))
        self._rows[row] = 1

    def __contains__(self, row: int) -> bool:
        return row < len(self._rows) and self._rows[row] == 1


def prune(store: Store, root: str, seen: Seen, report: AddReport, *, remove: bool) -> None:
    """Count into ``report`` what lay below ``root`` and is gone; remove those records when asked to.

    A file that is there but was left out this time (by an exclude pattern, say) has not vanished.
    """
    gone: list[int] = []
    for source, row in store.under(root):
        if row in seen or not _is_gone(source):
            continue
        report.vanished_count += 1
        if len(report.vanished) < KEPT_REASONS:
            report.vanished.append(source)
        gone.append(row)
    if remove:
        for start in range(0, len(gone), REMOVE_AT_ONCE):
            report.pruned += store.remove(gone[start : start + REMOVE_AT_ONCE])


def _is_gone(source: str) -> bool:
    archive, _ = split_archive(source)
    # A member that the scan of a readable archive did not meet is gone; so is everything in an archive that is gone.
    return bool(archive) or not os.path.lexists(source)
