"""Starts the apiserver: gRPC and REST on one set of handler objects, over channels to persistence and scheduler.

Called by `headrace serve apiserver` and by the embedded composition root. It holds nothing durable.
"""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import Final

from aiohttp import web

from headrace_apiserver.backends import Backends, backends
from headrace_apiserver.forwarding import Forwarder
from headrace_apiserver.gateway.app import Routes, application
from headrace_apiserver.gateway.calling import Bound
from headrace_apiserver.gateway.events import Events
from headrace_apiserver.gateway.grpc_web import GrpcWeb
from headrace_apiserver.gateway.guard import Door
from headrace_apiserver.gateway.health import Health, probe
from headrace_apiserver.gateway.logs import RunLog
from headrace_apiserver.gateway.uploads import Uploads
from headrace_apiserver.handlers import not_built
from headrace_apiserver.handlers.experiments import Experiments
from headrace_apiserver.handlers.headrace_artifacts import HeadraceArtifacts
from headrace_apiserver.handlers.headrace_cluster import HeadraceCluster
from headrace_apiserver.handlers.headrace_pipelines import HeadracePipelines
from headrace_apiserver.handlers.headrace_retention import HeadraceRetention
from headrace_apiserver.handlers.headrace_runs import HeadraceRuns
from headrace_apiserver.handlers.pipelines import Pipelines
from headrace_apiserver.handlers.runs import Runs
from headrace_apiserver.settings import ApiserverSettings
from headrace_apiserver.submitting import Submitter
from headrace_apiserver.watching import Watching
from headrace_protos.kfp.v2beta1 import experiment_pb2, pipeline_pb2, run_pb2
from headrace_protos.kfp.v2beta1.experiment_pb2_grpc import add_ExperimentServiceServicer_to_server
from headrace_protos.kfp.v2beta1.pipeline_pb2_grpc import add_PipelineServiceServicer_to_server
from headrace_protos.kfp.v2beta1.run_pb2_grpc import add_RunServiceServicer_to_server
from headrace_protos.v1 import artifacts_pb2, cluster_pb2, retention_pb2, runs_pb2
from headrace_protos.v1.artifacts_pb2_grpc import add_ArtifactsServicer_to_server
from headrace_protos.v1.cluster_pb2_grpc import add_ClusterServicer_to_server
from headrace_protos.v1.pipelines_pb2_grpc import add_PipelinesServicer_to_server
from headrace_protos.v1.retention_pb2_grpc import add_RetentionServicer_to_server
from headrace_protos.v1.runs_pb2_grpc import add_RunsServicer_to_server
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.network import LOCAL, Network
from headrace_servicekit.policies import PUBLIC
from headrace_servicekit.server import Served, channel, check_address, serve
from headrace_servicekit.telemetry import SpanSink

__all__ = ["ApiserverSettings", "Running", "handlers", "running"]
SERVICE: Final = "apiserver"
GRACE: Final = 1.0  # seconds for calls in flight when stopping; followers of logs and events would take any
KFP: Final = "kubeflow.pipelines.backend.api.v2beta1"


@dataclass(frozen=True, slots=True)
class Handlers:
    """One object for each service that is built."""

    experiments: Experiments
    pipelines: Pipelines
    runs: Runs
    headrace_runs: HeadraceRuns
    headrace_pipelines: HeadracePipelines
    headrace_cluster: HeadraceCluster
    headrace_artifacts: HeadraceArtifacts
    events: Events
    headrace_retention: HeadraceRetention

    def bound(self) -> list[Bound]:
        """For the gateway, with what is declared and not built."""
        return [
            Bound(experiment_pb2.DESCRIPTOR.services_by_name["ExperimentService"], self.experiments),
            Bound(pipeline_pb2.DESCRIPTOR.services_by_name["PipelineService"], self.pipelines),
            Bound(run_pb2.DESCRIPTOR.services_by_name["RunService"], self.runs),
            Bound(runs_pb2.DESCRIPTOR.services_by_name["Runs"], self.headrace_runs),
            Bound(cluster_pb2.DESCRIPTOR.services_by_name["Cluster"], self.headrace_cluster),
            Bound(artifacts_pb2.DESCRIPTOR.services_by_name["Artifacts"], self.headrace_artifacts),
            Bound(retention_pb2.DESCRIPTOR.services_by_name["Retention"], self.headrace_retention),
            *(Bound(descriptor, not_built.NotBuilt(descriptor.name)) for descriptor in not_built.DESCRIPTORS),
        ]

    def served(self) -> list[Served]:
        """For the gRPC server, which answers UNIMPLEMENTED by itself for what is not built."""
        registered = {
            f"{KFP}.ExperimentService": partial(add_ExperimentServiceServicer_to_server, self.experiments),
            f"{KFP}.PipelineService": partial(add_PipelineServiceServicer_to_server, self.pipelines),
            f"{KFP}.RunService": partial(add_RunServiceServicer_to_server, self.runs),
            "headrace.v1.Runs": partial(add_RunsServicer_to_server, self.headrace_runs),
            "headrace.v1.Artifacts": partial(add_ArtifactsServicer_to_server, self.headrace_artifacts),
            "headrace.v1.Retention": partial(add_RetentionServicer_to_server, self.headrace_retention),
            "headrace.v1.Cluster": partial(add_ClusterServicer_to_server, self.headrace_cluster),
            "headrace.v1.Pipelines": partial(add_PipelinesServicer_to_server, self.headrace_pipelines),
        }
        return [Served(name, register, PUBLIC) for name, register in registered.items()]


