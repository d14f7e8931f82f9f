"""Ending executions: skipped and failed tasks, and groups with their outputs and errors. Called by all that decide."""

from __future__ import annotations

from headrace_ir.references import ValueRef
from headrace_protos.lifecycle import TASK_FINAL, child_path
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine.bags import EMPTY, Bag
from headrace_scheduler.engine.contents import Elements, Part, list_of
from headrace_scheduler.engine.drafting import Draft
from headrace_scheduler.engine.problems import TaskProblem
from headrace_scheduler.engine.resolving import run_root
from headrace_scheduler.engine.resuming import group_origin
from headrace_scheduler.engine.rows import Row, Stage
from headrace_scheduler.engine.settling import settlement
from headrace_scheduler.engine.state import RunState


def end(draft: Draft, row: Row, state: ev.TaskState.ValueType, error: ev.Error | None = None, reason: str = "") -> None:
    """End a task that has no outputs; a reservation that it holds is given back. A group that a retry had put back ends after
    all that is in it: in a later step, where that is much.
    """
    if row.open and not _ended_inside(draft, row, state, error):
        draft.state.push(row.path)
        return
    token = row.cache_token
    finished = ev.TaskFinished(state=state, error=error, skip_reason=reason)
    draft.emit(row.path, task_finished=finished)
    if token:
        settle(draft, row.path, token)


def _ended_inside(draft: Draft, row: Row, state: ev.TaskState.ValueType, error: ev.Error | None) -> bool:
    """End what is in a group that does not open again, as far as the step allows; whether that was all."""
    canceled = state == ev.TASK_CANCELED
    how = "failed" if state == ev.TASK_FAILED else "skipped"
    for path in draft.state.children(row):
        child = draft.state.row(path)
        if child is not None and child.state not in TASK_FINAL:
            if draft.full:
                return False
            final = ev.TASK_CANCELED if canceled else ev.TASK_SKIPPED
            end(draft, child, final, error if canceled else None, "" if canceled else f"upstream {how}: {row.path}")
    return draft.state.known(row.path).open == 0


def settle(draft: Draft, path: str, token: str) -> None:
    """Tell the cache what became of a task that held a reservation.

    The command is made now: by the end of the step the task's group may have ended, and its row with it.
    """
    if draft.state.row(path) is None:
        return
    row = draft.state.edit(path)
    row.stage, row.cache_token = Stage.SETTLE, token
    draft.state.set_settling(path, on=True)
    draft.extra.append(settlement(draft.state, row))


def fail(draft: Draft, row: Row, problem: TaskProblem) -> None:
    """End a task FAILED before it has begun."""
    end(draft, row, ev.TASK_FAILED, problem.error())


def stop_error(draft: Draft) -> ev.Error:
    """Why the run is stopping, for what it stops."""
    if draft.state.header.state == ev.RUN_CANCELING:
        return ev.Error(reason="Canceled", message="the run was terminated")
    seconds = draft.state.plan.deadline_us // 1_000_000
    return ev.Error(reason="DeadlineExceeded", message=f"the run took longer than its limit of {seconds} s")


# ---- groups


def total(state: RunState, row: Row) -> int:
    """How many children a group has once it is expanded."""
    return row.iteration_count if row.kind == ev.LOOP else len(state.plan.dags[row.dag].tasks)


def end_group(draft: Draft, row: Row) -> None:
    """End a group none of whose children is open."""
    if not row.path:
        _end_run(draft, row)
        return
    state, error = _group_state(draft, row)
    if row.kind == ev.LOOP and state == ev.TASK_SUCCEEDED and row.iteration_count and row.skipped == row.created:
        end(draft, row, ev.TASK_SKIPPED, reason="condition")
        return
    outputs = EMPTY
    try:
        outputs = group_outputs(draft, row)
    except TaskProblem as problem:
        if state == ev.TASK_SUCCEEDED:
            state, error = ev.TASK_FAILED, problem.error()
    origin = group_origin(draft.state, row) if state == ev.TASK_SUCCEEDED else ""
    finished = ev.TaskFinished(state=state, error=error, outputs=outputs.message(), linked_from=origin)
    draft.emit(row.path, task_finished=finished)


