"""A real server and channel over a unix socket: errors, deadlines and trace context of all four kinds of call.

- every reason arrives; a fault of ours tells nothing of itself; a server that is gone is UNAVAILABLE; no RpcError anywhere
- too little time is refused, inner calls get less, streams too
- a call made for a run carries its context and leaves one live span, others leave none
- health follows the probe, reflection names the services, and addresses that would serve strangers are refused
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import stat
from collections.abc import Sequence
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from headrace_servicekit import deadlines, tracing
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.server import ALIVE, Served, channel, check_address, serve
from headrace_servicekit.telemetry import Span

CONTEXT = tracing.TraceContext("ab" * 16, "cd" * 8)


class Sink:
    def __init__(self) -> None:
        self.spans: list[Span] = []

    def offer(self, *spans: Span) -> None:
        self.spans.extend(spans)

    async def deliver(self, spans: Sequence[Span]) -> None:
        self.offer(*spans)


class Answering:
    """Does what the request says."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.inner: grpc.aio.Channel | None = None

    async def one(self, request: bytes, context) -> bytes:
        word, _, rest = request.decode().partition(" ")
        match word:
            case "fail":
                raise ServiceError(
                    Reason.Value(rest), f"failed with {rest}", retry_after=0.5, details=[("a.b", "wrong")]
                )
            case "bug":
                raise KeyError("a secret")
            case "left":
                return str(deadlines.remaining()).encode()
            case "trace":
                return str(tracing.current()).encode()
            case "inner":
                return await self.inner.unary_unary("/test.Answering/One")(rest.encode())
            case "wait":
                await asyncio.Event().wait()
        return request

    async def many(self, request: bytes, context):
        try:
            yield b"1"
            await self.one(request, context)
            yield b"2"
        finally:
            self.left.set()

    async def gathered(self, requests, context) -> bytes:
        return b"".join([await self.one(request, context) async for request in requests])

    async def each(self, requests, context):
        async for request in requests:
            yield await self.one(request, context)

    def served(self) -> Served:
        handlers = {
            "One": grpc.unary_unary_rpc_method_handler(self.one),
            "Many": grpc.unary_stream_rpc_method_handler(self.many),
            "Gathered": grpc.stream_unary_rpc_method_handler(self.gathered),
            "Each": grpc.stream_stream_rpc_method_handler(self.each),
        }
        handler = grpc.method_handlers_generic_handler("test.Answering", handlers)
        return Served("test.Answering", lambda server: server.add_generic_rpc_handlers((handler,)))


async def stream(*requests: str):
    for request in requests:
        yield request.encode()


@pytest.fixture
def address(tmp_path) -> str:
    return f"unix:{tmp_path}/s/t"


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
async def answering(address, sink):
    servicer = Answering()
    async with serve(address, [servicer.served()], service="test", sink=sink, grace=0.2), channel(address) as inner:
        servicer.inner = inner
        yield servicer


@pytest.fixture
async def call(answering, address):
    """Makes one call of each kind by its name and returns everything that it answers."""
    async with channel(address) as opened:

        async def make(kind: str, *requests: str, timeout: float | None = None) -> list[bytes]:
            path = f"/test.Answering/{kind}"
            match kind:
                case "One":
                    return [await opened.unary_unary(path)(requests[0].encode(), timeout=timeout)]
                case "Many":
                    return [got async for got in opened.unary_stream(path)(requests[0].encode(), timeout=timeout)]
                case "Gathered":
                    return [await opened.stream_unary(path)(stream(*requests), timeout=timeout)]
            return [got async for got in opened.stream_stream(path)(stream(*requests), timeout=timeout)]

        yield make


KINDS = {"One": [b"x"], "Many": [b"1", b"2"], "Gathered": [b"x"], "Each": [b"x"]}


