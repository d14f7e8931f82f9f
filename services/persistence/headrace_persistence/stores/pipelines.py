"""Pipelines and their versions."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from headrace_persistence.listing import PIPELINES, VERSIONS, cut, page_query
from headrace_persistence.queries import SQL
from headrace_persistence.stores.texts import checked, storable
from headrace_protos.v1 import catalog_pb2 as cat
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, Row, Transaction


class Pipelines:
    """Creating, reading, renaming and deleting pipelines and versions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, request: cat.CreatePipelineRequest) -> cat.CreatePipelineResponse:
        """A pipeline, with its first version in the same transaction where one is given."""
        pipeline_id = request.pipeline.pipeline_id or str(uuid.uuid4())
        row = _pipeline_row(request.pipeline, pipeline_id)

        async def work(tx: Transaction) -> str:
            if await tx.fetch_one(SQL["insert_pipeline"], row) is None:
                raise _taken("Pipeline", row["name"])
            return await _insert_version(tx, request.version, pipeline_id) if request.HasField("version") else ""

        version_id = await self._database.transaction(work)
        response = cat.CreatePipelineResponse(pipeline=await self.get(pipeline_id))
        if version_id:
            response.version.CopyFrom(await self.get_version(version_id))
        return response

    async def get(self, pipeline_id: str) -> cat.Pipeline:
        """One pipeline."""
        rows = await self._database.read(SQL["get_pipeline"], {"pipeline_id": storable(pipeline_id)})
        return _pipeline(_one(rows, "Pipeline", pipeline_id))

    async def get_by_name(self, namespace: str, name: str) -> cat.Pipeline:
        """One pipeline by its unique name."""
        key = {"namespace": storable(namespace) or "default", "name": storable(name)}
        return _pipeline(_one(await self._database.read(SQL["get_pipeline_by_name"], key), "Pipeline", name))

    async def list(self, request: cat.ListRequest) -> cat.ListPipelinesResponse:
        """A page of pipelines."""
        asked = page_query(PIPELINES, request.page, {"namespace": request.namespace})
        total, rows, following = cut(await self._database.read(asked.text, asked.params), asked.size)
        return cat.ListPipelinesResponse(pipelines=[_pipeline(row) for row in rows], total=total, next=following)

    async def update(self, request: cat.UpdatePipelineRequest) -> cat.Pipeline:
        """Change display name and tags."""
        row = await self._update("update_pipeline", request, cat.Pipeline(tags=request.tags).SerializeToString())
        if row is None:
            raise _none("Pipeline", request.id)
        return _pipeline(row)

    async def delete(self, request: cat.DeletePipelineRequest) -> None:
        """Delete the pipeline, with its versions if asked to cascade."""
        key = {"pipeline_id": storable(request.pipeline_id)}

        async def work(tx: Transaction) -> None:
            if await tx.fetch_one(SQL["lock_pipeline"], key) is None:
                raise _none("Pipeline", request.pipeline_id)
            counted = await tx.fetch_one(SQL["count_versions"], key)
            if counted is not None and counted[0] and not request.cascade:
                raise ServiceError(
                    Reason.WRONG_STATE,
                    f"Pipeline {request.pipeline_id} has {counted[0]} versions: delete them first, or ask to cascade",
                )
            await tx.execute(SQL["delete_pipeline"], key)

        await self._database.transaction(work)

    async def create_version(self, asked: cat.PipelineVersion) -> cat.PipelineVersion:
        """A new version of a pipeline."""

        async def work(tx: Transaction) -> str:
            if await tx.fetch_one(SQL["lock_pipeline"], {"pipeline_id": storable(asked.pipeline_id)}) is None:
                raise _none("Pipeline", asked.pipeline_id)
            return await _insert_version(tx, asked, asked.pipeline_id)

        return await self.get_version(await self._database.transaction(work))

    async def get_version(self, version_id: str) -> cat.PipelineVersion:
        """One version with its spec."""
        rows = await self._database.read(SQL["get_version"], {"pipeline_version_id": storable(version_id)})
        return _version(_one(rows, "PipelineVersion", version_id))

    async def latest_version(self, pipeline_id: str) -> cat.PipelineVersion:
        """The newest version of a pipeline."""
        await self.get(pipeline_id)
        rows = await self._database.read(SQL["latest_version"], {"pipeline_id": storable(pipeline_id)})
        if not rows:
            raise ServiceError(Reason.NOT_FOUND, f"Pipeline {pipeline_id} has no versions")
        return _version(rows[0])

    async def list_versions(self, request: cat.ListRequest) -> cat.ListPipelineVersionsResponse:
        """A page of a pipeline's versions, without specs."""
        asked = page_query(VERSIONS, request.page, {"pipeline_id": request.pipeline_id})
        total, rows, following = cut(await self._database.read(asked.text, asked.params), asked.size)
        return cat.ListPipelineVersionsResponse(
            versions=[_version((*row, "", b"")) for row in rows], total=total, next=following
        )

    async def update_version(self, request: cat.UpdatePipelineRequest) -> cat.PipelineVersion:
        """Change display name and tags."""
        row = await self._update("update_version", request, cat.PipelineVersion(tags=request.tags).SerializeToString())
        if row is None:
            raise _none("PipelineVersion", request.id)
        return _version((*row, "", b""))

    async def delete_version(self, version_id: str) -> None:
        """Delete a version; runs made from it stay."""

        async def work(tx: Transaction) -> None:
            if await tx.fetch_one(SQL["delete_version"], {"pipeline_version_id": storable(version_id)}) is None:
                raise _none("PipelineVersion", version_id)

        await self._database.transaction(work)

    async def _update(self, name: str, request: cat.UpdatePipelineRequest, tags: bytes) -> Row | None:
        row = {
            "id": storable(request.id),
            "display_name": request.display_name or None,
            "tags": tags if request.set_tags else None,
        }
        checked("update", row)
        return await self._database.transaction(lambda tx: tx.fetch_one(SQL[name], row))


