"""Spans out by OTLP: the message, the variables, and a queue that loses rather than waits."""

from __future__ import annotations

import asyncio

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


async def test_everything_offered_is_sent_when_it_ends():
    sent: list[int] = []

    async def send(body: bytes) -> None:
        request = trace_service_pb2.ExportTraceServiceRequest.FromString(body)
        sent.append(len(request.resource_spans[0].scope_spans[0].spans))

    async with SpanExporter(send, batch=4, every=60) as exporter:
        exporter.offer(*(span(number) for number in range(1, 11)))
    assert (sum(sent), max(sent), exporter.dropped) == (10, 4, 0)


async def test_a_full_queue_drops_and_counts():
    exporter = SpanExporter(asyncio.sleep, capacity=3)
    exporter.offer(*(span(number) for number in range(1, 6)))
    exporter.offer(span(9))
    assert exporter.dropped == 3


async def test_a_collector_that_is_away_gets_them_later(caplog):
    tries: list[int] = []

    async def send(body: bytes) -> None:
        tries.append(len(body))
        if len(tries) == 1:
            raise ConnectionError("away")

    async with SpanExporter(send, batch=1, every=60) as exporter:
        exporter.offer(span())
        async with asyncio.timeout(30):
            while not tries:
                await asyncio.sleep(0)
    assert (len(tries), exporter.dropped) == (2, 0)
    assert "spans are not sent (1 wait, 0 lost)" in caplog.text


async def test_what_a_collector_refuses_is_lost_and_counted():
    async def send(body: bytes) -> None:
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


async def test_http_reaches_the_traces_path_with_its_headers():
    asked: asyncio.Queue[bytes] = asyncio.Queue()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        )
        await reader.readexactly(length)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()
        await asked.put(head)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}/base/",
            "OTEL_EXPORTER_OTLP_HEADERS": "X-Key=a%20b",
        }
        exporter = exporter_from(environ)
        assert exporter is not None
        async with exporter:
            exporter.offer(span())
        async with asyncio.timeout(30):
            head = (await asked.get()).decode().lower()
    assert head.startswith("post /base/v1/traces ")
    assert "x-key: a b" in head
    assert "content-type: application/x-protobuf" in head
