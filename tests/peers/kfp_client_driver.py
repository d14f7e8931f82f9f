"""Drives a platform with an unmodified `kfp.Client`: `kfp_client_driver.py HOST SCENARIO`; ends non-zero at the first surprise.

Runs inside the peer environment (.venv-kfp), talks HTTP alone and imports nothing of Headrace. test_kfp_client.py runs each
`scenario_*` function as one test. What the answers must be: kfp-api.md, section 2.2, and section 1 for the errors.
"""

# mypy: disable-error-code="untyped-decorator,no-any-return,import-not-found"
# No postponed annotations here: kfp.dsl reads them.

import json
import sys
import tarfile
import tempfile
import time
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kfp
import kfp_server_api
from kfp import compiler, dsl

HELLO = Path(__file__).resolve().parent.parent.parent / "examples" / "hello" / "pipeline.yaml"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
WAIT_S = 90


@dsl.component(base_image="python:3.11")
def double(number: int) -> int:
    return 2 * number


@dsl.component(base_image="python:3.11")
def sleep_long(seconds: int) -> int:
    import time

    time.sleep(seconds)
    return seconds


@dsl.component(base_image="python:3.11")
def refuse(reason: str) -> str:
    raise ValueError(reason)


@dsl.pipeline(name="doubling")
def doubling(number: int = 21) -> int:
    return double(number=number).output


@dsl.pipeline(name="sleeping")
def sleeping(seconds: int = 600) -> int:
    return sleep_long(seconds=seconds).output


@dsl.pipeline(name="refusing")
def refusing(reason: str = "because") -> str:
    return refuse(reason=reason).output


def fresh(what: str) -> str:
    return f"{what}-{uuid.uuid4().hex[:10]}"


def named(name: str, key: str = "display_name") -> str:
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": key, "stringValue": name}]})


def refused(status: int, call: Callable[[], Any]) -> str:
    """The message of the error with which the server must answer."""
    try:
        answer = call()
    except kfp_server_api.ApiException as error:
        if error.status != status:
            raise AssertionError(f"expected {status}, got {error.status}: {error.body}") from error
        told = json.loads(error.body)
        return str(told.get("message") or told["error_message"])
    raise AssertionError(f"expected an error {status}, got {answer}")


def wait_for_state(client: kfp.Client, run_id: str, *states: str) -> Any:
    limit = time.monotonic() + WAIT_S
    while (run := client.get_run(run_id)).state not in states:
        assert time.monotonic() < limit, f"the run stays {run.state}, wanted {states}"
        time.sleep(0.1)
    return run


def upload(client: kfp.Client, name: str | None = None, **more: Any) -> Any:
    return client.upload_pipeline(str(HELLO), pipeline_name=name or fresh("hello"), **more)


def scenario_healthz(client: kfp.Client) -> None:
    health = client.get_kfp_healthz()
    assert not health.multi_user
    assert client.get_user_namespace() == ""


def scenario_run_from_package(client: kfp.Client) -> None:
    started = client.create_run_from_pipeline_package(str(HELLO), arguments={"name": "Ada"})
    first = client.get_run(started.run_id)
    assert first.display_name.startswith("pipeline.yaml ")
    assert first.state in ("PENDING", "RUNNING", "SUCCEEDED"), first.state
    assert first.storage_state == "AVAILABLE"
    assert first.runtime_config.parameters == {"name": "Ada"}
    ended = client.wait_for_run_completion(started.run_id, timeout=WAIT_S, sleep_duration=1)
    assert ended.state == "SUCCEEDED", ended
    assert ended.created_at <= ended.finished_at
    assert ended.finished_at.year > 1970
    assert ended.scheduled_at is not None
    assert ended.error is None
    assert ended.service_account == "pipeline-runner"
    states = [one.state for one in ended.state_history]
    assert states[0] == "PENDING", states
    assert states[-1] == "SUCCEEDED", states
    default = client.get_experiment(experiment_name="Default")
    assert ended.experiment_id == default.experiment_id


