"""Attempts: launched, held, ended; whether another one follows and when (kfp-semantics 6.4). Called by stepping.py.

A failure is paid from the budget of its class (lifecycle.budget_of): user code's, out of memory and time-outs from the task's
retry policy (its own, or that of the nearest group around it); preemptions and the platform's failures each from a fixed number.
"""

from __future__ import annotations

from headrace_ir.references import reference_of
from headrace_ir.values import ValueProblem
from headrace_protos.lifecycle import ATTEMPT_FINAL, Budget, budget_of
from headrace_protos.v1 import attempts_pb2, plan_pb2
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine.bags import Bag
from headrace_scheduler.engine.beginning import prepared_of, stop_waiting, wait
from headrace_scheduler.engine.drafting import Draft
from headrace_scheduler.engine.ending import end, settle, stop_error
from headrace_scheduler.engine.facts import AttemptEnded, AttemptHeld, AttemptLaunched
from headrace_scheduler.engine.outputs import check_parameters
from headrace_scheduler.engine.problems import TaskProblem
from headrace_scheduler.engine.rows import Row, Stage
from headrace_scheduler.engine.state import RunState

PLATFORM_RETRIES = {Budget.PREEMPTION: 10, Budget.INFRASTRUCTURE: 10}
LONGEST_REASON = 300  # characters of an error in a sentence about a wait
PLATFORM_BACKOFF_S = 1.0
PLATFORM_MAX_BACKOFF_S = 60.0


def launched(draft: Draft, fact: AttemptLaunched) -> None:
    """It exists; with a node, it runs. Told once or twice: what is known already has no effect."""
    row = _in_flight(draft.state, fact.path, fact.number)
    if row is None or row.node or (row.attempt_state == ev.ATTEMPT_RUNNING and not fact.node):
        return
    if fact.node:
        stop_waiting(draft, row)
    event = ev.AttemptLaunched(
        handle=fact.handle,
        node=fact.node,
        warnings=fact.warnings,
        log_uri=fact.log_uri,
        accelerator=fact.accelerator,
        image_digest=fact.image_digest,
    )
    draft.emit(fact.path, fact.number, attempt_launched=event)


def held(draft: Draft, fact: AttemptHeld) -> None:
    """It cannot run yet, whether it exists already or not."""
    row = _in_flight(draft.state, fact.path, fact.number)
    if row is not None and not row.node:
        wait(draft, row, ev.LAUNCH, fact.detail, resource=fact.resource)


def ended(draft: Draft, fact: AttemptEnded) -> None:
    """Its result: the task ends, or another attempt follows."""
    row = _in_flight(draft.state, fact.path, fact.number)
    if row is None:
        return
    result = _checked(draft, row, fact.result)
    retry_at = 0 if draft.stops(row) else _retry_at(draft, row, result)
    finished = ev.AttemptFinished(
        state=result.state,
        error=result.error if result.HasField("error") else None,
        times=result.times if result.HasField("times") else None,
        log_uri=result.log_uri,
        retry_at_us=retry_at,
    )
    at = _ended_at(draft, row, result.times)
    draft.emit(row.path, row.attempts, at, attempt_finished=finished)
    row = draft.state.known(row.path)
    if result.state == ev.ATTEMPT_SUCCEEDED:
        _succeed(draft, row, result.outputs, at)
    elif not retry_at:
        _give_up(draft, row, result)
    elif retry_at > draft.now_us:
        rest(draft, row, budget_of(result.state, result.error.failure_class), result.error.message)


def rest(draft: Draft, row: Row, budget: Budget, why: str) -> None:
    """Wait for the next attempt's time, and say why there is to be one."""
    reason = f": {why[:LONGEST_REASON]}" if why else ""
    _pause(draft, row, f"attempt {row.attempts + 1}, {_paid(draft.state, row, budget)}{reason}")


def _pause(draft: Draft, row: Row, detail: str) -> None:
    wait(draft, row, ev.BACKOFF, detail, row.retry_at_us)
    draft.enter(row, Stage.BACKOFF)
    draft.state.set_timer(row.path, row.retry_at_us)


def due(draft: Draft, row: Row) -> bool:
    """Whether the pause between two attempts is over; else it goes on."""
    if row.retry_at_us <= draft.now_us:
        return True
    if row.stage is not Stage.BACKOFF:
        _pause(draft, row, row.waiting_on.detail if row.waiting_on else f"attempt {row.attempts + 1}")
    return False


def again(draft: Draft, row: Row) -> None:
    """A task between two attempts whose time has come: wait for admission."""
    if row.stage is Stage.ADMISSION:
        return
    try:
        prepared = prepared_of(draft.state, row)
    except TaskProblem as problem:
        end(draft, row, ev.TASK_FAILED, problem.error())
        return
    draft.enter(row, Stage.ADMISSION).prepared = prepared


def _in_flight(state: RunState, path: str, number: int) -> Row | None:
    row = state.row(path)
    return row if row is not None and row.attempts == number and row.in_flight else None


def _checked(draft: Draft, row: Row, result: attempts_pb2.AttemptResult) -> attempts_pb2.AttemptResult:
    """The result as it counts: of success only with all declared outputs, of the right types."""
    if result.state not in ATTEMPT_FINAL:
        return _failure("Internal", "the attempt ended without a state", ev.INFRASTRUCTURE, result)
    if result.state != ev.ATTEMPT_SUCCEEDED:
        return result
    reported = {
        name: reference_of(value) if value.uri else value.json
        for name, value in result.outputs.parameters.items()
        if value.WhichOneof("kind")
    }
    try:
        values = check_parameters(row.task.output_types, reported, optional=row.task.optional_outputs)
        outputs = draft.stored("output", Bag(values, result.outputs.artifacts))
    except (ValueProblem, TaskProblem) as problem:
        missing = "was not written" in problem.sentence
        return _failure("MissingOutput" if missing else "WrongOutput", problem.sentence, ev.USER, result)
    if dict(outputs.texts()) == reported:
        return result
    checked = attempts_pb2.AttemptResult()
    checked.CopyFrom(result)
    checked.outputs.CopyFrom(outputs.message())
    return checked


