"""Starts a scheduler replica with its gRPC services; called by `headrace serve scheduler` and the composition root."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from headrace_companion.store import ArtifactStore
from headrace_protos.v1 import (
    assignments_pb2,
    attempts_pb2_grpc,
    cache_pb2_grpc,
    plan_pb2,
    run_query_pb2_grpc,
    run_store_pb2_grpc,
    scheduler_pb2_grpc,
)
from headrace_scheduler.admitting import Admission
from headrace_scheduler.caching import CacheClient
from headrace_scheduler.claiming import Session
from headrace_scheduler.dispatching import Dispatcher
from headrace_scheduler.driving import Driver, Parts
from headrace_scheduler.engine import PlanIndex
from headrace_scheduler.executors.assignments import message_of
from headrace_scheduler.executors.port import Executor, Launch
from headrace_scheduler.executors.simulated import SimulatedExecutor
from headrace_scheduler.handlers.access import Access
from headrace_scheduler.handlers.artifacts import ArtifactService
from headrace_scheduler.handlers.attempts import AttemptsService
from headrace_scheduler.handlers.scheduling import SchedulerService
from headrace_scheduler.identifying import Identifier
from headrace_scheduler.importing import Importer
from headrace_scheduler.looking_back import Origins
from headrace_scheduler.measuring import measured
from headrace_scheduler.owning import Ownership
from headrace_scheduler.packages import packages_uri
from headrace_scheduler.receiving import Receiver
from headrace_scheduler.replica import Replica
from headrace_scheduler.settings import SchedulerSettings
from headrace_scheduler.stores.composite import Stores
from headrace_scheduler.stores.configuring import make_stores
from headrace_scheduler.stores.keeping import PUBLISHING_S, opened
from headrace_scheduler.storing import Contents
from headrace_scheduler.verifying import checks
from headrace_servicekit.network import LOCAL, Network
from headrace_servicekit.policies import ATTEMPTS
from headrace_servicekit.server import Served, channel, serve
from headrace_servicekit.telemetry import SpanSink


@dataclass(frozen=True, slots=True)
class Running:
    """A started replica: where it listens, and the loops to watch."""

    address: str
    replica: Replica


@asynccontextmanager
async def running(
    settings: SchedulerSettings, sink: SpanSink | None = None, network: Network = LOCAL
) -> AsyncIterator[Running]:
    """The scheduler while the block runs."""
    async with AsyncExitStack() as stack:
        persistence = await stack.enter_async_context(channel(settings.address_of("persistence"), network))
        cache = await stack.enter_async_context(channel(settings.address_of("cache"), network))
        stubs = Stubs(
            run_store_pb2_grpc.RunStoreStub(persistence),
            run_query_pb2_grpc.RunQueryStub(persistence),
            cache_pb2_grpc.CacheStub(cache),
        )
        artifacts = await stack.enter_async_context(opened(make_stores(settings, os.environ)))
        executor = make_executor(settings, artifacts, stubs.query)
        parts = assemble(settings, stubs, executor, artifacts)
        receiver, admission, driver = parts.receiver, parts.admission, parts.driver
        scheduling = SchedulerService(receiver, executor, admission, stubs.cache, fixed=settings.cluster_fixed)

        def assignment(launch: Launch, pod: tuple[str, str]) -> assignments_pb2.Assignment:
            packages = packages_uri(launch, artifacts.areas.default_root(launch.namespace))
            return message_of(launch, settings.max_value_bytes, settings.grace_s, packages, pod)

        granting = Access(artifacts)
        stack.callback(granting.close)
        attempts = AttemptsService(stubs.store, receiver, parts.ownership, assignment, executor.completed, granting)
        elsewhere = settings.remote(os.environ)
        access = ArtifactService(artifacts, driver.writes, parts.cache.forget_artifacts, elsewhere.forget)
        served = [
            Served(
                "headrace.v1.Scheduler",
                lambda server: scheduler_pb2_grpc.add_SchedulerServicer_to_server(scheduling, server),
            ),
            Served(
                "headrace.v1.Attempts",
                lambda server: attempts_pb2_grpc.add_AttemptsServicer_to_server(attempts, server),
                ATTEMPTS,
            ),
            Served(
                "headrace.v1.ArtifactAccess",
                lambda server: scheduler_pb2_grpc.add_ArtifactAccessServicer_to_server(access, server),
            ),
        ]
        measured(parts.session, driver, admission)
        await stack.enter_async_context(parts.replica)
        stack.callback(artifacts.give_up)  # before the replica ends, which waits for what its attempts are doing
        listening = await stack.enter_async_context(
            serve(settings.listening("scheduler"), served, service="scheduler", sink=sink, network=network)
        )
        yield Running(listening.address, parts.replica)


@dataclass(frozen=True, slots=True)
class Stubs:
    """The services that a replica speaks to: RunStore, RunQuery, Cache."""

    store: Any
    query: Any
    cache: Any


@dataclass(frozen=True, slots=True)
class Assembled:
    """The parts of one replica, none of them running yet."""

    replica: Replica
    dispatcher: Dispatcher
    driver: Driver
    receiver: Receiver
    admission: Admission
    ownership: Ownership
    cache: CacheClient
    session: Session


def assemble(settings: SchedulerSettings, stubs: Stubs, executor: Executor, artifacts: Stores) -> Assembled:
    """One replica between these neighbours."""
    holder = f"{socket.gethostname()}/{os.getpid()}"
    session = Session(stubs.store, holder, settings.take_over, settings.advertised())
    receiver = Receiver(stubs.store, session)
    admission = Admission(executor.inventory(), settings.default_cpu)
    contents = Contents(artifacts)
    driver = Driver(Parts(stubs.store, session, receiver, executor, admission, settings, contents))
    client = CacheClient(
        stubs.cache,
        checks(artifacts, settings.cache_verify),
        Identifier(artifacts, settings.remote(os.environ), executor.image_digest, settings.sources()),
        enabled=settings.cache_enabled,
        image_ran=executor.image_ran,
    )
    importer = Importer(stubs.query, local=settings.executor != "kubernetes")
    dispatcher = Dispatcher(client, importer, executor, contents, driver.tell)
    index = partial(
        index_of,
        store=artifacts,
        workspaces=executor.workspaces,
        max_value_bytes=settings.max_value_bytes,
    )
    origins = Origins(stubs.query, index)
    replica = Replica(stubs.store, session, receiver, executor, driver, dispatcher, index, origins)
    ownership = Ownership(stubs.store, session, driver)
    return Assembled(replica, dispatcher, driver, receiver, admission, ownership, client, session)


def index_of(plan: plan_pb2.Plan, namespace: str, store: Stores, **settings: Any) -> PlanIndex:
    """The engine's index of a run's plan. A default root that no store of the namespace holds is left out: runs publish in
    their store.
    """
    wanted = f"{plan.default_pipeline_root.rstrip('/')}/run"
    if plan.default_pipeline_root and (store.key(wanted) is None or store.areas.problem(wanted, namespace)):
        plan.default_pipeline_root = ""
    return PlanIndex(plan, default_root=store.areas.default_root(namespace), **settings)


def make_executor(settings: SchedulerSettings, artifacts: ArtifactStore, query: Any) -> Executor:
    """The executor that HEADRACE_EXECUTOR names; QUERY is a RunQuery stub."""
    if settings.executor == "simulated":
        return SimulatedExecutor(settings.simulated_seconds)
    if settings.executor == "process":
        from headrace_scheduler.executors.process.executor import ProcessExecutor
        from headrace_scheduler.executors.process.shedding import Keep

        return ProcessExecutor(
            settings.home,
            artifacts.patient(PUBLISHING_S),
            os.environ,
            strict=settings.strict_resources,
            fetching=settings.fetching(),
            max_value_bytes=settings.max_value_bytes,
            keep=Keep(settings.environment_keep_bytes, settings.environment_keep_days),
        )
    from headrace_scheduler.executors.kubernetes.making import make

    return make(settings, artifacts, query, os.environ)
