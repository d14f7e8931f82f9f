"""`kfp.Client` while the alias is on: its methods on a Headrace platform, over KFP's v2beta1. New code takes headrace.Client.

Parameter names and order are KFP's; answers have KFP's attributes. What asks for Kubernetes or for Google's proxy is refused.
"""

from __future__ import annotations

import json
import logging
import os
import ssl
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from headrace.errors import BadInput, NotFound
from headrace.kfp_alias.answers import Answer
from headrace.kfp_alias.files import Packed, packed_file, packed_function
from headrace.kfp_alias.recurring import RecurringRuns
from headrace.kfp_alias.rest import Rest
from headrace.tokens import Token

ENDED: Final = frozenset({"SUCCEEDED", "FAILED", "SKIPPED", "CANCELED"})
FIRST_PAUSE: Final = 0.05  # seconds between two looks at a run; they double up to sleep_duration
DEFAULT_EXPERIMENT: Final = "Default"

Settings = tuple[str | None, bool | None, str | None, str | None]
"""Pipeline root, caching, cache key, service account."""

log = logging.getLogger("kfp")


class NoSuchName(NotFound, ValueError):  # noqa: N818  # as ours in errors.py
    """Nothing of that name; also a ValueError, as KFP's users expect."""


class RunPipelineResult:
    """A run that was created."""

    def __init__(self, client: Client, run_info: Answer) -> None:
        self._client = client
        self.run_info = run_info
        self.run_id: str = run_info.run_id

    def wait_for_run_completion(self, timeout: float | timedelta | None = None) -> Answer:
        """The run when it has ended."""
        return self._client.wait_for_run_completion(self.run_id, timeout or timedelta.max)

    def __repr__(self) -> str:
        return f"RunPipelineResult(run_id={self.run_id})"


