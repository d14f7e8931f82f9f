"""Reading what artifacts consist of, for clients that hold no key to the artifact store.

Only what a run's rows name can be read, never a URI that a caller gives. Called by handlers.headrace_runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from headrace_apiserver.backends import Backends
from headrace_apiserver.values import values_at
from headrace_protos.v1 import runs_pb2, scheduler_pb2
from headrace_servicekit.errors import Reason, ServiceError


async def files_of(backends: Backends, ref: runs_pb2.ArtifactRef) -> AsyncIterator[runs_pb2.ArtifactFilesResponse]:
    """The files of one artifact."""
    call = backends.artifacts.List(scheduler_pb2.ListObjectsRequest(uri=await _uri(backends, ref)))
    try:
        async for page in call:
            files = [runs_pb2.ArtifactFile(name=one.name, size=one.size) for one in page.objects]
            yield runs_pb2.ArtifactFilesResponse(files=files)
    finally:
        call.cancel()  # a reader that leaves ends the stream behind; no effect on one that has ended


async def bytes_of(
    backends: Backends, request: runs_pb2.ReadArtifactRequest
) -> AsyncIterator[runs_pb2.ReadArtifactResponse]:
    """Bytes of one of its files."""
    for name, number in (("offset", request.offset), ("limit", request.limit)):
        if number < 0:
            raise ServiceError(Reason.INVALID_INPUT, f"{name} is {number}; it cannot be negative")
    uri = await _uri(backends, request.artifact)
    asked = scheduler_pb2.ReadRequest(uri=uri, file=request.file, offset=request.offset, limit=request.limit)
    call = backends.artifacts.Read(asked)
    try:
        async for answer in call:
            yield runs_pb2.ReadArtifactResponse(data=answer.data)
    finally:
        call.cancel()  # as above


async def _uri(backends: Backends, ref: runs_pb2.ArtifactRef) -> str:
    values = await values_at(backends, ref.run_id, ref.path, inputs=ref.input)
    where = f"task {ref.path}" if ref.path else f"run {ref.run_id}"
    kind = "input" if ref.input else "output"
    if ref.name not in values.artifacts:
        known = ", ".join(sorted(values.artifacts)) or "none"
        raise ServiceError(Reason.NOT_FOUND, f"{where} has no {kind} artifact '{ref.name}'; it has {known}")
    artifacts = values.artifacts[ref.name].artifacts
    if not 0 <= ref.index < len(artifacts):
        raise ServiceError(
            Reason.NOT_FOUND,
            f"{where} has no artifact {ref.index} in its {kind} '{ref.name}', which has {len(artifacts)}",
        )
    return artifacts[ref.index].uri
