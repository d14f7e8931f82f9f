"""AsyncPipeline, AsyncPipelineVersion, and `client.pipelines`: specs that are stored, to be run again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from headrace.api.later import Later
from headrace.errors import NotFound
from headrace.models import Pipeline as Record
from headrace.models import PipelineVersion as VersionRecord

if TYPE_CHECKING:
    from headrace.api.catalog import Catalog
    from headrace.api.sources import Source


class AsyncPipelineVersion:
    """One version of a stored pipeline; `client.submit` takes it."""

    def __init__(self, catalog: Catalog, record: VersionRecord) -> None:
        self._catalog = catalog
        self._record = record

    @property
    def record(self) -> VersionRecord:
        """What the platform says of it, as one plain value."""
        return self._record

    @property
    def id(self) -> str:
        """Its UUID."""
        return self._record.pipeline_version_id

    @property
    def pipeline_id(self) -> str:
        """Of the pipeline that it is a version of."""
        return self._record.pipeline_id

    @property
    def name(self) -> str:
        """Its name, which no other version of the pipeline has."""
        return self._record.name

    @property
    def display_name(self) -> str:
        """What it is called where people look."""
        return self._record.display_name

    @property
    def description(self) -> str:
        """What was said about it when it was uploaded."""
        return self._record.description

    @property
    def tags(self) -> Mapping[str, str]:
        """Its tags."""
        return self._record.tags

    @property
    def code_source_url(self) -> str:
        """Where its source is."""
        return self._record.code_source_url

    @property
    def created_at(self) -> datetime | None:
        """When it was uploaded."""
        return self._record.created_at

    @property
    def spec(self) -> Later[dict[str, Any]]:
        """Its spec, or `{"pipeline_spec": …, "platform_spec": …}` where it has both documents."""
        return Later(self._spec)

    async def delete(self) -> None:
        """Runs made from it stay."""
        await self._catalog.delete_version(self.pipeline_id, self.id)

    async def _spec(self) -> dict[str, Any]:
        return await self._catalog.spec(self.pipeline_id, self.id)

    def __repr__(self) -> str:
        return f"<{type(self).__name__.removeprefix('Async')} {self.id} {self.name!r}>"


class AsyncPipeline:
    """A stored pipeline; `client.submit` takes it and runs its newest version."""

    def __init__(self, catalog: Catalog, record: Record) -> None:
        self._catalog = catalog
        self._record = record

    @property
    def record(self) -> Record:
        """What the platform says of it, as one plain value."""
        return self._record

    @property
    def id(self) -> str:
        """Its UUID."""
        return self._record.pipeline_id

    @property
    def name(self) -> str:
        """Its name, which no other one has."""
        return self._record.name

    @property
    def display_name(self) -> str:
        """What it is called where people look."""
        return self._record.display_name

    @property
    def description(self) -> str:
        """What was said about it when it was created."""
        return self._record.description

    @property
    def tags(self) -> Mapping[str, str]:
        """Its tags."""
        return self._record.tags

    @property
    def created_at(self) -> datetime | None:
        """When it was created."""
        return self._record.created_at

    @property
    def latest(self) -> Later[AsyncPipelineVersion]:
        """Its newest version; NotFound where it has none."""
        return Later(self._latest)

    async def versions(self, *, limit: int = 20) -> list[AsyncPipelineVersion]:
        """The newest first; LIMIT 0 = all."""
        found = await self._catalog.versions(self.id, limit=limit)
        return [AsyncPipelineVersion(self._catalog, one) for one in found]

    async def version(self, name_or_id: str) -> AsyncPipelineVersion:
        """One of its versions; NotFound."""
        return AsyncPipelineVersion(self._catalog, await self._catalog.version(self.id, name_or_id))

    async def upload(
        self,
        source: Source,
        name: str = "",
        *,
        display_name: str = "",
        description: str = "",
        tags: Mapping[str, str] | None = None,
        code_source_url: str = "",
    ) -> AsyncPipelineVersion:
        """One more version. AlreadyExists where its name is taken; InvalidSpec with every problem."""
        _, version_id = await self._catalog.upload(
            source,
            name,
            pipeline_id=self.id,
            display_name=display_name,
            description=description,
            tags=tags,
            code_source_url=code_source_url,
        )
        return AsyncPipelineVersion(self._catalog, await self._catalog.version(self.id, version_id))

    async def delete(self, *, versions: bool = False) -> None:
        """WrongState where it has versions, unless VERSIONS go too. Runs made from them stay."""
        await self._catalog.delete_pipeline(self.id, versions=versions)

    async def _latest(self) -> AsyncPipelineVersion:
        found = await self.versions(limit=1)
        if not found:
            raise NotFound(f"pipeline {self.name!r} has no version yet; give it one with upload()")
        return found[0]

    def __repr__(self) -> str:
        return f"<{type(self).__name__.removeprefix('Async')} {self.id} {self.name!r}>"


class AsyncPipelines:
    """`client.pipelines`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def upload(
        self,
        source: Source,
        name: str = "",
        *,
        display_name: str = "",
        description: str = "",
        tags: Mapping[str, str] | None = None,
        code_source_url: str = "",
    ) -> AsyncPipeline:
        """A new pipeline with its first version: a pipeline function, a path, a file's bytes or a spec. AlreadyExists where its
        name is taken; InvalidSpec with every problem. Without NAME, the file's or the spec's own.
        """
        pipeline_id, _ = await self._catalog.upload(
            source,
            name,
            display_name=display_name,
            description=description,
            tags=tags,
            code_source_url=code_source_url,
        )
        return AsyncPipeline(self._catalog, await self._catalog.pipeline(pipeline_id))

    async def create(
        self, name: str, *, display_name: str = "", description: str = "", tags: Mapping[str, str] | None = None
    ) -> AsyncPipeline:
        """One without a version. AlreadyExists where its name is taken."""
        made = await self._catalog.create_pipeline(name, display_name=display_name, description=description, tags=tags)
        return AsyncPipeline(self._catalog, made)

    async def get(self, name_or_id: str) -> AsyncPipeline:
        """By name or id; NotFound."""
        return AsyncPipeline(self._catalog, await self._catalog.pipeline(name_or_id))

    async def list(self, *, limit: int = 20) -> list[AsyncPipeline]:
        """The newest first; LIMIT 0 = all."""
        return [AsyncPipeline(self._catalog, one) for one in await self._catalog.pipelines(limit=limit)]
