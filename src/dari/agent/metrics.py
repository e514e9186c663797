"""The agent's figures, in the form that Prometheus reads.

A registry of its own, not the library's global one. Sums that are known only by
looking (leases, attachments) are computed when they are asked for.

May import: prometheus_client; agent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)


class Metrics:
    """Counts calls, passes of the reconciler, and what was collected."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry(auto_describe=True)
        self._seconds = Histogram(
            "dari_cni_seconds",
            "Time of a call, request read to answer written",
            ["command"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._phases = Histogram(
            "dari_cni_phase_seconds",
            "Time of a part of a call",
            ["command", "phase"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._calls = Counter(
            "dari_cni_calls",
            "Calls by CNI error code, 0 for success",
            ["command", "code"],
            registry=registry,
        )
        self._passes = Counter("dari_reconcile_passes", "Looks at the node", registry=registry)
        self._mended = Counter("dari_reconcile_mended", "Things put right", registry=registry)
        self._collected = Counter(
            "dari_gc_attachments", "Attachments cleared although no DEL came", registry=registry
        )

    def called(self, command: str, code: int, seconds: float, phases: Mapping[str, float]) -> None:
        """Count a runtime's call.

        Args:
            command: the CNI verb; what is none is counted as ``other``.
            code: the CNI error code, 0 for success.
            seconds: how long it took.
            phases: how long its parts took.
        """
        known = command if command in _COMMANDS else "other"
        self._seconds.labels(known).observe(seconds)
        self._calls.labels(known, str(code)).inc()
        for phase, took in phases.items():
            self._phases.labels(known, phase).observe(took)

    def passed(self, mended: int) -> None:
        """Count a pass of the reconciler, and what it put right."""
        self._passes.inc()
        self._mended.inc(mended)

    def collected(self) -> None:
        """Count an attachment that was cleared without a DEL."""
        self._collected.inc()

    def show(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """Have a figure computed whenever it is asked for."""
        Gauge(name, help_text, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        """All figures in Prometheus's text format."""
        return generate_latest(self.registry)


_COMMANDS = frozenset({"ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"})
