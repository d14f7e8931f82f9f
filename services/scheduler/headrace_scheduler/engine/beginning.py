"""Beginning executions whose dependencies have ended: trigger, condition, inputs; then a group opens, an importer or the
cache is asked, or admission. Also what their answers mean, up to the first attempt. Called by stepping.py.
"""

from __future__ import annotations

from headrace_ir.limits import MAX_ITERATIONS
from headrace_ir.references import Held
from headrace_ir.values import ValueProblem
from headrace_protos.lifecycle import TASK_FINAL, child_path
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine.bags import Bag
from headrace_scheduler.engine.commands import ReleaseCache
from headrace_scheduler.engine.drafting import Draft
from headrace_scheduler.engine.ending import end, fail
from headrace_scheduler.engine.facts import CacheAnswered, CacheSettled, Queued, Unplaceable, ValuesRead
from headrace_scheduler.engine.launching import Prepared, import_request, prepare
from headrace_scheduler.engine.problems import NeedsValues, TaskProblem
from headrace_scheduler.engine.resolving import (
    Inputs,
    effective_inputs,
    iteration_bag,
    judged,
    loop_items,
    runtime_artifacts,
    taken,
)
from headrace_scheduler.engine.resuming import linked
from headrace_scheduler.engine.rows import GROUPS, Row, Stage
from headrace_scheduler.engine.state import RunState
from headrace_scheduler.executors.task_settings import CLAIM_OPERATIONS

ASK_AGAIN_US = 5_000_000
ENDED_BADLY = frozenset({ev.TASK_FAILED, ev.TASK_CANCELED})


def begin_run(draft: Draft) -> None:
    """The first step of a run: the root DAG opens."""
    given = draft.state.header.given
    values: dict[str, Held] = dict(given.parameters())
    try:
        for name, declaration in draft.state.plan.dags[0].declarations.items():
            values[name] = taken(draft.state.known(""), declaration, given.parameter(name))
        inputs = draft.stored("parameter", Bag(values, given.artifacts))
    except (ValueProblem, TaskProblem) as problem:
        error = ev.Error(reason="InputResolution", message=problem.sentence, failure_class=ev.USER)
        draft.emit(run_finished=ev.RunFinished(state=ev.RUN_FAILED, error=error))
        return
    draft.emit(run_started=ev.RunStarted(inputs=inputs.message()))


def begin(draft: Draft, row: Row) -> None:
    """Whatever comes first for a PENDING or READY execution all of whose dependencies have ended."""
    try:
        reason = _upstream_reason(draft.state, row) or ("" if _wanted(draft.state, row) else "condition")
        if reason:
            end(draft, row, ev.TASK_SKIPPED, reason=reason)
        else:
            _open(draft, row, inputs_of(draft.state, row))
    except TaskProblem as problem:
        fail(draft, row, problem)


def inputs_of(state: RunState, row: Row) -> Bag:
    """The inputs that an execution begins with: of an iteration, its item alone. Raises TaskProblem."""
    if row.iteration < 0:
        return Inputs(state, row).bag()
    loop = state.known(row.parent)
    found = loop.items
    if found is None:
        found = loop_items(loop, loop.inputs)
        own = state.edit(row.parent)
        own.items, own.fetched = found, None
    return iteration_bag(state, row, found)


def _upstream_reason(state: RunState, row: Row) -> str:
    """Why a task's trigger does not fire, or an iteration of an earlier round has no item any more; "" if it may begin."""
    spec = row.spec
    if row.iteration >= 0:
        count = state.known(row.parent).iteration_count
        return f"the loop has {count} items now" if row.iteration >= count else ""
    if spec is None or spec.on_completion:
        return ""
    reason = ""
    for key in spec.upstream:
        upstream = state.known(child_path(row.parent, key)).state
        if upstream in ENDED_BADLY:
            return f"upstream failed: {key}"
        if upstream != ev.TASK_SUCCEEDED and not reason:
            reason = f"upstream skipped: {key}"
    return reason


