"""Figures of the running server for whoever watches it: how many answers, how fast, how much is in the archive.

They are counted by route, never by address: an address holds UIDs, and a figure must not tell who was looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Scope

__all__ = ["Figures"]


class Figures:
    """Counts of one server; another server in the same process has its own."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._registry = CollectorRegistry()
        self._answers = Counter(
            "isocenter_answers", "Answers by route and status", ("method", "route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "isocenter_answer_seconds",
            "Seconds until an answer was complete",
            ("route",),
            buckets=(0.005, 0.02, 0.1, 0.3, 1, 3, 10, 60),
            registry=self._registry,
        )
        self._silent = Gauge(
            "isocenter_audit_collector_silent_seconds",
            "Since the audit collector was first not reached; 0 while it takes entries, or where none is set",
            registry=self._registry,
        )
        self._kept = Gauge("isocenter_archive", "What the archive holds", ("what",), registry=self._registry)

    def answered(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one answer."""
        route = str(getattr(scope.get("route"), "path", "other"))
        method = str(scope["method"]) if scope["method"] in ("GET", "HEAD", "POST", "PUT", "DELETE") else "other"
        self._answers.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self, counts: Mapping[str, int], audit_silent_s: float = 0.0) -> bytes:
        """Everything in the text format that Prometheus reads."""
        from prometheus_client import generate_latest

        self._silent.set(audit_silent_s)

        for what, number in counts.items():
            self._kept.labels(what).set(number)
        return generate_latest(self._registry)
