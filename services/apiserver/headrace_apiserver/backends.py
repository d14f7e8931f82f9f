"""The services that the apiserver calls, as typed stubs. Made by server, used by the handlers."""

from __future__ import annotations

from dataclasses import dataclass

import grpc

from headrace_protos.v1.catalog_pb2_grpc import CatalogStub
from headrace_protos.v1.lineage_pb2_grpc import LineageStub
from headrace_protos.v1.retention_pb2_grpc import RetentionStub
from headrace_protos.v1.run_query_pb2_grpc import RunQueryStub
from headrace_protos.v1.run_store_pb2_grpc import RunStoreStub
from headrace_protos.v1.scheduler_pb2_grpc import ArtifactAccessStub, SchedulerStub


@dataclass(frozen=True, slots=True)
class Backends:
    """Stubs on two channels: persistence and scheduler."""

    run_store: RunStoreStub
    run_query: RunQueryStub
    catalog: CatalogStub
    scheduler: SchedulerStub
    artifacts: ArtifactAccessStub
    lineage: LineageStub
    retention: RetentionStub


def backends(persistence: grpc.aio.Channel, scheduler: grpc.aio.Channel) -> Backends:
    """The stubs on these channels."""
    return Backends(
        run_store=RunStoreStub(persistence),
        run_query=RunQueryStub(persistence),
        catalog=CatalogStub(persistence),
        scheduler=SchedulerStub(scheduler),
        artifacts=ArtifactAccessStub(scheduler),
        lineage=LineageStub(persistence),
        retention=RetentionStub(persistence),
    )