@pytest.mark.parametrize("kind", KINDS)
async def test_answers_pass(call, kind):
    assert await call(kind, "x") == KINDS[kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reason", Reason.keys())
async def test_every_reason_arrives(call, kind, reason):
    with pytest.raises(ServiceError) as caught:
        await call(kind, f"fail {reason}")
    error = caught.value
    assert (Reason.Name(error.reason), error.message, error.retry_after) == (reason, f"failed with {reason}", 0.5)
    assert error.details == (("a.b", "wrong"),)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_fault_of_ours_is_logged_once_and_tells_nothing(call, kind, caplog):
    with pytest.raises(ServiceError) as caught:
        await call(kind, "bug")
    assert caught.value.reason == Reason.INTERNAL
    assert "secret" not in caught.value.message
    assert "incident" in caught.value.message
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info
    assert caught.value.message.split()[-1] in record.getMessage()


@pytest.mark.parametrize("kind", KINDS)
async def test_too_little_time_is_refused(call, kind):
    with pytest.raises(ServiceError) as caught:
        await call(kind, "x", timeout=0.05)
    assert caught.value.reason == Reason.DEADLINE


@pytest.mark.parametrize("kind", KINDS)
async def test_a_deadline_that_passes_is_named(call, kind):
    with pytest.raises(ServiceError) as caught:
        await call(kind, "wait", timeout=0.2)
    assert caught.value.reason == Reason.DEADLINE


async def test_an_inner_call_gets_less(call):
    (outer,) = await call("One", "left", timeout=1)
    (inner,) = await call("One", "inner left", timeout=1)
    # gRPC rounds a time-out up, by about one percent, when it writes it into the header; the unit tests pin the margin.
    assert 0.5 < float(outer) <= 1.02
    assert 0.4 < float(inner) <= 1.02


async def test_a_call_without_a_deadline_gets_the_default_and_a_stream_none(call):
    (left,) = await call("One", "left")
    assert deadlines.DEFAULT - 5 < float(left) < deadlines.DEFAULT + 1
    assert await call("Each", "left") == [b"None"]


async def test_a_reader_that_leaves_ends_the_stream(answering, address):
    async with channel(address) as opened:
        answers = opened.unary_stream("/test.Answering/Many")(b"wait")
        async for _ in answers:
            answers.cancel()
            break
        async with asyncio.timeout(30):
            await answering.left.wait()


async def test_a_call_for_a_run_is_one_live_span_under_its_caller(call, sink):
    with tracing.within(CONTEXT):
        (seen,) = await call("One", "inner trace")
        with pytest.raises(ServiceError):
            await call("Many", "fail NOT_FOUND")
    inner, outer, failed = sink.spans
    assert seen.decode() == f"00-{CONTEXT.trace_id}-{inner.span_id}-01"
    assert (outer.parent_id, inner.parent_id) == (CONTEXT.span_id, outer.span_id)
    assert (outer.name, outer.service) == ("test.Answering/One", "test")
    assert all(span.attributes["headrace.source"] == "live" and span.start_ns <= span.end_ns for span in sink.spans)
    assert (failed.status, failed.attributes["headrace.error_reason"]) == ("failed with NOT_FOUND", "NOT_FOUND")


async def test_other_calls_leave_no_span(call, sink):
    await call("One", "x")
    with tracing.within(tracing.TraceContext(CONTEXT.trace_id, CONTEXT.span_id, sampled=False)):
        assert (await call("One", "trace"))[0].endswith(b"-00")
    assert sink.spans == []


async def test_a_server_that_is_not_there_is_unavailable(address):
    async with channel(address) as opened:
        with pytest.raises(ServiceError, match=f"the service at {address} cannot be reached") as caught:
            await opened.unary_unary("/test.Answering/One")(b"x")
        assert caught.value.reason == Reason.UNAVAILABLE
        answers = aiter(opened.unary_stream("/test.Answering/Many")(b"x"))
        with pytest.raises(ServiceError, match="cannot be reached"):
            await anext(answers)


async def test_a_server_that_stops_ends_its_streams_as_unavailable(address):
    async with contextlib.AsyncExitStack() as stack, channel(address) as opened:
        await stack.enter_async_context(serve(address, [Answering().served()], service="test", grace=0.05))
        answers = aiter(opened.unary_stream("/test.Answering/Many")(b"wait"))
        assert await anext(answers) == b"1"
        await stack.aclose()
        with pytest.raises(ServiceError) as caught:
            await anext(answers)
        assert caught.value.reason == Reason.UNAVAILABLE


async def test_a_channel_finds_its_server_again(address):
    async with channel(address) as opened:
        for _ in range(2):
            async with serve(address, [Answering().served()], service="test", grace=0.05):
                ask = opened.unary_unary("/test.Answering/One")
                assert await ask(b"x", wait_for_ready=True) == b"x"


async def test_messages_up_to_64_mib_pass(call):
    assert len((await call("One", "x" * 40_000_000))[0]) == 40_000_000


async def test_the_socket_is_private(answering, address):
    path = Path(address.removeprefix("unix:"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_second_server_on_a_socket_is_refused_and_the_first_goes_on(answering, call, address):
    with pytest.raises(ServiceError, match=r"test: another process listens on .*/s/t; stop it first"):
        async with serve(address, [], service="test"):
            raise AssertionError("took the socket over")
    assert await call("One", "x") == [b"x"]


async def test_a_dead_servers_socket_is_replaced(address, tmp_path):
    (tmp_path / "s").mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s" / "t"))
    async with serve(address, [Answering().served()], service="test"), channel(address) as opened:
        assert await opened.unary_unary("/test.Answering/One")(b"x") == b"x"


async def test_a_port_in_use_is_named():
    async with serve("127.0.0.1:0", [], service="one") as one:
        with pytest.raises(
            ServiceError, match=f"two: cannot listen on {one.address}: it is in use; stop the other process"
        ):
            async with serve(one.address, [], service="two"):
                raise AssertionError("shares the port")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:8887", "localhost:0", "unix:/x/y"])
def test_loopback_is_safe(address):
    check_address(address)


@pytest.mark.parametrize("address", ["0.0.0.0:8887", "[::]:8887", "10.0.0.1:1", "example.org:80"])
def test_the_network_is_refused(address):
    with pytest.raises(ServiceError, match=r"refusing to listen on .* would not be authenticated; use 127.0.0.1:"):
        check_address(address)


@pytest.mark.parametrize("address", ["8887", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000"])
def test_what_is_no_address_is_said(address):
    with pytest.raises(ServiceError, match="is not an address; expected host:port or unix:/path"):
        check_address(address)


async def test_health_follows_the_probe(address, caplog):
    well = True

    async def probe() -> None:
        if not well:
            raise ServiceError(Reason.UNAVAILABLE, "no database")

    async with (
        serve(address, [Answering().served()], service="test", probe=probe, probe_every=0.01),
        channel(address) as opened,
    ):
        watch = health_pb2_grpc.HealthStub(opened).Watch(health_pb2.HealthCheckRequest(service="test.Answering"))
        statuses = aiter(watch)
        async with asyncio.timeout(30):
            assert (await anext(statuses)).status == health_pb2.HealthCheckResponse.SERVING
            well = False
            assert (await anext(statuses)).status == health_pb2.HealthCheckResponse.NOT_SERVING
            alive = await health_pb2_grpc.HealthStub(opened).Check(health_pb2.HealthCheckRequest(service=ALIVE))
            assert alive.status == health_pb2.HealthCheckResponse.SERVING  # or a supervisor would end it for a database
            well = True
            assert (await anext(statuses)).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()


async def test_reflection_names_the_services(answering, address):
    async with channel(address) as opened:
        stub = reflection_pb2_grpc.ServerReflectionStub(opened)

        async def requests():
            yield reflection_pb2.ServerReflectionRequest(list_services="")

        async for answer in stub.ServerReflectionInfo(requests()):
            names = {one.name for one in answer.list_services_response.service}
    assert {"test.Answering", "grpc.health.v1.Health"} <= names
