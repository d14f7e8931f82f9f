"""Every method of every service of a platform over TCP, called by those who may not: none is open but health.

What there is to call is asked of the servers themselves (reflection), so that a service which is added is in the test.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from fixtures.issuing import ATTEMPTS, INTERNAL, KFP, PUBLIC, Issuer, rsa_key
from fixtures.platforms import Platform, running

HEALTH, REFLECTION = "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"
KNOWN = {f"headrace.v1.{name}" for name in ("RunStore", "RunQuery", "Catalog", "Cache", "Scheduler", "ArtifactAccess")}
API = {"headrace.v1.Runs", "headrace.v1.Pipelines", "kubeflow.pipelines.backend.api.v2beta1.RunService"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    home = tmp_path_factory.mktemp("guarded") / "home"
    more = {"HEADRACE_API_AUTH": "token-always", "HEADRACE_EXECUTOR": "simulated"}
    with running("network", home, **more) as platform:
        yield platform


async def methods(address: str, token: str) -> dict[str, list[str]]:
    """What the server at ADDRESS serves, as it describes itself: service → methods."""
    metadata = [("authorization", f"Bearer {token}")]
    found: dict[str, list[str]] = {}
    async with grpc.aio.insecure_channel(address) as plain:
        stub = reflection_pb2_grpc.ServerReflectionStub(plain)

        async def answer(**asked: str) -> reflection_pb2.ServerReflectionResponse:
            requests = iter([reflection_pb2.ServerReflectionRequest(**asked)])
            return await stub.ServerReflectionInfo(requests, metadata=metadata, wait_for_ready=True).read()

        listed = (await answer(list_services="")).list_services_response.service
        for service in [one.name for one in listed]:
            described = await answer(file_containing_symbol=service)
            for text in described.file_descriptor_response.file_descriptor_proto:
                file = descriptor_pb2.FileDescriptorProto.FromString(text)
                for one in file.service:
                    if f"{file.package}.{one.name}" == service:
                        found[service] = [method.name for method in one.method]
    return found


async def outcome(address: str, method: str, token: str | None) -> str:
    """The status of a call with an empty request; OK where it was let in and answered, or went on."""
    metadata = [] if token is None else [("authorization", f"Bearer {token}")]
    async with grpc.aio.insecure_channel(address) as plain:
        call = plain.unary_stream(method)(b"", metadata=metadata, timeout=2)
        try:
            await call.read()
        except grpc.aio.AioRpcError as failed:
            return failed.code().name
        return "OK"


def addresses(platform: Platform) -> dict[str, str]:
    names = ("persistence", "cache", "scheduler")
    inner = {name: platform.environment[f"HEADRACE_{name.upper()}_ADDRESS"] for name in names}
    return {**inner, "apiserver": platform.grpc_address}


async def everything(platform: Platform) -> list[tuple[str, str, str]]:
    """(address, service, method) of all that is served."""
    assert platform.issuer is not None
    control, public = platform.issuer.token(), platform.token
    found = []
    for name, address in addresses(platform).items():
        described = await methods(address, public if name == "apiserver" else control)
        found += [(address, service, method) for service, names in described.items() for method in names]
    services = {service for _, service, _ in found}
    assert KNOWN | API | {HEALTH, REFLECTION, "headrace.v1.Attempts"} <= services
    return found


def forgeries(issuer: Issuer) -> dict[str, str | None]:
    """Tokens that nobody may come in with, anywhere."""
    claims = issuer.claims()
    return {
        "none at all": None,
        "no token": "x",
        "expired": issuer.token(lives=-60),
        "of another issuer": Issuer("https://elsewhere").token(),
        "another key": issuer.sign(claims, key=rsa_key("forger")),
        "an unknown key": issuer.sign(claims, key=rsa_key("forger"), kid="made-up"),
        "for the API server": issuer.token(audience=issuer.name),
    }


async def test_nothing_is_open_but_health(guarded: Platform):
    assert guarded.issuer is not None
    served = await everything(guarded)
    for what, token in forgeries(guarded.issuer).items():
        asked = [outcome(address, f"/{service}/{method}", token) for address, service, method in served]
        for (_, service, method), ended in zip(served, await asyncio.gather(*asked), strict=True):
            if service != HEALTH:
                assert ended == "UNAUTHENTICATED", f"{service}/{method} answers {ended} to {what}"


async def test_each_token_opens_its_own_services_alone(guarded: Platform):
    """A companion reaches Attempts alone, a program of the installation's namespace the API alone, the control plane the rest."""
    issuer = guarded.issuer
    assert issuer is not None
    tokens = {
        "companion": issuer.token("headrace:headrace-task", ATTEMPTS),
        "companion as the control plane": issuer.token("headrace:headrace-task", INTERNAL),
        "program": issuer.token("headrace:notebook", PUBLIC),
        "kfp program": issuer.token("headrace:notebook", KFP),
        "stranger": issuer.token("team-a:notebook", PUBLIC),
    }
    served = await everything(guarded)
    api = addresses(guarded)["apiserver"]
    for who, token in tokens.items():
        asked = [outcome(address, f"/{service}/{method}", token) for address, service, method in served]
        for (address, service, method), ended in zip(served, await asyncio.gather(*asked), strict=True):
            open_to = {
                "companion": service == "headrace.v1.Attempts",
                "program": address == api,
                "kfp program": address == api,
            }
            refused = ended in ("UNAUTHENTICATED", "PERMISSION_DENIED")
            if service != HEALTH:
                assert refused != open_to.get(who, False), f"{service}/{method} answers {ended} to the {who}"


async def test_the_control_plane_is_no_companion(guarded: Platform):
    assert guarded.issuer is not None
    scheduler = addresses(guarded)["scheduler"]
    for method in ("Assign", "Access", "Report"):
        ended = await outcome(scheduler, f"/headrace.v1.Attempts/{method}", guarded.issuer.token())
        assert ended == "UNAUTHENTICATED"


async def test_no_token_is_in_any_log(guarded: Platform):
    assert guarded.issuer is not None
    token = guarded.issuer.token("headrace:headrace-task", INTERNAL)
    assert await outcome(addresses(guarded)["cache"], "/headrace.v1.Cache/Lookup", token) == "PERMISSION_DENIED"
    for name in addresses(guarded):
        own = (guarded.home.parent / f"{guarded.home.name}-tokens" / name).read_text()
        for log in (*addresses(guarded), "postgres"):
            assert token not in guarded.log(log)
            assert own not in guarded.log(log)