def scenario_run_has_task_details(client: kfp.Client) -> None:
    started = client.create_run_from_pipeline_package(str(HELLO), enable_caching=False)
    ended = client.wait_for_run_completion(started.run_id, timeout=WAIT_S, sleep_duration=1)
    details = {one.display_name: one for one in ended.run_details.task_details}
    assert {"greet", "count-letters"} <= set(details), sorted(details)
    for name in ("greet", "count-letters"):
        detail = details[name]
        assert detail.state == "SUCCEEDED", detail
        assert detail.run_id == started.run_id
        assert detail.task_id
        assert detail.create_time is not None
        assert detail.end_time >= detail.start_time
    assert details["greet"].end_time <= details["count-letters"].end_time


def scenario_run_from_function(client: kfp.Client) -> None:
    name = fresh("experiment")
    started = client.create_run_from_pipeline_func(
        doubling, arguments={"number": 4}, run_name="a name of ours", experiment_name=name, enable_caching=False
    )
    ended = client.wait_for_run_completion(started.run_id, timeout=WAIT_S, sleep_duration=1)
    assert ended.state == "SUCCEEDED", ended
    assert ended.display_name == "a name of ours"
    assert ended.pipeline_spec["pipelineInfo"]["name"] == "doubling"
    assert ended.pipeline_version_reference is None
    assert client.get_experiment(experiment_name=name).experiment_id == ended.experiment_id


def scenario_create_answers_the_run(client: kfp.Client) -> None:
    experiment = client.create_experiment(fresh("experiment"))
    run = client.run_pipeline(experiment.experiment_id, "first", pipeline_package_path=str(HELLO))
    assert run.run_id
    assert run.state in ("PENDING", "RUNNING"), run.state
    assert run.created_at.year > 1970
    assert run.finished_at.year == 1970
    assert client.get_run(run.run_id).run_id == run.run_id


def scenario_a_failing_run_says_why(client: kfp.Client) -> None:
    started = client.create_run_from_pipeline_func(refusing, arguments={"reason": "too cold"}, enable_caching=False)
    ended = client.wait_for_run_completion(started.run_id, timeout=WAIT_S, sleep_duration=1)
    assert ended.state == "FAILED", ended
    assert ended.error is not None
    assert "refuse" in ended.error.message, ended.error
    failed = {one.display_name: one for one in ended.run_details.task_details}["refuse"]
    assert failed.state == "FAILED"
    assert "too cold" in failed.error.message, failed.error


def scenario_terminate(client: kfp.Client) -> None:
    run_id = client.create_run_from_pipeline_func(sleeping, enable_caching=False).run_id
    wait_for_state(client, run_id, "RUNNING")
    assert client.terminate_run(run_id) in ({}, None)
    assert client.get_run(run_id).state in ("CANCELING", "CANCELED")
    ended = wait_for_state(client, run_id, "CANCELED")
    assert ended.finished_at.year > 1970
    assert [one.state for one in ended.state_history][-1] == "CANCELED"
    message = refused(400, lambda: client.terminate_run(run_id))
    assert run_id in message, message
    message = refused(404, lambda: client.terminate_run(UNKNOWN))
    assert UNKNOWN in message, message


def scenario_archive_unarchive_delete_run(client: kfp.Client) -> None:
    started = client.create_run_from_pipeline_func(doubling, run_name=fresh("archived"))
    run_id = started.run_id
    client.wait_for_run_completion(run_id, timeout=WAIT_S, sleep_duration=1)
    client.archive_run(run_id)
    assert client.get_run(run_id).storage_state == "ARCHIVED"
    assert client.get_run(run_id).state == "SUCCEEDED"
    client.unarchive_run(run_id)
    assert client.get_run(run_id).storage_state == "AVAILABLE"
    client.delete_run(run_id)
    assert run_id in refused(404, lambda: client.get_run(run_id))


