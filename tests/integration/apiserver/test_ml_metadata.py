"""ML Metadata by the public ports: forwarded over gRPC and gRPC-web, with the errors of the service behind."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import aiohttp
import grpc
import pytest

from headrace_apiserver.server import ApiserverSettings, Running, running
from headrace_protos.ml_metadata import metadata_store_pb2 as ms
from headrace_protos.ml_metadata import metadata_store_service_pb2 as mss
from headrace_protos.ml_metadata.metadata_store_service_pb2_grpc import MetadataStoreServiceStub

SERVICE = "/ml_metadata.MetadataStoreService"
PUT = mss.PutArtifactTypeRequest(artifact_type=ms.ArtifactType(name="mine", properties={"a": ms.INT}))


@pytest.fixture
async def up(persistence, tmp_path) -> AsyncIterator[Running]:
    settings = ApiserverSettings(
        home=tmp_path, http_address="127.0.0.1:0", grpc_address="127.0.0.1:0",
        persistence_address=persistence.address, scheduler_address=f"unix:{tmp_path}/none.sock",
    )  # fmt: skip
    async with running(settings) as made:
        yield made


@pytest.fixture
async def stub(up) -> AsyncIterator[MetadataStoreServiceStub]:
    async with grpc.aio.insecure_channel(up.grpc_address) as wire:
        yield MetadataStoreServiceStub(wire)


async def web(up: Running, method: str, message: bytes, *, text: bool = False, **headers: str):
    """The message and the trailers of a gRPC-web call."""
    frame = b"\0" + len(message).to_bytes(4, "big") + message
    kind = "application/grpc-web-text" if text else "application/grpc-web+proto"
    sent = {"Content-Type": kind, "X-Grpc-Web": "1", **headers}
    body = base64.b64encode(frame) if text else frame
    url = f"http://{up.http_address}{SERVICE}/{method}"
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=sent) as response:
        assert response.status == 200, await response.text()
        assert response.headers["Content-Type"] == f"{kind.removesuffix('+proto')}+proto"
        answer = await response.read()
    answer = base64.b64decode(answer) if text else answer
    told, rest = b"", answer
    if rest[0] == 0:
        length = int.from_bytes(rest[1:5], "big")
        told, rest = rest[5 : 5 + length], rest[5 + length :]
    assert rest[0] == 0x80
    return told, dict(line.split(": ", 1) for line in rest[5:].decode().splitlines())


async def test_grpc(stub):
    made = await stub.PutArtifactType(PUT)
    found = await stub.GetArtifactType(mss.GetArtifactTypeRequest(type_name="mine"))
    assert found.artifact_type.id == made.type_id


async def test_errors_keep_their_codes_and_words(stub):
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.GetArtifactType(mss.GetArtifactTypeRequest(type_name="nobody's"))
    assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.NOT_FOUND, "no artifact type nobody's")
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.GetLineageGraph(mss.GetLineageGraphRequest())
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert failed.value.details() == "GetLineageGraph was given up by ML Metadata: use GetLineageSubgraph"


async def test_a_method_that_is_not_there(up):
    async with grpc.aio.insecure_channel(up.grpc_address) as wire:
        call = wire.unary_unary(f"{SERVICE}/DropEverything", lambda sent: sent, lambda got: got)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call(b"")
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_bytes_that_are_no_message_are_refused_behind(up):
    async with grpc.aio.insecure_channel(up.grpc_address) as wire:
        call = wire.unary_unary(f"{SERVICE}/PutArtifactType", lambda sent: sent, lambda got: got)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call(b"\xff\xff\xff")
    assert failed.value.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)


@pytest.mark.parametrize("text", [False, True])
async def test_grpc_web(up, text):
    told, trailers = await web(up, "PutArtifactType", PUT.SerializeToString(), text=text)
    assert trailers == {"grpc-status": "0"}
    number = mss.PutArtifactTypeResponse.FromString(told).type_id
    asked = mss.GetArtifactTypesByIDRequest(type_ids=[number]).SerializeToString()
    told, _ = await web(up, "GetArtifactTypesByID", asked, text=text, **{"grpc-timeout": "5S"})
    assert mss.GetArtifactTypesByIDResponse.FromString(told).artifact_types[0].name == "mine"


async def test_an_empty_answer_is_a_frame_too(up):
    told, trailers = await web(up, "GetContexts", b"")
    assert (told, trailers) == (b"", {"grpc-status": "0"})


async def test_grpc_web_tells_errors_in_trailers(up):
    asked = mss.GetArtifactTypeRequest(type_name="größer").SerializeToString()
    told, trailers = await web(up, "GetArtifactType", asked)
    assert told == b""
    assert trailers == {"grpc-status": "5", "grpc-message": "no artifact type gr%C3%B6%C3%9Fer"}
    _, trailers = await web(up, "DropEverything", b"")
    assert trailers["grpc-status"] == "12"


async def test_only_grpc_web_is_let_in(up):
    async with aiohttp.ClientSession(f"http://{up.http_address}") as session:
        async with session.post(
            f"{SERVICE}/GetContexts", data=b"{}", headers={"Content-Type": "application/json"}
        ) as answer:
            assert answer.status == 403
            assert "send application/grpc-web+proto" in await answer.text()
        foreign = {"Content-Type": "application/grpc-web+proto", "Origin": "https://evil.example"}
        async with session.post(f"{SERVICE}/GetContexts", data=b"\0\0\0\0\0", headers=foreign) as answer:
            assert answer.status == 403


async def test_contexts_of_several_contexts(stub):
    """The two rpcs that the official client has no method for."""
    type_ = await stub.PutContextType(mss.PutContextTypeRequest(context_type=ms.ContextType(name="c")))
    nodes = [ms.Context(type_id=type_.type_id, name=name) for name in "abc"]
    a, b, c = (await stub.PutContexts(mss.PutContextsRequest(contexts=nodes))).context_ids
    links = [ms.ParentContext(parent_id=a, child_id=c), ms.ParentContext(parent_id=b, child_id=c)]
    await stub.PutParentContexts(mss.PutParentContextsRequest(parent_contexts=links))
    above = await stub.GetParentContextsByContexts(mss.GetParentContextsByContextsRequest(context_ids=[a, c]))
    assert {key: [one.name for one in value.parent_contexts] for key, value in above.contexts.items()} == {
        c: ["a", "b"]
    }
    below = await stub.GetChildrenContextsByContexts(mss.GetChildrenContextsByContextsRequest(context_ids=[a, b, c]))
    assert {key: [one.name for one in value.children_contexts] for key, value in below.contexts.items()} == {
        a: ["c"],
        b: ["c"],
    }
    with pytest.raises(grpc.aio.AioRpcError, match="context_ids is empty; name at least one context"):
        await stub.GetParentContextsByContexts(mss.GetParentContextsByContextsRequest())