def _wanted(state: RunState, row: Row) -> bool:
    """Whether the task's condition, if it has one, holds. A loop's is decided once, or for each item where it names the
    item. Raises TaskProblem.
    """
    spec = row.task
    if spec.condition is None:
        return True
    per_item = spec.items is not None and spec.items.condition_per_item
    if row.iteration < 0:
        return per_item or Inputs(state, row).condition()
    if not per_item:
        return True
    inputs = effective_inputs(state, row, inputs_of(state, row))
    artifacts = {
        name: runtime_artifacts(inputs.artifacts.get(name))
        for name in dict.fromkeys((*spec.input_artifacts, *inputs.artifacts))
    }
    named = spec.condition.parameters
    everything = spec.condition.all_parameters
    values: dict[str, Held] = dict.fromkeys(spec.declarations)
    values |= {name: inputs.parameter(name) for name in inputs.names() if everything or name in named}
    return judged(row, values, artifacts)


def _open(draft: Draft, row: Row, inputs: Bag) -> None:
    """Start a group, or ask for what a leaf needs. Raises TaskProblem."""
    spec = row.task
    subject = f"task '{spec.key}': input"
    if row.kind == ev.LOOP:
        found = loop_items(row, inputs)
        count = len(found.artifacts) if isinstance(found, ev.ArtifactList) else len(found)
        if count > MAX_ITERATIONS:
            where = f"'{spec.loop.parameter or spec.loop.artifact}' has {count:,} items"
            sentence = f"loop '{spec.key}': {where}; a loop can have {MAX_ITERATIONS:,} iterations"
            raise TaskProblem("InputResolution", sentence)
        inputs = draft.stored(subject, inputs)
        draft.emit(row.path, task_started=ev.TaskStarted(inputs=inputs.message(), iteration_count=count))
        draft.state.edit(row.path).items = found
        return
    inputs = draft.stored(subject, inputs)
    if row.kind in GROUPS:
        draft.emit(row.path, task_started=ev.TaskStarted(inputs=inputs.message()))
        return
    inputs = effective_inputs(draft.state, row, inputs)
    own = draft.state.edit(row.path)
    own.fetched = None
    if row.kind == ev.IMPORTER:
        if not spec.template.importer.download_to_workspace and _is_linked(draft, row, inputs):
            return
        own.prepared = (inputs, *import_request(draft.state, row, inputs))
        draft.enter(own, Stage.IMPORT)
        return
    prepared = own.prepared = prepare(draft.state, row, inputs)
    of_this_run = prepared.image in CLAIM_OPERATIONS or prepared.settings.workspace_claim
    if not of_this_run and _is_linked(draft, row, prepared.inputs):
        return
    override = draft.state.header.enable_cache
    cached = spec.cache if override is None else override
    draft.enter(own, Stage.CACHE if cached and prepared.image not in CLAIM_OPERATIONS else Stage.ADMISSION)


def _is_linked(draft: Draft, row: Row, inputs: Bag) -> bool:
    """Whether the run that this one resumes has done it; then it ends so."""
    done = linked(draft.state, row, inputs)
    if done is not None:
        draft.emit(row.path, task_finished=done)
    return done is not None


def prepared_of(state: RunState, row: Row) -> Prepared:
    """What all attempts of a leaf share, made again where a load has lost it."""
    if isinstance(row.prepared, Prepared):
        return row.prepared
    assert row.started_at_us, f"{row.path} was prepared when it began, or has not begun"
    return prepare(state, row, row.inputs)


# ---- contents of large values


def ask_values(draft: Draft, needed: NeedsValues) -> None:
    """Have an execution fetch what a decision needs; it is looked at again when it has them."""
    if draft.state.known(needed.path).stage is not Stage.VALUES:
        draft.enter(draft.state.known(needed.path), Stage.VALUES).wanted = needed.refs


def values_read(draft: Draft, fact: ValuesRead) -> None:
    """The contents that an execution waits for; of an open loop its items, which its iterations wait for."""
    row = draft.state.row(fact.path)
    if row is None or row.state in TASK_FINAL or row.stage is not Stage.VALUES:
        return
    own = draft.state.edit(fact.path)
    own.stage, own.wanted = Stage.IDLE, ()
    own.fetched = {**(own.fetched or {}), **fact.values}
    draft.state.push(fact.path)
    if row.is_open_group:
        for path in draft.state.children(own):
            draft.state.push(path)