def scenario_delete_a_running_run(client: kfp.Client) -> None:
    name = fresh("deleted")
    run_id = client.create_run_from_pipeline_func(sleeping, run_name=name, enable_caching=False).run_id
    wait_for_state(client, run_id, "RUNNING")
    client.delete_run(run_id)
    limit = time.monotonic() + WAIT_S
    while time.monotonic() < limit:
        if client.list_runs(filter=named(name)).runs is None:
            refused(404, lambda: client.get_run(run_id))
            return
        time.sleep(0.1)
    raise AssertionError("the run is still there")


def scenario_experiments(client: kfp.Client) -> None:
    name = fresh("experiment")
    made = client.create_experiment(name, description="what it is for")
    assert made.display_name == name
    assert made.description == "what it is for"
    assert made.created_at.year > 1970
    assert made.storage_state == "AVAILABLE"
    assert made.last_run_created_at.year == 1970
    assert client.create_experiment(name).experiment_id == made.experiment_id
    assert client.get_experiment(experiment_id=made.experiment_id).display_name == name
    run = client.run_pipeline(made.experiment_id, "one", pipeline_package_path=str(HELLO))
    assert client.get_experiment(experiment_id=made.experiment_id).last_run_created_at.year > 1970
    client.wait_for_run_completion(run.run_id, timeout=WAIT_S, sleep_duration=1)
    client.archive_experiment(made.experiment_id)
    assert client.get_experiment(experiment_id=made.experiment_id).storage_state == "ARCHIVED"
    assert client.get_run(run.run_id).storage_state == "ARCHIVED"
    refused(400, lambda: client.unarchive_run(run.run_id))
    client.unarchive_experiment(made.experiment_id)
    assert client.get_experiment(experiment_id=made.experiment_id).storage_state == "AVAILABLE"
    assert client.get_run(run.run_id).storage_state == "ARCHIVED"
    client.delete_experiment(made.experiment_id)
    refused(404, lambda: client.get_experiment(experiment_id=made.experiment_id))
    assert client.get_run(run.run_id).experiment_id == made.experiment_id
    assert client.list_experiments(filter=named(name)).experiments is None


def scenario_experiment_errors(client: kfp.Client) -> None:
    name = fresh("experiment")
    client.create_experiment(name)
    body = kfp_server_api.V2beta1Experiment(display_name=name)
    message = refused(409, lambda: client.experiments.experiment_service_create_experiment(body))
    assert f"The name {name} already exists" in message, message
    assert UNKNOWN in refused(404, lambda: client.get_experiment(experiment_id=UNKNOWN))
    default = client.get_experiment(experiment_name="Default")
    refused(409, lambda: client.delete_experiment(default.experiment_id))
    empty = kfp_server_api.V2beta1Experiment(display_name="")
    refused(400, lambda: client.experiments.experiment_service_create_experiment(empty))
    long = kfp_server_api.V2beta1Experiment(display_name="x" * 129)
    assert "128" in refused(400, lambda: client.experiments.experiment_service_create_experiment(long))


def scenario_upload_pipeline(client: kfp.Client) -> None:
    name = fresh("hello")
    made = upload(client, name, description="the smallest one")
    assert made.display_name == name
    assert made.description == "the smallest one"
    assert made.created_at.year > 1970
    assert client.get_pipeline_id(name) == made.pipeline_id
    assert client.get_pipeline(made.pipeline_id).display_name == name
    versions = client.list_pipeline_versions(made.pipeline_id).pipeline_versions
    assert [one.display_name for one in versions] == [name]
    spec = client.get_pipeline_version(made.pipeline_id, versions[0].pipeline_version_id).pipeline_spec
    assert spec["pipelineInfo"]["name"] == "hello", spec
    assert set(spec["root"]["dag"]["tasks"]) == {"greet", "count-letters"}
    by_name = client.pipelines.pipeline_service_get_pipeline_by_name(name=name)
    assert by_name.pipeline_id == made.pipeline_id
    refused(409, lambda: upload(client, name))
    assert client.get_pipeline_id(fresh("nobody")) is None


