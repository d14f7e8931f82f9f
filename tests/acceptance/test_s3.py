"""A platform whose artifacts lie in an S3-compatible store: pipelines, logs, cache and the command line, end to end."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.specs import artifact, container, pipeline
from fixtures.counting import until
from fixtures.fix_s3 import KEY, S3, SECRET
from fixtures.platforms import HEADRACE, Platform, PlatformError, faults_in_logs, running
from fixtures.records import Records
from headrace import Client

ROOT = "s3://headrace/artifacts"
INPUT = "{{$.inputs.artifacts['data'].path}}"
DATA = "{{$.outputs.artifacts['data'].path}}"
OUTPUT = "{{$.outputs.parameters['Output'].output_file}}"


@pytest.fixture(scope="module")
def on_s3(tmp_path_factory: pytest.TempPathFactory, s3: S3) -> Iterator[Platform]:
    """The bucket is not there before: the platform makes it."""
    home = tmp_path_factory.mktemp("on-s3") / "home"
    with running("embedded", home, HEADRACE_ARTIFACT_ROOT=ROOT, **s3.environ) as platform:
        yield platform
    assert faults_in_logs(home) == []


@pytest.fixture
def client(on_s3: Platform) -> Iterator[Records]:
    with Records(on_s3.url) as one:
        yield one


def writing(script: str):
    return container(["sh", "-ec", script, DATA]).output_artifact("data", "system.Dataset")


def reading(script: str):
    read = container(["sh", "-ec", script, OUTPUT, INPUT])
    return read.output("Output", "STRING").input_artifact("data", "system.Dataset")


def flow(name: str, wait_for: Path | None = None):
    wait = f"while [ ! -e {wait_for} ]; do sleep 0.05; done; " if wait_for else ""
    made = pipeline(name)
    script = f'echo begun; {wait}mkdir -p "$0/below"; printf a > "$0/a"; printf b > "$0/below/b"; echo done'
    made.task("folder", writing(script), cache=True)
    made.task("read", reading('cat "$1/a" "$1/below/b" > "$0"'), {"data": artifact("folder", "data")}, cache=True)
    return made


def test_a_folder_goes_through_the_store_and_is_found_by_the_cache(client: Records, s3: S3) -> None:
    first = client.wait(client.submit(flow("s3-flow").build()).run_id, timeout=60)
    tasks = {task.path: task for task in client.tasks(first.run_id)}
    assert first.state == "SUCCEEDED", [task.error for task in tasks.values() if task.error]
    assert tasks["read"].outputs["Output"] == "ab"
    prefix = f"artifacts/namespaces/default/s3-flow/{first.run_id}/"
    names = {one.object_name[len(prefix) :] for one in s3.client.list_objects("headrace", prefix, recursive=True)}
    assert {"folder/1/data/a", "folder/1/data/below/b", "folder/1/executor-logs", "folder/1/attempt.json"} <= names
    assert not any(".headrace/log/" in name for name in names)
    again = client.wait(client.submit(flow("s3-flow").build()).run_id, timeout=60)
    assert {task.path: task.cached for task in client.tasks(again.run_id)} == {"folder": True, "read": True}
    s3.client.remove_object("headrace", f"{prefix}folder/1/data/a")
    s3.client.remove_object("headrace", f"{prefix}folder/1/.headrace/folder/data")
    s3.client.remove_object("headrace", f"{prefix}folder/1/data/below/b")
    third = client.wait(client.submit(flow("s3-flow").build()).run_id, timeout=60)
    assert third.state == "SUCCEEDED"
    cached = {task.path: task.cached for task in client.tasks(third.run_id)}
    assert cached["folder"] is False  # what the cache names is not there any more


def test_a_log_is_followed_while_it_grows_and_read_later(
    on_s3: Platform, client: Records, s3: S3, tmp_path: Path
) -> None:
    run_id = client.submit(flow("s3-logs", tmp_path / "go").build(), enable_cache=False).run_id
    until("the task runs", lambda: "RUNNING" in [task.state for task in client.tasks(run_id)], on_s3)
    pieces = client.logs(run_id, "folder", follow=True)
    assert next(pieces) == b"begun\n"
    (tmp_path / "go").touch()
    assert b"".join(pieces) == b"done\n"
    client.wait(run_id, timeout=60)
    assert b"".join(client.logs(run_id, "folder")) == b"begun\ndone\n"
    log = s3.client.get_object("headrace", f"artifacts/namespaces/default/s3-logs/{run_id}/folder/1/executor-logs")
    assert log.data == b"begun\ndone\n"


def test_the_command_line_reads_what_lies_there(on_s3: Platform, client: Records, tmp_path: Path) -> None:
    run = client.wait(client.submit(flow("s3-read").build(), enable_cache=False).run_id, timeout=60)

    def headrace(*words: str) -> str:
        done = subprocess.run(
            [HEADRACE, *words, "--endpoint", on_s3.url], capture_output=True, text=True, check=True, env={**os.environ}
        )
        return done.stdout

    assert f"folder/data (Dataset)  {ROOT}/namespaces/default/s3-read/{run.run_id}" in headrace(
        "artifacts", "list", run.run_id
    )
    headrace("artifacts", "get", run.run_id, "folder/data", "--to", str(tmp_path / "copy"))
    assert (tmp_path / "copy" / "below" / "b").read_text() == "b"


def test_what_policies_take_is_gone_from_the_bucket(on_s3: Platform, client: Records, s3: S3) -> None:
    """A folder with its manifest, which a run that stays uses, is spared; then nothing is left, hidden objects neither."""
    first = client.wait(client.submit(flow("s3-retention").build()).run_id, timeout=60)
    second = client.wait(client.submit(flow("s3-retention").build()).run_id, timeout=60)
    assert all(task.cached for task in client.tasks(second.run_id))
    prefix = f"artifacts/namespaces/default/s3-retention/{first.run_id}/"

    def there() -> set[str]:
        return {one.object_name[len(prefix) :] for one in s3.client.list_objects("headrace", prefix, recursive=True)}

    with Client(on_s3.url) as calls:
        scope = {"namespace": "default", "pipeline": "s3-retention"}
        calls.retention.set("runs", max_count=1, **scope)
        calls.retention.set("artifacts", max_count=0, **scope)
        assert [(one.kind, one.name) for one in calls.retention.run().going] == [("runs", first.run_id)]
        assert there() == {"folder/1/data/a", "folder/1/data/below/b", "folder/1/.headrace/folder/data"}
        calls.retention.set("runs", max_count=0, **scope)
        calls.retention.set("cache", max_count=0, **scope)
        assert {one.kind for one in calls.retention.run().going} == {"cache", "runs", "artifacts"}
        assert there() == set()
        for kind in ("runs", "artifacts", "cache"):
            calls.retention.remove(kind, **scope)


def test_a_pipeline_may_name_a_root_in_the_store(client: Records, s3: S3) -> None:
    made = flow("s3-root")
    spec = made.build()
    spec["defaultPipelineRoot"] = f"{ROOT}/our-team"
    run = client.wait(client.submit(spec, enable_cache=False).run_id, timeout=60)
    assert run.state == "SUCCEEDED"
    assert s3.client.stat_object("headrace", f"artifacts/our-team/s3-root/{run.run_id}/folder/1/data/a").size == 1


def test_a_namespace_has_a_store_of_its_own(s3: S3, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"[team]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    stores = tmp_path / "stores.yaml"
    entry = {
        "root": "minio://team/runs",
        "namespaces": ["default"],
        "keys_file": str(keys),
        "profile": "team",
        "endpoint": s3.endpoint,
    }
    stores.write_text(json.dumps({"stores": [entry]}))
    with (
        running("embedded", tmp_path / "home", HEADRACE_STORES_FILE=str(stores)) as platform,
        Records(platform.url) as client,
    ):
        run = client.wait(client.submit(flow("own-store").build(), enable_cache=False).run_id, timeout=60)
        tasks = {task.path: task for task in client.tasks(run.run_id)}
        assert run.state == "SUCCEEDED", [task.error for task in tasks.values() if task.error]
        assert tasks["read"].outputs["Output"] == "ab"
        assert b"".join(client.logs(run.run_id, "folder")) == b"begun\ndone\n"
        assert s3.client.stat_object("team", f"runs/own-store/{run.run_id}/folder/1/data/a").size == 1
        assert not any((tmp_path / "home" / "artifacts").glob("own-store*"))
        assert faults_in_logs(platform.home) == []


def test_a_store_that_refuses_us_is_one_sentence_at_the_start(s3: S3, tmp_path: Path) -> None:
    environ = {**s3.environ, "AWS_SECRET_ACCESS_KEY": "wrong"}
    with (
        pytest.raises(PlatformError) as failed,
        running("embedded", tmp_path / "home", HEADRACE_ARTIFACT_ROOT=ROOT, **environ),
    ):
        pass
    assert f"headrace: the artifact store {ROOT}: the store at {s3.endpoint} refuses access" in str(failed.value)
    assert "Traceback" not in str(failed.value)
