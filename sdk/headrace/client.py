"""The blocking client and the types of what it gives. The code is in headrace.blocking, generated from headrace.api."""

from __future__ import annotations

from headrace.api.lines import LogLine
from headrace.api.raw import Raw
from headrace.api.tasks import Tasks
from headrace.blocking.artifacts import Artifact
from headrace.blocking.client import Client
from headrace.blocking.experiments import Experiment
from headrace.blocking.pipelines import Pipeline, PipelineVersion
from headrace.blocking.runs import Run
from headrace.blocking.tasks import Task

__all__ = [
    "Artifact",
    "Client",
    "Experiment",
    "LogLine",
    "Pipeline",
    "PipelineVersion",
    "Raw",
    "Run",
    "Task",
    "Tasks",
]
