"""What `kfp.Client` answers with: the API's JSON with KFP's attribute names. Pure; standard library alone. Called by client.py.

A field that the platform left out is None, as it is in KFP's generated models; times are datetimes, states are texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

_TIME: Final = "time"
_FREE: Final = ""  # a value as it is

# Kind → field → what it holds: a kind, [kind] for a list, {kind} for a map of them.
_Schema = dict[str, dict[str, Any]]
FIELDS: Final[_Schema] = {
    "Run": {
        "experiment_id": _FREE, "run_id": _FREE, "display_name": _FREE, "storage_state": _FREE, "description": _FREE,
        "pipeline_version_id": _FREE, "pipeline_spec": _FREE, "pipeline_version_reference": "PipelineVersionReference",
        "runtime_config": "RuntimeConfig", "service_account": _FREE, "created_at": _TIME, "scheduled_at": _TIME,
        "finished_at": _TIME, "state": _FREE, "error": "Status", "run_details": "RunDetails", "recurring_run_id": _FREE,
        "state_history": ["RuntimeStatus"], "plugins_input": _FREE, "plugins_output": _FREE,
    },
    "PipelineVersionReference": {"pipeline_id": _FREE, "pipeline_version_id": _FREE},
    "RuntimeConfig": {"parameters": _FREE, "pipeline_root": _FREE},
    "RunDetails": {"pipeline_context_id": _FREE, "pipeline_run_context_id": _FREE, "task_details": ["TaskDetail"]},
    "TaskDetail": {
        "run_id": _FREE, "task_id": _FREE, "display_name": _FREE, "create_time": _TIME, "start_time": _TIME,
        "end_time": _TIME, "executor_detail": "ExecutorDetail", "state": _FREE, "execution_id": _FREE, "error": "Status",
        "inputs": {"ArtifactList"}, "outputs": {"ArtifactList"}, "parent_task_id": _FREE, "state_history": ["RuntimeStatus"],
        "pod_name": _FREE, "child_tasks": ["ChildTask"],
    },
    "ExecutorDetail": {
        "main_job": _FREE, "pre_caching_check_job": _FREE, "failed_main_jobs": _FREE, "failed_pre_caching_check_jobs": _FREE,
    },
    "ArtifactList": {"artifact_ids": _FREE},
    "ChildTask": {"task_id": _FREE, "pod_name": _FREE},
    "RuntimeStatus": {"update_time": _TIME, "state": _FREE, "error": "Status"},
    "Status": {"code": _FREE, "message": _FREE, "details": _FREE},
    "ListRuns": {"runs": ["Run"], "total_size": _FREE, "next_page_token": _FREE},
    "Experiment": {
        "experiment_id": _FREE, "display_name": _FREE, "description": _FREE, "created_at": _TIME, "namespace": _FREE,
        "storage_state": _FREE, "last_run_created_at": _TIME,
    },
    "ListExperiments": {"experiments": ["Experiment"], "total_size": _FREE, "next_page_token": _FREE},
    "Pipeline": {
        "pipeline_id": _FREE, "display_name": _FREE, "name": _FREE, "description": _FREE, "created_at": _TIME,
        "namespace": _FREE, "error": "Status", "tags": _FREE,
    },
    "ListPipelines": {"pipelines": ["Pipeline"], "total_size": _FREE, "next_page_token": _FREE},
    "PipelineVersion": {
        "pipeline_id": _FREE, "pipeline_version_id": _FREE, "display_name": _FREE, "name": _FREE, "description": _FREE,
        "created_at": _TIME, "package_url": "Url", "code_source_url": _FREE, "pipeline_spec": _FREE, "error": "Status",
        "tags": _FREE,
    },
    "Url": {"pipeline_url": _FREE},
    "ListPipelineVersions": {"pipeline_versions": ["PipelineVersion"], "total_size": _FREE, "next_page_token": _FREE},
    "RecurringRun": {
        "recurring_run_id": _FREE, "display_name": _FREE, "description": _FREE, "pipeline_version_id": _FREE,
        "pipeline_spec": _FREE, "pipeline_version_reference": "PipelineVersionReference", "runtime_config": "RuntimeConfig",
        "service_account": _FREE, "max_concurrency": _FREE, "trigger": _FREE, "mode": _FREE, "created_at": _TIME,
        "updated_at": _TIME, "status": _FREE, "error": "Status", "no_catchup": _FREE, "namespace": _FREE,
        "experiment_id": _FREE,
    },
    "ListRecurringRuns": {"recurring_runs": ["RecurringRun"], "total_size": _FREE, "next_page_token": _FREE},
    "Health": {"multi_user": _FREE, "pipeline_store": _FREE},
}  # fmt: skip


class Answer:
    """One message of the API."""

    def __init__(self, kind: str, told: Mapping[str, Any]) -> None:
        self._kind = kind
        for name, holds in FIELDS[kind].items():
            setattr(self, name, _value(holds, told.get(name)))

    def __getattr__(self, name: str) -> Any:
        """Called for what is no field: every field is set."""
        raise AttributeError(f"a {self.__dict__.get('_kind')} of KFP's API has no {name}", name=name, obj=self)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, as KFP's models give them."""
        return {name: _plain(getattr(self, name)) for name in FIELDS[self._kind]}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Answer) and (self._kind, self.to_dict()) == (other._kind, other.to_dict())

    __hash__ = None  # type: ignore[assignment]  # its fields can be set

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self.to_dict().items() if value is not None)
        return f"{self._kind}({said})"


def _value(holds: Any, told: Any) -> Any:
    if told is None or holds == _FREE:
        return told
    if holds == _TIME:
        return time(told)
    if isinstance(holds, list):
        return [Answer(holds[0], one) for one in told]
    if isinstance(holds, set):
        (kind,) = holds
        return {name: Answer(kind, one) for name, one in told.items()}
    return Answer(holds, told)


def time(text: str) -> datetime:
    """A time of the API's, with as many digits as Python keeps."""
    whole, dot, rest = text.removesuffix("Z").partition(".")
    digits = f".{rest[:6]:0<6}" if dot else ""
    return datetime.fromisoformat(f"{whole}{digits}").replace(tzinfo=UTC)


def _plain(value: Any) -> Any:
    if isinstance(value, Answer):
        return value.to_dict()
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value
