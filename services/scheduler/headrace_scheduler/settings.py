"""Settings of the scheduler; read from `HEADRACE_*` by `headrace serve scheduler` and the composition root."""

from __future__ import annotations

from dataclasses import dataclass

from headrace_servicekit.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings(Settings):
    """What the scheduler knows besides the common settings."""

    take_over: bool = False  # the data folder's lock is held: any other session is dead, its shards are free at once
    tick_events: int = 2_000  # events in one append at most; more are split over several
    queue_notice_s: float = 1.0  # a task that waits longer than this for its slots says so
    default_cpu: float = 0.5  # cores accounted to a task that asks for none
    simulated_seconds: float = 0.0  # how long each attempt of the simulated executor runs

    def artifacts(self) -> str:
        """The artifact store's root URI."""
        return self.artifact_root or (self.home / "artifacts").absolute().as_uri()
