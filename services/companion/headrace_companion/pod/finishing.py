"""While user code runs, and after it: its log streams to the store, then outputs, result and report, in that order.

Apart from `companion`, so that none of it is imported before the command is on its way.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from headrace_companion import pod_layout
from headrace_companion.assignment import Assignment
from headrace_companion.custom_paths import Bind
from headrace_companion.pod import custom
from headrace_companion.pod.calling import GaveUp
from headrace_companion.pod.command import Ended
from headrace_companion.pod.ending import failure_of
from headrace_companion.pod.remembering import Remembered
from headrace_companion.pod.streaming import LogStreaming
from headrace_companion.pod.watching import Watch
from headrace_companion.publishing import publish, seal, sealed
from headrace_companion.reporting import report
from headrace_companion.results import AttemptResult, Failure, Reason, Times
from headrace_companion.store import ArtifactStore, StoreError, why
from headrace_protos.v1 import assignments_pb2

if TYPE_CHECKING:
    from headrace_companion.pod.companion import Companion
    from headrace_companion.remote.fetching import Fetcher

logger = logging.getLogger(__name__)


class Finishing:
    """From STAGED to PUBLISHED."""

    def __init__(
        self,
        companion: Companion,
        message: assignments_pb2.Assignment,
        assignment: Assignment,
        remembered: Remembered,
        store: ArtifactStore,
    ) -> None:
        self._companion = companion
        self._places = companion.places
        self._message = message
        self._assignment = assignment
        self._remembered = remembered
        self._store = store
        self._watch = Watch(self._places.at(pod_layout.CONTROL), companion.signals)

    def run(self) -> None:
        """Returns when the report is acknowledged, or when `main` has ended without a word."""
        from headrace_companion.pod.companion import log_key

        again = self._places.has(pod_layout.EXIT)
        key = log_key(self._assignment, self._store)
        log = LogStreaming(self._places.at(pod_layout.LOG), self._store, key)
        log.start()
        if not self._await(pod_layout.EXIT):
            log.finish()
            logger.warning("main has ended without a word of its shim: its end is the kubelet's to tell")
            return
        earlier = sealed(self._assignment.prefix, self._store) if again else None
        result = earlier or self._result(self._companion.heard_end(), log, self._store.uri(key))
        self._companion.scheduler.report(report(self._companion.scheduler.attempt, result))
        self._places.say(pod_layout.PUBLISHED)

    def _await(self, place: Path) -> bool:
        """Whether it came before `main` ended."""
        self._watch.until(lambda: self._places.has(place) or self._companion.told_to_end)
        return self._places.has(place)

    def _result(self, ended: Ended, log: LogStreaming, log_uri: str) -> AttemptResult:
        result = AttemptResult(
            attempt=self._assignment.attempt,
            exit_code=None if ended.code < 0 else ended.code,
            signal=ended.signal or None,
            failure=failure_of(ended, self._remembered.argv, self._message.timeout_s),
            warnings=self._companion.warnings + self._remembered.warnings,
            log_uri=log_uri,
            times=self._times(ended),
            fetched=self._remembered.fetched,
        )
        log.end()  # its last piece goes to the store beside the outputs
        result = self._published(result)
        packages = self._companion.packages(self._message)
        if packages is not None and result.failure is None:
            packages.keep(frozenset(self._remembered.installed))
        log.finish()
        notes = [one for one in (log.problem, _log_problem(ended)) if one]
        result = replace(result, warnings=(*result.warnings, *notes))
        result = self._companion.with_tail(replace(result, times=replace(result.times, published=time.time())))
        try:
            seal(self._assignment, result, self._store)
        except (OSError, StoreError) as error:
            failure = Failure(Reason.INTERNAL, f"the result could not be stored: {why(error)}", temporary=True)
            return result if result.failure is not None else replace(result, failure=failure)
        return result

    def _times(self, ended: Ended) -> Times:
        return Times(
            environment_ready=ended.ready_ms / 1000,
            staged=self._remembered.staged_at,
            started=ended.started_ms / 1000,
            ended=ended.ended_ms / 1000,
        )

    def _published(self, result: AttemptResult) -> AttemptResult:
        staged = self._remembered.staged(self._places.attempt)
        try:
            return publish(
                self._assignment, staged, result, self._store, binds=self._elsewhere(result), remote=self._remote()
            )
        except (OSError, StoreError) as error:
            failure = Failure(Reason.INTERNAL, f"outputs could not be stored: {why(error)}", temporary=True)
            return replace(result, failure=failure)
        except GaveUp:
            raise
        except Exception as fault:  # noqa: BLE001  # a fault of ours: started again, the companion would meet it again
            from headrace_companion.pod.companion import fault_of

            return replace(result, failure=fault_of(fault))

    def _elsewhere(self, result: AttemptResult) -> list[Bind]:
        if result.failure is not None:
            return []
        paths = custom.paths_elsewhere(self._assignment, self._places.attempt)
        if not paths:
            return []
        if not self._places.has(pod_layout.GIVEN):
            custom.want(paths, self._places)
        return custom.given(paths, self._places) if self._await(pod_layout.GIVEN) else []

    def _remote(self) -> Fetcher:
        from headrace_companion.pod.fetching import fetcher

        return fetcher(self._places.attempt.top / "imports", self._companion.environ)


def _log_problem(ended: Ended) -> str:
    return f"the log could not be kept: {os.strerror(ended.log_errno)}" if ended.log_errno else ""
