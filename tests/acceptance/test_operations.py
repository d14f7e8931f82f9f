"""Operations on a run, by the real command and client on the real platform, in both topologies: terminate with exit tasks, retry,
and resume with a change. Each task writes its name to a file when it runs, so that what ran is counted where it happened.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from builders.specs import Component, Pipeline, artifact, container, dag, dag_input, final_status, output, pipeline
from corpus import driving
from corpus.viewing import local_path
from fixtures.platforms import Platform
from fixtures.polling import eventually
from fixtures.records import Records
from headrace.errors import BadInput, NotFound, WrongState
from headrace.models import Run, Task

OUTPUT = "{{$.outputs.parameters['Output'].output_file}}"
MADE = "{{$.outputs.artifacts['artifact'].path}}"
DATA = "{{$.inputs.artifacts['data'].path}}"
GIVEN = "{{$.inputs.parameters['x']}}"


@pytest.fixture
def client(platform: Platform) -> Iterator[Records]:
    with Records(platform.url) as found:
        yield found


class Ledger:
    """Where tasks write down that they ran; `blocks(name)` makes a task fail until `unblock`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "ran"
        self.file.touch()

    def step(self, script: str = 'printf %s "$1" > "$0"', **kinds: str) -> Component:
        """Takes x; writes it down with its task's name, fails where a file of the name blocks-<x> is, then runs SCRIPT."""
        said = f'echo "{{{{$.pipeline_task_name}}}} $1" >> {self.file}; test ! -e {self.folder}/blocks-"$1"; '
        return container(
            ["sh", "-ec", said + script, OUTPUT, GIVEN], inputs={"x": "STRING", **kinds}, outputs={"Output": "STRING"}
        )

    def block(self, x: str) -> None:
        (self.folder / f"blocks-{x}").touch()

    def unblock(self, x: str) -> None:
        (self.folder / f"blocks-{x}").unlink()

    def taken(self) -> list[str]:
        """What has run since the last call."""
        lines = sorted(self.file.read_text().splitlines())
        self.file.write_text("")
        return lines


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)


def saved(flow: Pipeline, folder: Path, name: str = "flow.yaml") -> str:
    path = folder / name
    path.write_text(yaml.safe_dump(flow.build()))
    return str(path)


def tasks_of(client: Records, run: Run) -> dict[str, Task]:
    return {task.path: task for task in client.tasks(run.run_id)}


# ---- terminate


def guarded(ledger: Ledger) -> Pipeline:
    told = f'echo "$0" | tr -d " " >> {ledger.file}'
    exit_task = container(
        ["sh", "-ec", told, "{{$.inputs.parameters['status']}}"], inputs={"status": "TASK_FINAL_STATUS"}
    )
    flow = pipeline("guarded").task("work", ledger.step(f"echo at work >> {ledger.folder}/begun; sleep 60"), {"x": "w"})
    return flow.task("exit", exit_task, {"status": final_status("work")}, after=["work"], on_completion=True)


def test_exit_tasks_run_before_a_terminated_run_ends(platform: Platform, client: Records, ledger: Ledger) -> None:
    run = client.submit(guarded(ledger).build(), enable_cache=False)
    for seen in client.watch(run.run_id):
        if seen.tasks.get("work") and seen.tasks["work"].state == "RUNNING":
            break
    said = driving.command("runs", "terminate", run.run_id, "--run-exit-tasks", "--endpoint", platform.url)
    assert (said.code, said.stdout) == (0, f"{run.run_id} is CANCELING\n")
    ended = client.wait(run.run_id, timeout=60)
    assert ended.state == "CANCELED"
    tasks = tasks_of(client, run)
    assert {path: task.state for path, task in tasks.items()} == {"work": "CANCELED", "exit": "SUCCEEDED"}
    assert '"state":"CANCELLED"' in ledger.file.read_text()