def scenario_upload_takes_its_name_from_the_spec(client: kfp.Client) -> None:
    known = client.get_pipeline_id("hello")
    if known:
        client.pipelines.pipeline_service_delete_pipeline(known, cascade=True)
    made = client.upload_pipeline(str(HELLO))
    assert made.display_name == "hello"
    client.pipelines.pipeline_service_delete_pipeline(made.pipeline_id, cascade=True)


def scenario_upload_archives(client: kfp.Client) -> None:
    with tempfile.TemporaryDirectory() as folder:
        zipped, tarred = Path(folder) / "hello.zip", Path(folder) / "hello.tar.gz"
        with zipfile.ZipFile(zipped, "w") as archive:
            archive.write(HELLO, "pipeline.yaml")
        with tarfile.open(tarred, "w:gz") as archive:
            archive.add(HELLO, "pipeline.yaml")
        for package in (zipped, tarred):
            made = client.upload_pipeline(str(package), pipeline_name=fresh("packed"))
            version = client.list_pipeline_versions(made.pipeline_id).pipeline_versions[0]
            got = client.get_pipeline_version(made.pipeline_id, version.pipeline_version_id)
            assert got.pipeline_spec["pipelineInfo"]["name"] == "hello"


def scenario_upload_a_version_and_run_it(client: kfp.Client) -> None:
    name = fresh("hello")
    pipeline = upload(client, name)
    with tempfile.TemporaryDirectory() as folder:
        package = str(Path(folder) / "doubling.yaml")
        compiler.Compiler().compile(doubling, package)
        second = client.upload_pipeline_version(package, fresh("second"), pipeline_id=pipeline.pipeline_id)
        third = client.upload_pipeline_version(package, fresh("third"), pipeline_name=name, description="later")
        refused(
            409,
            lambda: client.upload_pipeline_version(package, third.display_name, pipeline_id=pipeline.pipeline_id),
        )
    assert third.description == "later"
    got = client.get_pipeline_version(pipeline.pipeline_id, second.pipeline_version_id)
    assert got.display_name == second.display_name
    assert got.pipeline_id == pipeline.pipeline_id
    experiment = client.create_experiment(fresh("experiment"))
    run = client.run_pipeline(
        experiment.experiment_id,
        "of a version",
        params={"number": 8},
        pipeline_id=pipeline.pipeline_id,
        version_id=second.pipeline_version_id,
    )
    assert run.pipeline_version_reference.pipeline_id == pipeline.pipeline_id
    assert run.pipeline_version_reference.pipeline_version_id == second.pipeline_version_id
    assert client.wait_for_run_completion(run.run_id, timeout=WAIT_S, sleep_duration=1).state == "SUCCEEDED"
    # run_pipeline wants both ids itself; the API takes the newest version where only the pipeline is named
    unversioned = kfp_server_api.V2beta1Run(
        display_name="of the newest",
        experiment_id=experiment.experiment_id,
        pipeline_version_reference=kfp_server_api.V2beta1PipelineVersionReference(pipeline_id=pipeline.pipeline_id),
    )
    newest = client.runs.run_service_create_run(unversioned)
    assert newest.pipeline_version_reference.pipeline_id == pipeline.pipeline_id
    assert newest.pipeline_version_reference.pipeline_version_id == third.pipeline_version_id
    client.delete_pipeline_version(pipeline.pipeline_id, third.pipeline_version_id)
    refused(404, lambda: client.get_pipeline_version(pipeline.pipeline_id, third.pipeline_version_id))


def scenario_delete_pipeline(client: kfp.Client) -> None:
    pipeline = upload(client)
    refused(400, lambda: client.delete_pipeline(pipeline.pipeline_id))
    for version in client.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions:
        client.delete_pipeline_version(pipeline.pipeline_id, version.pipeline_version_id)
    client.delete_pipeline(pipeline.pipeline_id)
    assert pipeline.pipeline_id in refused(404, lambda: client.get_pipeline(pipeline.pipeline_id))
    other = upload(client)
    client.pipelines.pipeline_service_delete_pipeline(other.pipeline_id, cascade=True)
    refused(404, lambda: client.get_pipeline(other.pipeline_id))


