"""Spans out by OTLP: the message, the variables, a queue that loses the oldest rather than waits, and what is delivered past
it.
"""

from __future__ import annotations

import asyncio

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from headrace_embedded.exporting import SpanExporter, encoded, exporter_from
from headrace_servicekit.settings import SettingsError
from headrace_servicekit.telemetry import Span


def span(number: int = 1, **changes) -> Span:
    values = {
        "trace_id": "ab" * 16,
        "span_id": f"{number:016x}",
        "parent_id": "",
        "name": "n",
        "start_ns": 1,
        "end_ns": 2,
    }
    return Span(**{**values, **changes})


def test_a_span_becomes_otlp():
    attributes = {"s": "bad \ud800", "i": 3, "f": 0.5, "b": True}
    one = span(
        parent_id="cd" * 8, attributes=attributes, status="broke", links=(("ef" * 16, "01" * 8),), service="cache"
    )
    request = trace_service_pb2.ExportTraceServiceRequest.FromString(encoded([one, span(2)]))
    assert [group.resource.attributes[0].value.string_value for group in request.resource_spans] == [
        "cache",
        "headrace",
    ]
    (made,) = request.resource_spans[0].scope_spans[0].spans
    assert (made.trace_id.hex(), made.parent_span_id.hex()) == ("ab" * 16, "cd" * 8)
    assert (made.start_time_unix_nano, made.end_time_unix_nano) == (1, 2)
    assert (made.status.code, made.status.message) == (trace_pb2.Status.STATUS_CODE_ERROR, "broke")
    values = {pair.key: pair.value for pair in made.attributes}
    assert (values["s"].string_value, values["i"].int_value, values["f"].double_value) == ("bad ?", 3, 0.5)
    assert values["b"].bool_value is True
    assert made.links[0].trace_id.hex() == "ef" * 16


def ids(body: bytes) -> list[int]:
    request = trace_service_pb2.ExportTraceServiceRequest.FromString(body)
    return [int(one.span_id.hex(), 16) for one in request.resource_spans[0].scope_spans[0].spans]


async def test_everything_offered_is_sent_when_it_ends():
    sent: list[int] = []

    async def send(body: bytes) -> bytes:
        sent.append(len(ids(body)))
        return b""

    async with SpanExporter(send, batch=4, every=60) as exporter:
        exporter.offer(*(span(number) for number in range(1, 11)))
    assert (sum(sent), max(sent), exporter.dropped) == (10, 4, 0)


async def test_a_full_queue_drops_the_oldest_and_says_how_many(caplog):
    sent: list[int] = []

    async def send(body: bytes) -> bytes:
        sent.extend(ids(body))
        return b""

    exporter = SpanExporter(send, capacity=3)
    exporter.offer(*(span(number) for number in range(1, 6)))
    exporter.offer(span(9))
    assert (exporter.dropped, exporter.waiting) == (3, 3)
    async with exporter:
        pass
    assert sent == [4, 5, 9]
    assert exporter.sent == 3
    assert "3 spans of calls are lost, 3 since the start" in caplog.text


async def test_a_receiver_that_hangs_holds_up_nobody(caplog):
    hangs = asyncio.Event()

    async def send(body: bytes) -> bytes:
        hangs.set()
        await asyncio.Event().wait()
        return b""

    async with SpanExporter(send, capacity=4, batch=2, patience=0.05) as exporter:
        exporter.offer(span(1), span(2))
        async with asyncio.timeout(30):
            await hangs.wait()
        exporter.offer(*(span(number) for number in range(3, 9)))
        with pytest.raises(ConnectionError):
            await exporter.deliver([span(20)])
    assert exporter.waiting == 4
    assert exporter.dropped == 4


async def test_what_is_delivered_goes_past_the_queue_in_batches():
    sent: list[list[int]] = []

    async def send(body: bytes) -> bytes:
        sent.append(ids(body))
        return b""

    exporter = SpanExporter(send, batch=2, capacity=1)
    await exporter.deliver([span(number) for number in range(1, 6)])
    assert sent == [[1, 2], [3, 4], [5]]
    assert (exporter.sent, exporter.dropped) == (5, 0)


