"""Spans out by OTLP: a small bounded queue that never slows a caller, and one exporter behind it.

The composition root makes one for all services of its process and hands it to them as their sink; nothing is started unless
the standard OTEL_EXPORTER_OTLP_* variables name an endpoint.
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from headrace_servicekit.settings import SettingsError
from headrace_servicekit.telemetry import Span, Value

logger = logging.getLogger(__name__)
Send = Callable[[bytes], Awaitable[None]]
EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PATIENCE: Final = 10.0  # seconds for one export


class SpanExporter:
    """Sends what is offered, in batches, from `async with`; what finds no room is counted in `dropped` and lost."""

    def __init__(self, send: Send, *, capacity: int = 8192, batch: int = 512, every: float = 1.0) -> None:
        self._send, self._capacity, self._batch, self._every = send, capacity, batch, every
        self._waiting: deque[Span] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def offer(self, *spans: Span) -> None:
        """Queue SPANS; never blocks, never raises."""
        room = max(self._capacity - len(self._waiting), 0)
        self._waiting.extend(spans[:room])
        self.dropped += len(spans[room:])
        if len(self._waiting) >= self._batch:
            self._wake.set()

    async def __aenter__(self) -> SpanExporter:
        self._task = asyncio.create_task(self._run(), name="span exporter")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        with suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                while self._waiting and await self._export():
                    logger.debug("spans left to send: %d", len(self._waiting))

    async def _run(self) -> None:
        pause = self._every
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            self._wake.clear()
            sent = True
            while self._waiting and sent:
                sent = await self._export()
            pause = self._every if sent else min(pause * 2, 30.0)

    async def _export(self) -> bool:
        """Send one batch; it stays in the queue until the collector has it or refuses it for good."""
        spans = list(itertools.islice(self._waiting, self._batch))
        try:
            async with asyncio.timeout(PATIENCE):
                await self._send(encoded(spans))
        except (OSError, TimeoutError, http.client.HTTPException, grpc.RpcError) as failed:
            logger.warning("spans are not sent (%d wait, %d lost): %r", len(self._waiting), self.dropped, failed)
            return False
        except ValueError as refused:
            logger.warning("%d spans are lost: %s", len(spans), refused)
            self.dropped += len(spans)
        for _ in spans:
            self._waiting.popleft()
        return True


def encoded(spans: Sequence[Span]) -> bytes:
    """An ExportTraceServiceRequest, with a resource for each service."""
    request = trace_service_pb2.ExportTraceServiceRequest()
    for service, group in itertools.groupby(sorted(spans, key=lambda span: span.service), lambda span: span.service):
        resource = request.resource_spans.add()
        _put(resource.resource.attributes, {"service.name": service, "service.namespace": "headrace"})
        scope = resource.scope_spans.add()
        scope.scope.name = "headrace"
        for span in group:
            _fill(scope.spans.add(), span)
    return request.SerializeToString()


def _fill(made: trace_pb2.Span, span: Span) -> None:
    made.trace_id, made.span_id, made.parent_span_id = (
        bytes.fromhex(text) for text in (span.trace_id, span.span_id, span.parent_id)
    )
    made.name, made.start_time_unix_nano, made.end_time_unix_nano = _text(span.name), span.start_ns, span.end_ns
    made.kind = (
        trace_pb2.Span.SPAN_KIND_SERVER if "rpc.system" in span.attributes else trace_pb2.Span.SPAN_KIND_INTERNAL
    )
    _put(made.attributes, span.attributes)
    if span.status:
        made.status.code, made.status.message = trace_pb2.Status.STATUS_CODE_ERROR, _text(span.status)
    for trace_id, span_id in span.links:
        made.links.add(trace_id=bytes.fromhex(trace_id), span_id=bytes.fromhex(span_id))


def _put(target: Any, attributes: Mapping[str, Value]) -> None:
    for key, value in attributes.items():
        kind = {bool: "bool_value", int: "int_value", float: "double_value"}.get(type(value), "string_value")
        setattr(target.add(key=key).value, kind, _text(value) if isinstance(value, str) else value)


def _text(text: str) -> str:
    return text.encode(errors="replace").decode()  # a user's text may hold lone surrogates, which protobuf refuses


def exporter_from(environ: Mapping[str, str]) -> SpanExporter | None:
    """The exporter that the standard variables ask for; None where they name no endpoint."""
    base = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").rstrip("/")
    url = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    if not (url or base) or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    split = urlsplit(url or base)
    protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = protocol or ("grpc" if split.port == 4317 else "http/protobuf")
    if protocol not in ("grpc", "http/protobuf") or split.scheme not in ("http", "https") or not split.hostname:
        raise SettingsError(
            f"OTLP over {protocol} to {url or base}: expected grpc or http/protobuf, and a http(s):// address"
        )
    given = environ.get("OTEL_EXPORTER_OTLP_TRACES_HEADERS") or environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")
    pairs = (item.partition("=") for item in given.split(",") if "=" in item)
    headers = {key.strip().lower(): unquote(value.strip()) for key, _, value in pairs}
    if protocol == "grpc":
        return SpanExporter(_by_grpc(split.scheme == "https", split.netloc, headers))
    return SpanExporter(_by_http(url or f"{base}/v1/traces", headers))


def _by_grpc(tls: bool, target: str, headers: Mapping[str, str]) -> Send:
    async def send(body: bytes) -> None:
        secure = grpc.ssl_channel_credentials() if tls else None
        opened = grpc.aio.secure_channel(target, secure) if secure else grpc.aio.insecure_channel(target)
        async with opened as channel:
            await channel.unary_unary(EXPORT, None, None)(body, metadata=tuple(headers.items()))

    return send


def _by_http(url: str, headers: Mapping[str, str]) -> Send:
    split = urlsplit(url)
    path = (split.path or "/") + (f"?{split.query}" if split.query else "")

    def post(body: bytes) -> None:
        kind = http.client.HTTPSConnection if split.scheme == "https" else http.client.HTTPConnection
        connection = kind(split.netloc, timeout=PATIENCE)
        try:
            connection.request("POST", path, body, {**headers, "Content-Type": "application/x-protobuf"})
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        if answer.status in (429, 502, 503, 504):
            raise ConnectionError(f"{split.netloc} answered {answer.status}")
        if answer.status >= 300:
            raise ValueError(f"{split.netloc} refused them with {answer.status}")

    return lambda body: asyncio.to_thread(post, body)
