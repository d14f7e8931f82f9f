"""The connection to a platform: its addresses, found once; one channel, opened with the first call; who is calling.

gRPC and protobuf are loaded with the first call. Used by calls, catalog and raw.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headrace.finding import Address, find
from headrace.tokens import Token

if TYPE_CHECKING:
    import grpc

KFP: Final = "headrace_protos.kfp.v2beta1"
SERVICES: Final = {  # what `call` is told → the module and class of the stub
    "Runs": ("headrace_protos.v1.runs_pb2_grpc", "RunsStub"),
    "Artifacts": ("headrace_protos.v1.artifacts_pb2_grpc", "ArtifactsStub"),
    "Retention": ("headrace_protos.v1.retention_pb2_grpc", "RetentionStub"),
    "Cluster": ("headrace_protos.v1.cluster_pb2_grpc", "ClusterStub"),
    "Pipelines": ("headrace_protos.v1.pipelines_pb2_grpc", "PipelinesStub"),
    "RunService": (f"{KFP}.run_pb2_grpc", "RunServiceStub"),
    "PipelineService": (f"{KFP}.pipeline_pb2_grpc", "PipelineServiceStub"),
    "ExperimentService": (f"{KFP}.experiment_pb2_grpc", "ExperimentServiceStub"),
}


class Connection:
    """One platform and one caller. The token is in no text that this makes."""

    def __init__(
        self, endpoint: str | None = None, *, namespace: str | None = None, token: str | Path | None = None
    ) -> None:
        self._endpoint = endpoint
        self.namespace = os.environ.get("HEADRACE_NAMESPACE", "") if namespace is None else namespace
        self._token = Token(token)
        self.found: Address | None = None
        self._channel: grpc.aio.Channel | None = None
        self._stubs: dict[str, Any] = {}
        self._opening = asyncio.Lock()

    async def address(self) -> Address:
        """The platform's addresses, found once."""
        if self.found is None:
            self.found = await asyncio.to_thread(find, self._endpoint, token=self._token.read())
        return self.found

    async def close(self) -> None:
        """Give the channel back; the next call opens another."""
        channel, self._channel = self._channel, None
        self._stubs.clear()
        if channel is not None:
            await channel.close(None)

    async def dress(self) -> Callable[[], list[tuple[str, str]]]:
        """What makes the metadata that every call carries. A token goes out encrypted, or not off this machine or cluster."""
        address = await self.address()
        return lambda: list(self._token.headers(address.grpc, secure=address.secure).items())

    async def stub(self, service: str) -> Any:
        """The generated stub of one of SERVICES."""
        from headrace.api.channels import Dressed, open_channel

        async with self._opening:
            if self._channel is None:
                address, dress = await self.address(), await self.dress()
                self._channel = open_channel(address.grpc, secure=address.secure)
                self._stubs = {name: stub_of(name, Dressed(self._channel, dress)) for name in SERVICES}
            return self._stubs[service]

    async def call(self, service: str, method: str, request: Any) -> Any:
        """The answer, or the SDK's own exception."""
        import grpc

        from headrace.api.channels import from_call

        stub = await self.stub(service)
        try:
            return await getattr(stub, method)(request)
        except grpc.aio.AioRpcError as failed:
            raise from_call(failed, (await self.address()).grpc) from None

    @asynccontextmanager
    async def stream(self, service: str, method: str, request: Any) -> AsyncIterator[Any]:
        """The answers as they come; leaving the block ends the stream."""
        import grpc

        from headrace.api.channels import from_call

        call = getattr(await self.stub(service), method)(request)
        try:
            yield call
        except grpc.aio.AioRpcError as failed:
            raise from_call(failed, (await self.address()).grpc) from None
        finally:
            call.cancel()


def stub_of(service: str, channel: Any) -> Any:
    """The stub on a channel of either kind."""
    module, name = SERVICES[service]
    return getattr(importlib.import_module(module), name)(channel)
