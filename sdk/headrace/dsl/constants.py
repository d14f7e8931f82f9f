"""Placeholders that the platform fills when the task runs, and where a workspace is mounted. Runtime-safe: no imports."""

from __future__ import annotations

from typing import Final

PIPELINE_JOB_NAME_PLACEHOLDER: Final = "{{$.pipeline_job_name}}"
"""The run's display name."""
PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER: Final = "{{$.pipeline_job_resource_name}}"
"""The run's own name on the platform."""
PIPELINE_JOB_ID_PLACEHOLDER: Final = "{{$.pipeline_job_uuid}}"
"""The run's id."""
PIPELINE_TASK_NAME_PLACEHOLDER: Final = "{{$.pipeline_task_name}}"
"""The task's name."""
PIPELINE_TASK_ID_PLACEHOLDER: Final = "{{$.pipeline_task_uuid}}"
"""The task's id."""
PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER: Final = "{{$.outputs.output_file}}"
"""The file to which a container may write its outputs as JSON."""
PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER: Final = "{{$}}"
"""All that the task is given, as JSON."""
PIPELINE_ROOT_PLACEHOLDER: Final = "{{$.pipeline_root}}"
"""The pipeline's root in the store."""
PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER: Final = "{{$.pipeline_job_create_time_utc}}"
"""When the run was created."""
PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER: Final = "{{$.pipeline_job_schedule_time_utc}}"
"""For when the run was scheduled."""
WORKSPACE_PATH_PLACEHOLDER: Final = "{{$.workspace_path}}"
"""Where the pipeline's workspace is mounted in the task."""

WORKSPACE_MOUNT_PATH: Final = "/kfp-workspace"