def scenario_update_pipeline(client: kfp.Client) -> None:
    pipeline, renamed = upload(client), fresh("renamed")
    change = kfp_server_api.V2beta1Pipeline(display_name=renamed, tags={"team": "mill"})
    client.pipelines.pipeline_service_update_pipeline(pipeline.pipeline_id, change)
    after = client.get_pipeline(pipeline.pipeline_id)
    assert after.display_name == renamed
    assert after.tags == {"team": "mill"}


def scenario_list_pages_and_sorts(client: kfp.Client) -> None:
    experiment = client.create_experiment(fresh("experiment"))
    names = [fresh(f"run-{place}") for place in (3, 1, 2)]
    for name in names:
        client.run_pipeline(experiment.experiment_id, name, pipeline_package_path=str(HELLO))
    asked = {"experiment_id": experiment.experiment_id, "sort_by": "display_name desc", "page_size": 2}
    first = client.list_runs(**asked)
    assert first.total_size == 3, first.total_size
    assert first.next_page_token
    second = client.list_runs(page_token=first.next_page_token, **asked)
    assert second.next_page_token is None
    assert [one.display_name for one in first.runs + second.runs] == sorted(names, reverse=True)
    by_age = client.list_runs(experiment_id=experiment.experiment_id, sort_by="created_at desc")
    assert len(by_age.runs) == 3
    ages = [one.created_at for one in by_age.runs]
    assert ages == sorted(ages, reverse=True)
    plain = client.list_runs(experiment_id=experiment.experiment_id)
    assert [one.display_name for one in plain.runs] == names, "the default is the oldest first"


def scenario_list_filters_by_name(client: kfp.Client) -> None:
    experiment = client.create_experiment(fresh("experiment"))
    wanted = fresh("wanted")
    for name in (wanted, fresh("other")):
        client.run_pipeline(experiment.experiment_id, name, pipeline_package_path=str(HELLO))
    for key in ("display_name", "name"):
        found = client.list_runs(filter=named(wanted, key))
        assert [one.display_name for one in found.runs] == [wanted], found
        assert found.total_size == 1
    none = client.list_runs(filter=named(fresh("nobody")))
    assert none.runs is None
    assert none.next_page_token is None
    pipeline = upload(client)
    assert client.list_pipelines(filter=named(pipeline.display_name)).total_size == 1
    assert client.list_experiments(filter=named(experiment.display_name)).total_size == 1


def scenario_list_versions_and_experiments(client: kfp.Client) -> None:
    pipeline = upload(client)
    names = [pipeline.display_name]
    for place in range(3):
        made = client.upload_pipeline_version(str(HELLO), fresh(f"v{place}"), pipeline_id=pipeline.pipeline_id)
        names.append(made.display_name)
    got, token = [], ""
    while token is not None:
        page = client.list_pipeline_versions(pipeline.pipeline_id, page_token=token, page_size=3, sort_by="created_at")
        got += [one.display_name for one in page.pipeline_versions]
        token = page.next_page_token
    assert sorted(got) == sorted(names)
    assert client.list_experiments(page_size=200, sort_by="created_at desc").experiments
    assert client.list_pipelines(page_size=200, sort_by="display_name desc", namespace="ignored").pipelines


def scenario_list_errors(client: kfp.Client) -> None:
    refused(400, lambda: client.list_runs(sort_by="no_such_field"))
    refused(400, lambda: client.list_runs(sort_by="created_at sideways"))
    refused(400, lambda: client.list_runs(page_token="not a token"))
    refused(400, lambda: client.list_runs(page_size=-1))
    refused(400, lambda: client.list_runs(filter="{not json"))
    assert "no_such_key" in refused(400, lambda: client.list_runs(filter=named("x", "no_such_key")))
    refused(404, lambda: client.list_runs(experiment_id=UNKNOWN))