def test_a_running_run_that_is_deleted_ends_with_all_that_it_has_begun(
    platform: Platform, client: Records, ledger: Ledger
) -> None:
    work = ledger.step(f"echo $$ > {ledger.folder}/begun; mv {ledger.folder}/begun {ledger.folder}/pid; sleep 3600")
    flow = pipeline("deleted").task("work", work, {"x": "w"})
    run = client.submit(flow.build(), enable_cache=False)
    eventually((ledger.folder / "pid").exists)
    pid = int((ledger.folder / "pid").read_text())
    said = driving.command("runs", "delete", run.run_id, "--force", "--endpoint", platform.url)
    assert (said.code, said.stdout) == (0, f"{run.run_id} is deleted\n")
    eventually(lambda: not psutil.pid_exists(pid))
    # its slots are free again: what asks for the whole machine runs
    whole = container(["true"], resources={"resourceCpuLimit": "1000"})
    after = client.submit(pipeline("after").task("whole", whole).build(), enable_cache=False)
    assert client.wait(after.run_id, timeout=60).state == "SUCCEEDED"


def test_kfps_terminate_leaves_exit_tasks_out(platform: Platform, client: Records, ledger: Ledger) -> None:
    run = client.submit(guarded(ledger).build(), enable_cache=False)
    posted(platform, f"/apis/v2beta1/runs/{run.run_id}:terminate")
    assert client.wait(run.run_id, timeout=60).state == "CANCELED"
    assert not [task.path for task in client.tasks(run.run_id) if task.state == "SUCCEEDED"]
    shown = platform.get(f"/apis/v2beta1/runs/{run.run_id}")
    assert [one["state"] for one in shown["state_history"]][-2:] == ["CANCELING", "CANCELED"]


