"""POST /apis/v2beta1/pipelines/upload and upload_version: a file in multipart form data, chunked or not.

Errors have a shape of their own there (KFP's). Called by gateway.app; the work is done by handlers.pipelines.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import BodyPartReader, web
from google.protobuf.message import Message

from headrace_apiserver.gateway.calling import internal
from headrace_apiserver.gateway.errors import upload_error
from headrace_apiserver.gateway.json_rules import json_to_tree, message_to_json
from headrace_apiserver.handlers.pipelines import Pipelines, Upload
from headrace_servicekit.errors import Reason, ServiceError

FIELD: Final = "uploadfile"
LARGEST: Final = 32 << 20
_CHUNK: Final = 256 << 10


class Uploads:
    """The two routes."""

    def __init__(self, pipelines: Pipelines) -> None:
        self._pipelines = pipelines

    async def pipeline(self, request: web.Request) -> web.Response:
        """A new pipeline with its first version; the answer is the pipeline."""
        return await _answer(request, self._pipelines.upload)

    async def version(self, request: web.Request) -> web.Response:
        """A new version of a pipeline."""
        return await _answer(request, self._pipelines.upload_version)


async def _answer(request: web.Request, store: Callable[[Upload], Awaitable[Message]]) -> web.Response:
    try:
        created = await store(await _upload(request))
    except ServiceError as error:
        status, body = upload_error(error)
    except Exception as fault:  # noqa: BLE001  # the boundary of the service: logged once, and told in our own words
        status, body = upload_error(internal(fault, f"{request.method} {request.path}"))
    else:
        status, body = 200, message_to_json(created)
    return web.Response(status=status, body=body, content_type="application/json")


async def _upload(request: web.Request) -> Upload:
    query = {name: value.strip() for name, value in request.query.items()}
    tags = tags_of(query.get("tags", ""))
    if not request.content_type.startswith("multipart/"):
        raise _invalid(f"the body is no multipart form; send the file as the field '{FIELD}'")
    filename, data = await _file(request)
    return Upload(
        data=data,
        filename=filename,
        name=query.get("name", ""),
        display_name=query.get("display_name", ""),
        description=query.get("description", ""),
        tags=tags,
        code_source_url=query.get("code_source_url", ""),
        pipeline_id=query.get("pipelineid", "") or query.get("pipeline_id", ""),
    )


def tags_of(text: str) -> dict[str, str]:
    """The tags parameter: a JSON object of strings."""
    if not text:
        return {}
    try:
        tree = json_to_tree(text.encode("utf-8", "surrogatepass"))
    except (ValueError, json.JSONDecodeError) as wrong:
        raise _invalid(f"tags is not a JSON object: {wrong}") from None
    if not isinstance(tree, dict) or not all(isinstance(value, str) for value in tree.values()):
        raise _invalid('tags is not a JSON object of strings, such as {"team": "vision"}')
    return tree


async def _file(request: web.Request) -> tuple[str, bytes]:
    try:
        reader = await request.multipart()
        while True:
            part = await reader.next()
            if part is None:
                raise _invalid(f"the form has no field '{FIELD}'; send the file under that name")
            if isinstance(part, BodyPartReader) and part.name == FIELD:
                return part.filename or "", await _bounded(part)
    except ServiceError:
        raise
    except (ValueError, RuntimeError, web.HTTPException) as broken:
        # aiohttp has no error of its own for a form that ends early or has no boundary.
        raise _invalid(f"the multipart form cannot be read: {broken}") from None


async def _bounded(part: BodyPartReader) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk(_CHUNK):
        data += chunk
        if len(data) > LARGEST:
            raise ServiceError(
                Reason.TOO_LARGE,
                f"{part.filename or 'the file'} is larger than {LARGEST >> 20} MiB, the limit",
            )
    return bytes(data)


def _invalid(message: str) -> ServiceError:
    return ServiceError(Reason.INVALID_INPUT, message)