def scenario_run_errors(client: kfp.Client) -> None:
    assert UNKNOWN in refused(404, lambda: client.get_run(UNKNOWN))
    refused(404, lambda: client.delete_run(UNKNOWN))
    refused(404, lambda: client.archive_run(UNKNOWN))
    experiment = client.create_experiment(fresh("experiment"))

    def start(package: str, **params: Any) -> Any:
        return client.run_pipeline(experiment.experiment_id, "x", pipeline_package_path=package, params=params)

    with tempfile.TemporaryDirectory() as folder:
        package = str(Path(folder) / "doubling.yaml")
        compiler.Compiler().compile(doubling, package)
        message = refused(400, lambda: start(package, number="four"))
        assert "number" in message, message
        assert "NUMBER_INTEGER" in message or "integer" in message, message
        assert "surplus" in refused(400, lambda: start(package, surplus=1))
    body = kfp_server_api.V2beta1Run(display_name="nothing to run", experiment_id=experiment.experiment_id)
    refused(400, lambda: client.runs.run_service_create_run(body))
    refused(404, lambda: client.run_pipeline(UNKNOWN, "x", pipeline_package_path=str(HELLO)))
    reference = {"pipeline_id": UNKNOWN, "version_id": UNKNOWN}
    refused(404, lambda: client.run_pipeline(experiment.experiment_id, "x", **reference))
    assert client.list_runs(experiment_id=experiment.experiment_id).runs is None, "nothing may be created"


def scenario_upload_errors(client: kfp.Client) -> None:
    uploads = client._upload_api
    with tempfile.TemporaryDirectory() as folder:
        bad = Path(folder) / "bad.yaml"
        argo = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: old-}\nspec: {}\n"
        wrong_texts = ["a: [1,\n", "just: a mapping\n", argo, HELLO.read_text().replace("count-letters:", "count:", 1)]
        for text in wrong_texts:
            bad.write_text(text)
            message = refused(400, lambda: uploads.upload_pipeline(str(bad), name=fresh("bad")))
            assert len(message) > 10, message
        source = Path(folder) / "pipeline.py"
        source.write_text("from kfp import dsl\n")
        refused(400, lambda: uploads.upload_pipeline(str(source), name=fresh("bad")))
        long = refused(400, lambda: uploads.upload_pipeline(str(HELLO), name="x" * 129))
        assert "128" in long, long
    refused(404, lambda: client.upload_pipeline_version(str(HELLO), fresh("v"), pipeline_id=UNKNOWN))


def scenario_what_is_not_built_says_so(client: kfp.Client) -> None:
    message = refused(501, client.list_recurring_runs)
    assert "recurring runs" in message, message


def scenario_retry_of_a_failed_run(client: kfp.Client) -> None:
    run_id = client.create_run_from_pipeline_func(refusing, enable_caching=False).run_id
    client.wait_for_run_completion(run_id, timeout=WAIT_S, sleep_duration=1)
    client.runs.run_service_retry_run(run_id)
    ended = wait_for_state(client, run_id, "FAILED")
    states = [one.state for one in ended.state_history]
    assert states.count("RUNNING") >= 1, states


def scenario_no_caching_and_caching(client: kfp.Client) -> None:
    arguments = {"number": uuid.uuid4().int % 1_000_000}
    ends = []
    for caching in (True, True, False):
        run_id = client.create_run_from_pipeline_func(doubling, arguments=arguments, enable_caching=caching).run_id
        ended = client.wait_for_run_completion(run_id, timeout=WAIT_S, sleep_duration=1)
        assert ended.state == "SUCCEEDED", ended
        ends.append({one.display_name: one for one in ended.run_details.task_details}["double"])
    assert [one.state for one in ends] == ["SUCCEEDED"] * 3, ends


if __name__ == "__main__":
    globals()[f"scenario_{sys.argv[2]}"](kfp.Client(host=sys.argv[1]))
