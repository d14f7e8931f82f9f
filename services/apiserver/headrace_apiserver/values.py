"""Large values at the public API: the limit of what a run is given, how it is shown, and reading one whole.

A run's large parameters are stored with the run itself, inline, so that accepting a run never needs the scheduler; its first
step puts them into the artifact store and its first event names them there. Called by submitting and handlers.headrace_runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final

from headrace_apiserver.backends import Backends
from headrace_apiserver.following import task_of
from headrace_ir.references import Held, ValueRef, digest_of, is_large
from headrace_ir.values import Value, byte_length, encode
from headrace_protos.v1 import events_pb2, run_query_pb2, runs_pb2, scheduler_pb2
from headrace_servicekit.errors import Reason, ServiceError

MOST_BYTES: Final = 16 << 20  # of all parameters of a run together, as JSON text
SHOWN: Final = "headrace_value"  # the one key of what stands for a large parameter in what the API shows


def check_given(inputs: events_pb2.Values) -> None:
    """Refuse parameters that are too large together."""
    sizes = {name: byte_length(value.json) for name, value in inputs.parameters.items()}
    total = sum(sizes.values())
    if total > MOST_BYTES:
        largest = max(sizes, key=lambda name: sizes[name])
        raise ServiceError(
            Reason.INVALID_PARAMETERS,
            f"the parameters have {total} bytes together, above the limit of {MOST_BYTES} for a run; the largest is "
            f"'{largest}' with {sizes[largest]} bytes: give large data as an artifact",
        )


def refuse_shown(parameters: Mapping[str, Held]) -> None:
    """Refuse what only stands for a large value: taken from an answer of the API and given back."""
    for name, value in parameters.items():
        if is_shown(value):
            raise ServiceError(
                Reason.INVALID_PARAMETERS,
                f"parameter '{name}' only describes a large value of another run: give the value itself",
            )


def is_shown(value: object) -> bool:
    """Whether this only stands for a large value."""
    return isinstance(value, dict) and value.keys() == {SHOWN}


def shown_parameters(parameters: Mapping[str, Held]) -> str:
    """What the user gave, as JSON; of a large value its size and digest."""
    shown: dict[str, Value] = {}
    for name, value in parameters.items():
        if isinstance(value, ValueRef):
            shown[name] = {SHOWN: {"size": value.size, "digest": value.digest}}
        elif is_large(text := encode(value)):
            data = text.encode()
            shown[name] = {SHOWN: {"size": len(data), "digest": digest_of(data)}}
        else:
            shown[name] = value
    return encode(shown)


async def value_of(backends: Backends, request: runs_pb2.ValueRequest) -> AsyncIterator[runs_pb2.ValueResponse]:
    """The text of one parameter, in chunks."""
    values = await values_at(backends, request.run_id, request.path, inputs=request.input)
    where = f"task {request.path}" if request.path else f"run {request.run_id}"
    kind = "input" if request.input else "output"
    if request.name not in values.parameters:
        known = ", ".join(sorted(values.parameters)) or "none"
        raise ServiceError(Reason.NOT_FOUND, f"{where} has no {kind} parameter '{request.name}'; it has {known}")
    value = values.parameters[request.name]
    if not value.uri:
        yield runs_pb2.ValueResponse(data=value.json.encode())
        return
    call = backends.artifacts.Read(scheduler_pb2.ReadRequest(uri=value.uri))
    try:
        async for response in call:
            yield runs_pb2.ValueResponse(data=response.data)
    finally:
        call.cancel()  # a reader that leaves ends the stream behind; no effect on one that has ended


async def values_at(backends: Backends, run_id: str, path: str, *, inputs: bool) -> events_pb2.Values:
    """What a task was given or put out; of path "" the run."""
    if path:
        task = await task_of(backends, run_id, path)
        return task.inputs if inputs else task.outputs
    if inputs:
        asked = run_query_pb2.GetSpecRequest(run_id=run_id)
        spec: run_query_pb2.GetSpecResponse = await backends.run_query.GetSpec(asked)
        return spec.inputs
    run: run_query_pb2.Run = await backends.run_query.GetRun(run_query_pb2.GetRunRequest(run_id=run_id))
    return run.outputs
