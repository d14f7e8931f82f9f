"""Makers of what the pure half of the Kubernetes executor takes: Launches without a store, and an operator's options."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from headrace_scheduler.engine.placeholders import Scope
from headrace_scheduler.engine.platform_settings import Around, resolve_settings
from headrace_scheduler.executors.kubernetes.options import PodOptions, Profile
from headrace_scheduler.executors.port import AttemptId, Launch, Request
from headrace_scheduler.executors.task_settings import TaskSettings

RUN = "0193b7a2-1111-7000-8000-00000000abcd"
OPTIONS = PodOptions(
    companion_image="companion:test", scheduler_address="scheduler:8892", installation="here", namespace="team-a"
)
RESTRICTED = replace(OPTIONS, profile=Profile.RESTRICTED)
NOWHERE = Scope(parameters={}, artifacts={}, platform={}, output_parameters=frozenset(), output_artifacts=frozenset())


def task(settings: TaskSettings | None = None, **more: Any) -> Launch:
    """A Launch of which only what a Pod is made from matters."""
    attempt = AttemptId(more.pop("run_id", RUN), more.pop("path", "train"), more.pop("number", 1))
    given = {
        "namespace": "default",
        "pipeline_name": "pipeline",
        "run_name": "my run",
        "task_key": "train",
        "image": "python:3.11",
        "request": Request(),
        **more,
    }
    empty: dict[str, Any] = {"env": {}, "parameters": {}, "inputs": {}, "output_parameters": {}}
    return Launch(
        attempt=attempt,
        command=[["python3"]],
        args=[],
        output_artifacts=(),
        optional_outputs=frozenset(),
        task_root="s3://bucket/run/train/1",
        settings=settings or TaskSettings(),
        **empty,
        **given,
    )


def settings_of(document: Mapping[str, Any], inputs: Mapping[str, Any] | None = None) -> TaskSettings:
    """The settings that KFP's platform document of a task gives."""
    known = inputs or {}
    return resolve_settings(json.dumps(document), NOWHERE, Around(known.get, lambda _task, _key: None))
