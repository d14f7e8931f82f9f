"""What the scheduler counts: its own state for the gauges, read when they are asked for, and lookups in the cache.

The functions that gauges call run on the listener's thread: they look at sizes and single fields alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from headrace_metrics.definitions import ADMISSION_QUEUE, CACHE_LOOKUPS, PODS, RUNS_DRIVEN, SHARDS_HELD, WAITING_PODS
from headrace_protos.v1 import cache_pb2

if TYPE_CHECKING:
    from headrace_scheduler.admitting import Admission
    from headrace_scheduler.claiming import Session
    from headrace_scheduler.driving import Driver
    from headrace_scheduler.executors.kubernetes.following import Following
    from headrace_scheduler.executors.kubernetes.register import Register

PHASES: Final = ("creating", "pending", "running")
OTHER: Final = "other"
# Words of WaitingOn.resource that Pods wait for.
RESOURCES: Final = (
    *("accelerators", "cpu", "memory", "pods", "quota", "nodes", "gate"),
    *("image", "volume", "containers", "cluster", OTHER),
)


def measured(session: Session, driver: Driver, admission: Admission) -> None:
    """From now on the gauges tell of this replica."""
    SHARDS_HELD.set_function(lambda: len(session.held))
    RUNS_DRIVEN.set_function(lambda: len(driver._drives))
    ADMISSION_QUEUE.set_function(lambda: admission.waiting)
    for phase in PHASES:
        PODS.labels(phase).set(0)


def measured_pods(register: Register) -> None:
    """And of these Pods."""
    for phase in PHASES:
        PODS.labels(phase).set_function(partial(_in, phase, register))
    for resource in RESOURCES:
        WAITING_PODS.labels(resource).set_function(partial(_for, resource, register))


def _in(phase: str, register: Register) -> int:
    return sum(phase_of(one) == phase for one in register)


def _for(resource: str, register: Register) -> int:
    return sum(waits_for(one) == resource for one in register)


def waits_for(of: Following) -> str:
    """What is short or not there yet, in a word; "" = it runs, or has not said."""
    if not of.held:
        return ""
    return of.held_for if of.held_for in RESOURCES else OTHER


def phase_of(of: Following) -> str:
    """Whether it is asked for, waits, or runs user code."""
    if not of.uid:
        return "creating"
    return "running" if of.running else "pending"


def looked_up(hits: Sequence[cache_pb2.Hit], why: Sequence[str], refreshed: str) -> None:
    """Count what became of lookups: WHY has the sentences for those that are not taken."""
    for hit, sentence in zip(hits, why, strict=True):
        CACHE_LOOKUPS.labels(*outcome_of(sentence, refreshed, found=hit.found)).inc()


def outcome_of(why: str, refreshed: str, *, found: bool) -> tuple[str, str]:
    """hit or miss, and one of a few words for the sentence. Pure."""
    if found and not why:
        return "hit", "found"
    if why == refreshed:
        return "miss", "refresh"
    if found:
        return "miss", "unusable"  # its artifacts are gone or changed, or it lacks what is declared now
    return "miss", "too_old" if why else "unknown"


def cache_away(count: int) -> None:
    """Lookups that nobody answered."""
    CACHE_LOOKUPS.labels("miss", "away").inc(count)
