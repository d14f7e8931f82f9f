"""The one interceptor pair, installed by `server.serve` and `server.channel`, for unary and streaming calls.

Server side: a handler starts for callers that may call it alone, with time enough, and runs in the caller's trace; whatever it
raises leaves as a status with our ErrorInfo. Client side: the reverse, with our own token; a raw grpc.RpcError never leaves.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import Any
from weakref import WeakSet

import grpc

from headrace_servicekit import callers, deadlines, tracing
from headrace_servicekit.callers import Caller
from headrace_servicekit.errors import STATUS_TRAILER, Reason, ServiceError, code_of, from_status, to_status
from headrace_servicekit.network import Gate
from headrace_servicekit.telemetry import Span, SpanSink, on_call
from headrace_servicekit.tokens import TokenFile

logger = logging.getLogger(__name__)
STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}


class ServerInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    """Wraps every handler of one server."""

    def __init__(self, service: str, gate: Gate, sink: SpanSink | None = None) -> None:
        self._service, self._gate, self._sink = service, gate, sink
        self._calls: WeakSet[Any] = WeakSet()

    async def ended(self) -> None:
        """Wait for the handlers that a stopped server has cancelled: its stop() returns before they have ended."""
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*self._calls, return_exceptions=True), 2.0)

    async def intercept_service(self, continuation: Any, handler_call_details: grpc.HandlerCallDetails) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method, streamed = handler_call_details.method, handler.request_streaming
        asked = partial(self._gate.caller, method, dict(handler_call_details.invocation_metadata or ()))
        caller: Caller | None = None
        if at_once := not self._gate.asks_where_from(method):
            try:
                caller = await asked("")
            except ServiceError as refused:  # before anything of the request is read
                return grpc.stream_stream_rpc_method_handler(partial(_refuse, refused))
        kind = f"{'stream' if streamed else 'unary'}_{'stream' if handler.response_streaming else 'unary'}"
        behaviour = getattr(handler, kind)
        work = _streaming(behaviour) if handler.response_streaming else behaviour

        async def call(request: Any, context: Any) -> Any:
            self._calls.add(asyncio.current_task())

            async def answer() -> Any:
                callers.enter(caller or await asked(context.peer()))
                answered = await work(request if at_once or streamed else await anext(request), context)
                return answered if at_once or handler.response_streaming else await context.write(answered)

            return await self._run(method, context, streamed, answer, stream=streamed or handler.response_streaming)

        # On the wire all kinds are streams: as one, a call's request is not read before its caller is known.
        made = getattr(grpc, f"{kind if at_once else 'stream_stream'}_rpc_method_handler")
        return made(call, handler.request_deserializer, handler.response_serializer)

    async def _run(self, method: str, context: Any, streamed: bool, work: Callable[[], Any], *, stream: bool) -> Any:
        started, caller, code = time.time_ns(), _caller(context), "CANCELLED"
        here = caller and tracing.TraceContext(caller.trace_id, os.urandom(8).hex(), caller.sampled)
        tracing.enter(here)  # each call has a task of its own, so nothing set here reaches another call
        error: ServiceError | None = None
        try:
            deadlines.admit(context.time_remaining(), method)
            answered, code = await work(), "OK"
            return answered
        except ServiceError as refused:
            error, code = refused, Reason.Name(refused.reason)
        except (asyncio.CancelledError, grpc.aio.AbortError):
            raise
        except grpc.aio.InternalError:
            raise asyncio.CancelledError from None  # the caller left while an answer was on its way
        except Exception as fault:  # noqa: BLE001  # the boundary of the service: logged once, and told in our own words
            error, code = self._internal(fault, method), "INTERNAL"
        finally:
            for tell in on_call:
                tell(self._service, method, code, (time.time_ns() - started) / 1e9, stream=stream)
            if caller and here and here.sampled and self._sink is not None:
                self._sink.offer(self._live_span(method[1:], caller.span_id, here, started, error))
        await _abort(error, context, streamed)

    def _internal(self, fault: Exception, method: str) -> ServiceError:
        incident = os.urandom(6).hex()
        logger.error("%s failed in %s (incident %s)", method, self._service, incident, exc_info=fault)
        message = f"a fault of Headrace in {self._service}: report it with its log's lines about incident {incident}"
        return ServiceError(Reason.INTERNAL, message)

    def _live_span(self, name: str, parent: str, here: Any, started: int, error: ServiceError | None) -> Span:
        attributes = {"headrace.source": "live", "rpc.system": "grpc", "rpc.method": name}
        if error is not None:
            attributes["headrace.error_reason"] = Reason.Name(error.reason)
        ids, status = (here.trace_id, here.span_id, parent), error.message if error else ""
        return Span(*ids, name, started, time.time_ns(), attributes, status, service=self._service)


async def _abort(error: ServiceError, context: Any, streamed: bool) -> None:
    status, code = to_status(error, streaming=streamed), code_of(error.reason, streaming=streamed)
    await context.abort(STATUS_CODES[code], status.message[:1000], ((STATUS_TRAILER, status.SerializeToString()),))


async def _refuse(error: ServiceError, _: Any, context: Any) -> None:
    await _abort(error, context, streamed=False)


def _streaming(behaviour: Any) -> Callable[[Any, Any], Awaitable[None]]:
    async def stream(request: Any, context: Any) -> None:
        responses = behaviour(request, context)
        if not hasattr(responses, "__aiter__"):  # a coroutine that writes to the context itself
            return await responses  # type: ignore[no-any-return]  # None
        async with aclosing(responses):
            async for response in responses:
                await context.write(response)

    return stream


def _caller(context: Any) -> tracing.TraceContext | None:
    given = dict(context.invocation_metadata() or ()).get("traceparent")
    return tracing.parse(given) if isinstance(given, str) else None


class _Client:
    """What the four client interceptors share; grpc.aio wants a class of its own for each kind of call."""

    def __init__(self, target: str, token: TokenFile | None) -> None:
        self._target, self._token = target, token

    def _prepared(self, details: Any, default: float | None) -> Any:
        timeout = deadlines.inner_timeout(details.timeout, default=default)
        metadata = grpc.aio.Metadata(*(details.metadata or ()))
        if (context := tracing.current()) is not None:
            metadata["traceparent"] = str(context)
        if self._token is not None:
            metadata["authorization"] = f"Bearer {self._token.read()}"
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
        trailing: Any = failed.trailing_metadata()
        trailer, message = dict(trailing or ()).get(STATUS_TRAILER), failed.details() or failed.code().name
        if failed.code() is grpc.StatusCode.UNAVAILABLE and trailer is None:
            message = f"the service at {self._target} cannot be reached ({message})"
        return from_status(failed.code().value[0], message, trailer)


class _UnaryUnary(_Client, grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await self._answer(await continuation(self._prepared(client_call_details, deadlines.DEFAULT), request))


class _UnaryStream(_Client, grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[type-arg]
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return self._answers(await continuation(self._prepared(client_call_details, None), request))


class _StreamUnary(_Client, grpc.aio.StreamUnaryClientInterceptor):  # type: ignore[type-arg]
    async def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        call = await continuation(self._prepared(client_call_details, None), request_iterator)
        await self._answer(call)
        return call  # awaited again by grpc.aio, which finds the answer there


class _StreamStream(_Client, grpc.aio.StreamStreamClientInterceptor):  # type: ignore[type-arg]
    async def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return self._answers(await continuation(self._prepared(client_call_details, None), request_iterator))


def client_interceptors(target: str, token: TokenFile | None = None) -> list[Any]:
    """The client side for a channel to TARGET; requests of a stream come from an iterator, never by `write`."""
    return [kind(target, token) for kind in (_UnaryUnary, _UnaryStream, _StreamUnary, _StreamStream)]