class Client(RecurringRuns):
    """One platform; without HOST the settings', or the one that is up on this machine."""

    def __init__(
        self,
        host: str | None = None,
        client_id: str | None = None,
        namespace: str = "kubeflow",
        other_client_id: str | None = None,
        other_client_secret: str | None = None,
        existing_token: str | None = None,
        cookies: str | None = None,
        proxy: str | None = None,
        ssl_ca_cert: str | None = None,
        kube_context: str | None = None,
        credentials: Any = None,
        ui_host: str | None = None,
        verify_ssl: bool | None = None,
    ) -> None:
        refused = {
            "client_id": client_id,
            "other_client_id": other_client_id,
            "other_client_secret": other_client_secret,
            "kube_context": kube_context,
            "credentials": credentials,
        }
        given = [name for name, value in refused.items() if value is not None]
        if given:
            raise BadInput(
                f"kfp.Client({given[0]}=...) is not for Headrace; give host, and existing_token where one is needed"
            )
        token = Token(existing_token or None)
        others = {"Cookie": cookies} if cookies else {}

        def headers() -> dict[str, str]:
            return {**others, **({"Authorization": f"Bearer {token.read()}"} if token else {})}

        self._rest = Rest(host, headers, proxy, _trust(ssl_ca_cert, verify_ssl))
        self._ui = (ui_host or self._rest.host).rstrip("/")
        self._namespace = "" if namespace == "kubeflow" else namespace  # where KFP itself is installed, no user's

    # Who and where

    def set_user_namespace(self, namespace: str) -> None:
        """For the calls of this client that name none."""
        self._namespace = namespace

    def get_user_namespace(self) -> str:
        return self._namespace

    def get_kfp_healthz(self, sleep_duration: int = 5) -> Answer:
        return Answer("Health", self._rest.get("/healthz"))

    # Experiments

    def create_experiment(self, name: str, description: str | None = None, namespace: str | None = None) -> Answer:
        """The one of that name where there is one already."""
        try:
            return self.get_experiment(experiment_name=name, namespace=namespace)
        except NoSuchName:
            body = {"display_name": name, "description": description, "namespace": namespace or self._namespace}
            return Answer("Experiment", self._rest.post("/experiments", body))

    def get_experiment(
        self, experiment_id: str | None = None, experiment_name: str | None = None, namespace: str | None = None
    ) -> Answer:
        if experiment_id:
            return Answer("Experiment", self._rest.get(f"/experiments/{experiment_id}"))
        if not experiment_name:
            raise BadInput("get_experiment needs experiment_id or experiment_name")
        found = self.list_experiments(namespace=namespace, filter=_equals("display_name", experiment_name)).experiments
        if not found:
            raise NoSuchName(f"there is no experiment {experiment_name!r}")
        first: Answer = found[0]
        return first

    def list_experiments(
        self,
        page_token: str = "",
        page_size: int = 10,
        sort_by: str = "",
        namespace: str | None = None,
        filter: str | None = None,  # noqa: A002  # the name is KFP's
    ) -> Answer:
        query = _listing(page_token, page_size, sort_by, filter)
        return Answer(
            "ListExperiments", self._rest.get("/experiments", namespace=namespace or self._namespace, **query)
        )

    def archive_experiment(self, experiment_id: str) -> dict[str, Any]:
        return self._rest.post(f"/experiments/{experiment_id}:archive")

    def unarchive_experiment(self, experiment_id: str) -> dict[str, Any]:
        return self._rest.post(f"/experiments/{experiment_id}:unarchive")

    def delete_experiment(self, experiment_id: str) -> dict[str, Any]:
        return self._rest.delete(f"/experiments/{experiment_id}")

    # Runs

    def create_run_from_pipeline_func(
        self,
        pipeline_func: Any,
        arguments: Mapping[str, Any] | None = None,
        run_name: str | None = None,
        experiment_name: str | None = None,
        namespace: str | None = None,
        pipeline_root: str | None = None,
        enable_caching: bool | None = None,
        cache_key: str | None = None,
        service_account: str | None = None,
        experiment_id: str | None = None,
    ) -> RunPipelineResult:
        settings = (pipeline_root, enable_caching, cache_key, service_account)
        experiment = (experiment_id, experiment_name, namespace)
        return self._run_of(packed_function(pipeline_func), arguments, run_name, experiment, settings)

    def create_run_from_pipeline_package(
        self,
        pipeline_file: str,
        arguments: Mapping[str, Any] | None = None,
        run_name: str | None = None,
        experiment_name: str | None = None,
        namespace: str | None = None,
        pipeline_root: str | None = None,
        enable_caching: bool | None = None,
        cache_key: str | None = None,
        service_account: str | None = None,
        experiment_id: str | None = None,
    ) -> RunPipelineResult:
        settings = (pipeline_root, enable_caching, cache_key, service_account)
        experiment = (experiment_id, experiment_name, namespace)
        return self._run_of(packed_file(pipeline_file), arguments, run_name, experiment, settings)

    def _run_of(
        self,
        package: Packed,
        arguments: Mapping[str, Any] | None,
        name: str | None,
        experiment: tuple[str | None, str | None, str | None],
        settings: Settings,
    ) -> RunPipelineResult:
        body = run_body(
            self._experiment(*experiment),
            name or f"{package.name} {time.strftime('%Y-%m-%d %H-%M-%S')}",
            package,
            arguments,
            settings,
        )
        return RunPipelineResult(self, self._create(body))

    def run_pipeline(
        self,
        experiment_id: str,
        job_name: str,
        pipeline_package_path: str | None = None,
        params: Mapping[str, Any] | None = None,
        pipeline_id: str | None = None,
        version_id: str | None = None,
        pipeline_root: str | None = None,
        enable_caching: bool | None = None,
        cache_key: str | None = None,
        service_account: str | None = None,
    ) -> Answer:
        package = packed_file(pipeline_package_path) if pipeline_package_path else None
        if package is None and not (pipeline_id or version_id):
            raise BadInput("run_pipeline needs pipeline_package_path, or pipeline_id with version_id")
        settings = (pipeline_root, enable_caching, cache_key, service_account)
        body = run_body(experiment_id, job_name, package, params, settings)
        if package is None:
            if enable_caching is not None:
                raise BadInput(
                    "enable_caching changes a package, and a stored version stays as it is; give the package"
                )
            reference = {"pipeline_id": pipeline_id, "pipeline_version_id": version_id}
            body["pipeline_version_reference"] = {name: value for name, value in reference.items() if value}
        return self._create(body)

    def _create(self, body: Mapping[str, Any]) -> Answer:
        run = Answer("Run", self._rest.post("/runs", body))
        print(f"Run details: {self._ui}/#/runs/details/{run.run_id}")  # noqa: T201  # scripts of KFP's show it
        return run

    def _experiment(self, experiment_id: str | None, name: str | None, namespace: str | None) -> str:
        if experiment_id:
            return experiment_id
        wanted = name or os.environ.get("KF_PIPELINES_DEFAULT_EXPERIMENT_NAME") or DEFAULT_EXPERIMENT
        found: str = self.create_experiment(wanted, namespace=namespace).experiment_id
        return found

    def get_run(self, run_id: str) -> Answer:
        return Answer("Run", self._rest.get(f"/runs/{run_id}"))

    def list_runs(
        self,
        page_token: str = "",
        page_size: int = 10,
        sort_by: str = "",
        experiment_id: str | None = None,
        namespace: str | None = None,
        filter: str | None = None,  # noqa: A002  # the name is KFP's
    ) -> Answer:
        query = _listing(page_token, page_size, sort_by, filter)
        told = self._rest.get("/runs", experiment_id=experiment_id, namespace=namespace or self._namespace, **query)
        return Answer("ListRuns", told)

    def wait_for_run_completion(self, run_id: str, timeout: float | timedelta, sleep_duration: float = 5) -> Answer:
        """The run when it has ended, also canceled; TimeoutError after TIMEOUT seconds. Looks often at first."""
        limit = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        begin, pause = time.monotonic(), FIRST_PAUSE
        while True:
            run = self.get_run(run_id)
            if run.state in ENDED:
                return run
            if time.monotonic() - begin > limit:
                raise TimeoutError(f"run {run_id} is {run.state} after {limit:g} seconds; it goes on")
            time.sleep(min(pause, sleep_duration))
            pause *= 2

    def terminate_run(self, run_id: str) -> dict[str, Any]:
        return self._rest.post(f"/runs/{run_id}:terminate")

    def archive_run(self, run_id: str) -> dict[str, Any]:
        return self._rest.post(f"/runs/{run_id}:archive")

    def unarchive_run(self, run_id: str) -> dict[str, Any]:
        return self._rest.post(f"/runs/{run_id}:unarchive")

    def delete_run(self, run_id: str) -> dict[str, Any]:
        return self._rest.delete(f"/runs/{run_id}")

    # Pipelines

    def upload_pipeline(
        self,
        pipeline_package_path: str,
        pipeline_name: str | None = None,
        description: str | None = None,
        namespace: str | None = None,
    ) -> Answer:
        return self._upload(packed_file(pipeline_package_path), pipeline_name, description, namespace)

    def upload_pipeline_from_pipeline_func(
        self,
        pipeline_func: Any,
        pipeline_name: str | None = None,
        description: str | None = None,
        namespace: str | None = None,
    ) -> Answer:
        return self._upload(packed_function(pipeline_func), pipeline_name, description, namespace)

    def _upload(self, package: Packed, name: str | None, description: str | None, namespace: str | None) -> Answer:
        query = {
            "name": name or package.pipeline_name,
            "description": description,
            "namespace": namespace or self._namespace,
        }
        return Answer("Pipeline", self._rest.upload("/pipelines/upload", package.data, package.filename, **query))

    def upload_pipeline_version(
        self,
        pipeline_package_path: str,
        pipeline_version_name: str,
        pipeline_id: str | None = None,
        pipeline_name: str | None = None,
        description: str | None = None,
    ) -> Answer:
        package = packed_file(pipeline_package_path)
        return self._version(package, pipeline_version_name, pipeline_id, pipeline_name, description)

    def upload_pipeline_version_from_pipeline_func(
        self,
        pipeline_func: Any,
        pipeline_version_name: str,
        pipeline_id: str | None = None,
        pipeline_name: str | None = None,
        description: str | None = None,
    ) -> Answer:
        package = packed_function(pipeline_func)
        return self._version(package, pipeline_version_name, pipeline_id, pipeline_name, description)

    def _version(
        self, package: Packed, name: str, pipeline_id: str | None, pipeline_name: str | None, description: str | None
    ) -> Answer:
        if bool(pipeline_id) == bool(pipeline_name):
            raise BadInput("a version needs pipeline_id or pipeline_name, one of the two")
        of = pipeline_id or self.get_pipeline_id(pipeline_name or "")
        if of is None:
            raise NoSuchName(f"there is no pipeline {pipeline_name!r}")
        query = {"name": name, "pipelineid": of, "description": description}
        path = "/pipelines/upload_version"
        return Answer("PipelineVersion", self._rest.upload(path, package.data, package.filename, **query))

    def get_pipeline_id(self, name: str) -> str | None:
        """None where there is no pipeline of that name."""
        found = self.list_pipelines(filter=_equals("name", name)).pipelines
        return found[0].pipeline_id if found else None

    def get_pipeline(self, pipeline_id: str) -> Answer:
        return Answer("Pipeline", self._rest.get(f"/pipelines/{pipeline_id}"))

    def list_pipelines(
        self,
        page_token: str = "",
        page_size: int = 10,
        sort_by: str = "",
        filter: str | None = None,  # noqa: A002  # the name is KFP's
        namespace: str | None = None,
    ) -> Answer:
        query = _listing(page_token, page_size, sort_by, filter)
        return Answer("ListPipelines", self._rest.get("/pipelines", namespace=namespace or self._namespace, **query))

    def delete_pipeline(self, pipeline_id: str) -> dict[str, Any]:
        return self._rest.delete(f"/pipelines/{pipeline_id}")

    def list_pipeline_versions(
        self,
        pipeline_id: str,
        page_token: str = "",
        page_size: int = 10,
        sort_by: str = "",
        filter: str | None = None,  # noqa: A002  # the name is KFP's
    ) -> Answer:
        query = _listing(page_token, page_size, sort_by, filter)
        return Answer("ListPipelineVersions", self._rest.get(f"/pipelines/{pipeline_id}/versions", **query))

    def get_pipeline_version(self, pipeline_id: str, pipeline_version_id: str) -> Answer:
        return Answer("PipelineVersion", self._rest.get(f"/pipelines/{pipeline_id}/versions/{pipeline_version_id}"))

    def delete_pipeline_version(self, pipeline_id: str, pipeline_version_id: str) -> dict[str, Any]:
        return self._rest.delete(f"/pipelines/{pipeline_id}/versions/{pipeline_version_id}")


def _trust(ca: str | None, verify: bool | None) -> ssl.SSLContext | None:
    """None: the system's own."""
    if verify is False:
        log.warning("certificates are not checked: verify_ssl=False")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
    return ssl.create_default_context(cafile=ca) if ca else None


def _listing(page_token: str, page_size: int, sort_by: str, predicates: str | None) -> dict[str, Any]:
    return {"page_token": page_token, "page_size": page_size, "sort_by": sort_by, "filter": predicates}


def _equals(key: str, value: str) -> str:
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": key, "stringValue": value}]})


def run_body(
    experiment_id: str,
    name: str,
    package: Packed | None,
    parameters: Mapping[str, Any] | None,
    settings: Settings,
) -> dict[str, Any]:
    """The body of a request that creates a run."""
    root, caching, key, account = settings
    config = {"parameters": dict(parameters or {}), "pipeline_root": root}
    body = {
        "experiment_id": experiment_id,
        "display_name": name,
        "runtime_config": {field: value for field, value in config.items() if value},
        "service_account": account,
    }
    return body if package is None else {**body, "pipeline_spec": package.documents(caching, key)}
