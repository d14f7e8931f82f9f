"""What the cache is told of a task that held a reservation, once it has ended. Called by ending.py and commanding.py."""

from __future__ import annotations

from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine import commands as c
from headrace_scheduler.engine.ingredients import ingredients, unmeasured
from headrace_scheduler.engine.launching import Prepared, prepare
from headrace_scheduler.engine.rows import Row
from headrace_scheduler.engine.state import RunState


def settlement(state: RunState, row: Row) -> c.CommitCache | c.ReleaseCache:
    """Its outputs where it succeeded; else the reservation goes back."""
    if row.state != ev.TASK_SUCCEEDED:
        return c.ReleaseCache(row.path, row.cache_key, row.cache_token)
    prepared: Prepared = prepare(state, row, row.inputs)
    made = ingredients(state, row, prepared)
    return c.CommitCache(
        row.path,
        row.cache_key,
        row.cache_token,
        row.outputs.message(),
        made,
        unmeasured(prepared),
        prepared.settings.pull_secrets,
        row.image_digest,
        row.attempts,
    )
