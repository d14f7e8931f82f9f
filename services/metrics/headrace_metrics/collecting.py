"""Metrics that are read when they are asked for: connection pools, the export of spans, and the accounts of accelerator time.

Their values come from elsewhere; asking changes nothing, and happens on the listener's own thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from headrace_metrics.definitions import MOST_ACCOUNTS

OTHER: Final = "other"
Account = tuple[str, str, int, int]  # namespace, product, microseconds asked for and used


class Pools(Collector):
    """The connection pools of this process; `sources` are pools' get_stats by service."""

    def __init__(self, sources: Mapping[str, Callable[[], Mapping[str, int]]]) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        """One sample for each pool."""
        connections = GaugeMetricFamily(
            "headrace_postgres_connections", "Connections of the pool, by state", labels=["service", "state"]
        )
        most = GaugeMetricFamily(
            "headrace_postgres_connections_limit", "Most connections that the pool may have", labels=["service"]
        )
        waiting = GaugeMetricFamily(
            "headrace_postgres_waiting_requests", "Transactions that wait for a connection", labels=["service"]
        )
        waited = CounterMetricFamily(
            "headrace_postgres_waited_seconds", "Time that transactions waited for a connection", labels=["service"]
        )
        failed = CounterMetricFamily(
            "headrace_postgres_failed_requests", "Transactions that got no connection in time", labels=["service"]
        )
        for service, stats in sorted(self._sources.items()):
            found = stats()
            idle = found.get("pool_available", 0)
            connections.add_metric([service, "idle"], idle)
            connections.add_metric([service, "busy"], found.get("pool_size", 0) - idle)
            most.add_metric([service], found.get("pool_max", 0))
            waiting.add_metric([service], found.get("requests_waiting", 0))
            waited.add_metric([service], found.get("requests_wait_ms", 0) / 1000)
            failed.add_metric([service], found.get("requests_errors", 0))
        yield from (connections, most, waiting, waited, failed)


class Accounts(Collector):
    """Accelerator time by namespace and product, as persistence last read it: the same from each replica."""

    def __init__(self) -> None:
        self.accounts: Sequence[Account] = ()

    def collect(self) -> Iterator[Metric]:
        """Seconds × accelerators."""
        family = CounterMetricFamily(
            "headrace_accelerator_seconds",
            "Accelerators × time of attempts that have ended: asked = held, used = while user code ran",
            labels=["namespace", "product", "time"],
        )
        for namespace, product, asked, used in bounded(self.accounts):
            family.add_metric([namespace, product, "asked"], asked / 1e6)
            family.add_metric([namespace, product, "used"], used / 1e6)
        yield family


class Exporter(Protocol):
    """What sends spans, as far as it is counted."""

    sent: int
    dropped: int

    @property
    def waiting(self) -> int: ...


class Traces(Collector):
    """The export of spans; nothing of it where none are exported."""

    def __init__(self) -> None:
        self.exporter: Exporter | None = None

    def collect(self) -> Iterator[Metric]:
        """Of the one exporter of this process."""
        of = self.exporter
        waiting = GaugeMetricFamily("headrace_trace_queue_spans", "Spans that wait to be exported")
        waiting.add_metric([], of.waiting if of else 0)
        sent = CounterMetricFamily("headrace_trace_sent_spans", "Spans that were exported")
        sent.add_metric([], of.sent if of else 0)
        dropped = CounterMetricFamily("headrace_trace_dropped_spans", "Spans that found no room or were refused")
        dropped.add_metric([], of.dropped if of else 0)
        yield from (waiting, sent, dropped)


def bounded(accounts: Iterable[Account], most: int = MOST_ACCOUNTS) -> list[Account]:
    """The largest accounts, and one for all others of each namespace that has room, or of all. Pure."""
    ordered = sorted(accounts, key=lambda one: (-one[2], one))
    kept, rest = ordered[:most], ordered[most:]
    if not rest:
        return sorted(kept)
    return [*sorted(kept), (OTHER, OTHER, sum(one[2] for one in rest), sum(one[3] for one in rest))]


ACCOUNTS: Final = Accounts()
TRACES: Final = Traces()
