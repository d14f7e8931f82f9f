"""Spans out by OTLP: a small bounded queue that never slows a caller, with one exporter behind it, and a way past it for those
who keep their spans until they are received.

The composition root makes one for all services of its process and hands it to them as their sink; nothing is started unless
the standard OTEL_EXPORTER_OTLP_* variables name an endpoint.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import grpc
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from headrace_servicekit.settings import SettingsError
from headrace_servicekit.telemetry import Span, Value

logger = logging.getLogger(__name__)
Send = Callable[[bytes], Awaitable[bytes]]
EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PATIENCE: Final = 10.0  # seconds for one export
LONGEST_PAUSE: Final = 30.0  # seconds between two tries
LARGEST_ANSWER: Final = 65_536
AGAIN: Final = frozenset({429, 502, 503, 504})
AGAIN_BY_GRPC: Final = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)


class SpanExporter:
    """Sends what is offered, in batches, from `async with`. Where there is no more room the oldest are lost, counted in
    `dropped` and told in the log; what is delivered goes past the queue.
    """

    def __init__(
        self,
        send: Send,
        *,
        capacity: int = 8192,
        batch: int = 512,
        every: float = 1.0,
        patience: float = PATIENCE,
    ) -> None:
        self._send, self._capacity, self._batch, self._every, self._patience = send, capacity, batch, every, patience
        self._waiting: deque[Span] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.sent = 0
        self.dropped = 0
        self._told = 0  # of those that were dropped

    @property
    def waiting(self) -> int:
        """How many spans are in the queue."""
        return len(self._waiting)

    def offer(self, *spans: Span) -> None:
        """Queue SPANS; never blocks, never raises."""
        self._waiting.extend(spans)
        self._shed()
        if len(self._waiting) >= self._batch:
            self._wake.set()

    async def deliver(self, spans: Sequence[Span]) -> None:
        """Send SPANS now; ConnectionError where the receiver is away: those of its batch and after it are not there then."""
        for first in range(0, len(spans), self._batch):
            await self._export(spans[first : first + self._batch])

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
                while self._waiting and await self._export_first():
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
                sent = await self._export_first()
            pause = self._every if sent else min(pause * 2, LONGEST_PAUSE)

    async def _export_first(self) -> bool:
        """Send one batch of the queue; where the receiver is away it goes back, as far as there is room."""
        spans = [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]
        try:
            await self._export(spans)
        except (ConnectionError, asyncio.CancelledError) as failed:
            self._waiting.extendleft(reversed(spans))
            self._shed()
            if isinstance(failed, asyncio.CancelledError):
                raise
            return False
        finally:
            self._tell()
        return True

    def _shed(self) -> None:
        """The oldest go where there is no room."""
        over = len(self._waiting) - self._capacity
        for _ in range(over):
            self._waiting.popleft()
        self.dropped += max(over, 0)

    def _tell(self) -> None:
        if self.dropped > self._told:
            logger.warning("%d spans of calls are lost, %d since the start", self.dropped - self._told, self.dropped)
            self._told = self.dropped

    async def _export(self, spans: Sequence[Span]) -> None:
        """One request; what the receiver refuses for good is lost, and told."""
        try:
            async with asyncio.timeout(self._patience):
                answer = await self._send(encoded(spans))
        except (OSError, TimeoutError, EOFError, grpc.RpcError) as failed:
            logger.warning("%d spans are not sent yet: %r", len(spans), failed)
            raise ConnectionError(str(failed)) from failed
        except ValueError as refused:
            logger.warning("%d spans are lost: %s", len(spans), refused)
            self.dropped += len(spans)
            self._told += len(spans)
            return
        self.sent += len(spans)
        if rejected := _rejected(answer):
            logger.warning("%d spans are lost: the receiver took the others", rejected)
            self.dropped += rejected
            self._told += rejected


def _rejected(answer: bytes) -> int:
    """How many spans a receiver that answered well did not take."""
    try:
        return trace_service_pb2.ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans
    except DecodeError:
        return 0


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
    async def send(body: bytes) -> bytes:
        secure = grpc.ssl_channel_credentials() if tls else None
        opened = grpc.aio.secure_channel(target, secure) if secure else grpc.aio.insecure_channel(target)
        async with opened as channel:
            try:
                answer: bytes = await channel.unary_unary(EXPORT, None, None)(body, metadata=tuple(headers.items()))
            except grpc.aio.AioRpcError as failed:
                if failed.code() in AGAIN_BY_GRPC:
                    raise
                raise ValueError(f"{target} refused them with {failed.code().name}: {failed.details()}") from failed
        return answer

    return send


def _by_http(url: str, headers: Mapping[str, str]) -> Send:
    """Without a thread: a receiver that hangs holds nothing but its connection, and that until the time-out."""
    split = urlsplit(url)
    path = (split.path or "/") + (f"?{split.query}" if split.query else "")
    secure = ssl.create_default_context() if split.scheme == "https" else None
    told = {**headers, "host": split.netloc, "content-type": "application/x-protobuf", "connection": "close"}

    async def send(body: bytes) -> bytes:
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {text}" for name, text in told.items())]
        head = "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode("latin-1")
        port = split.port or (443 if secure else 80)
        reader, writer = await asyncio.open_connection(split.hostname, port, ssl=secure, limit=LARGEST_ANSWER)
        try:
            writer.write(head + body)
            await writer.drain()
            status, length = _status(await reader.readuntil(b"\r\n\r\n"))
            answer = await reader.readexactly(length) if status == 200 and 0 < length <= LARGEST_ANSWER else b""
        except asyncio.LimitOverrunError as long:
            raise ValueError(f"{split.netloc} does not answer in HTTP") from long
        finally:
            writer.transport.abort()
        if status in AGAIN:
            raise ConnectionError(f"{split.netloc} answered {status}")
        if status >= 300:
            raise ValueError(f"{split.netloc} refused them with {status}")
        return answer

    return send


def _status(head: bytes) -> tuple[int, int]:
    """Status and content length of an answer."""
    first, *rest = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdecimal():
        raise ValueError(f"an answer that is no HTTP: {first[:80]!r}")
    fields = dict(line.lower().split(":", 1) for line in rest if ":" in line)
    length = fields.get("content-length", "").strip()
    return int(words[1]), int(length) if length.isdecimal() else 0