async def test_what_a_receiver_did_not_take_of_a_batch_is_counted(caplog):
    answer = trace_service_pb2.ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 2

    async def send(body: bytes) -> bytes:
        return answer.SerializeToString()

    exporter = SpanExporter(send)
    await exporter.deliver([span(number) for number in range(1, 6)])
    assert exporter.dropped == 2
    assert "2 spans are lost: the receiver took the others" in caplog.text


async def test_a_collector_that_is_away_gets_them_later(caplog):
    tries: list[int] = []

    async def send(body: bytes) -> bytes:
        tries.append(len(body))
        if len(tries) == 1:
            raise ConnectionError("away")
        return b""

    async with SpanExporter(send, batch=1, every=60) as exporter:
        exporter.offer(span())
        async with asyncio.timeout(30):
            while not tries:
                await asyncio.sleep(0)
    assert (len(tries), exporter.dropped) == (2, 0)
    assert "1 spans are not sent yet: ConnectionError('away')" in caplog.text


async def test_what_a_collector_refuses_is_lost_and_counted():
    async def send(body: bytes) -> bytes:
        raise ValueError("refused them with 400")

    async with SpanExporter(send, every=60) as exporter:
        exporter.offer(span())
    assert exporter.dropped == 1


@pytest.mark.parametrize(
    "environ",
    [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}],
)
def test_without_an_endpoint_there_is_no_exporter(environ):
    assert exporter_from(environ) is None


def test_another_protocol_is_named():
    with pytest.raises(SettingsError, match=r"OTLP over http/json to http://x: expected grpc or http/protobuf"):
        exporter_from({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"})


async def answered(answer: bytes, **environ: str) -> tuple[bytes, SpanExporter]:
    """The request of an exporter whose receiver answers so, and the exporter after it."""
    asked: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
        await asked.put(head + await reader.readexactly(length))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        exporter = exporter_from({"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}/base/", **environ})
        assert exporter is not None
        async with asyncio.timeout(30):
            await exporter.deliver([span()])
            return await asked.get(), exporter


async def test_http_reaches_the_traces_path_with_its_headers():
    request, exporter = await answered(b"HTTP/1.1 200 OK\r\n\r\n", OTEL_EXPORTER_OTLP_HEADERS="X-Key=a%20b")
    head, _, body = request.partition(b"\r\n\r\n")
    told = head.decode().lower()
    assert told.startswith("post /base/v1/traces ")
    assert "x-key: a b" in told
    assert "content-type: application/x-protobuf" in told
    assert ids(body) == [1]
    assert (exporter.sent, exporter.dropped) == (1, 0)


async def test_http_tells_what_a_receiver_did_not_take():
    answer = trace_service_pb2.ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 1
    body = answer.SerializeToString()
    _, exporter = await answered(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    assert exporter.dropped == 1


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad\r\n\r\n", b"HTTP/1.1 302 Found\r\n\r\n", b"gibberish\r\n\r\n"])
async def test_http_that_refuses_is_not_asked_again(answer: bytes, caplog):
    _, exporter = await answered(answer)
    assert exporter.dropped == 1
    assert "1 spans are lost" in caplog.text


@pytest.mark.parametrize("answer", [b"HTTP/1.1 503 Later\r\n\r\n", b"HTTP/1.1 429 Slow\r\n\r\n", b""])
async def test_http_that_is_away_is_asked_again(answer: bytes):
    with pytest.raises(ConnectionError):
        await answered(answer)


async def test_nobody_there_is_asked_again():
    exporter = exporter_from({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})
    assert exporter is not None
    with pytest.raises(ConnectionError):
        await exporter.deliver([span()])


@pytest.mark.parametrize(
    ("code", "again"), [(grpc.StatusCode.UNAVAILABLE, True), (grpc.StatusCode.INVALID_ARGUMENT, False)]
)
async def test_grpc_says_whether_another_try_is_worth_it(code: grpc.StatusCode, again: bool):
    async def export(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        await context.abort(code, "no")
        return b""

    server = grpc.aio.server()
    handler = grpc.method_handlers_generic_handler(
        "opentelemetry.proto.collector.trace.v1.TraceService", {"Export": grpc.unary_unary_rpc_method_handler(export)}
    )
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    exporter = exporter_from(environ)
    assert exporter is not None
    if again:
        with pytest.raises(ConnectionError):
            await exporter.deliver([span()])
    else:
        await exporter.deliver([span()])
    assert exporter.dropped == (0 if again else 1)
    await server.stop(None)
