"""The generated stubs themselves, for what the client has no word for. Used by AsyncClient and Client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from headrace.api.connection import stub_of

if TYPE_CHECKING:
    from headrace.api.connection import Connection
    from headrace.finding import Address

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Raw:
    """Stubs of `headrace.v1` (runs, pipelines) and of KFP's v2beta1; their messages are in headrace_protos."""

    runs: Any
    pipelines: Any
    kfp_runs: Any
    kfp_pipelines: Any
    kfp_experiments: Any


@asynccontextmanager
async def opened(connection: Connection) -> AsyncIterator[Raw]:
    """For asyncio."""
    from headrace.api.channels import Dressed, open_channel

    address, dress = await connection.address(), await connection.dress()
    channel = open_channel(address.grpc, secure=address.secure)
    try:
        yield _raw(Dressed(channel, dress))
    finally:
        await channel.close(None)


@contextmanager
def opened_blocking(connection: Connection, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> Iterator[Raw]:
    """For threads; RUN carries out what is asked of the connection."""
    from headrace.api.channels import Dressed, open_blocking_channel

    address: Address = run(connection.address())
    dress: Callable[[], list[tuple[str, str]]] = run(connection.dress())
    with open_blocking_channel(address.grpc, secure=address.secure) as channel:
        yield _raw(Dressed(channel, dress))


def _raw(channel: Any) -> Raw:
    return Raw(
        runs=stub_of("Runs", channel),
        pipelines=stub_of("Pipelines", channel),
        kfp_runs=stub_of("RunService", channel),
        kfp_pipelines=stub_of("PipelineService", channel),
        kfp_experiments=stub_of("ExperimentService", channel),
    )
