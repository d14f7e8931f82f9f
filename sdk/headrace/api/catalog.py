"""Experiments, stored pipelines and their versions, asyncio, on plain records (headrace.models).

Over KFP's v2beta1 services; a package goes up, and a spec comes back, by headrace.v1.Pipelines. Under AsyncClient's objects, and
what the CLI speaks.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from headrace.api.connection import Connection
from headrace.api.sources import Source, fields_of
from headrace.errors import AlreadyExists, NotFound
from headrace.models import Experiment, Pipeline, PipelineVersion

T = TypeVar("T")


class Catalog:
    """One platform's experiments and pipelines."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def create_experiment(self, name: str, description: str = "") -> Experiment:
        """AlreadyExists where the name is taken."""
        from headrace_protos.kfp.v2beta1 import experiment_pb2 as pb

        asked = pb.Experiment(display_name=name, description=description, namespace=self.connection.namespace)
        return _experiment(
            await self._call("ExperimentService", "CreateExperiment", pb.CreateExperimentRequest(experiment=asked))
        )

    async def experiment(self, name_or_id: str) -> Experiment:
        """By id, else by name; NotFound."""
        from headrace_protos.kfp.v2beta1 import experiment_pb2 as pb

        if is_id(name_or_id):
            try:
                request = pb.GetExperimentRequest(experiment_id=name_or_id)
                return _experiment(await self._call("ExperimentService", "GetExperiment", request))
            except NotFound:
                pass  # a name may look like an id
        found = await self.experiments(limit=1, name=name_or_id)
        if not found:
            raise NotFound(
                f"there is no experiment {name_or_id!r}; `headrace experiments list` shows those that there are"
            )
        return found[0]

    async def experiment_named(self, name: str) -> Experiment:
        """The one of that name, created where there is none."""
        if found := await self.experiments(limit=1, name=name):
            return found[0]
        try:
            return await self.create_experiment(name)
        except AlreadyExists:  # somebody was faster
            return await self.experiment(name)

    async def experiments(self, *, limit: int = 20, name: str = "", archived: bool | None = None) -> list[Experiment]:
        """The newest first; LIMIT 0 = all."""
        from headrace_protos.kfp.v2beta1 import experiment_pb2 as pb

        stored = None if archived is None else "ARCHIVED" if archived else "AVAILABLE"
        wanted = {"display_name": name or None, "storage_state": stored}
        request = pb.ListExperimentsRequest(namespace=self.connection.namespace, **_listing(limit, wanted))
        return await self._pages("ExperimentService", "ListExperiments", request, "experiments", _experiment, limit)

    async def archive_experiment(self, experiment_id: str) -> None:
        """With its runs, which go on."""
        from headrace_protos.kfp.v2beta1 import experiment_pb2 as pb

        request = pb.ArchiveExperimentRequest(experiment_id=experiment_id)
        await self._call("ExperimentService", "ArchiveExperiment", request)

    async def unarchive_experiment(self, experiment_id: str) -> None:
        """Without its runs."""
        from headrace_protos.kfp.v2beta1 import experiment_pb2 as pb

        request = pb.UnarchiveExperimentRequest(experiment_id=experiment_id)
        await self._call("ExperimentService", "UnarchiveExperiment", request)

    async def delete_experiment(self, experiment_id: str) -> None:
        """Its runs stay."""
        from headrace_protos.kfp.v2beta1 import experiment_pb2 as pb

        request = pb.DeleteExperimentRequest(experiment_id=experiment_id)
        await self._call("ExperimentService", "DeleteExperiment", request)

    async def upload(
        self,
        source: Source,
        name: str = "",
        *,
        pipeline_id: str = "",
        filename: str = "",
        display_name: str = "",
        description: str = "",
        tags: Mapping[str, str] | None = None,
        code_source_url: str = "",
    ) -> tuple[str, str]:
        """A new pipeline with its first version, or with PIPELINE_ID one more version of that one; (pipeline's, version's id)."""
        from headrace_protos.v1 import pipelines_pb2

        request = pipelines_pb2.UploadRequest(
            namespace=self.connection.namespace,
            pipeline_id=pipeline_id,
            name=name,
            display_name=display_name,
            description=description,
            tags=dict(tags or {}),
            code_source_url=code_source_url,
            **await fields_of(source, filename),
        )
        answer = await self._call("Pipelines", "Upload", request)
        return answer.pipeline_id, answer.pipeline_version_id

    async def create_pipeline(
        self, name: str, *, display_name: str = "", description: str = "", tags: Mapping[str, str] | None = None
    ) -> Pipeline:
        """Without a version."""
        from headrace_protos.kfp.v2beta1 import pipeline_pb2 as pb

        asked = pb.Pipeline(
            name=name,
            display_name=display_name,
            description=description,
            tags=dict(tags or {}),
            namespace=self.connection.namespace,
        )
        return _pipeline(
            await self._call("PipelineService", "CreatePipeline", pb.CreatePipelineRequest(pipeline=asked))
        )

    async def pipeline(self, name_or_id: str) -> Pipeline:
        """By id, else by name; NotFound."""
        from headrace_protos.kfp.v2beta1 import pipeline_pb2 as pb

        if is_id(name_or_id):
            try:
                request = pb.GetPipelineRequest(pipeline_id=name_or_id)
                return _pipeline(await self._call("PipelineService", "GetPipeline", request))
            except NotFound:
                pass  # a name may look like an id
        try:
            by_name = pb.GetPipelineByNameRequest(name=name_or_id, namespace=self.connection.namespace)
            return _pipeline(await self._call("PipelineService", "GetPipelineByName", by_name))
        except NotFound:
            raise NotFound(
                f"there is no pipeline {name_or_id!r}; `headrace pipelines list` shows those that there are"
            ) from None

    async def pipelines(self, *, limit: int = 20) -> list[Pipeline]:
        """The newest first; LIMIT 0 = all."""
        from headrace_protos.kfp.v2beta1 import pipeline_pb2 as pb

        request = pb.ListPipelinesRequest(namespace=self.connection.namespace, **_listing(limit, {}))
        return await self._pages("PipelineService", "ListPipelines", request, "pipelines", _pipeline, limit)

    async def delete_pipeline(self, pipeline_id: str, *, versions: bool = False) -> None:
        """WrongState where it has versions, unless VERSIONS go too."""
        from headrace_protos.kfp.v2beta1 import pipeline_pb2 as pb

        request = pb.DeletePipelineRequest(pipeline_id=pipeline_id, cascade=versions)
        await self._call("PipelineService", "DeletePipeline", request)

    async def version(self, pipeline_id: str, name_or_id: str) -> PipelineVersion:
        """By id, else by name; NotFound."""
        from headrace_protos.kfp.v2beta1 import pipeline_pb2 as pb

        if is_id(name_or_id):
            try:
                request = pb.GetPipelineVersionRequest(pipeline_id=pipeline_id, pipeline_version_id=name_or_id)
                return _version(await self._call("PipelineService", "GetPipelineVersion", request))
            except NotFound:
                pass  # a name may look like an id
        found = await self.versions(pipeline_id, limit=1, name=name_or_id)
        if not found:
            raise NotFound(
                f"the pipeline has no version {name_or_id!r}; `headrace pipelines get` lists those that it has"
            )
        return found[0]

    async def versions(self, pipeline_id: str, *, limit: int = 20, name: str = "") -> list[PipelineVersion]:
        """The newest first; LIMIT 0 = all."""
        from headrace_protos.kfp.v2beta1 import pipeline_pb2 as pb

        request = pb.ListPipelineVersionsRequest(pipeline_id=pipeline_id, **_listing(limit, {"name": name or None}))
        return await self._pages(
            "PipelineService", "ListPipelineVersions", request, "pipeline_versions", _version, limit
        )

    async def spec(self, pipeline_id: str, version_id: str) -> dict[str, Any]:
        """A version's spec, or both documents under their names."""
        from headrace_protos.v1 import pipelines_pb2

        request = pipelines_pb2.VersionSpecRequest(pipeline_id=pipeline_id, pipeline_version_id=version_id)
        spec: dict[str, Any] = json.loads((await self._call("Pipelines", "Spec", request)).spec_json)
        return spec

    async def delete_version(self, pipeline_id: str, version_id: str) -> None:
        """Runs made from it stay."""
        from headrace_protos.kfp.v2beta1 import pipeline_pb2 as pb

        request = pb.DeletePipelineVersionRequest(pipeline_id=pipeline_id, pipeline_version_id=version_id)
        await self._call("PipelineService", "DeletePipelineVersion", request)

    async def _call(self, service: str, method: str, request: Any) -> Any:
        return await self.connection.call(service, method, request)

    async def _pages(
        self, service: str, method: str, request: Any, field: str, read: Callable[[Any], T], limit: int
    ) -> list[T]:
        found: list[T] = []
        while True:
            answer = await self._call(service, method, request)
            found += [read(one) for one in getattr(answer, field)]
            if not answer.next_page_token or (limit and len(found) >= limit):
                return found[: limit or None]
            request.page_token = answer.next_page_token


