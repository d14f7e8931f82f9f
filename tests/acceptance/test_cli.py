"""The real command against the real platform, in both topologies.

- run: the JSON object, outputs as text, exit codes 0, 1, 2, 3, 4, 130 and 0 of --no-wait
- runs list, get, logs (raw bytes, -f), terminate, delete, by id, beginning and `latest`; trace
- without a platform one is started for the run's time, and nothing of it is left
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.platforms import HEADRACE, Platform, platform_environment

HELLO = Path(__file__).resolve().parents[2] / "examples" / "hello" / "pipeline.yaml"
LARGE = Path(__file__).resolve().parents[1] / "gaps" / "compiled" / "g66.yaml"
FIELDS = {"run_id", "trace_id", "state", "created_at", "finished_at", "outputs", "tasks", "artifacts"}
TASK = {"path", "state", "attempts", "cached", "waiting_on", "error", "created_at", "started_at", "finished_at"}


def shell_pipeline(folder: Path, script: str) -> Path:
    """A pipeline of one task, `work`, that runs SCRIPT."""
    container = {"image": "busybox", "command": ["sh", "-c", script]}
    spec = {
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.14.0",
        "pipelineInfo": {"name": "shell"},
        "deploymentSpec": {"executors": {"exec-work": {"container": container}}},
        "components": {"comp-work": {"executorLabel": "exec-work"}},
        "root": {"dag": {"tasks": {"work": {"componentRef": {"name": "comp-work"}, "taskInfo": {"name": "work"}}}}},
    }
    path = folder / "shell.yaml"
    path.write_text(yaml.safe_dump(spec))
    return path


def environment(home: Path) -> dict[str, str]:
    return platform_environment(home, "127.0.0.1:0", "127.0.0.1:0", {})


def headrace(platform: Platform, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [str(HEADRACE), *arguments, "--endpoint", platform.url],
        env=environment(platform.home),
        capture_output=True,
        timeout=100,
        check=False,
    )


def json_of(done: subprocess.CompletedProcess[bytes]) -> Any:
    assert done.stdout, done.stderr.decode()
    return json.loads(done.stdout)


def test_large_outputs_are_whole_in_json_and_described_in_text(platform: Platform) -> None:
    done = headrace(platform, "run", str(LARGE), "-p", "note=short", "-p", "count=2", "-o", "json")
    told = json_of(done)
    assert (told["state"], told["outputs"]) == ("SUCCEEDED", {"Output": ["x" * 40_000] * 2})
    made = next(task for task in told["tasks"] if task["path"] == "make")
    assert set(made["outputs"]["texts"]) == {"uri", "size", "digest", "type"}
    assert json_of(headrace(platform, "runs", "get", told["run_id"], "-o", "json"))["outputs"] == told["outputs"]
    text = headrace(platform, "runs", "get", told["run_id"]).stdout.decode()
    assert "Output = LIST of 80007 bytes at file://" in text


def test_run_prints_one_object(platform: Platform) -> None:
    done = headrace(platform, "run", str(HELLO), "-p", "name=Ada", "-o", "json")
    told = json_of(done)
    assert done.returncode == 0
    assert set(told) >= FIELDS
    assert set(told["tasks"][0]) >= TASK
    assert (told["state"], told["outputs"]) == ("SUCCEEDED", {"greeting": "Hello, Ada!", "letters": 8})
    assert told["trace_id"] == told["run_id"].replace("-", "")
    assert told["created_at"].endswith("Z")
    got = json_of(headrace(platform, "runs", "get", told["run_id"], "-o", "json"))
    assert got == told
    text = headrace(platform, "runs", "get", told["run_id"][:23]).stdout.decode()
    assert "greet" in text
    trace = json_of(headrace(platform, "trace", told["run_id"], "-o", "json"))
    assert {span["path"] for span in trace["spans"]} >= {"greet", "count-letters"}
    assert told["run_id"] in headrace(platform, "trace", told["run_id"]).stdout.decode()


def test_progress_and_result_as_text(platform: Platform) -> None:
    done = headrace(platform, "run", str(HELLO))
    assert b"letters = 10" in done.stdout
    assert b"SUCCEEDED" in done.stdout
    assert b"greet  succeeded" in done.stderr


def test_a_failed_run_shows_the_end_of_its_log(platform: Platform, tmp_path: Path) -> None:
    done = headrace(platform, "run", str(shell_pipeline(tmp_path, "echo the last words; exit 7")))
    assert done.returncode == 1
    said = done.stderr.decode()
    assert "work FAILED: UserError" in said
    assert "| the last words" in said


def test_bad_input_names_every_problem(platform: Platform) -> None:
    done = headrace(platform, "run", str(HELLO), "-p", "nmae=x", "-p", "name:=3")
    assert done.returncode == 2
    said = done.stderr.decode()
    assert "nmae" in said
    assert "'name' expects STRING" in said
    assert "2 problems; nothing was created" in said


def test_logs_are_the_bytes_that_were_written(platform: Platform, tmp_path: Path) -> None:
    run = shell_pipeline(tmp_path, r"printf '\377\033[1mraw\000\n'; printf 'no end'")
    run_id = json_of(headrace(platform, "run", str(run), "--no-cache", "-o", "json"))["run_id"]
    one = headrace(platform, "runs", "logs", run_id, "--task", "work")
    assert one.stdout == b"\xff\x1b[1mraw\x00\nno end"
    every = headrace(platform, "runs", "logs", run_id)
    assert every.stdout == b"work  \xff\x1b[1mraw\x00\nwork  no end\n"
    assert headrace(platform, "runs", "delete", run_id).returncode == 0


def test_following_and_terminating(platform: Platform, tmp_path: Path) -> None:
    submitted = headrace(platform, "run", str(shell_pipeline(tmp_path, "echo begun; sleep 60")), "--no-wait")
    assert submitted.returncode == 0
    run_id = submitted.stdout.decode().strip()
    following = subprocess.Popen(
        [str(HEADRACE), "runs", "logs", run_id, "-f", "--endpoint", platform.url],
        env=environment(platform.home),
        stdout=subprocess.PIPE,
    )
    with following:
        assert following.stdout is not None
        assert following.stdout.readline() == b"work  begun\n"
        listed = json_of(headrace(platform, "runs", "list", "-o", "json"))
        assert [run["state"] for run in listed if run["run_id"] == run_id] == ["RUNNING"]
        assert headrace(platform, "runs", "terminate", run_id).returncode == 0
        assert following.wait(30) == 0
    again = headrace(platform, "runs", "terminate", run_id)
    assert again.returncode == 2
    assert b"has ended" in again.stderr


def test_a_canceled_run_is_exit_code_3(platform: Platform, tmp_path: Path) -> None:
    waiting = subprocess.Popen(
        [str(HEADRACE), "run", str(shell_pipeline(tmp_path, "sleep 60; echo 3")), "--endpoint", platform.url],
        env=environment(platform.home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    with waiting:
        assert waiting.stderr is not None
        run_id = waiting.stderr.readline().decode().split()[1]
        assert headrace(platform, "runs", "terminate", run_id).returncode == 0
        assert waiting.wait(30) == 3


def test_ctrl_c_leaves_the_run(platform: Platform, tmp_path: Path) -> None:
    waiting = subprocess.Popen(
        [str(HEADRACE), "run", str(shell_pipeline(tmp_path, "sleep 60; echo c")), "--endpoint", platform.url],
        env=environment(platform.home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    with waiting:
        assert waiting.stderr is not None
        run_id = waiting.stderr.readline().decode().split()[1]
        waiting.send_signal(signal.SIGINT)
        said = waiting.stderr.read().decode()
        assert waiting.wait(30) == 130
    assert f"run {run_id} goes on" in said
    assert "Traceback" not in said
    assert headrace(platform, "runs", "terminate", run_id).returncode == 0


def test_a_reader_that_leaves_is_no_error(platform: Platform) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with contextlib.closing(os.fdopen(writing, "wb")) as closed:
        done = subprocess.run(
            [str(HEADRACE), "runs", "list", "--endpoint", platform.url],
            env=environment(platform.home),
            stdout=closed,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


@pytest.mark.timeout(180)
def test_without_a_platform_one_is_made_for_the_run(tmp_path: Path) -> None:
    home = tmp_path / "home"
    pipeline = shell_pipeline(tmp_path, "echo alone")
    done = subprocess.run(
        [str(HEADRACE), "run", str(pipeline), "-o", "json"],
        env=environment(home),
        capture_output=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["state"] == "SUCCEEDED"
    assert not (home / "up.json").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(json.loads((home / "up.lock").read_text())["pid"], 0)


def test_a_home_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [str(HEADRACE), "run", str(HELLO)],
        env=environment(tmp_path / "file" / "home"),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4 or done.returncode == 1
    assert b"set HEADRACE_HOME to a folder that you may write to" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_root_artifact_may_be_given_by_its_path(platform: Platform, tmp_path: Path) -> None:
    read = {"image": "busybox", "command": ["sh", "-c", 'cat "$0" > "$1"']}
    read["args"] = ["{{$.inputs.artifacts['data'].path}}", "{{$.outputs.parameters['Output'].output_file}}"]
    data = {"artifacts": {"data": {"artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}}}
    text = {"parameters": {"Output": {"parameterType": "STRING"}}}
    component = {"executorLabel": "exec-read", "inputDefinitions": data, "outputDefinitions": text}
    given = {"artifacts": {"data": {"componentInputArtifact": "data"}}}
    task = {"componentRef": {"name": "comp-read"}, "taskInfo": {"name": "read"}, "inputs": given}
    returned = {"valueFromParameter": {"producerSubtask": "read", "outputParameterKey": "Output"}}
    dag = {"tasks": {"read": task}, "outputs": {"parameters": {"Output": returned}}}
    spec = {
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.14.0",
        "pipelineInfo": {"name": "reads"},
        "deploymentSpec": {"executors": {"exec-read": {"container": read}}},
        "components": {"comp-read": component},
        "root": {"dag": dag, "inputDefinitions": data, "outputDefinitions": text},
    }
    (tmp_path / "reads.yaml").write_text(yaml.safe_dump(spec))
    (tmp_path / "a b.txt").write_text("hello")
    done = headrace(platform, "run", str(tmp_path / "reads.yaml"), "-a", f"data={tmp_path}/a b.txt", "-o", "json")
    assert json_of(done)["outputs"] == {"Output": "hello"}


def test_nodes_and_accelerator_time(platform: Platform, tmp_path: Path):
    """This machine is the one node; a task without accelerators has used none."""
    run = json_of(headrace(platform, "run", str(shell_pipeline(tmp_path, "true")), "-o", "json"))["run_id"]
    (node,) = json_of(headrace(platform, "nodes", "-o", "json"))
    assert node["status"] == "ready"
    assert node["cpu"] > 0
    assert headrace(platform, "nodes").stdout.decode().startswith(f"{node['name']}  ready  ")
    assert json_of(headrace(platform, "runs", "usage", run, "-o", "json")) == {"run_id": run, "total": [], "tasks": {}}
    assert b"has held an accelerator" in headrace(platform, "runs", "usage", run).stderr
    assert json_of(headrace(platform, "usage", "-o", "json"))["days"] == []
    asking = yaml.safe_load(shell_pipeline(tmp_path, "true").read_text())
    accelerator = {"resourceType": "nvidia.com/gpu", "resourceCount": "1"}
    asking["deploymentSpec"]["executors"]["exec-work"]["container"]["resources"] = {"accelerator": accelerator}
    (tmp_path / "asking.yaml").write_text(yaml.safe_dump(asking))
    run = json_of(headrace(platform, "run", str(tmp_path / "asking.yaml"), "-o", "json"))["run_id"]
    (time,) = json_of(headrace(platform, "runs", "usage", run, "-o", "json"))["total"]
    given = [one["product"] for one in node["accelerators"]] or ["none"]
    assert [time["accelerator"]] == given, "this machine's, or it had to do without"
    assert time["asked_s"] > 0
    assert (time["used_s"] == 0) == (given == ["none"])
    wrong = headrace(platform, "usage", "--since", "yesterday")
    assert (wrong.returncode, b"'yesterday' is no day; write one such as 2026-01-31" in wrong.stderr) == (2, True)
    assert platform.get("/apis/headrace.v1/nodes")["nodes"][0]["name"] == node["name"]
