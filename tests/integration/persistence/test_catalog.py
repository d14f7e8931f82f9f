"""Experiments, pipelines and versions: unique names, pages, archiving, deleting."""

from __future__ import annotations

import pytest

from builders.runevents import create, new_run_id
from fixtures.fix_persistence import Persistence
from headrace_protos.v1 import catalog_pb2 as cat
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import Reason, ServiceError


async def experiment(persistence: Persistence, name: str, *, get_or_create: bool = False) -> cat.Experiment:
    request = cat.CreateExperimentRequest(experiment=cat.Experiment(display_name=name), get_or_create=get_or_create)
    made: cat.Experiment = await persistence.catalog.CreateExperiment(request)
    return made


async def test_experiments(persistence: Persistence) -> None:
    made = await experiment(persistence, "one")
    assert (await experiment(persistence, "one", get_or_create=True)).experiment_id == made.experiment_id
    with pytest.raises(ServiceError, match="Experiment 'one' exists already; take another name"):
        await experiment(persistence, "one")
    with pytest.raises(ServiceError, match="display_name of the experiment holds a NUL character"):
        await experiment(persistence, "a\0b")
    assert made.last_run_created_at_us == 0
    run_id = new_run_id()
    await persistence.store.Deliver(create(run_id, experiment_id=made.experiment_id))
    listed = await persistence.catalog.ListExperiments(
        cat.ListRequest(namespace="default", page=rq.Page(sort_field="last_run_created_at", descending=True))
    )
    assert listed.total == 1
    assert listed.experiments[0].last_run_created_at_us > 0
    archive = cat.SetExperimentStorageStateRequest(experiment_id=made.experiment_id, storage_state=rs.ARCHIVED)
    assert (await persistence.catalog.SetExperimentStorageState(archive)).storage_state == rs.ARCHIVED
    assert (await persistence.query.GetRun(rq.GetRunRequest(run_id=run_id))).storage_state == rs.ARCHIVED
    with pytest.raises(ServiceError, match="unarchive the experiment first") as refused:
        await persistence.store.SetStorageState(rs.SetStorageStateRequest(run_id=run_id, storage_state=rs.AVAILABLE))
    assert refused.value.reason == Reason.WRONG_STATE
    archive.storage_state = rs.AVAILABLE
    await persistence.catalog.SetExperimentStorageState(archive)
    assert (await persistence.query.GetRun(rq.GetRunRequest(run_id=run_id))).storage_state == rs.ARCHIVED
    await persistence.catalog.DeleteExperiment(cat.GetByIdRequest(id=made.experiment_id))
    with pytest.raises(ServiceError, match="not found"):
        await persistence.catalog.GetExperiment(cat.GetByIdRequest(id=made.experiment_id))
    assert (await persistence.query.GetRun(rq.GetRunRequest(run_id=run_id))).experiment_id == made.experiment_id


async def test_the_default_experiment_stays(persistence: Persistence) -> None:
    default = await experiment(persistence, "Default")
    with pytest.raises(ServiceError, match="Experiment Default cannot be deleted"):
        await persistence.catalog.DeleteExperiment(cat.GetByIdRequest(id=default.experiment_id))


async def test_pipelines_and_versions(persistence: Persistence) -> None:
    catalog = persistence.catalog
    first = cat.PipelineVersion(name="v1", spec_json='{"a":1}', plan=b"plan")
    both = await catalog.CreatePipeline(
        cat.CreatePipelineRequest(pipeline=cat.Pipeline(name="p", tags={"team": "x"}), version=first)
    )
    pipeline_id = both.pipeline.pipeline_id
    assert dict(both.pipeline.tags) == {"team": "x"}
    assert both.version.spec_json == '{"a":1}'
    with pytest.raises(ServiceError, match="Pipeline 'p' exists already"):
        await catalog.CreatePipeline(cat.CreatePipelineRequest(pipeline=cat.Pipeline(name="p")))
    second = await catalog.CreatePipelineVersion(
        cat.CreatePipelineVersionRequest(version=cat.PipelineVersion(pipeline_id=pipeline_id, name="v2"))
    )
    latest = await catalog.GetLatestPipelineVersion(cat.GetByIdRequest(id=pipeline_id))
    assert latest.pipeline_version_id == second.pipeline_version_id
    named = await catalog.GetPipelineByName(cat.GetByNameRequest(namespace="default", name="p"))
    assert named.pipeline_id == pipeline_id
    listed = await catalog.ListPipelineVersions(cat.ListRequest(pipeline_id=pipeline_id, page=rq.Page(size=1)))
    assert (listed.total, listed.versions[0].name, listed.versions[0].spec_json) == (2, "v1", "")
    assert listed.next.first_id == second.pipeline_version_id
    changed = await catalog.UpdatePipeline(cat.UpdatePipelineRequest(id=pipeline_id, display_name="P", set_tags=True))
    assert (changed.display_name, dict(changed.tags)) == ("P", {})
    renamed = await catalog.UpdatePipelineVersion(
        cat.UpdatePipelineRequest(id=second.pipeline_version_id, display_name="V2")
    )
    assert renamed.display_name == "V2"
    with pytest.raises(ServiceError, match=r"has 2 versions: delete them first, or ask to cascade"):
        await catalog.DeletePipeline(cat.DeletePipelineRequest(pipeline_id=pipeline_id))
    await catalog.DeletePipelineVersion(cat.GetByIdRequest(id=second.pipeline_version_id))
    await catalog.DeletePipeline(cat.DeletePipelineRequest(pipeline_id=pipeline_id, cascade=True))
    assert (await catalog.ListPipelines(cat.ListRequest())).total == 0
    with pytest.raises(ServiceError, match="not found"):
        await catalog.GetPipelineVersion(cat.GetByIdRequest(id=both.version.pipeline_version_id))