def handlers(
    reached: Backends, *, fixed: bool = False, roots: Sequence[str] = ("file",), watchers: int = 1000
) -> Handlers:
    """The handler objects over these stubs."""
    submitter, watching = Submitter(reached, fixed=fixed, roots=roots), Watching(reached, watchers)
    pipelines = Pipelines(reached)
    return Handlers(
        experiments=Experiments(reached),
        pipelines=pipelines,
        runs=Runs(reached, submitter),
        headrace_runs=HeadraceRuns(reached, submitter, watching),
        headrace_pipelines=HeadracePipelines(pipelines),
        headrace_cluster=HeadraceCluster(reached),
        headrace_artifacts=HeadraceArtifacts(reached),
        events=Events(watching),
        headrace_retention=HeadraceRetention(reached),
    )


@dataclass(frozen=True, slots=True)
class Running:
    """A started apiserver; the addresses have the ports that were really taken."""

    http_address: str
    grpc_address: str


@asynccontextmanager
async def running(
    settings: ApiserverSettings, sink: SpanSink | None = None, network: Network = LOCAL
) -> AsyncIterator[Running]:
    """The apiserver while the block runs. Raises ServiceError with what to do where an address is taken or not loopback."""
    network = settings.admitting(network)
    check_address(settings.http_address, network)
    async with AsyncExitStack() as stack:
        persistence = await stack.enter_async_context(channel(settings.address_of("persistence"), network))
        scheduler = await stack.enter_async_context(channel(settings.address_of("scheduler"), network))
        reached = backends(persistence, scheduler)
        forwarder = Forwarder(persistence)
        made = handlers(reached, fixed=settings.cluster_fixed, roots=settings.roots(), watchers=settings.watchers)
        listening = await stack.enter_async_context(
            serve(
                settings.grpc_address,
                [*made.served(), forwarder.served()],
                service=SERVICE,
                probe=partial(probe, reached),
                sink=sink,
                grace=GRACE,
                network=network,
            )
        )
        health = Health(reached, settings.grpc_endpoint or listening.address, metadata.version("headrace-server"))
        routes = Routes(
            made.bound(), Uploads(made.pipelines), health, RunLog(reached), GrpcWeb(forwarder.calls), made.events
        )
        door = Door(network, settings.endpoint, gateway=settings.api_auth == "gateway")
        http_address = await _listen(stack, application(routes, door), settings.http_address)
        yield Running(http_address, listening.address)


async def _listen(stack: AsyncExitStack, app: web.Application, address: str) -> str:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    host, _, port = address.rpartition(":")
    site = web.TCPSite(runner, host.strip("[]"), int(port), reuse_address=True)
    try:
        await site.start()
    except OSError as refused:
        raise ServiceError(Reason.UNAVAILABLE, _not_listening(address, refused)) from None
    bound: int = runner.addresses[0][1]
    return f"{host}:{bound}"


def _not_listening(address: str, refused: OSError) -> str:
    if refused.errno == errno.EADDRINUSE:
        why = "the port is in use: stop the process that has it, or set HEADRACE_HTTP_ADDRESS to another address"
    elif refused.errno == errno.EACCES:
        why = "this user may not take the port: set HEADRACE_HTTP_ADDRESS to a port above 1023"
    else:
        why = f"{refused.strerror or refused}: set HEADRACE_HTTP_ADDRESS to an address of this machine"
    return f"{SERVICE}: cannot listen on {address}: {why}"