def posted(platform: Platform, path: str, body: Any = None) -> Any:
    data = json.dumps(body).encode() if body is not None else b""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    request = urllib.request.Request(f"{platform.url}{path}", data=data, headers=headers, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


# ---- retry


def chain(ledger: Ledger, last: str = "3") -> Pipeline:
    """first → a loop over x, y, z → last, and an exit task that always runs."""
    body = dag({"item": "STRING", "first": "STRING"})
    body.task("train", ledger.step(), {"x": dag_input("item")})
    flow = pipeline("chain").input("lr", "STRING", default="0.1").task("first", ledger.step(), {"x": dag_input("lr")})
    flow.task("loop", body, {"first": output("first")}, items='["x", "y", "z"]')
    flow.task("last", ledger.step(), {"x": last}, after=["loop"])
    return flow.task("tidy", ledger.step(), {"x": "t"}, after=["last"], on_completion=True)


def test_a_retry_runs_what_failed_and_what_followed_in_the_same_run(
    platform: Platform, client: Records, ledger: Ledger
) -> None:
    ledger.block("y")
    run = client.wait(client.submit(chain(ledger).build(), enable_cache=False).run_id, timeout=60)
    assert run.state == "FAILED"
    assert ledger.taken() == ["first 0.1", "tidy t", "train x", "train y", "train z"]
    before = {task.path: task for task in client.tasks(run.run_id)}
    assert before["last"].state == "SKIPPED"
    ledger.unblock("y")
    shown = client.runs.retry(run.run_id)
    assert shown.state == "RUNNING"  # at once, so that whoever waits does not see the old end
    assert client.wait(run.run_id, timeout=60).state == "SUCCEEDED"
    assert ledger.taken() == ["last 3", "tidy t", "train y"]
    after = tasks_of(client, run)
    assert set(after) == set(before)
    attempts = {path: [(one.number, one.state) for one in task.attempts] for path, task in after.items()}
    assert attempts["loop[1]/train"] == [(1, "FAILED"), (2, "SUCCEEDED")]
    assert attempts["tidy"] == [(1, "SUCCEEDED"), (2, "SUCCEEDED")]
    assert attempts["loop[0]/train"] == [(1, "SUCCEEDED")]
    with pytest.raises(WrongState, match="SUCCEEDED: there is nothing to retry"):
        client.runs.retry(run.run_id)


def test_kfps_retry_does_the_same(platform: Platform, client: Records, ledger: Ledger) -> None:
    ledger.block("3")
    run = client.wait(client.submit(chain(ledger).build(), enable_cache=False).run_id, timeout=60)
    ledger.taken()
    ledger.unblock("3")
    posted(platform, f"/apis/v2beta1/runs/{run.run_id}:retry")
    assert client.wait(run.run_id, timeout=60).state == "SUCCEEDED"
    assert ledger.taken() == ["last 3", "tidy t"]
    states = [one["state"] for one in platform.get(f"/apis/v2beta1/runs/{run.run_id}")["state_history"]]
    assert states == ["PENDING", "RUNNING", "FAILED", "RUNNING", "SUCCEEDED"]


# ---- resume


def test_a_run_goes_on_in_another_one_with_a_new_spec(platform: Platform, client: Records, ledger: Ledger) -> None:
    ledger.block("3")
    origin = client.wait(client.submit(chain(ledger).build(), {"lr": "0.2"}, enable_cache=False).run_id, timeout=60)
    assert origin.state == "FAILED"
    ledger.taken()
    said = driving.command(
        "resume", origin.run_id, saved(chain(ledger, last="4"), ledger.folder), "-o", "json", "--endpoint", platform.url
    )
    told = json.loads(said.stdout)
    assert (said.code, told["state"], told["resumed_from"]) == (0, "SUCCEEDED", origin.run_id), said.stderr
    assert ledger.taken() == ["last 4", "tidy t"]
    linked = {task["path"]: task["linked_from"] for task in told["tasks"]}
    assert linked["loop[2]/train"] == f"{origin.run_id}/loop[2]/train"
    assert {path for path, where in linked.items() if not where} == {"last", "tidy"}
    assert not [task for task in told["tasks"] if task["linked_from"] and task["attempts"]]
    text = driving.command("runs", "get", told["run_id"], "--endpoint", platform.url).stdout
    assert f"4 linked from run {origin.run_id}" in text
    spans = platform.get(f"/apis/headrace.v1/runs/{told['run_id']}/trace")["spans"]
    marked = [one for one in spans if one.get("attributes", {}).get("headrace.linked_from")]
    assert {one.get("path") for one in marked} >= {"first", "loop", "loop[0]/train"}
    assert not [one for one in spans if one.get("path") == "first" and one["phase"] == "attempt"]


def test_from_any_task_or_item_with_other_parameters(client: Records, ledger: Ledger) -> None:
    origin = client.wait(client.submit(chain(ledger).build(), {"lr": "0.3"}, enable_cache=False).run_id, timeout=60)
    assert origin.state == "SUCCEEDED"
    ledger.taken()
    run = client.wait(client.resume(origin.run_id, from_tasks=["loop[1]/train"]).run_id, timeout=60)
    assert (run.state, run.resumed_from, run.parameters) == ("SUCCEEDED", origin.run_id, {"lr": "0.3"})
    assert ledger.taken() == ["last 3", "tidy t", "train y"]
    run = client.wait(client.resume(origin.run_id).run_id, timeout=60)
    assert (run.state, ledger.taken()) == ("SUCCEEDED", [])
    second = client.resume(run.run_id, parameters={"lr": "0.4"})
    assert client.wait(second.run_id, timeout=60).state == "SUCCEEDED"
    assert ledger.taken() == ["first 0.4", "last 3", "tidy t", "train x", "train y", "train z"]


def test_linked_artifacts_are_the_same_ones(client: Records, ledger: Ledger) -> None:
    write = container(
        ["sh", "-ec", 'printf %s "$1" > "$0"', MADE, GIVEN],
        inputs={"x": "STRING"},
        output_artifacts={"artifact": "system.Dataset"},
    )
    read = container(
        ["sh", "-ec", 'cat "$1" > "$0"', OUTPUT, DATA],
        input_artifacts={"data": "system.Dataset"},
        outputs={"Output": "STRING"},
    )
    flow = pipeline("data").task("write", write, {"x": "rows"}).task("read", read, {"data": artifact("write")})
    flow.returns("text", "read")
    origin = client.wait(client.submit(flow.build(), enable_cache=False).run_id, timeout=60)
    run = client.wait(client.resume(origin.run_id, from_tasks=["read"]).run_id, timeout=60)
    assert (run.state, run.outputs["text"]) == ("SUCCEEDED", "rows")
    (one,), (two,) = client.artifacts(origin.run_id), client.artifacts(run.run_id)
    assert (one.artifact_id, one.uri, one.task) == (two.artifact_id, two.uri, two.task)
    client.runs.delete(origin.run_id)
    again = client.wait(client.resume(run.run_id, from_tasks=["read"]).run_id, timeout=60)
    assert (again.state, again.outputs["text"]) == ("SUCCEEDED", "rows")


def test_a_resume_whose_origins_results_are_gone_says_so_and_runs_them_again_when_told(
    client: Records, ledger: Ledger
) -> None:
    script = 'echo write >> "$2"; printf rows > "$0"; printf "[\\"%030000d\\",\\"%030000d\\"]" 1 2 > "$1"'
    write = container(
        ["sh", "-ec", script, MADE, OUTPUT, str(ledger.file)],
        outputs={"Output": "LIST"},
        output_artifacts={"artifact": "system.Dataset"},
    )
    read = container(
        ["sh", "-ec", f'echo read >> {ledger.file}; test ! -e "$0"; cat "$1"', str(ledger.folder / "blocks-r"), DATA],
        input_artifacts={"data": "system.Dataset"},
    )
    each = container(["sh", "-ec", f"echo item >> {ledger.file}", GIVEN], inputs={"x": "STRING"})
    flow = pipeline("gone").task("write", write).task("read", read, {"data": artifact("write")})
    flow.task("each", each, {"list": output("write")}, over="list", item="x", after=["read"])
    ledger.block("r")
    origin = client.wait(client.submit(flow.build(), enable_cache=False).run_id, timeout=60)
    assert (origin.state, ledger.taken()) == ("FAILED", ["read", "write"])
    ledger.unblock("r")
    (made,) = client.artifacts(origin.run_id)
    local_path(made.uri).rename(ledger.folder / "away")
    run = client.wait(client.resume(origin.run_id).run_id, timeout=60)
    assert (run.state, ledger.taken()) == ("FAILED", []), "user code does not begin"
    error = tasks_of(client, run)["read"].error
    assert error.reason == "MissingInput"
    assert error.message.startswith(f"input artifact 'data' is missing: nothing is stored at {made.uri}; run the task ")
    (ledger.folder / "away").rename(local_path(made.uri))
    value = local_path(tasks_of(client, origin)["write"].outputs["Output"].uri)
    value.unlink()
    run = client.wait(client.resume(origin.run_id).run_id, timeout=60)
    assert (run.state, ledger.taken()) == ("FAILED", ["read"])
    error = tasks_of(client, run)["each"].error
    assert error.reason == "MissingInput"
    assert error.message.endswith(f"/{value.name}: nothing is stored there; run the task that makes it again")
    again = client.wait(client.resume(run.run_id, from_tasks=["write"]).run_id, timeout=60)
    assert (again.state, ledger.taken()) == ("SUCCEEDED", ["item", "item", "read", "write"])


def test_what_a_resume_is_refused_for(platform: Platform, client: Records, ledger: Ledger) -> None:
    going_on = client.submit(guarded(ledger).build(), enable_cache=False)
    with pytest.raises(WrongState, match=r"has not ended \((PENDING|RUNNING)\): wait for its end or terminate it"):
        client.resume(going_on.run_id)
    client.runs.terminate(going_on.run_id)
    assert client.wait(going_on.run_id, timeout=60).state == "CANCELED"
    origin = client.wait(client.submit(chain(ledger).build(), enable_cache=False).run_id, timeout=60)
    for path, sentence in (
        ("frist", "there is no task 'frist' in the pipeline; did you mean 'first'?"),
        ("loop[1]/tran", "there is no task 'tran' in 'loop[1]'; did you mean 'loop[1]/train'?"),
        ("loop[7]/train", f"loop 'loop' had 3 items in run {origin.run_id}, counted from 0"),
        ("first[0]", "'first' is no loop, it has no item 0"),
        ("first/x", "there are no tasks in 'first'"),
    ):
        with pytest.raises(BadInput) as refused:
            client.resume(origin.run_id, from_tasks=[path])
        assert f"from task '{path}': {sentence}" in str(refused.value)
    needy = chain(ledger).input("needed", "STRING")
    with pytest.raises(BadInput, match="needed"):
        client.resume(origin.run_id, needy.build())
    with pytest.raises(BadInput, match="nonsense"):
        client.resume(origin.run_id, {"nonsense": 1})
    with pytest.raises(NotFound, match="not found"):
        client.resume("01890a5d-ac96-774b-bcce-b302099a8057")
    said = driving.command("resume", origin.run_id, "--from", "frist", "--endpoint", platform.url)
    assert said.code == 2
    assert "did you mean 'first'?" in said.stderr
    body = {"from_tasks": ["first"], "request_id": "resume once"}
    once = posted(platform, f"/apis/headrace.v1/runs/{origin.run_id}:resume", body)
    assert posted(platform, f"/apis/headrace.v1/runs/{origin.run_id}:resume", body)["run_id"] == once["run_id"]
    assert client.wait(once["run_id"], timeout=60).state == "SUCCEEDED"


def test_a_run_is_resumed_with_a_version_of_an_uploaded_pipeline(
    platform: Platform, client: Records, ledger: Ledger
) -> None:
    origin = client.wait(client.submit(chain(ledger).build(), enable_cache=False).run_id, timeout=60)
    ledger.taken()
    status, answer = driving.upload(platform.url, Path(saved(chain(ledger, last="5"), ledger.folder)))
    assert status == 200, answer
    pipeline_id = json.loads(answer)["pipeline_id"]
    (version,) = platform.get(f"/apis/v2beta1/pipelines/{pipeline_id}/versions")["pipeline_versions"]
    run = client.resume(origin.run_id, pipeline_version_id=version["pipeline_version_id"], display_name="with five")
    assert client.wait(run.run_id, timeout=60).state == "SUCCEEDED"
    assert ledger.taken() == ["last 5", "tidy t"]
    shown = platform.get(f"/apis/v2beta1/runs/{run.run_id}")
    assert (shown["display_name"], shown["pipeline_version_reference"]["pipeline_id"]) == ("with five", pipeline_id)
    again = client.resume(run.run_id)
    assert again.display_name == "with five (resumed)"
    assert client.wait(again.run_id, timeout=60).state == "SUCCEEDED"
    assert ledger.taken() == []
    deletion = urllib.request.Request(
        f"{platform.url}/apis/v2beta1/pipelines/{pipeline_id}?cascade=true", method="DELETE"
    )
    with urllib.request.urlopen(deletion, timeout=30) as gone:
        assert gone.status == 200


def test_an_exit_task_that_is_a_pipeline_runs_again_with_the_retry(client: Records, ledger: Ledger) -> None:
    inside = dag().task("first", ledger.step(), {"x": "f"}).task("second", ledger.step(), {"x": "s"}, after=["first"])
    flow = pipeline("exits").task("work", ledger.step(), {"x": "w"})
    flow.task("tidy", inside, after=["work"], on_completion=True)
    ledger.block("w")
    run = client.wait(client.submit(flow.build(), enable_cache=False).run_id, timeout=60)
    assert (run.state, ledger.taken()) == ("FAILED", ["first f", "second s", "work w"])
    ledger.unblock("w")
    client.runs.retry(run.run_id)
    assert client.wait(run.run_id, timeout=60).state == "SUCCEEDED"
    assert ledger.taken() == ["first f", "second s", "work w"]
    numbers = {path: [one.number for one in task.attempts] for path, task in tasks_of(client, run).items()}
    assert numbers == {"work": [1, 2], "tidy": [], "tidy/first": [1, 2], "tidy/second": [1, 2]}
