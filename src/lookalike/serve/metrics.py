"""What Prometheus reads at ``/metrics``; added up over all worker processes."""

from __future__ import annotations

import os
from collections.abc import Mapping

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

__all__ = ["Metrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The counters of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "lookalike_request_seconds",
            "Time of requests, from the first byte in to the last byte out.",
            ("route", "method", "status"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._stages = Histogram(
            "lookalike_search_stage_seconds",
            "Time of the stages of searches.",
            ("stage",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.running = Gauge(
            "lookalike_requests_running",
            "Requests that are being answered.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.refused = Counter(
            "lookalike_refused_total", "Requests refused, by the error's code.", ("code",), registry=self.registry
        )
        self.written = Counter(
            "lookalike_records_written_total",
            "Records added, replaced and removed.",
            ("collection", "change"),
            registry=self.registry,
        )

    def seen(self, route: str, method: str, status: int, seconds: float) -> None:
        """Note one request."""
        known = method if method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS") else "other"
        self._requests.labels(route, known, str(status)).observe(seconds)

    def searched(self, took_ms: Mapping[str, float]) -> None:
        """Note the stages of one search."""
        for stage, ms in took_ms.items():
            self._stages.labels(stage).observe(ms / 1e3)

    def text(self) -> tuple[bytes, str]:
        """Return what Prometheus reads, and its content type."""
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
            return generate_latest(registry), CONTENT_TYPE_LATEST
        return generate_latest(self.registry), CONTENT_TYPE_LATEST
