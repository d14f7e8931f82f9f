"""The one interceptor pair: errors, deadlines and trace context of every gRPC call, unary and streaming.

Server side: a handler starts only with time enough, runs in the caller's trace, and whatever it raises leaves as a status with
our ErrorInfo. Client side: the reverse; a raw grpc.RpcError never leaves. `server.serve` and `server.channel` install them.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

import grpc

from headrace_servicekit import deadlines, tracing
from headrace_servicekit.errors import STATUS_TRAILER, Reason, ServiceError, code_of, from_status, to_status
from headrace_servicekit.telemetry import Span

logger = logging.getLogger(__name__)
TRACEPARENT = "traceparent"
UNTRACED = ("/grpc.health.", "/grpc.reflection.")


class SpanSink(Protocol):
    """Where live spans go; never blocks."""

    def offer(self, *spans: Span) -> None: ...


class ServerInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    """Wraps every handler of one server."""

    def __init__(self, service: str, sink: SpanSink | None = None) -> None:
        self._service = service
        self._sink = sink

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        made = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        kind = ("stream" if handler.request_streaming else "unary") + (
            "_stream" if handler.response_streaming else "_unary"
        )
        behaviour = getattr(handler, kind)
        wrapped = self._streaming if handler.response_streaming else self._unary
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        return make(wrapped(behaviour, method, request_streaming=handler.request_streaming), **made)

    def _unary(self, behaviour: Any, method: str, *, request_streaming: bool) -> Any:
        async def call(request: Any, context: Any) -> Any:
            return await self._run(method, context, request_streaming, lambda: behaviour(request, context))

        return call

    def _streaming(self, behaviour: Any, method: str, *, request_streaming: bool) -> Any:
        async def stream(request: Any, context: Any) -> None:
            responses = behaviour(request, context)
            if not hasattr(responses, "__aiter__"):  # a coroutine that writes to the context itself
                await responses
                return
            try:
                async for response in responses:
                    await context.write(response)
            finally:
                await responses.aclose()

        async def call(request: Any, context: Any) -> None:
            await self._run(method, context, request_streaming, lambda: stream(request, context))

        return call

    async def _run(self, method: str, context: Any, request_streaming: bool, work: Callable[[], Awaitable[Any]]) -> Any:
        started = time.time_ns()
        caller = _caller(context)
        here = None if caller is None else tracing.TraceContext(caller.trace_id, tracing.new_span_id(), caller.sampled)
        # Each call has a task of its own, so nothing set here reaches another call.
        tracing.enter(here)
        error: ServiceError | None = None
        try:
            deadlines.admit(context.time_remaining(), method)
            return await work()
        except ServiceError as refused:
            error = refused
        except (asyncio.CancelledError, grpc.aio.AbortError):
            raise
        except Exception as fault:  # noqa: BLE001  # the boundary of the service: logged once, and told in our own words
            error = _internal(fault, method, self._service)
        finally:
            if here is not None and caller is not None and caller.sampled and self._sink is not None:
                self._sink.offer(_live_span(self._service, method, caller, here, started, error))
        status = to_status(error, streaming=request_streaming)
        await context.abort(
            code_of(error.reason, streaming=request_streaming),
            status.message[:1000],
            ((STATUS_TRAILER, status.SerializeToString()),),
        )


def _caller(context: Any) -> tracing.TraceContext | None:
    for key, value in context.invocation_metadata() or ():
        if key == TRACEPARENT and isinstance(value, str):
            return tracing.parse(value)
    return None


def _internal(fault: Exception, method: str, service: str) -> ServiceError:
    incident = uuid.uuid4().hex[:12]
    logger.error("%s failed in %s (incident %s)", method, service, incident, exc_info=fault)
    return ServiceError(
        Reason.INTERNAL,
        f"a fault of Headrace in {service}, {method}: please report it with the lines of its log about incident {incident}",
    )


def _live_span(  # noqa: PLR0917  # one call, the facts of one span
    service: str,
    method: str,
    caller: tracing.TraceContext,
    here: tracing.TraceContext,
    started: int,
    error: ServiceError | None,
) -> Span:
    attributes: dict[str, str | int | float | bool] = {
        "headrace.source": "live",
        "rpc.system": "grpc",
        "rpc.method": method.lstrip("/"),
    }
    if error is not None:
        attributes["headrace.error_reason"] = Reason.Name(error.reason)
    return Span(
        trace_id=here.trace_id,
        span_id=here.span_id,
        parent_id=caller.span_id,
        name=method.lstrip("/"),
        start_ns=started,
        end_ns=time.time_ns(),
        attributes=attributes,
        status="" if error is None else error.message,
        service=service,
    )


class _Client:
    """What the four client interceptors share; grpc.aio wants a class of its own for each kind of call."""

    def __init__(self, target: str) -> None:
        self._target = target

    def _prepared(self, details: Any, default: float | None) -> Any:
        timeout = deadlines.inner_timeout(details.timeout, default=default)
        metadata = details.metadata
        context = tracing.current()
        if context is not None:
            metadata = grpc.aio.Metadata(*(metadata or ()))
            metadata[TRACEPARENT] = str(context)
        return details._replace(timeout=timeout, metadata=metadata)

    async def _answer(self, call: Any) -> Any:
        try:
            return await call
        except grpc.aio.AioRpcError as failed:
            raise self._error(failed) from None

    async def _answers(self, call: Any) -> AsyncIterator[Any]:
        try:
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as failed:
            raise self._error(failed) from None
        finally:
            call.cancel()  # a reader that leaves early ends the call; a no-op on one that has ended

    def _error(self, failed: grpc.aio.AioRpcError) -> ServiceError:
        metadata: Any = failed.trailing_metadata()
        trailer = dict(metadata or ()).get(STATUS_TRAILER)
        message = failed.details() or failed.code().name
        if failed.code() is grpc.StatusCode.UNAVAILABLE and trailer is None:
            message = f"the service at {self._target} cannot be reached ({message})"
        return from_status(failed.code(), message, trailer)


class _UnaryUnary(_Client, grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await self._answer(await continuation(self._prepared(client_call_details, deadlines.DEFAULT), request))


class _UnaryStream(_Client, grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return self._answers(await continuation(self._prepared(client_call_details, None), request))


class _StreamUnary(_Client, grpc.aio.StreamUnaryClientInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    async def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return _Mapped(self, await continuation(self._prepared(client_call_details, None), request_iterator))


class _StreamStream(_Client, grpc.aio.StreamStreamClientInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    async def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return self._answers(await continuation(self._prepared(client_call_details, None), request_iterator))


class _Mapped:
    """A stream-unary call whose answer's errors are ours: grpc.aio awaits what that interceptor returns."""

    def __init__(self, client: _Client, call: Any) -> None:
        self._client = client
        self._call = call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    def __await__(self) -> Any:
        return self._client._answer(self._call).__await__()


def client_interceptors(target: str) -> list[Any]:
    """The client side for a channel to TARGET."""
    return [_UnaryUnary(target), _UnaryStream(target), _StreamUnary(target), _StreamStream(target)]