def is_id(text: str) -> bool:
    """Whether it is a UUID."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _listing(limit: int, wanted: Mapping[str, str | None]) -> dict[str, Any]:
    """The fields that all lists have; WANTED are keys that must be equal, where not None."""
    predicates = [
        {"operation": "EQUALS", "key": key, "string_value": value} for key, value in wanted.items() if value is not None
    ]
    fields: dict[str, Any] = {"page_size": min(limit or 200, 200), "sort_by": "created_at desc"}
    return {**fields, "filter": json.dumps({"predicates": predicates})} if predicates else fields


def _time(stamp: Any) -> datetime | None:
    """KFP writes "never" as the epoch."""
    return datetime.fromtimestamp(stamp.seconds + stamp.nanos / 1e9, UTC) if stamp.seconds > 0 else None


def _experiment(message: Any) -> Experiment:
    from headrace_protos.kfp.v2beta1 import experiment_pb2 as pb

    return Experiment(
        experiment_id=message.experiment_id,
        name=message.display_name,
        description=message.description,
        archived=message.storage_state == pb.Experiment.ARCHIVED,
        created_at=_time(message.created_at),
        last_run_created_at=_time(message.last_run_created_at),
    )


def _pipeline(message: Any) -> Pipeline:
    return Pipeline(
        pipeline_id=message.pipeline_id,
        name=message.name,
        display_name=message.display_name,
        description=message.description,
        tags=dict(message.tags),
        created_at=_time(message.created_at),
    )


def _version(message: Any) -> PipelineVersion:
    return PipelineVersion(
        pipeline_version_id=message.pipeline_version_id,
        pipeline_id=message.pipeline_id,
        name=message.name,
        display_name=message.display_name,
        description=message.description,
        tags=dict(message.tags),
        code_source_url=message.code_source_url,
        created_at=_time(message.created_at),
    )