def _failure(
    reason: str, message: str, kind: ev.FailureClass.ValueType, result: attempts_pb2.AttemptResult
) -> attempts_pb2.AttemptResult:
    return attempts_pb2.AttemptResult(
        state=ev.ATTEMPT_FAILED,
        error=ev.Error(reason=reason, message=message, failure_class=kind, log_tail=result.error.log_tail),
        times=result.times,
        log_uri=result.log_uri,
    )


def _succeed(draft: Draft, row: Row, outputs: ev.Values, at_us: int) -> None:
    token, key = row.cache_token, row.cache_key
    finished = ev.TaskFinished(state=ev.TASK_SUCCEEDED, outputs=outputs, cache_key=key)
    draft.emit(row.path, time_us=at_us, task_finished=finished)
    if token:
        settle(draft, row.path, token)


def _give_up(draft: Draft, row: Row, result: attempts_pb2.AttemptResult) -> None:
    ours = budget_of(result.state, result.error.failure_class) in PLATFORM_RETRIES
    if draft.stops(row) and (ours or result.state != ev.ATTEMPT_FAILED):  # but for the end of the run it went on
        end(draft, row, ev.TASK_CANCELED, stop_error(draft))
        return
    error = ev.Error()
    error.CopyFrom(result.error)
    if result.state != ev.ATTEMPT_FAILED or not error.reason:
        lost = result.state in (ev.ATTEMPT_LOST, ev.ATTEMPT_CANCELED)
        error.reason = error.reason or ("Lost" if lost else "UserError")
        error.failure_class = error.failure_class or (ev.INFRASTRUCTURE if lost else ev.USER)
    error.message = (error.message or f"attempt {row.attempts} failed") + _spent(draft.state, row, result)
    end(draft, row, ev.TASK_FAILED, error)


def _retry_at(draft: Draft, row: Row, result: attempts_pb2.AttemptResult) -> int:
    """When the next attempt may start; 0: there is none."""
    if result.state == ev.ATTEMPT_SUCCEEDED:
        return 0
    budget = budget_of(result.state, result.error.failure_class)
    if budget in PLATFORM_RETRIES:
        count = _count(row, budget) + 1
        pause = min(PLATFORM_BACKOFF_S * 2.0 ** (count - 1), PLATFORM_MAX_BACKOFF_S)
        return draft.now_us + int(pause * 1e6) if count <= PLATFORM_RETRIES[budget] else 0
    wanted = paused(draft.state, row)
    return 0 if wanted is None else draft.now_us + int(wanted * 1e6)


def _count(row: Row, budget: Budget) -> int:
    """How many of a task's attempts failed at the cost of BUDGET."""
    if budget is Budget.PREEMPTION:
        return row.preemptions
    return row.infrastructure_failures if budget is Budget.INFRASTRUCTURE else row.user_failures


def _paid(state: RunState, row: Row, budget: Budget) -> str:
    """Which retry the next attempt is, in words that say who pays for it."""
    count = _count(row, budget)
    if budget is Budget.PREEMPTION:
        return f"preempted {count} of {PLATFORM_RETRIES[budget]} times, which costs none of its retries"
    if budget is Budget.INFRASTRUCTURE:
        return f"platform failure {count} of {PLATFORM_RETRIES[budget]}, which costs none of its retries"
    return f"retry {count} of {_policy(state, row).max_retries}"


def _spent(state: RunState, row: Row, result: attempts_pb2.AttemptResult) -> str:
    """What to add to the error of a task's last attempt: the budget that has no more."""
    budget = budget_of(result.state, result.error.failure_class)
    count = _count(row, budget)
    if budget in PLATFORM_RETRIES and count > PLATFORM_RETRIES[budget]:
        what = "preempted" if budget is Budget.PREEMPTION else "lost to failures of the platform"
        return f" ({what} {count} times; the task is tried again {PLATFORM_RETRIES[budget]} times)"
    retries = _policy(state, row).max_retries
    spent = budget is Budget.USER and 0 < retries < count
    return f" (its {retries} {'retry is' if retries == 1 else 'retries are'} spent)" if spent else ""


def paused(state: RunState, row: Row) -> float | None:
    """Seconds before the attempt that follows another failure of the user's; None: its policy has no more."""
    policy = _policy(state, row)
    count = row.user_failures + 1
    return _backoff(policy, count) if count <= policy.max_retries else None


def _backoff(policy: plan_pb2.RetryPolicy, count: int) -> float:
    try:
        grown = policy.backoff_seconds * float(policy.backoff_factor or 1.0) ** (count - 1)
    except OverflowError:
        grown = policy.max_backoff_seconds
    return max(0.0, min(grown, policy.max_backoff_seconds))


def _policy(state: RunState, row: Row) -> plan_pb2.RetryPolicy:
    """The task's own retry policy, or that of the nearest group around it that has one."""
    at = row
    while at.spec is not None:
        if at.spec.retry is not None:
            return at.spec.retry
        at = state.known(at.parent)
    return plan_pb2.RetryPolicy()


def _ended_at(draft: Draft, row: Row, times: ev.AttemptTimes) -> int:
    """When it ended by its own clock, as far as that agrees with ours."""
    told = times.published_us or times.ended_us
    return told if row.started_at_us <= told <= draft.now_us else draft.now_us
