"""Artifacts of all runs by what they are: from a request to one query, by tables of filters. Called by handlers/lineage.py.

Only fragments of the tables and parameter names enter the SQL text; every value of a caller's is a parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any, Final, LiteralString

from headrace_persistence.lineage.holding import Held, checked, held_of, holders, invalid
from headrace_persistence.queries import SQL
from headrace_persistence.stores.texts import storable
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import lineage_pb2 as pb
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, Row, Transaction

DEFAULT_SIZE: Final = 50
LARGEST: Final = 1000
NEWEST: Final = (1 << 63) - 1
OF_ARTIFACTS: Final[Mapping[str, LiteralString]] = {
    "uri": " AND a.uri = %(uri)s",
    "digest": " AND a.digest = %(digest)s",
    "type": " AND a.type_name = %(type)s",
}
OF_RUNS: Final[Mapping[str, LiteralString]] = {
    "namespace": " AND r.namespace = %(namespace)s",
    "pipeline_name": " AND r.pipeline_name = %(pipeline_name)s",
}
USED: Final[LiteralString] = "JOIN platform.artifact_uses u ON u.artifact = a.id AND u.pipeline = {pipeline}"
NAMED: Final[LiteralString] = (
    "(SELECT p.id FROM platform.pipeline_contexts p WHERE p.name = left(%(pipeline_name)s::text, 200))"
)
NAMESPACED: Final[LiteralString] = (
    "SELECT DISTINCT ON (a.id) a.id, a.payload, a.created_at_us FROM unnest(%(pipelines)s::bigint[]) AS s (pipeline)"
    " CROSS JOIN LATERAL ({each}) AS a ORDER BY a.id DESC LIMIT %(limit)s"
)  # a page of each pipeline of a namespace, and of these the first: a small namespace has few of all artifacts
FEW: Final = 50  # pipelines of a namespace: where more ran, all artifacts are looked through
MOST_USES: Final = 1_000  # of an artifact that are told


def query_of(
    request: pb.FindArtifactRecordsRequest, pipelines: Sequence[int] | None = None, by: Held | None = None
) -> tuple[LiteralString, dict[str, Any], int]:
    """The query, its parameters, and the page's size; PIPELINES: all that ran in the namespace, None where they are many or
    none is asked for; BY: the metadata by way of which artifacts are walked. Raises ServiceError.
    """
    if request.page_size < 0 or request.before_id < 0:
        raise invalid("page_size and before_id cannot be negative")
    size = min(request.page_size or DEFAULT_SIZE, LARGEST)
    params: dict[str, Any] = {"before": request.before_id or NEWEST, "limit": size + 1}
    where, of_artifacts = _filters(request, OF_ARTIFACTS)
    link, of_runs = _filters(request, OF_RUNS)
    params |= {**of_artifacts, **of_runs}
    for held in held_of(request):
        where += held.each
        params |= held.params
    query = "list_artifacts_written" if request.run_id else "list_artifacts_by" if by else "list_artifact_records"
    text = SQL[query].replace("/*link*/", link).replace("/*where*/", where)
    if by is not None:
        text = text.replace("/*walked*/", by.walked)
    elif request.run_id:
        params["run_id"] = checked("run_id", request.run_id)
    elif request.pipeline_name:
        text = text.replace("/*join*/", USED.replace("{pipeline}", NAMED))
    elif pipelines is not None:
        each = text.replace("/*join*/", USED.replace("{pipeline}", "s.pipeline"))
        text = NAMESPACED.replace("{each}", each)
        params["pipelines"] = list(pipelines)
    return text, params, size


def _filters(
    request: pb.FindArtifactRecordsRequest, table: Mapping[str, LiteralString]
) -> tuple[LiteralString, dict[str, str]]:
    """The conditions of a table for what is asked, and their parameters."""
    told = {name: checked(name, getattr(request, name)) for name in table if getattr(request, name)}
    return "".join([table[name] for name in told]), told


class Records:
    """Reads artifacts with their makers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, request: pb.FindArtifactRecordsRequest) -> pb.FindArtifactRecordsResponse:
        """A page."""
        query_of(request)  # refused before anything is read

        async def work(tx: Transaction) -> pb.FindArtifactRecordsResponse:
            rows, size = await _page(tx, request)
            answer = pb.FindArtifactRecordsResponse(artifacts=await records(tx, rows[:size]))
            answer.next_before_id = rows[size - 1][0] if len(rows) > size else 0
            return answer

        return await self._database.transaction(work)

    async def get(self, request: pb.GetArtifactRecordRequest) -> pb.ArtifactRecord:
        """One, with its uses."""

        async def work(tx: Transaction) -> pb.ArtifactRecord:
            number = await numbered(tx, request.artifact_id, request.namespace)
            (found,) = await records(tx, await tx.fetch(SQL["artifact_records"], {"ids": [number]}))
            told = {"ids": [number], "directions": [1, 2], "namespace": request.namespace}
            rows = await tx.fetch(SQL["lineage_steps"], {**told, "each": MOST_USES, "limit": MOST_USES})
            found.uses.extend(use(row) for row in rows)
            return found

        return await self._database.transaction(work)


async def _page(tx: Transaction, request: pb.FindArtifactRecordsRequest) -> tuple[list[Row], int]:
    """The rows of a page, and one more where there is another page; and the page's size."""
    among, many = await holders(tx, request)
    if among is not None:
        return await _of_few(tx, request, among)
    pipelines = await _pipelines(tx, request)
    by = many[0] if many and pipelines is None and not request.pipeline_name else None
    text, params, size = query_of(request, pipelines, by)
    return await tx.fetch(text, params), size


async def _of_few(tx: Transaction, request: pb.FindArtifactRecordsRequest, among: Set[int]) -> tuple[list[Row], int]:
    """Of these artifacts, some at a time: most often the first ones fill the page."""
    text, params, size = query_of(request)
    text = text.replace("a.id < %(before)s", "a.id = ANY(%(among)s::bigint[])")
    ids = sorted((one for one in among if one < params["before"]), reverse=True)
    found: list[Row] = []
    step = 2 * (size + 1)
    for start in range(0, len(ids), step):
        found += await tx.fetch(text, {**params, "among": ids[start : start + step]})
        if len(found) > size:
            break
    return found[: size + 1], size


async def _pipelines(tx: Transaction, request: pb.FindArtifactRecordsRequest) -> list[int] | None:
    """Those of a namespace that is asked for, and nothing that fewer artifacts have; None where they are many."""
    if not request.namespace or request.pipeline_name or request.run_id or request.uri or request.digest:
        return None
    rows = await tx.fetch(SQL["pipelines_in_namespace"], {"namespace": storable(request.namespace), "most": FEW + 1})
    return [row[0] for row in rows] if len(rows) <= FEW else None


async def numbered(tx: Transaction, artifact_id: str, namespace: str) -> int:
    """The number of an artifact that is named by its UUID or number. Raises NOT_FOUND."""
    number = int(artifact_id) if artifact_id.isdecimal() and len(artifact_id) < 19 else 0
    told = {"artifact_id": storable(artifact_id).lower(), "id": number, "namespace": storable(namespace)}
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