async def _insert_version(tx: Transaction, asked: cat.PipelineVersion, pipeline_id: str) -> str:
    row = {
        "pipeline_version_id": asked.pipeline_version_id or str(uuid.uuid4()),
        "pipeline_id": pipeline_id,
        "name": asked.name or asked.display_name,
        "display_name": asked.display_name or asked.name,
        "description": asked.description,
        "tags": cat.PipelineVersion(tags=asked.tags).SerializeToString(),
        "code_source_url": asked.code_source_url,
        "package_url": asked.package_url,
        "spec_json": asked.spec_json,
        "plan": asked.plan,
    }
    checked("pipeline version", row)
    made = await tx.fetch_one(SQL["insert_version"], row)
    if made is None:
        raise _taken("Version", str(row["name"]))
    return str(made[0])


def _pipeline_row(asked: cat.Pipeline, pipeline_id: str) -> Mapping[str, Any]:
    row = {
        "pipeline_id": pipeline_id,
        "namespace": asked.namespace or "default",
        "name": asked.name or asked.display_name,
        "display_name": asked.display_name or asked.name,
        "description": asked.description,
        "tags": cat.Pipeline(tags=asked.tags).SerializeToString(),
    }
    checked("pipeline", row)
    return row


def _one(rows: list[Row], kind: str, name: str) -> Row:
    if not rows:
        raise _none(kind, name)
    return rows[0]


def _none(kind: str, name: str) -> ServiceError:
    return ServiceError(Reason.NOT_FOUND, f"{kind} {name} not found")


def _taken(kind: str, name: str) -> ServiceError:
    return ServiceError(Reason.ALREADY_EXISTS, f"{kind} {name!r} exists already; take another name")


def _pipeline(row: Row) -> cat.Pipeline:
    made = cat.Pipeline.FromString(row[6])
    made.pipeline_id, made.namespace, made.name, made.display_name, made.description = row[:5]
    made.created_at_us = row[5]
    return made


def _version(row: Row) -> cat.PipelineVersion:
    made = cat.PipelineVersion.FromString(row[8])
    made.pipeline_version_id, made.pipeline_id, made.name, made.display_name, made.description = row[:5]
    made.code_source_url, made.package_url, made.created_at_us = row[5:8]
    made.spec_json, made.plan = row[9], row[10]
    return made
