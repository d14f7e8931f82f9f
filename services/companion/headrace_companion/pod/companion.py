"""The life of a task's companion, from its first question to the last acknowledgement. Blocking; one attempt, one process.

What has been reached is in the shared folder's markers, so that a companion that was restarted goes on from there. Signals
change nothing but the end: the kubelet sends SIGTERM when `main` has ended. What user code does not wait for is imported late.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from headrace_companion import pod_layout, wire
from headrace_companion.assignment import Assignment
from headrace_companion.pod.calling import GaveUp, Scheduler
from headrace_companion.pod.command import Ended
from headrace_companion.pod.places import Places
from headrace_companion.pod.preparing import prepare
from headrace_companion.pod.remembering import Remembered
from headrace_companion.results import LOG_FILE, AttemptResult, Failure, Reason, Times
from headrace_companion.staging import StagingFailed
from headrace_companion.store import ArtifactStore, StoreError, why
from headrace_ir.values import ValueProblem
from headrace_protos.v1 import assignments_pb2

if TYPE_CHECKING:
    from headrace_companion.pod.packages import Packages

logger = logging.getLogger(__name__)
LARGEST_STAGED: Final = 64 << 20


@dataclass
class Companion:
    """One attempt's companion. `told_to_end` is set by SIGTERM."""

    scheduler: Scheduler
    places: Places
    environ: Mapping[str, str]
    signals: int  # readable when a signal came
    entry_point: Sequence[str] = ()  # the image's words before the task's, where its component has no command
    told_to_end: bool = False
    warnings: tuple[str, ...] = ()
    is_staged: bool = False
    is_done: bool = False
    _store: ArtifactStore | None = None

    def end(self) -> bool:
        """SIGTERM: `main` has ended, or the Pod is to go. Whether there is still something to do, which is done."""
        self.told_to_end = True
        return self.is_staged and not self.is_done

    def run(self) -> None:
        """Returns when `main` may end, or will."""
        if self._is_over():
            return
        self.places.make()
        try:
            message = self.scheduler.assign()
            self._work(message, wire.assignment(message))
        except GaveUp as refused:
            logger.warning("nothing more to do: %s", refused)
            self._let_go(str(refused))

    def _is_over(self) -> bool:
        return self.places.has(pod_layout.PUBLISHED) or self.places.has(pod_layout.REFUSED)

    def _let_go(self, why_not: str) -> None:
        """The attempt is not wanted any more: `main` ends, and the Pod is deleted by whoever wants it no more."""
        if self.places.has(pod_layout.STAGED):
            self.places.say(pod_layout.STOP)
            self.places.say(pod_layout.PUBLISHED)
        else:
            self.places.say(pod_layout.REFUSED, why_not.encode())

    def _work(self, message: assignments_pb2.Assignment, assignment: Assignment) -> None:
        remembered = self._remembered()
        if remembered is None:
            try:
                remembered = self._stage(message, assignment)
            except _Refused as refused:
                self._refuse(assignment, refused.failure)
                return
        self.is_staged = True
        # Imported while user code is on its way.
        from headrace_companion.pod.finishing import Finishing

        Finishing(self, message, assignment, remembered, self.store(assignment)).run()

    def store(self, assignment: Assignment) -> ArtifactStore:
        """Opened when something is to be read or written: a task without inputs starts earlier."""
        if self._store is None:
            from headrace_companion.pod.storing import store_of

            outputs = list(assignment.output_artifacts)
            self._store = store_of(assignment.prefix, self.scheduler, self.environ, outputs)
        return self._store

    def packages(self, message: assignments_pb2.Assignment) -> Packages | None:
        """What the task's bootstrap installs, where that is shared."""
        if not message.packages:
            return None
        from headrace_companion.pod.packages import Packages

        def opened() -> ArtifactStore:
            from headrace_companion.pod.storing import packages_store_of

            return packages_store_of(message.packages, self.scheduler, self.environ)

        return Packages(self.places, opened, message.packages)

    def _lay_down(self, message: assignments_pb2.Assignment) -> tuple[str, ...]:
        packages = self.packages(message)
        if packages is None:
            return ()
        packages.lay_down()
        return tuple(sorted(packages.installed()))

    def _remembered(self) -> Remembered | None:
        """What a former life of this companion staged; None: nothing, or nothing that can be read."""
        if not self.places.has(pod_layout.STAGED):
            return None
        try:
            return Remembered.from_json(self.places.heard(pod_layout.STAGED, LARGEST_STAGED))
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            logger.warning("the marker of staging is not ours any more; what it said is lost")
            return Remembered(0.0, ())

    def _stage(self, message: assignments_pb2.Assignment, assignment: Assignment) -> Remembered:
        try:
            installed = self._lay_down(message)
            prepared = prepare(message, assignment, self.places, self.store, self.environ, self.entry_point)
        except StagingFailed as failed:
            raise _Refused(Failure(failed.reason, str(failed))) from failed
        except ValueProblem as problem:
            raise _Refused(Failure(Reason.MISSING_INPUT, f"an input {problem.sentence}")) from problem
        except (OSError, StoreError) as error:
            sentence = f"the inputs could not be staged: {why(error)}"
            raise _Refused(Failure(Reason.INTERNAL, sentence, temporary=True)) from error
        except GaveUp:
            raise
        except Exception as fault:  # a fault of ours: started again, the companion would meet it again
            raise _Refused(fault_of(fault)) from fault
        remembered = Remembered(
            time.time(), prepared.staged.argv, prepared.staged.origins, prepared.warnings, prepared.fetched, installed
        )
        self.places.say(pod_layout.COMMAND, prepared.command)
        self.is_staged = True
        self.places.say(pod_layout.STAGED, remembered.to_json())
        return remembered

    def _refuse(self, assignment: Assignment, failure: Failure) -> None:
        """There will be no command: told to the scheduler first, then to the shim."""
        from headrace_companion.reporting import report

        result = AttemptResult(
            assignment.attempt, None, None, failure, warnings=self.warnings, times=Times(ended=time.time())
        )
        logger.warning("%s", failure.message)
        if failure.reason is not Reason.INTERNAL:
            try_to_seal(assignment, result, self.store(assignment))
        self.scheduler.report(report(self.scheduler.attempt, result))
        self.places.say(pod_layout.REFUSED, failure.message.encode("utf-8", "replace"))

    def heard_end(self) -> Ended:
        """The shim's word."""
        try:
            return Ended.decode(self.places.heard(pod_layout.EXIT))
        except (OSError, ValueError) as error:
            logger.warning("the shim's report cannot be read: %s", error)
            return Ended(failed="report")

    def log_tail(self) -> str:
        """The last lines of what user code printed."""
        from headrace_companion.logs import SHOWN_BYTES, shown_lines

        try:
            with open(os.open(self.places.at(pod_layout.LOG), os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(max(0, size - SHOWN_BYTES))
                return shown_lines(file.read(SHOWN_BYTES), whole=size <= SHOWN_BYTES)
        except OSError:
            return ""

    def with_tail(self, result: AttemptResult) -> AttemptResult:
        if result.failure is None:
            return result
        from headrace_companion.logs import with_tail

        return replace(result, failure=with_tail(result.failure, self.log_tail()))


class _Refused(Exception):  # noqa: N818 - the same
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def fault_of(fault: Exception) -> Failure:
    """Ours, not the user's; logged with all that is known."""
    logger.exception("the attempt cannot go on")
    return Failure(Reason.INTERNAL, f"a fault of Headrace ended the attempt: {type(fault).__name__}: {fault}")


def log_key(assignment: Assignment, store: ArtifactStore) -> str:
    """Where the attempt's log grows."""
    from headrace_companion.publishing import prefix_key

    return f"{prefix_key(assignment.prefix, store)}/{LOG_FILE}"


def try_to_seal(assignment: Assignment, result: AttemptResult, store: ArtifactStore) -> None:
    """The report says it too; only a lost report would need it."""
    from headrace_companion.publishing import seal

    try:
        seal(assignment, result, store)
    except (OSError, StoreError) as error:
        logger.warning("the result could not be stored beside the outputs: %s", error)
