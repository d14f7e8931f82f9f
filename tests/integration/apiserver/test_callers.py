"""The public API in a cluster: who needs a token, on every kind of route and over gRPC.

Calls from elsewhere come from 127.0.0.5, which is as good as another machine (`is_loopback`).
"""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from fixtures.issuing import INTERNAL, KFP, PUBLIC
from headrace_apiserver.server import ApiserverSettings, Running, running
from headrace_identity.meeting import network_of
from headrace_protos.kfp.v2beta1 import experiment_pb2, experiment_pb2_grpc
from headrace_servicekit.errors import ServiceError
from headrace_servicekit.settings import load

ELSEWHERE = ("127.0.0.5", 0)
LIST = "/apis/v2beta1/experiments"
LISTED = experiment_pb2.ListExperimentsRequest()
ROUTES = [
    ("GET", "/"),
    ("GET", "/nothing"),
    ("GET", LIST),
    ("PUT", LIST),
    ("POST", "/apis/v2beta1/runs"),
    ("POST", "/apis/v2beta1/pipelines/upload"),
    ("POST", "/apis/v2beta1/pipelines/upload_version"),
    ("GET", "/apis/v1alpha1/runs/0190b6f0-0000-7000-8000-000000000000/nodes/train/log"),
    ("GET", "/apis/headrace.v1/runs"),
    ("GET", "/apis/headrace.v1/events"),
    ("GET", "/apis/headrace.v1/runs/0190b6f0-0000-7000-8000-000000000000/events"),
    ("POST", "/apis/v2beta1/healthz"),
    ("POST", "/ml_metadata.MetadataStoreService/GetContexts"),
]


@dataclass
class Cluster:
    """Starts apiservers with the settings of a Pod."""

    environ: dict[str, str]

    @asynccontextmanager
    async def api(self, **more: str) -> AsyncIterator[Running]:
        settings = load(ApiserverSettings, {**self.environ, **more})
        async with running(settings, network=network_of(settings)) as up:
            yield up


@pytest.fixture
def cluster(checked, persistence, tmp_path) -> Cluster:
    here = {"HTTP_ADDRESS": "127.0.0.1:0", "GRPC_ADDRESS": "127.0.0.1:0", "HOME": str(tmp_path)}
    behind = {"PERSISTENCE_ADDRESS": persistence.address, "SCHEDULER_ADDRESS": f"unix:{tmp_path}/none.sock"}
    return Cluster({**checked, **{f"HEADRACE_{name}": value for name, value in {**here, **behind}.items()}})


@asynccontextmanager
async def web(up: Running, source=ELSEWHERE, token: str | None = None):
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    connector = aiohttp.TCPConnector(local_addr=source)
    async with aiohttp.ClientSession(f"http://{up.http_address}", connector=connector, headers=headers) as session:
        yield session


async def test_every_route_asks_those_from_elsewhere_for_a_token(cluster):
    async with cluster.api() as up, web(up) as session:
        for method, path in ROUTES:
            async with session.request(method, path, json={} if method != "GET" else None) as answer:
                body = await answer.json()
                assert answer.status == 401, (method, path, body)
                assert answer.headers["WWW-Authenticate"] == "Bearer"
                assert "UnauthenticatedError: this call needs a token: send it as" in body["message"]
        async with session.get("/apis/v2beta1/healthz", headers={"Host": "10.244.0.7:8888"}) as answer:
            assert answer.status == 200, "probes carry none, and name the Pod's address"


async def test_port_forwards_need_none(cluster):
    async with cluster.api() as up, web(up, ("127.0.0.1", 0)) as session:
        async with session.get(LIST) as answer:
            assert answer.status == 200
        async with session.get(LIST, headers={"Host": "evil.example"}) as answer:
            assert answer.status == 403
        async with grpc.aio.insecure_channel(up.grpc_address) as plain:
            await experiment_pb2_grpc.ExperimentServiceStub(plain).ListExperiments(LISTED)


@pytest.mark.parametrize("audience", [PUBLIC, KFP])
async def test_accounts_of_our_namespace_and_those_that_are_named_may_call(cluster, issuer, audience):
    async with cluster.api() as up:
        for account in ("headrace:notebook", "ci:robot"):
            async with web(up, token=issuer.token(account, audience)) as session:
                async with session.get(LIST, headers={"Host": "headrace-apiserver.headrace.svc:8888"}) as answer:
                    assert answer.status == 200, await answer.text()
                form = aiohttp.FormData()
                form.add_field("uploadfile", io.BytesIO(b"no pipeline"), filename="x.yaml")
                async with session.post("/apis/v2beta1/pipelines/upload", data=form) as answer:
                    assert answer.status == 400, "the file is looked at"


async def test_others_are_told_so(cluster, issuer):
    async with cluster.api() as up:

        async def told(token: str) -> tuple[int, str]:
            async with web(up, token=token) as session, session.get(LIST) as answer:
                return answer.status, json.loads(await answer.read())["message"]

        assert await told(issuer.token("team-a:train", PUBLIC)) == (
            403,
            "Failed to authenticate: PermissionDeniedError: the account team-a:train may not call this",
        )
        assert await told(issuer.token(audience=INTERNAL)) == (
            401,
            "Failed to authenticate: UnauthenticatedError: the token is for another audience",
        )
        assert (await told(issuer.token("ci:robot", PUBLIC, lives=-60)))[1].endswith("the token has expired")
        assert (await told("forged"))[1].endswith("the token is not valid")


async def test_a_mesh_makes_everyone_local_so_everyone_is_asked(cluster, issuer):
    async with cluster.api(HEADRACE_API_AUTH="token-always") as up, web(up, ("127.0.0.1", 0)) as session:
        async with session.get(LIST) as answer:
            assert answer.status == 401
        async with grpc.aio.insecure_channel(up.grpc_address) as plain:
            stub = experiment_pb2_grpc.ExperimentServiceStub(plain)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.ListExperiments(LISTED)
            assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
            await stub.ListExperiments(
                LISTED, metadata=[("authorization", f"Bearer {issuer.token('ci:robot', PUBLIC)}")]
            )
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.ListExperiments(
                    LISTED, metadata=[("authorization", f"Bearer {issuer.token('team-a:x', PUBLIC)}")]
                )
            assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
            await health_pb2_grpc.HealthStub(plain).Check(health_pb2.HealthCheckRequest())
            reflection = plain.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await reflection(iter([b""])).read()
            assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_behind_a_gateway_its_users_are_let_in_and_foreign_pages_are_not(cluster):
    async with cluster.api(HEADRACE_API_AUTH="gateway") as up, web(up) as session:
        host = {"Host": "pipelines.example"}
        async with session.get(LIST, headers={**host, "Origin": "https://pipelines.example"}) as answer:
            assert answer.status == 200
        async with session.get(LIST, headers={**host, "Origin": "https://evil.example"}) as answer:
            assert answer.status == 403
        async with session.post(LIST, data="{}", headers={**host, "Content-Type": "text/plain"}) as answer:
            assert answer.status == 403


async def test_without_token_checks_it_stays_on_this_machine(tmp_path):
    settings = ApiserverSettings(home=tmp_path, http_address="0.0.0.0:0")
    with pytest.raises(ServiceError, match=r"refusing to listen on 0.0.0.0:0: .* or set HEADRACE_TOKEN_FILE"):
        async with running(settings):
            raise AssertionError("listens")