def _group_state(draft: Draft, row: Row) -> tuple[ev.TaskState.ValueType, ev.Error | None]:
    if row.failed:
        return ev.TASK_FAILED, _first_failure(draft.state, row)
    if row.canceled or row.created < total(draft.state, row):
        return ev.TASK_CANCELED, stop_error(draft)
    return ev.TASK_SUCCEEDED, None


def _first_failure(state: RunState, row: Row) -> ev.Error:
    """The error of a group: that of the descendant that failed first, by time, then by place."""
    children = (state.row(path) for path in state.children(row))
    failed = [child for child in children if child is not None and child.state == ev.TASK_FAILED]
    first = min(failed, key=lambda child: child.failed_at_us or child.finished_at_us)
    if first.error.reason == "TaskFailed":
        return first.error
    message = f"task '{first.path}' failed: {first.error.message}"
    return ev.Error(
        reason="TaskFailed",
        message=message,
        failure_class=first.error.failure_class,
        exit_code=first.error.exit_code,
    )


def _end_run(draft: Draft, row: Row) -> None:
    header = draft.state.header
    error: ev.Error | None = None
    if header.state == ev.RUN_CANCELING:
        state, error = ev.RUN_CANCELED, stop_error(draft)
    elif header.expired and (row.canceled or row.created < total(draft.state, row)):
        state, error = ev.RUN_FAILED, stop_error(draft)
    elif row.failed:
        state, error = ev.RUN_FAILED, _first_failure(draft.state, row)
    elif row.canceled:
        state, error = ev.RUN_FAILED, ev.Error(reason="Canceled", message="tasks of the run were cancelled")
    else:
        state = ev.RUN_SUCCEEDED
    outputs = group_outputs(draft, row).message()
    draft.emit(run_finished=ev.RunFinished(state=state, error=error, outputs=outputs))
    draft.state.forget_work()


# ---- outputs


def group_outputs(draft: Draft, row: Row) -> Bag:
    """A group's outputs, from those of its children; absent ones are left out (5.7). Raises TaskProblem, of a loop only,
    where a list is larger than a value may be.
    """
    return _loop_outputs(draft, row) if row.kind == ev.LOOP else _dag_outputs(draft.state, row)


def _dag_outputs(state: RunState, row: Row) -> Bag:
    template = state.plan.dags[row.dag]
    texts: dict[str, str | ValueRef] = {}
    artifacts: dict[str, ev.ArtifactList] = {}
    for output in template.outputs:
        for selector in output.selectors:
            child = state.row(child_path(row.path, template.tasks[selector.task].key))
            if child is None or (child.state != ev.TASK_SUCCEEDED and len(output.selectors) > 1):
                continue
            if output.is_artifact:
                found = child.outputs.artifacts.get(selector.key)
                if found is not None:
                    artifacts[output.name] = found
                    break
            elif (text := child.outputs.text(selector.key)) is not None:
                texts[output.name] = text
                break
    return Bag.of_texts(texts, artifacts)


def _loop_outputs(draft: Draft, row: Row) -> Bag:
    """What there is of each iteration, in order; nested loops flat (ADR 0004)."""
    state, spec = draft.state, row.task
    iterations = [state.known(path) for path in state.children(row)]
    texts: dict[str, str | ValueRef] = {}
    for name in spec.output_types:
        flat = name in spec.flat_outputs
        parts = [part for one in iterations if (part := _part(one.outputs.text(name), flat=flat)) is not None]
        text, content = list_of(run_root(state), parts)
        if isinstance(text, ValueRef) and content is not None:
            draft.keep(f"task '{spec.key}': output '{name}'", text, content)
        texts[name] = text
    artifacts = {
        output.name: ev.ArtifactList(
            artifacts=[
                artifact
                for iteration in iterations
                if (found := iteration.outputs.artifacts.get(output.name)) is not None
                for artifact in found.artifacts
            ]
        )
        for output in spec.output_artifacts
    }
    return Bag.of_texts(texts, artifacts)


def _part(text: str | ValueRef | None, *, flat: bool) -> Part | None:
    """What an iteration adds to a collected list: itself, or its elements where it is a list of iterations already."""
    if not flat or text is None:
        return text
    if isinstance(text, ValueRef):
        return Elements(text) if text.type == "LIST" else text
    return (text[1:-1] or None) if text.startswith("[") else text
