"""Who changed what, and when: one JSON object a line, in ``audit.jsonl`` of the collection or a file for all."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path

from .settings import Settings

__all__ = ["Audit"]

log = logging.getLogger("lookalike.serve")

_IDS = 1000  # of one change that are written out


class Audit:
    """Appends to the audit log; lines of several processes never mix, for each is one write.

    Args:
        settings: ``audit_log`` and the collections.
    """

    def __init__(self, settings: Settings) -> None:
        self._file = Path(settings.audit_log).expanduser() if settings.audit_log else None
        self._folders = {name: Path(folder).expanduser() for name, folder in settings.collections.items()}

    def note(self, caller: str, what: str, collection: str, ids: Sequence[str] = (), **more: object) -> None:
        """Write one line. A log that cannot be written is said so on standard error; the change stands.

        Args:
            caller: the key's name or the address.
            what: ``put``, ``delete``, ``reload``, ...
            collection: the collection's name.
            ids: the records that were changed.
            more: other facts.
        """
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "caller": caller,
            "what": what,
            "collection": collection,
            "count": len(ids),
            "ids": list(ids[:_IDS]),
            **more,
        }
        data = (json.dumps(line, ensure_ascii=True) + "\n").encode()
        file = self._file or self._folders[collection] / "audit.jsonl"
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(handle, data)
            finally:
                os.close(handle)
        except OSError as error:
            log.error("the audit log %s cannot be written: %s; the line was %s", file, error, data.decode().strip())
