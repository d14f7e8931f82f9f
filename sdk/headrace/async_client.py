"""The asyncio client and the types of what it gives. The code is in headrace.api; nothing else lives here."""

from __future__ import annotations

from headrace.api.artifacts import AsyncArtifact, AsyncArtifactFile
from headrace.api.client import AsyncClient
from headrace.api.experiments import AsyncExperiment
from headrace.api.lines import LogLine
from headrace.api.pipelines import AsyncPipeline, AsyncPipelineVersion
from headrace.api.raw import Raw
from headrace.api.runs import AsyncRun
from headrace.api.tasks import AsyncTask, Tasks

__all__ = [
    "AsyncArtifact",
    "AsyncArtifactFile",
    "AsyncClient",
    "AsyncExperiment",
    "AsyncPipeline",
    "AsyncPipelineVersion",
    "AsyncRun",
    "AsyncTask",
    "LogLine",
    "Raw",
    "Tasks",
]
