"""Everything that an operator can set; ``lookalike serve --config FILE.toml`` has the same keys."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..config import resolve_config
from ..errors import BadInput

__all__ = ["ENVIRONMENT", "Settings", "is_loopback", "load_settings"]

ENVIRONMENT = "LOOKALIKE_SERVE_"  # LOOKALIKE_SERVE_PORT=9000 and so on

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the service runs. Sizes in bytes, times in seconds.

    Attributes:
        collections: name in the URL -> folder.
        host: the address to listen on.
        port: 0 takes any free one.
        workers: processes that share the port and the mapped vectors.
        root_path: the path that a proxy puts in front of every URL, such as ``/images``.
        insecure: listen on a public address without keys.
        api_keys: the file of keys; empty: no keys, and everybody who reaches the port may do everything.
        allowed_hosts: names that a ``Host`` header may have; empty: those of the loopback where it listens there, else
            any.
        cors_origins: origins of other pages that may use the API; none by default.
        search_rate: searches and other reads a second and key (or address, without keys), on average, in bursts of ten
            seconds' worth; 0: no limit. Each worker counts for itself.
        write_rate: the same of changes.
        max_body: bytes of the largest request.
        max_upload: bytes of the largest single image.
        max_megapixels: of the largest picture, decoded.
        max_k: most hits of one answer.
        max_depth: how many hits deep paging goes.
        max_items: most parts of one query.
        max_batch: most records of one batch.
        max_job_files: most files of one upload that is indexed in the background.
        time_limit_s: seconds of one request, waiting included.
        upload_limit_s: seconds in which the body of a request must arrive.
        shutdown_s: seconds that running requests may take once the server is told to stop.
        threads: searches and reads at once; 0: four a core and at least 32, for most of them wait for one another's
            batch.
        waiting: requests that may wait for a thread; more are told to come back.
        batch_size: images that the model takes at once.
        batch_wait_s: most seconds that a batch waits for more images or searches, while there is more than one client.
        write_wait_s: seconds that a change waits for another process that writes.
        fetch_urls: whether queries and records may name http(s) URLs.
        fetch_networks: private networks that these may lie in all the same, such as ``10.1.0.0/16``.
        fetch_limit_s: seconds for one of them.
        import_roots: folders of the server that an admin may index by name; none by default.
        show_sources: tell clients where images lie on the server.
        originals: what ``images/{row}`` gives: ``none``, ``encoded`` (anew, without what a file says of place and
            camera) or the very ``file``.
        thumbnail_sides: sizes in pixels that thumbnails come in.
        thumbnail_cache: bytes that they may take a collection and size.
        keep_queries: a folder where query images are kept, for training; empty: they are not kept.
        audit_log: the file that changes are noted in; empty: ``audit.jsonl`` in each collection.
        access_log: one line a request on standard error, without anything of its content.
        open_metrics: ``/metrics`` needs no key.
        classifiers: name -> kind of classifier and its source, such as ``head:unsafe.npz``.
        filter: the content filter: one of ``classifiers``, or such a text itself, as ``column:nsfw``; empty: none.
        filter_from: images with at least this score are caught.
        filter_action: whether they are marked (``flagged``) or left out (``hide``).
        columns_to_return: metadata columns in answers of ``/knn-service`` and ``/metadata``.
        device: where a model runs.
        reload_check_s: seconds between two looks at whether a collection was replaced or is searched in another space.
    """

    collections: Mapping[str, str] = field(default_factory=dict)
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    root_path: str = ""
    insecure: bool = False
    api_keys: str = ""
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    search_rate: float = 0.0
    write_rate: float = 0.0
    max_body: int = 64_000_000
    max_upload: int = 32_000_000
    max_megapixels: float = 100.0
    max_k: int = 1000
    max_depth: int = 10_000
    max_items: int = 64
    max_batch: int = 1000
    max_job_files: int = 100_000
    time_limit_s: float = 30.0
    upload_limit_s: float = 60.0
    shutdown_s: float = 30.0
    threads: int = 0
    waiting: int = 256
    batch_size: int = 32
    batch_wait_s: float = 0.005
    write_wait_s: float = 10.0
    fetch_urls: bool = True
    fetch_networks: tuple[str, ...] = ()
    fetch_limit_s: float = 10.0
    import_roots: tuple[str, ...] = ()
    show_sources: bool = False
    originals: Literal["none", "encoded", "file"] = "encoded"
    thumbnail_sides: tuple[int, ...] = (160, 320, 640)
    thumbnail_cache: int = 2_000_000_000
    keep_queries: str = ""
    audit_log: str = ""
    access_log: bool = True
    open_metrics: bool = False
    classifiers: Mapping[str, str] = field(default_factory=dict)
    filter: str = ""
    filter_from: float = 0.5
    filter_action: Literal["mark", "hide"] = "mark"
    columns_to_return: tuple[str, ...] = ("url", "image_path", "caption", "NSFW")
    device: str = "auto"
    reload_check_s: float = 2.0

    def __post_init__(self) -> None:
        for name in self.collections:
            if not _NAME.fullmatch(name):
                raise BadInput(
                    f"{name!r} cannot name a collection in a URL.",
                    hint="Take letters, digits, '.', '_' and '-': --collection NAME=FOLDER.",
                )
        least = {"port": 0, "workers": 1, "threads": 0, "waiting": 0, "batch_size": 1, "max_k": 1, "max_items": 1}
        for key, floor in least.items():
            if getattr(self, key) < floor:
                raise BadInput(f"{key} must be at least {floor}, got {getattr(self, key)}.")
        for key in ("max_body", "max_upload", "max_megapixels", "time_limit_s", "upload_limit_s", "fetch_limit_s"):
            if not getattr(self, key) > 0:
                raise BadInput(f"{key} must be above 0, got {getattr(self, key)}.")
        if self.port > 65535:
            raise BadInput(f"port must be at most 65535, got {self.port}.")
        if self.root_path and not self.root_path.startswith("/"):
            raise BadInput(f"root_path must begin with a slash, got {self.root_path!r}.")
        if not self.thumbnail_sides or min(self.thumbnail_sides) < 16 or max(self.thumbnail_sides) > 4096:
            raise BadInput(f"thumbnail_sides must be from 16 to 4096 pixels, got {self.thumbnail_sides}.")

    @property
    def pool(self) -> int:
        """Return how many threads search and read."""
        return self.threads or max(32, 4 * (os.cpu_count() or 1))

    def check_binding(self) -> None:
        """Refuse to listen on a public address without keys, unless told to.

        Raises:
            BadInput: it would.
        """
        if self.api_keys or self.insecure or is_loopback(self.host):
            return
        raise BadInput(
            f"{self.host} can be reached from other machines, and there are no keys: anybody could search and delete.",
            hint="Make keys with `lookalike keys FILE --add NAME` and give --api-keys FILE, or say --insecure.",
        )


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches the address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def load_settings(
    *, file: str | None = None, flags: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Return the settings: defaults < file < environment < flags; see ``lookalike.config``."""
    variables = os.environ if environment is None else environment
    return resolve_config(Settings, file=file, environment=variables, prefix=ENVIRONMENT, flags=flags)
