"""`headrace experiments` and `headrace pipelines`. Called by cli.main; their shapes are in docs/reference/cli.md."""

from __future__ import annotations

import argparse
from typing import Any

from headrace.api.calls import Calls
from headrace.api.catalog import Catalog, is_id
from headrace.cli import arguments, results
from headrace.display.screen import say
from headrace.display.texts import one_line
from headrace.models import Experiment, Pipeline, PipelineVersion


async def experiments(client: Calls, options: argparse.Namespace) -> int:
    """What the action says."""
    catalog = Catalog(client.connection)
    if options.action == "create":
        made = await catalog.create_experiment(options.name, options.description)
        return _said(experiment_object(made), f"experiment {made.name} is {made.experiment_id}", options)
    if options.action == "list":
        found = await catalog.experiments(limit=options.limit, archived=options.archived)
        return _listed([experiment_object(one) for one in found], [_experiment_line(one) for one in found], options)
    one = await catalog.experiment(options.experiment)
    if options.action == "get":
        runs = await client.runs.list(experiment_id=one.experiment_id)
        told = {**experiment_object(one), "runs": [results.run_object(run) for run in runs]}
        lines = [
            _experiment_line(one),
            *(f"  {run.run_id}  {run.state:<9}  {one_line(run.display_name)}" for run in runs),
        ]
        return _said(told, "\n".join(lines), options)
    if options.action == "delete":
        await catalog.delete_experiment(one.experiment_id)
        return _said({"experiment_id": one.experiment_id}, f"experiment {one.name} is deleted; its runs stay", options)
    change = catalog.archive_experiment if options.action == "archive" else catalog.unarchive_experiment
    await change(one.experiment_id)
    one = await catalog.experiment(one.experiment_id)
    state = "archived" if one.archived else "not archived"
    return _said(experiment_object(one), f"experiment {one.name} is {state}", options)


async def experiment_id(client: Calls, given: str) -> str:
    """Of an experiment by its id, or by its name, made where there is none; "" stays."""
    if not given or is_id(given):
        return given
    return (await Catalog(client.connection).experiment_named(given)).experiment_id


async def upload(client: Calls, options: argparse.Namespace, data: bytes, filename: str) -> int:
    """`headrace pipelines upload` of what was read."""
    catalog, tags = Catalog(client.connection), arguments.tags(options.tag)
    above = await catalog.pipeline(options.version_of) if options.version_of else None
    pipeline_id, version_id = await catalog.upload(
        data,
        options.name,
        pipeline_id=above.pipeline_id if above else "",
        filename=filename,
        description=options.description,
        tags=tags,
    )
    pipeline, version = await catalog.pipeline(pipeline_id), await catalog.version(pipeline_id, version_id)
    told = {**pipeline_object(pipeline), "version": version_object(version)}
    said = f"pipeline {pipeline.name} ({pipeline_id})\n  version {version.name} ({version_id})"
    return _said(told, said, options)


async def pipelines(client: Calls, options: argparse.Namespace) -> int:
    """What the action says."""
    catalog = Catalog(client.connection)
    if options.action == "list":
        found = await catalog.pipelines(limit=options.limit)
        return _listed([pipeline_object(one) for one in found], [_pipeline_line(one) for one in found], options)
    one = await catalog.pipeline(options.stored)
    if options.action == "get":
        versions = await catalog.versions(one.pipeline_id, limit=0)
        told = {**pipeline_object(one), "versions": [version_object(version) for version in versions]}
        lines = [_pipeline_line(one), *(f"  {_version_line(version)}" for version in versions)]
        return _said(told, "\n".join(lines), options)
    if options.version:
        version = await catalog.version(one.pipeline_id, options.version)
        await catalog.delete_version(one.pipeline_id, version.pipeline_version_id)
        told = {"pipeline_id": one.pipeline_id, "pipeline_version_id": version.pipeline_version_id}
        return _said(told, f"version {version.name} of pipeline {one.name} is deleted", options)
    await catalog.delete_pipeline(one.pipeline_id, versions=options.all_versions)
    return _said({"pipeline_id": one.pipeline_id}, f"pipeline {one.name} is deleted", options)


def experiment_object(one: Experiment) -> dict[str, Any]:
    return {
        "experiment_id": one.experiment_id,
        "name": one.name,
        "description": one.description,
        "archived": one.archived,
        "created_at": results.rfc3339(one.created_at),
        "last_run_created_at": results.rfc3339(one.last_run_created_at),
    }


def pipeline_object(one: Pipeline) -> dict[str, Any]:
    return {
        "pipeline_id": one.pipeline_id,
        "name": one.name,
        "display_name": one.display_name,
        "description": one.description,
        "tags": dict(one.tags),
        "created_at": results.rfc3339(one.created_at),
    }


def version_object(one: PipelineVersion) -> dict[str, Any]:
    return {
        "pipeline_version_id": one.pipeline_version_id,
        "pipeline_id": one.pipeline_id,
        "name": one.name,
        "display_name": one.display_name,
        "description": one.description,
        "tags": dict(one.tags),
        "created_at": results.rfc3339(one.created_at),
    }


def _experiment_line(one: Experiment) -> str:
    hidden = "  archived" if one.archived else ""
    return f"{one.experiment_id}  {_date(one.created_at)}  {one_line(one.name)}{hidden}"


def _pipeline_line(one: Pipeline) -> str:
    return f"{one.pipeline_id}  {_date(one.created_at)}  {one_line(one.name)}"


def _version_line(one: PipelineVersion) -> str:
    return f"{one.pipeline_version_id}  {_date(one.created_at)}  {one_line(one.name)}"


def _date(time: Any) -> str:
    return (results.rfc3339(time) or "")[:19].replace("T", " ")


def _said(told: dict[str, Any], text: str, options: argparse.Namespace) -> int:
    print(text if options.output == "text" else results.printed(told, options.output))
    return 0


def _listed(told: list[dict[str, Any]], lines: list[str], options: argparse.Namespace) -> int:
    if options.output != "text":
        print(results.printed(told, options.output))
    elif lines:
        print("\n".join(lines))
    else:
        say(f"there are no {options.verb} yet")
    return 0
