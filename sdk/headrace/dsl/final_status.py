"""`dsl.PipelineTaskFinalStatus`: how the tasks before an exit task ended. Runtime-safe: the standard library alone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class PipelineTaskFinalStatus:
    """`state`: SUCCEEDED, FAILED or CANCELLED; `error_code` and `error_message`: None where nothing failed."""

    state: str
    pipeline_job_resource_name: str
    pipeline_task_name: str
    error_code: int | None
    error_message: str | None