# ---- answers


def cache_said(draft: Draft, fact: CacheAnswered | CacheSettled) -> None:
    """An answer of the cache, or word that asking again is worth it."""
    if isinstance(fact, CacheSettled):
        _cache_settled(draft, fact.path)
    else:
        _cache_answered(draft, fact)


def _cache_answered(draft: Draft, fact: CacheAnswered) -> None:
    """A hit ends the task; a miss goes on to admission; where an identical task is in flight, ask again later."""
    row = draft.state.row(fact.path)
    if row is None or row.stage is not Stage.CACHE:
        kept = row is not None and row.cache_token == fact.token
        if fact.token and not kept:
            draft.extra.append(ReleaseCache(fact.path, fact.key, fact.token))
        return
    if fact.found:
        finished = ev.TaskFinished(
            state=ev.TASK_SUCCEEDED,
            outputs=fact.outputs,
            inputs=prepared_of(draft.state, row).inputs.message(),
            cached_from=fact.origin or "unknown",
            cache_key=fact.key,
        )
        draft.emit(fact.path, task_finished=finished)
        return
    if fact.held_by:
        until = draft.now_us + ASK_AGAIN_US
        wait(draft, row, ev.CACHE_RESERVATION, f"an identical task is in flight: {fact.held_by}", until)
        draft.enter(row, Stage.HELD)
        draft.state.set_timer(fact.path, until)
        return
    own = draft.enter(row, Stage.ADMISSION)
    if not fact.unavailable:
        own.cache_key, own.cache_token = fact.key, fact.token


def _cache_settled(draft: Draft, path: str) -> None:
    """What an execution was held for has ended: it asks again at once, not when its time has come."""
    row = draft.state.row(path)
    if row is not None and row.stage is Stage.HELD:
        draft.state.edit(path).stage = Stage.IDLE
        draft.state.set_timer(path, 0)
        draft.state.push(path)


def wait(
    draft: Draft, row: Row, cause: ev.WaitCause.ValueType, detail: str, until_us: int = 0, resource: str = ""
) -> None:
    """Say what an execution waits for, unless that is said already."""
    said = row.waiting_on
    if said is not None and (said.cause, said.detail, said.resource) == (cause, detail, resource):
        return
    since = said.since_us if said is not None and said.cause == cause else draft.now_us
    waiting = ev.WaitingOn(cause=cause, detail=detail, since_us=since, until_us=until_us, resource=resource)
    draft.emit(row.path, task_waiting=ev.TaskWaiting(waiting_on=waiting))


def stop_waiting(draft: Draft, row: Row) -> None:
    """Say that an execution waits no longer."""
    if row.waiting_on is not None:
        draft.emit(row.path, task_waiting=ev.TaskWaiting(waiting_on=ev.WaitingOn()))


def not_admitted(draft: Draft, fact: Queued | Unplaceable) -> None:
    """Admission has no room yet, or will never have."""
    row = draft.state.row(fact.path)
    if row is None or row.stage is not Stage.ADMISSION:
        return
    if isinstance(fact, Queued):
        wait(draft, row, ev.SLOTS, fact.detail, resource=fact.resource)
        return
    error = ev.Error(reason="Resources", message=fact.detail, failure_class=ev.INFRASTRUCTURE)
    end(draft, row, ev.TASK_FAILED, error)


def admitted(draft: Draft, path: str) -> None:
    """There is room: the task starts if it had not, and its next attempt with it."""
    row = draft.state.row(path)
    if row is None or row.stage is not Stage.ADMISSION:
        return
    if row.state != ev.TASK_RUNNING:
        inputs = prepared_of(draft.state, row).inputs.message()
        started = ev.TaskStarted(inputs=inputs, cache_key=row.cache_key, cache_token=row.cache_token)
        draft.emit(path, task_started=started)
    asked = prepared_of(draft.state, draft.state.known(path)).request
    accelerators = (
        ev.Accelerators(count=asked.accelerators, product=asked.accelerator_type) if asked.accelerators else None
    )
    draft.emit(path, row.attempts + 1, attempt_started=ev.AttemptStarted(accelerators=accelerators))
    draft.enter(draft.state.known(path), Stage.LAUNCH)
