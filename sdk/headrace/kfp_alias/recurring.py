"""The methods of `kfp.Client` about recurring runs. Called by users, through client.Client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headrace.errors import BadInput
from headrace.kfp_alias.answers import Answer

if TYPE_CHECKING:
    from headrace.kfp_alias.rest import Rest


class RecurringRuns:
    """What client.Client inherits; a platform that has not built them answers with a sentence."""

    _rest: Rest
    _namespace: str

    def create_recurring_run(
        self,
        experiment_id: str,
        job_name: str,
        description: str | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
        interval_second: int | None = None,
        cron_expression: str | None = None,
        max_concurrency: int | None = 1,
        no_catchup: bool | None = None,
        params: Mapping[str, Any] | None = None,
        pipeline_package_path: str | None = None,
        pipeline_id: str | None = None,
        version_id: str | None = None,
        enabled: bool = True,
        pipeline_root: str | None = None,
        enable_caching: bool | None = None,
        cache_key: str | None = None,
        service_account: str | None = None,
    ) -> Answer:
        from headrace.kfp_alias.client import run_body
        from headrace.kfp_alias.files import packed_file

        if (interval_second is None) == (cron_expression is None):
            raise BadInput("a recurring run needs interval_second or cron_expression, one of the two")
        package = packed_file(pipeline_package_path) if pipeline_package_path else None
        if package is None and not (pipeline_id or version_id):
            raise BadInput("create_recurring_run needs pipeline_package_path, or pipeline_id with version_id")
        settings = (pipeline_root, enable_caching, cache_key, service_account)
        body = run_body(experiment_id, job_name, package, params, settings)
        if package is None:
            body["pipeline_version_reference"] = {"pipeline_id": pipeline_id, "pipeline_version_id": version_id}
        when = {"start_time": start_time, "end_time": end_time}
        times = {name: value for name, value in when.items() if value}
        if cron_expression is not None:
            trigger: dict[str, Any] = {"cron_schedule": {**times, "cron": cron_expression}}
        else:
            trigger = {"periodic_schedule": {**times, "interval_second": interval_second}}
        body |= {
            "description": description,
            "max_concurrency": max_concurrency,
            "no_catchup": no_catchup,
            "mode": "ENABLE" if enabled else "DISABLE",
            "trigger": trigger,
        }
        return Answer("RecurringRun", self._rest.post("/recurringruns", body))

    def get_recurring_run(self, recurring_run_id: str, job_id: str | None = None) -> Answer:
        return Answer("RecurringRun", self._rest.get(f"/recurringruns/{job_id or recurring_run_id}"))

    def list_recurring_runs(
        self,
        page_token: str = "",
        page_size: int = 10,
        sort_by: str = "",
        experiment_id: str | None = None,
        namespace: str | None = None,
        filter: str | None = None,  # noqa: A002  # the name is KFP's
    ) -> Answer:
        told = self._rest.get(
            "/recurringruns",
            page_token=page_token,
            page_size=page_size,
            sort_by=sort_by,
            filter=filter,
            experiment_id=experiment_id,
            namespace=namespace or self._namespace,
        )
        return Answer("ListRecurringRuns", told)

    def delete_recurring_run(self, recurring_run_id: str) -> dict[str, Any]:
        return self._rest.delete(f"/recurringruns/{recurring_run_id}")

    def enable_recurring_run(self, recurring_run_id: str) -> dict[str, Any]:
        return self._rest.post(f"/recurringruns/{recurring_run_id}:enable")

    def disable_recurring_run(self, recurring_run_id: str) -> dict[str, Any]:
        return self._rest.post(f"/recurringruns/{recurring_run_id}:disable")

    def delete_job(self, job_id: str) -> dict[str, Any]:
        return self.delete_recurring_run(job_id)

    def enable_job(self, job_id: str) -> dict[str, Any]:
        return self.enable_recurring_run(job_id)

    def disable_job(self, job_id: str) -> dict[str, Any]:
        return self.disable_recurring_run(job_id)
