"""Work in the background. Jobs are in the collection's ledger: they survive the server, and any worker may run them.

A job is claimed by one worker, which says every few seconds that it is alive; of one that died, the job is claimed
again and goes on, for what it has stored is stored.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import LookalikeError, NotFound
from .collections import OpenCollections, Served
from .problems import detail_of

__all__ = ["Jobs", "Progress", "Step", "Stopped"]

log = logging.getLogger("lookalike.serve")

_DEAD_S = 30.0  # without a sign of life, a job's worker is taken for dead
_REST_S = 1.0  # between two looks for jobs that other workers queued or lost
_EXAMPLES = 100  # skipped images that are named
_KEPT = 1000  # finished jobs that are remembered


@dataclass(slots=True)
class Progress:
    """How far a job is; counts of images."""

    done: int = 0
    total: int | None = None
    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    skipped: int = 0
    removed: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, str] | None = None

    def begin_again(self) -> None:
        """Forget what was counted."""
        self.done = self.added = self.replaced = self.unchanged = self.skipped = self.removed = 0
        self.examples, self.error = [], None

    def skip(self, id: str, error: LookalikeError) -> None:
        """Count an image that could not be used."""
        self.skipped += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append({"id": id, "error": detail_of(error)})


class Stopped(Exception):
    """The server stops, or the job was cancelled."""


# Does a part of a job each time it is asked for the next, and counts into the progress.
Step = Callable[[Served, Mapping[str, Any], Progress], Iterator[None]]


class Jobs:
    """The jobs of all open collections, and the thread that runs them one by one.

    Args:
        collections: the open ones.
        kinds: kind -> what does it.
    """

    def __init__(self, collections: OpenCollections, kinds: Mapping[str, Step]) -> None:
        self._collections = collections
        self._kinds = kinds
        self._me = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lookalike-jobs", daemon=True)

    def start(self) -> None:
        """Begin to run jobs."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the step that is under way; the job goes on when the server runs again."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def submit(self, served: Served, kind: str, spec: Mapping[str, Any], *, id: str = "") -> str:
        """Queue a job and return its id; once this has returned, the job will be done."""
        id = id or self.new_id()
        with served.ledger.changing() as db:
            db.execute(
                "INSERT INTO jobs (id, kind, state, created, spec, progress) VALUES (?, ?, 'queued', ?, ?, ?)",
                (id, kind, time.time(), json.dumps(spec), json.dumps(asdict(Progress()))),
            )
            db.execute(
                "DELETE FROM jobs WHERE state IN ('done', 'failed', 'cancelled') AND id NOT IN "
                "(SELECT id FROM jobs ORDER BY created DESC LIMIT ?)",
                (_KEPT,),
            )
        self._wake.set()
        return id

    @staticmethod
    def new_id() -> str:
        """Return an id that no job has."""
        return secrets.token_hex(8)

    def all(self) -> list[dict[str, Any]]:
        """Return all jobs, newest first."""
        found = [job for name in self._collections.names for job in self._of(name, "1", ())]
        return sorted(found, key=lambda job: str(job["created"]), reverse=True)

    def get(self, id: str) -> dict[str, Any]:
        """Return a job.

        Raises:
            NotFound: there is none of this id.
        """
        for name in self._collections.names:
            for job in self._of(name, "id = ?", (id,)):
                return job
        raise NotFound(f"there is no job {id!r}.", hint="GET /v1/jobs lists them.")

    def cancel(self, id: str) -> dict[str, Any]:
        """Stop a job after its step; what it has stored stays.

        Raises:
            NotFound: there is none of this id.
        """
        name = self.get(id)["collection"]
        with self._collections.use(name) as served, served.ledger.changing() as db:
            db.execute("UPDATE jobs SET cancelled = 1 WHERE id = ?", (id,))
            db.execute("UPDATE jobs SET state = 'cancelled' WHERE id = ? AND state = 'queued'", (id,))
        return self.get(id)

    def _of(self, name: str, where: str, values: Iterable[Any]) -> list[dict[str, Any]]:
        with self._collections.use(name) as served, served.ledger.reading() as db:
            if db is None:
                return []
            found = db.execute(
                f"SELECT id, kind, state, created, progress FROM jobs WHERE {where} ORDER BY created DESC",
                tuple(values),
            ).fetchall()
        return [
            {
                "id": id,
                "collection": name,
                "kind": kind,
                "state": state,
                "created": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(created))}.{int(created % 1 * 1e3):03d}Z",
                **json.loads(progress),
            }
            for id, kind, state, created, progress in found
        ]

    # -- running ------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                if not any([self._run_next(name) for name in self._collections.names]):
                    self._wake.wait(_REST_S)
            except Exception:
                log.exception("running jobs failed; going on")
                self._stop.wait(_REST_S)

    def _run_next(self, name: str) -> bool:
        """Run one job of a collection, and return whether there was one."""
        with suppress(NotFound), self._collections.use(name) as served:
            claimed = self._claim(served)
            if claimed is None:
                return False
            id, kind, spec, progress = claimed
            try:
                for _ in self._kinds[kind](served, spec, progress):
                    self._note(served, id, progress)
                self._end(served, id, "done", progress)
            except Stopped as stopped:
                self._end(served, id, str(stopped), progress)
            except Exception as error:
                if not isinstance(error, LookalikeError):
                    log.exception("job %s failed", id)
                    error = LookalikeError("this should not have happened; the server's log says more.")
                progress.error = detail_of(error)
                self._end(served, id, "failed", progress)
            return True
        return False

    def _claim(self, served: Served) -> tuple[str, str, Mapping[str, Any], Progress] | None:
        with served.ledger.reading() as db:
            if db is None:
                return None
            open_jobs = db.execute(
                "SELECT id, state, owner, beat FROM jobs WHERE state IN ('queued', 'running') ORDER BY created"
            ).fetchall()
        for id, state, owner, beat in open_jobs:
            if state == "running" and (owner == self._me or (beat > time.time() - _DEAD_S and _is_alive(owner))):
                continue
            with served.ledger.changing() as db:
                taken = db.execute(
                    "UPDATE jobs SET state = 'running', owner = ?, beat = ? WHERE id = ? AND state = ? AND owner IS ? "
                    "RETURNING kind, spec, progress",
                    (self._me, time.time(), id, state, owner),
                ).fetchone()
            if taken is not None:  # else another worker was quicker
                return id, taken[0], json.loads(taken[1]), Progress(**json.loads(taken[2]))
        return None

    def _note(self, served: Served, id: str, progress: Progress) -> None:
        with served.ledger.changing() as db:
            (cancelled,) = db.execute(
                "UPDATE jobs SET beat = ?, progress = ? WHERE id = ? RETURNING cancelled",
                (time.time(), json.dumps(asdict(progress)), id),
            ).fetchone()
        if cancelled:
            raise Stopped("cancelled")
        if self._stop.is_set():
            raise Stopped("queued")

    def _end(self, served: Served, id: str, state: str, progress: Progress) -> None:
        with served.ledger.changing() as db:
            db.execute(
                "UPDATE jobs SET state = ?, progress = ? WHERE id = ?", (state, json.dumps(asdict(progress)), id)
            )


def _is_alive(owner: str) -> bool:
    """Return whether the process of a worker still runs; its number may have come to mean another one since."""
    try:
        os.kill(int(owner.partition("-")[0]), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):
        return True
    return True
