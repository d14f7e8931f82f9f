"""Every metric of every service, with its labels. docs/reference/metrics.md is generated from here (tools/gen_metrics.py).

Labels are bounded: words of our protocol, names of rpcs and routes; no id of anything and no text of a user's but the
namespaces and products of the accounts of accelerator time, of which the first hundreds are told apart. Services import what
they count; nothing is told to anybody unless `listening` serves it.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # a time beside each counter, which no rule needs
REGISTRY: Final = CollectorRegistry()
FAST: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
USUAL: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
MOST_ACCOUNTS: Final = 300  # pairs of namespace and product that are told apart


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"headrace_{name}", text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(f"headrace_{name}", text, labels, registry=REGISTRY)


def _seconds(name: str, text: str, *labels: str, buckets: tuple[float, ...] = USUAL) -> Histogram:
    return Histogram(f"headrace_{name}_seconds", text, labels, buckets=buckets, registry=REGISTRY)


# ---- every service
CALLS = _counter(
    "grpc_requests", "gRPC calls by their end: OK, or the reason of the error", "service", "method", "code"
)
CALL_SECONDS = _seconds("grpc_request", "Time of gRPC calls with one answer", "service", "method")

# ---- apiserver
HTTP_REQUESTS = _counter("http_requests", "HTTP requests answered, by route", "route", "code")
HTTP_SECONDS = _seconds(
    "http_request", "Time until the answer to an HTTP request was written; streams are left out", "route"
)
WATCH_STREAMS = _gauge("watch_streams", "Watch streams that are open: of one run, or of all runs", "of")

# ---- persistence
APPEND_SECONDS = _seconds("append", "Time of one append: the transaction that carries the changes of many runs")
APPENDED_EVENTS = _counter("appended_events", "Events appended, by kind", "kind")
REFUSED_APPENDS = _counter("refused_appends", "Runs that an append left out, by why", "outcome")
RUNS_ENDED = _counter("runs_ended", "Runs that ended, by their end", "state")
TASKS_ENDED = _counter("tasks_ended", "Tasks that ended, by their end; cached and linked ones too", "state")
ATTEMPTS_ENDED = _counter(
    "attempts_ended", "Attempts that ended, by their end and class of failure", "state", "failure"
)
RUNS_OPEN = _gauge("open_runs", "Runs that have not ended, of the whole platform", "state")
TASKS_OPEN = _gauge("open_tasks", "Tasks that have not ended, in runs that have not, of the whole platform", "state")
INBOX_WAITING = _gauge(
    "inbox_items", "Requests and reports that are stored and wait for the scheduler, of the whole platform"
)
INBOX_OLDEST = _gauge("inbox_oldest_seconds", "Age of the oldest of them; 0 where there is none")
TRACES_BEHIND = _gauge(
    "trace_behind_runs",
    "Runs that ended spans which the receiver of traces does not have yet, as far as this replica knows",
)
TRACES_GIVEN_UP = _counter("trace_given_up_runs", "Runs that ended a day ago and whose spans are not sent any more")
WATCH_HELD = _counter("watch_held_pages", "Pages of the feed that waited for a transaction which may fill a hole")
RETENTION_WENT = _counter(
    "retention_went", "What retention deleted, by kind; remains: what deleted runs left in the stores", "kind"
)
RETENTION_PROBLEMS = _counter("retention_problems", "What a pass of retention could not do and tries again")

# ---- scheduler
SHARDS_HELD = _gauge("held_shards", "Shards that this replica drives")
CLAIM_SECONDS = _seconds("claim", "Time of one renewal of the session, in which shards are claimed and given back")
RUNS_DRIVEN = _gauge("driven_runs", "Runs that this replica drives")
STEP_SECONDS = _seconds("step", "Time that the engine takes for what one run's facts change", buckets=FAST)
ADMISSION_QUEUE = _gauge("admission_queue_tasks", "Tasks that wait for slots on this replica")
PODS = _gauge("pods", "Attempts' Pods that this replica follows, by phase; without Kubernetes there are none", "phase")
WAITING_PODS = _gauge(
    "waiting_pods",
    "Of these, and of attempts that have none yet, those that have said what they wait for, by what is short or not there yet",
    "resource",
)
CACHE_LOOKUPS = _counter("cache_lookups", "Results looked up in the cache, by outcome and why", "outcome", "reason")
