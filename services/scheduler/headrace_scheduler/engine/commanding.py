"""Commands: what the stages of executions ask of the world. A function of the state; see commands.py for who answers."""

from __future__ import annotations

from collections.abc import Iterator

from headrace_scheduler.engine import commands as c
from headrace_scheduler.engine.beginning import prepared_of
from headrace_scheduler.engine.indexing import PlanIndex
from headrace_scheduler.engine.ingredients import ingredients, unmeasured
from headrace_scheduler.engine.launching import launch
from headrace_scheduler.engine.resuming import asked_again
from headrace_scheduler.engine.rows import Row, Stage
from headrace_scheduler.engine.settling import settlement
from headrace_scheduler.engine.state import RunState
from headrace_scheduler.executors.port import Launch

SETTLE_FOR_US = 60_000_000  # as long as a reservation lives


def commands_of(state: RunState, row: Row) -> tuple[c.Command, ...]:
    """What one execution asks for; nothing that is not durable once the step's events are."""
    match row.stage:
        case Stage.CACHE:
            return (_lookup(state, row),)
        case Stage.ADMISSION:
            return (c.Admit(row.path, prepared_of(state, row).request),)
        case Stage.IMPORT:
            return (_import(state, row),)
        case Stage.LAUNCH:
            return (c.StartAttempt(row.path, row.attempts, launch(state, row, prepared_of(state, row))),)
        case Stage.CANCEL:
            return (c.CancelAttempt(row.path, row.attempts),)
        case Stage.SETTLE:
            return (settlement(state, row),)
        case Stage.VALUES:
            return (c.ReadValues(row.path, row.wanted),)
        case Stage.HELD | Stage.BACKOFF:
            at = state.timer(row.path)
            return (c.WakeAt(at),) if at else ()
    return ()


def pending(plan: PlanIndex, state: RunState, now_us: int) -> tuple[c.Command, ...]:
    """Everything that the state asks for. After a load, what has not been looked at yet comes out of the first step:
    then a WakeAt for now is among the commands.
    """
    found: list[c.Command] = []
    for path in state.active():
        row = state.known(path)
        if row.stage not in (Stage.HELD, Stage.BACKOFF):
            found.extend(commands_of(state, row))
    for path in state.settling():
        ended = state.row(path)
        if ended is not None and ended.finished_at_us + SETTLE_FOR_US >= now_us:
            found.extend(commands_of(state, ended))
    times = [at for at in (*state.timers().values(), state.deadline_us()) if at]
    if times:
        found.append(c.WakeAt(min(times)))
    if state.has_work:
        found.append(c.WakeAt(now_us))
    return tuple(found)


def in_flight(state: RunState) -> Iterator[Launch]:
    """What runs already, of a state that was loaded: its slots are taken, and it may still write where it publishes."""
    for path in state.active():
        row = state.known(path)
        if row.stage is Stage.FLIGHT:
            yield launch(state, row, prepared_of(state, row))


def launch_of(state: RunState, path: str, number: int) -> tuple[Launch, str] | None:
    """One attempt that has begun and not ended, and the executor's handle of it ("" before the launch); None: it is no such."""
    row = state.row(path)
    if row is None or row.attempts != number or not row.in_flight or row.spec is None:
        return None
    return launch(state, row, prepared_of(state, row)), row.handle


def _lookup(state: RunState, row: Row) -> c.AskCache:
    prepared = prepared_of(state, row)
    return c.AskCache(
        row.path,
        ingredients(state, row, prepared),
        unmeasured(prepared),
        prepared.settings.pull_secrets,
        row.task.cache_max_age_s or state.header.cache_max_age_s or state.plan.cache_max_age_s,
        refresh=asked_again(state, row),
    )


def _import(state: RunState, row: Row) -> c.Import:
    importer = row.task.template.importer
    _, uri, metadata = row.prepared
    schema = {
        "schema_title": importer.type.schema_title,
        "schema_version": importer.type.schema_version,
        "instance_schema": importer.type.instance_schema,
        "schema_uri": importer.type.schema_uri,
    }
    output = next((one.name for one in row.task.output_artifacts), "artifact")
    return c.Import(
        row.path,
        uri,
        schema,
        metadata,
        importer.reimport,
        namespace=state.namespace,
        pipeline_name=state.plan.pipeline_name,
        output=output,
        number=row.attempts + 1,
    )
