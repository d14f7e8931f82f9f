"""The cache, by the real command and client on the real platform, in both topologies.

One flight for identical runs, results whose artifacts are gone, edited data, a refresh, ages, and `headrace cache explain`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from builders.specs import Pipeline, artifact, container, dag_input, importer, pipeline
from corpus import driving
from corpus.viewing import local_path
from fixtures.platforms import Platform
from fixtures.records import Records
from headrace.errors import BadInput
from headrace.models import Run, Task

MADE = "{{$.outputs.artifacts['artifact'].path}}"
READ = "{{$.inputs.artifacts['data'].path}}"
GATE_S = 60


@pytest.fixture
def client(platform: Platform) -> Iterator[Records]:
    with Records(platform.url) as found:
        yield found


def chain(folder: Path, name: str, *, gate: bool = False) -> Pipeline:
    """prepare → train → report; each writes its word down when it runs, and puts out what it read with its word."""
    wait = f"until test -e {folder}/gate; do sleep 0.05; done; " if gate else ""

    def step(word: str, read: str = "") -> list[str]:
        script = f'echo {word} >> {folder}/ran; {wait}{{ echo {word}; test -z "$1" || cat "$1"; }} > "$0"'
        return ["sh", "-ec", script, MADE, *([read] if read else [])]

    prepare = container(step("prepare"), output_artifacts={"artifact": "system.Dataset"})
    train = container(step("train", READ), input_artifacts={"data": "system.Dataset"}, inputs={"lr": "NUMBER_DOUBLE"})
    train.output_artifact("artifact", "system.Model")
    report = container(step("report", READ), input_artifacts={"data": "system.Model"})
    report.output_artifact("artifact", "system.HTML")
    flow = pipeline(name).input("lr", "NUMBER_DOUBLE", default=0.1)
    flow.task("prepare", prepare, cache=True)
    flow.task("train", train, {"data": artifact("prepare"), "lr": dag_input("lr")}, cache=True)
    return flow.task("report", report, {"data": artifact("train")}, cache=True)


def ran(folder: Path) -> list[str]:
    """What has run since the last call."""
    file = folder / "ran"
    lines = sorted(file.read_text().splitlines()) if file.exists() else []
    file.write_text("")
    return lines


def ended(client: Records, run: Run) -> dict[str, Task]:
    assert client.wait(run.run_id, timeout=GATE_S).state == "SUCCEEDED"
    return {task.path: task for task in client.tasks(run.run_id)}


def test_two_identical_runs_at_once_run_each_task_once(platform: Platform, client: Records, tmp_path: Path) -> None:
    flow = chain(tmp_path, "flight", gate=True).build()
    made: list[Run] = []

    def submit() -> None:
        with Records(platform.url) as other:
            made.append(other.submit(flow))

    both = [threading.Thread(target=submit) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    (tmp_path / "gate").touch()
    one, two = (ended(client, run) for run in made)
    assert ran(tmp_path) == ["prepare", "report", "train"]
    assert sorted(task.cached for task in (one["report"], two["report"])) == [False, True]
    assert one["report"].artifacts == two["report"].artifacts


def test_a_result_whose_artifact_is_gone_is_made_again(client: Records, tmp_path: Path) -> None:
    flow = chain(tmp_path, "gone").build()
    first = ended(client, client.submit(flow))
    ran(tmp_path)
    local_path(first["train"].artifacts["artifact"][0].uri).unlink()
    run = client.submit(flow)
    tasks = ended(client, run)
    assert ran(tmp_path) == ["train"]  # what it puts out is what it was, so that the report stands
    assert tasks["report"].cached
    told = client.explain_cache(run.run_id, "train")
    assert (told.outcome, told.first_difference) == ("miss", "")
    assert told.reason == (
        "there was an entry of the same key that was not taken: "
        f"{first['train'].artifacts['artifact'][0].uri} is not there any more"
    )


def test_edited_data_is_read_again(client: Records, tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("one")
    step = container(["sh", "-ec", f'echo read >> {tmp_path}/ran; cat "$1" > "$0"', MADE, READ])
    step.input_artifact("data", "system.Dataset").output_artifact("artifact", "system.Dataset")
    flow = pipeline("edited").task("load", importer(data.as_uri()), {"uri": "x"})
    flow = flow.task("read", step, {"data": artifact("load")}, cache=True)
    ended(client, client.submit(flow.build()))
    ended(client, client.submit(flow.build()))
    assert ran(tmp_path) == ["read"]
    data.write_text("two")
    run = client.submit(flow.build())
    tasks = ended(client, run)
    assert ran(tmp_path) == ["read"]
    assert local_path(tasks["read"].artifacts["artifact"][0].uri).read_text() == "two"
    assert client.explain_cache(run.run_id, "read").first_difference == f"versions.{data.as_uri()}"


def test_a_refresh_runs_the_task_and_keeps_what_comes_out(platform: Platform, client: Records, tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(yaml.safe_dump(chain(tmp_path, "refresh").build()))
    ended(client, client.submit(file))
    ran(tmp_path)
    said = driving.command("run", str(file), "--refresh", "prepare", "--endpoint", platform.url, "-o", "json")
    assert said.code == 0, said.stderr
    assert ran(tmp_path) == ["prepare"]
    refreshed = json.loads(said.stdout)["run_id"]
    assert client.explain_cache(refreshed, "prepare").reason.endswith("was not taken: a refresh was asked for")
    again = ended(client, client.submit(file))
    assert again["prepare"].cached_from == f"{refreshed}/prepare"
    with pytest.raises(
        BadInput, match=r"refresh task 'trian': there is no task 'trian' in the pipeline; did you mean 'train'"
    ):
        client.submit(file, refresh=["trian"])


def test_results_that_are_too_old_for_a_run_are_made_again(client: Records, tmp_path: Path) -> None:
    flow = chain(tmp_path, "old").build()
    ended(client, client.submit(flow))
    ran(tmp_path)
    run = client.submit(flow, cache_max_age=0.001)
    ended(client, run)
    assert ran(tmp_path) == ["prepare", "report", "train"]
    assert "more than the 0.001 s that are allowed" in client.explain_cache(run.run_id, "train").reason
    assert ended(client, client.submit(flow, cache_max_age=3600.0))["train"].cached


def test_explain_names_the_first_field_that_differed(platform: Platform, client: Records, tmp_path: Path) -> None:
    flow = chain(tmp_path, "explained").build()
    first = client.submit(flow)
    ended(client, first)
    told = client.explain_cache(first.run_id, "prepare")
    assert (told.outcome, told.reason) == ("miss", "there was no entry of this pipeline yet")
    second = client.submit(flow, {"lr": 0.2})
    ended(client, second)
    said = driving.command("cache", "explain", second.run_id, "train", "--endpoint", platform.url)
    lines = said.stdout.splitlines()
    assert lines[:5] == [
        "train: miss",
        f"  no entry has this key; the nearest, of {first.run_id}/train, differs first in parameters.lr",
        "  parameters.lr",
        "    here   0.2",
        "    there  0.1",
    ]
    said = driving.command("cache", "explain", second.run_id, "prepare", "--endpoint", platform.url)
    assert said.stdout.splitlines()[:2] == [
        "prepare: hit",
        f"  the results are those of {first.run_id}/prepare: all that its key is made of was the same",
    ]
    off = client.submit(flow, enable_cache=False)
    ended(client, off)
    told = client.explain_cache(off.run_id, "train")
    assert (told.outcome, told.reason) == ("off", "the run was started without the cache")
    for wrong in ("trian", "tra", "Train", "train/", "train#1"):
        said = driving.command("cache", "explain", off.run_id, wrong, "--endpoint", platform.url)
        sentence = f"headrace: Task {wrong} not found in run {off.run_id}; did you mean train?\n"
        assert (said.code, said.stderr) == (2, sentence)
    said = driving.command("cache", "explain", off.run_id, "nobody", "--endpoint", platform.url)
    assert said.stderr.endswith(f"Task nobody not found in run {off.run_id}; `headrace runs get` lists its tasks\n")
    said = driving.command("cache", "explain", off.run_id, "", "--endpoint", platform.url)
    assert said.stderr == "headrace: path is empty; name the task, such as train or for-loop-1[0]/train\n"


def test_a_run_that_is_deleted_takes_its_results_out_of_the_cache(client: Records, tmp_path: Path) -> None:
    flow = chain(tmp_path, "deleted").build()
    first = client.submit(flow)
    ended(client, first)
    client.runs.delete(first.run_id)
    for _ in range(600):
        ran(tmp_path)
        if not ended(client, client.submit(flow, cache_max_age=3600.0))["prepare"].cached_from.startswith(first.run_id):
            return
    pytest.fail("its results are still taken")
