"""Servers on TCP with token checks, and channels that present a token: who is let in, who is told what, and what a handler knows.

The issuer's keys come over HTTPS, as from an API server; every setting is read as `headrace serve` reads it.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from fixtures.issuing import ATTEMPTS as ATTEMPTS_AUDIENCE
from fixtures.issuing import INTERNAL, KFP, PUBLIC
from headrace_companion import pod_layout
from headrace_identity.meeting import network_of
from headrace_servicekit import callers
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.network import LOCAL, Network, is_loopback
from headrace_servicekit.policies import ATTEMPTS, CONTROL, OPEN, Accounts, Policy
from headrace_servicekit.policies import PUBLIC as PUBLIC_POLICY
from headrace_servicekit.server import Served, channel, check_address, serve
from headrace_servicekit.settings import Settings, load
from headrace_servicekit.tokens import TokenFile

SCHEDULER, COMPANION, ROBOT = "headrace:headrace-scheduler", "team-a:headrace-task", "ci:robot"
# What gRPC's client makes of a refusal that comes while it writes its own stream: the server's status is lost in it.
LOST = "INTERNAL: Internal error from Core"


class Telling:
    """Answers with who called; counts what reached it."""

    def __init__(self) -> None:
        self.calls = 0
        self.read = 0

    def reading(self, request: bytes) -> bytes:
        self.read += 1
        return request

    async def one(self, request: bytes, context) -> bytes:
        self.calls += 1
        caller = callers.current()
        return f"{caller.name} {caller.pod_name} {caller.pod_uid} {caller.audience}".encode()

    async def many(self, request: bytes, context):
        yield await self.one(request, context)
        yield request

    async def gathered(self, requests, context) -> bytes:
        return b"".join([await self.one(request, context) async for request in requests])

    async def each(self, requests, context):
        async for request in requests:
            yield await self.one(request, context)

    def served(self, name: str, policy: Policy) -> Served:
        handlers = {
            "One": grpc.unary_unary_rpc_method_handler(self.one, self.reading),
            "Many": grpc.unary_stream_rpc_method_handler(self.many, self.reading),
            "Gathered": grpc.stream_unary_rpc_method_handler(self.gathered, self.reading),
            "Each": grpc.stream_stream_rpc_method_handler(self.each, self.reading),
        }
        handler = grpc.method_handlers_generic_handler(name, handlers)
        return Served(name, lambda server: server.add_generic_rpc_handlers((handler,)), policy)


@pytest.fixture
def settings(checked) -> Settings:
    return load(Settings, checked)


@pytest.fixture
def network(settings) -> Network:
    return network_of(settings)


@pytest.fixture
def telling() -> Telling:
    return Telling()


@pytest.fixture
async def address(network, telling):
    served = [telling.served("test.Control", CONTROL), telling.served("test.Attempts", ATTEMPTS)]
    async with serve("127.0.0.1:0", served, service="test", network=network, grace=0.1) as listening:
        yield listening.address


async def ask(address: str, token: str | None, method: str = "/test.Control/One", value: bytes | None = None) -> str:
    """One call by a plain client, as a stranger would make it; the status and its message where it is refused."""
    while (told := await _ask(address, token, method, value)) == LOST:
        continue
    return told


async def _ask(address: str, token: str | None, method: str, value: bytes | None) -> str:
    metadata = [] if token is None else [("authorization", f"Bearer {token}")]
    async with grpc.aio.insecure_channel(address) as plain:
        try:
            if method.endswith("Each"):
                call = plain.stream_stream(method)(iter([b"x"]), metadata=metadata)
                return b"".join([answer async for answer in call]).decode()
            return (await plain.unary_unary(method)(value or b"x", metadata=metadata, timeout=10)).decode()
        except grpc.aio.AioRpcError as refused:
            return f"{refused.code().name}: {refused.details()}"


async def test_services_meet_with_their_tokens(address, network, issuer):
    async with channel(address, network) as opened:
        answer = await opened.unary_unary("/test.Control/One")(b"x")
    assert answer == b"headrace:headrace-scheduler scheduler-0 0000-1 headrace-internal"
    assert issuer.asked[0].startswith("Bearer ")
    assert len(issuer.asked) == 1, "the keys are kept"


@pytest.mark.parametrize("kind", ["One", "Each"])
async def test_strangers_are_refused_before_their_request_is_read(address, telling, issuer, kind):
    needs = (
        "UNAUTHENTICATED: this call needs a token: send it as `authorization: Bearer …`, our clients as HEADRACE_TOKEN"
    )
    control = f"/test.Control/{kind}"
    assert await ask(address, None, control) == needs
    assert await ask(address, "", control) == needs
    assert await ask(address, "x.y.z", control) == "UNAUTHENTICATED: the token is not valid"
    companion = issuer.token(COMPANION, ATTEMPTS_AUDIENCE)
    assert await ask(address, companion, control) == "UNAUTHENTICATED: the token is for another audience"
    assert (
        await ask(address, issuer.token(COMPANION, INTERNAL), control)
        == "PERMISSION_DENIED: the account team-a:headrace-task may not call this"
    )
    assert await ask(address, issuer.token("headrace:default", INTERNAL), control) == (
        "PERMISSION_DENIED: the account headrace:default may not call this"
    )
    assert await ask(address, issuer.token("other:headrace-scheduler", INTERNAL), control) == (
        "PERMISSION_DENIED: the account other:headrace-scheduler may not call this"
    )
    assert (telling.read, telling.calls) == (0, 0)


async def test_the_public_api_reads_no_request_of_strangers_either(network, telling, issuer):
    """Who calls is known with the address alone there; all four kinds of call work, and are refused unread."""
    everyone = replace(network, trusted=lambda _: False)
    served = [telling.served("test.Public", PUBLIC_POLICY)]
    metadata = [("authorization", f"Bearer {issuer.token(ROBOT, PUBLIC)}")]
    async with (
        serve("127.0.0.1:0", served, service="test", network=everyone, grace=0.1) as listening,
        grpc.aio.insecure_channel(listening.address) as plain,
    ):
        one, many = plain.unary_unary("/test.Public/One"), plain.unary_stream("/test.Public/Many")
        gathered, each = plain.stream_unary("/test.Public/Gathered"), plain.stream_stream("/test.Public/Each")
        large = b"x" * 3_000_000
        for call in (one(large), many(large).read(), gathered(iter([large]))):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call
            assert refused.value.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.INTERNAL)
        assert (telling.read, telling.calls) == (0, 0)
        said = b"ci:robot scheduler-0 0000-1 headrace"
        assert await one(b"x", metadata=metadata) == said
        assert [answer async for answer in many(b"x", metadata=metadata)] == [said, b"x"]
        assert await gathered(iter([b"x", b"y"]), metadata=metadata) == said * 2
        assert [answer async for answer in each(iter([b"x", b"y"]), metadata=metadata)] == [said] * 2


async def test_attempts_are_for_companions_in_pods(address, issuer):
    asked = "/test.Attempts/One"
    token = issuer.token(COMPANION, ATTEMPTS_AUDIENCE, pod=("train-1", "uid-7"))
    assert await ask(address, token, asked) == "team-a:headrace-task train-1 uid-7 headrace-attempts"
    assert await ask(address, issuer.token(), asked) == "UNAUTHENTICATED: the token is for another audience"
    unbound = issuer.token(COMPANION, ATTEMPTS_AUDIENCE, pod=None)
    assert await ask(address, unbound, asked) == (
        "PERMISSION_DENIED: the token is bound to no Pod; only the companion in a task's Pod may call this"
    )


async def test_a_large_request_of_a_stranger_is_refused_too(address, telling):
    assert (await ask(address, None, value=b"x" * 3_000_000)).startswith("UNAUTHENTICATED")
    assert telling.calls == 0


async def test_probes_need_no_token_and_reflection_does(address, network):
    async with grpc.aio.insecure_channel(address) as plain:
        health = health_pb2_grpc.HealthStub(plain)
        well = await health.Check(health_pb2.HealthCheckRequest())
        assert well.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await plain.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")(
                iter([b""])
            ).read()
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    async with channel(address, network) as opened:
        stub = reflection_pb2_grpc.ServerReflectionStub(opened)
        wanted = iter([reflection_pb2.ServerReflectionRequest(list_services="")])

        async def requests():
            for one in wanted:
                yield one

        async for answer in stub.ServerReflectionInfo(requests()):
            assert "test.Control" in {one.name for one in answer.list_services_response.service}


async def test_a_rotated_token_is_presented_at_once(address, network, issuer, settings):
    async with channel(address, network) as opened:
        await opened.unary_unary("/test.Control/One")(b"x")
        fresh = settings.token_file.parent / "fresh"
        fresh.write_text(issuer.token("headrace:headrace-apiserver", INTERNAL, pod=("api-1", "u")))
        os.replace(fresh, settings.token_file)  # what the kubelet's switch of links looks like
        answer = await opened.unary_unary("/test.Control/One")(b"x")
        assert answer == b"headrace:headrace-apiserver api-1 u headrace-internal"
        settings.token_file.unlink()
        with pytest.raises(ServiceError, match=r"our token .*/token cannot be read: No such file") as error:
            await opened.unary_unary("/test.Control/One")(b"x")
        assert error.value.reason == Reason.UNAVAILABLE


async def test_refusals_carry_our_reasons(address, tmp_path, issuer):
    companion = Network(token=TokenFile(issuer.token_file(tmp_path / "t", COMPANION, ATTEMPTS_AUDIENCE)))
    async with channel(address, companion) as opened:
        with pytest.raises(ServiceError) as error:
            await opened.unary_unary("/test.Control/One")(b"x")
        assert error.value.reason == Reason.UNAUTHENTICATED
        with pytest.raises(ServiceError) as error:
            await anext(aiter(opened.stream_stream("/test.Control/Each")(none())))
        assert error.value.reason == Reason.UNAUTHENTICATED


async def none():
    await asyncio.Event().wait()
    yield b""


async def test_unix_sockets_are_the_platforms_own(network, telling, tmp_path):
    address = f"unix:{tmp_path}/s/t"
    served = [telling.served("test.Control", CONTROL)]
    async with serve(address, served, service="test", network=network), channel(address) as opened:
        assert await opened.unary_unary("/test.Control/One")(b"x") == b":   "


async def test_the_public_api_asks_those_from_elsewhere(network, issuer):
    """Loopback needs no token; the rule for others is asked with their address."""
    from headrace_servicekit.network import admitted

    elsewhere, here = "ipv4:10.244.0.9:4711", "ipv4:127.0.0.1:4711"
    assert (await admitted(network, PUBLIC_POLICY, None, here)).is_local
    assert (await admitted(network, PUBLIC_POLICY, "Bearer whatever", here)).is_local
    for audience in (PUBLIC, KFP):
        for account in ("headrace:notebook", ROBOT):
            caller = await admitted(network, PUBLIC_POLICY, f"bearer {issuer.token(account, audience)}", elsewhere)
            assert (caller.name, caller.audience) == (account, audience)
    with pytest.raises(ServiceError, match="needs a token"):
        await admitted(network, PUBLIC_POLICY, None, elsewhere)
    with pytest.raises(ServiceError, match="the account team-a:x may not call this"):
        await admitted(network, PUBLIC_POLICY, f"Bearer {issuer.token('team-a:x', PUBLIC)}", elsewhere)
    with pytest.raises(ServiceError, match="another audience"):
        await admitted(network, PUBLIC_POLICY, f"Bearer {issuer.token()}", elsewhere)


async def test_an_api_server_without_keys_for_us_lets_nobody_in(address, issuer):
    issuer.status = 403
    assert (await ask(address, issuer.token())).startswith("UNAVAILABLE: the keys of the cluster cannot be read now")


@pytest.mark.parametrize("address", ["0.0.0.0:8891", "[::]:8891", "10.0.0.1:1", "127.0.0.1:8891"])
def test_only_checked_services_listen_on_tcp(address, network):
    check_address(address, network, public=False)
    with pytest.raises(
        ServiceError, match=r"not be authenticated; leave .* or set HEADRACE_TOKEN_FILE to check tokens"
    ):
        check_address(address, LOCAL, public=False)


def test_what_is_no_token_of_an_account_is_said(settings, tmp_path):
    Path(tmp_path / "x").write_text("no token")
    with pytest.raises(ServiceError, match=r"/x holds no service account's token: HEADRACE_TOKEN_FILE names a proj"):
        network_of(replace(settings, token_file=tmp_path / "x"))
    with pytest.raises(ServiceError, match="HEADRACE_JWKS_URL is neither an https nor a file URL"):
        network_of(replace(settings, jwks_url="http://kubernetes/openid/v1/jwks"))


@pytest.mark.parametrize(
    ("peer", "here"),
    [
        ("ipv4:127.0.0.1:5", True),
        ("ipv6:%5B::1%5D:5", True),
        ("ipv6:[::1]:5", True),
        ("ipv6:[::ffff:127.0.0.1]:5", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("[::1]", True),
        ("ipv4:127.0.0.6:5", False),
        ("ipv6:[::ffff:10.0.0.1]:5", False),
        ("ipv4:10.244.0.1:5", False),
        ("unix:", False),
        ("", False),
        ("localhost.evil.example", False),
    ],
)
def test_who_is_on_this_machine(peer, here):
    assert is_loopback(peer) is here


def test_accounts_are_named_in_our_own_namespace():
    known = Accounts.parse("headrace-cache, ci:robot team-b:*", "headrace")
    caller = callers.Caller
    assert caller("headrace-cache", "headrace") in known
    assert caller("anything", "team-b") in known
    assert caller("headrace-cache", "ci") not in known
    assert callers.LOCAL not in known


def test_both_ends_name_the_same_audiences():
    assert CONTROL.audiences == (pod_layout.AUDIENCE_INTERNAL,)
    assert ATTEMPTS.audiences == (pod_layout.AUDIENCE_ATTEMPTS,)
    assert OPEN.audiences == ()
