"""Artifacts of all runs by what they are: from a request to one query, by a table of filters. Called by handlers/lineage.py.

Only fragments of the table and parameter names enter the SQL text; every value of a caller's is a parameter.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, LiteralString

from headrace_persistence.metadata.rendering import value as rendered
from headrace_persistence.queries import SQL
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import lineage_pb2 as pb
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, Row, Transaction

DEFAULT_SIZE: Final = 50
LARGEST: Final = 1000
NEWEST: Final = (1 << 63) - 1
HELD: Final[LiteralString] = (
    " AND EXISTS (SELECT FROM platform.metadata_properties p WHERE p.kind = 1 AND p.node = a.id AND p.made"
    " AND p.name = %({name})s"
)
NUMBER: Final[LiteralString] = HELD + " AND p.{column} = %({value})s::{type})"
# As the index of texts has them, so that it is used.
TEXT: Final[LiteralString] = (
    HELD + " AND p.string_value = %({value})s::text AND left(p.string_value, 500) = left(%({value})s::text, 500)"
    " AND length(p.name) <= 200)"
)
COLUMNS: Final[dict[str, LiteralString]] = {"int_value": "bigint", "double_value": "float8", "string_value": "text"}
LONGEST_NAME: Final = 200
LONGEST: Final = 1_000  # characters of a text that artifacts are found by


def query_of(request: pb.FindArtifactRecordsRequest) -> tuple[LiteralString, dict[str, Any], int]:
    """The query, its parameters, and the page's size. Raises ServiceError."""
    if request.page_size < 0 or request.before_id < 0:
        raise _invalid("page_size and before_id cannot be negative")
    size = min(request.page_size or DEFAULT_SIZE, LARGEST)
    params: dict[str, Any] = {"before": request.before_id or NEWEST, "limit": size + 1}
    where: LiteralString = ""
    link: LiteralString = ""
    if request.uri:
        where += " AND a.uri = %(uri)s"
        params["uri"] = _text("uri", request.uri)
    if request.digest:
        where += " AND a.digest = %(digest)s"
        params["digest"] = _text("digest", request.digest)
    if request.type:
        where += " AND a.type_name = %(type)s"
        params["type"] = _text("type", request.type)
    if request.namespace:
        link += " AND r.namespace = %(namespace)s"
        params["namespace"] = _text("namespace", request.namespace)
    if request.pipeline_name:
        link += " AND r.pipeline_name = %(pipeline_name)s"
        params["pipeline_name"] = _text("pipeline_name", request.pipeline_name)
    if request.run_id:
        link += " AND r.run_id = %(run_id)s AND l.direction = 2"
        params["run_id"] = _text("run_id", request.run_id)
        where += (
            " AND a.id IN (SELECT m.artifact FROM platform.links m"
            " WHERE m.run = (SELECT q.id FROM platform.runs q WHERE q.run_id = %(run_id)s) AND m.direction = 2)"
        )
    for number, given in enumerate(request.metadata):
        text, more = _property(number, given)
        where += text
        params |= more
    text = SQL["list_artifact_records"].replace("/*link*/", link).replace("/*where*/", where)
    return text, params, size


def _property(number: int, given: str) -> tuple[LiteralString, dict[str, Any]]:
    """NAME=VALUE as a condition: a number, true, false or a quoted text by its kind, anything else as a text."""
    name, equals, text = given.partition("=")
    if not name or not equals:
        raise _invalid(f"metadata {given!r}: write NAME=VALUE")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    held = rendered(value)  # as ML Metadata has it, whose properties are asked
    column = held.WhichOneof("value") if held is not None else None
    if held is None or column not in COLUMNS or len(held.string_value) > LONGEST:
        raise _invalid(
            f"metadata {name}: artifacts are found by numbers, truth values and texts of up to {LONGEST} characters"
        )
    if len(name) > LONGEST_NAME:
        raise _invalid(f"metadata {name[:40]}…: names have at most {LONGEST_NAME} characters")
    key, of = f"n{number}", f"v{number}"
    condition = TEXT if column == "string_value" else NUMBER
    for mark, word in (("{name}", key), ("{value}", of), ("{column}", column), ("{type}", COLUMNS[column])):
        condition = condition.replace(mark, word)
    return condition, {key: _text("metadata", name), of: getattr(held, column)}


def plain(text: str) -> str:
    """As a text column takes it; "" where none does."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return ""
    return "" if "\0" in text else text


def _text(name: str, value: str) -> str:
    if plain(value) != value:
        raise _invalid(f"{name} holds a NUL character; take it out")
    return value


def _invalid(message: str) -> ServiceError:
    return ServiceError(Reason.INVALID_INPUT, message)


class Records:
    """Reads artifacts with their makers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, request: pb.FindArtifactRecordsRequest) -> pb.FindArtifactRecordsResponse:
        """A page."""
        text, params, size = query_of(request)

        async def work(tx: Transaction) -> pb.FindArtifactRecordsResponse:
            rows = await tx.fetch(text, params)
            answer = pb.FindArtifactRecordsResponse(artifacts=await records(tx, rows[:size]))
            answer.next_before_id = rows[size - 1][0] if len(rows) > size else 0
            return answer

        return await self._database.transaction(work)

    async def get(self, request: pb.GetArtifactRecordRequest) -> pb.ArtifactRecord:
        """One, with its uses."""

        async def work(tx: Transaction) -> pb.ArtifactRecord:
            number = await numbered(tx, request.artifact_id, request.namespace)
            (found,) = await records(tx, await tx.fetch(SQL["artifact_records"], {"ids": [number]}))
            told = {"id": number, "namespace": request.namespace}
            found.uses.extend(use(row) for row in await tx.fetch(SQL["artifact_uses"], told))
            return found

        return await self._database.transaction(work)


async def numbered(tx: Transaction, artifact_id: str, namespace: str) -> int:
    """The number of an artifact that is named by its UUID or number. Raises NOT_FOUND."""
    number = int(artifact_id) if artifact_id.isdecimal() and len(artifact_id) < 19 else 0
    told = {"artifact_id": plain(artifact_id).lower(), "id": number, "namespace": plain(namespace)}
    row = await tx.fetch_one(SQL["find_artifact"], told) if artifact_id else None
    if row is None:
        raise ServiceError(Reason.NOT_FOUND, f"there is no artifact {artifact_id!r}: give its id, or its number")
    return int(row[0])


async def records(tx: Transaction, rows: Sequence[Row]) -> list[pb.ArtifactRecord]:
    """Of rows (number, message, created), in their order, with who made them."""
    makers = await tx.fetch(SQL["artifact_makers"], {"ids": [row[0] for row in rows]}) if rows else []
    made_by = {row[0]: use(row) for row in makers}
    return [record(row, made_by.get(row[0])) for row in rows]


def record(row: Row, made_by: pb.ArtifactUse | None) -> pb.ArtifactRecord:
    artifact = ev.Artifact.FromString(bytes(row[1]))
    artifact.id = row[0]
    return pb.ArtifactRecord(artifact=artifact, created_at_us=row[2], made_by=made_by)


def use(row: Row) -> pb.ArtifactUse:
    artifact, task, run_id, path, name, index, output, namespace, pipeline_name = row[:9]
    return pb.ArtifactUse(
        artifact=artifact,
        task=task,
        run_id=run_id,
        path=path,
        name=name,
        index=index,
        output=output,
        namespace=namespace,
        pipeline_name=pipeline_name,
    )
