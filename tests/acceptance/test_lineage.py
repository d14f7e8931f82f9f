"""Artifacts of all runs and their lineage, by the real command and client on the real platform, in both topologies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from builders.specs import artifact, container, dag_input, importer, pipeline
from corpus import driving
from fixtures.platforms import Platform
from fixtures.records import Records
from headrace import Client
from headrace.errors import BadInput

MADE = "{{$.outputs.artifacts['model'].path}}"
READ = "{{$.inputs.artifacts['data'].path}}"


@dataclass
class Story:
    """Two runs of a pipeline that trains with another rate, and one of another pipeline that reads the second model."""

    first: str
    second: str
    told: str
    models: dict[str, str]


@pytest.fixture
def client(platform: Platform) -> Iterator[Records]:
    with Records(platform.url) as found:
        yield found


@pytest.fixture
def story(client: Records, tmp_path: Path) -> Story:
    data = tmp_path / "data.csv"
    data.write_text("rows")
    train = container(["sh", "-ec", 'cat "$1" > "$0"; echo "$2" >> "$0"', MADE, READ, "{{$.inputs.parameters['lr']}}"])
    train.input_artifact("data", "system.Dataset").input("lr", "NUMBER_DOUBLE").output_artifact("model", "system.Model")
    flow = pipeline("trains").input("lr", "NUMBER_DOUBLE", default=0.1)
    flow.task("load", importer(data.as_uri(), metadata={"rows": 1}), {"uri": "x"})
    flow.task("train", train, {"data": artifact("load"), "lr": dag_input("lr")})
    ran = [client.submit(flow.build(), {"lr": lr}).run_id for lr in (0.1, 0.2)]
    models = {}
    for run_id in ran:
        assert client.wait(run_id, timeout=60).state == "SUCCEEDED"
        models[run_id] = next(one.uri for one in client.artifacts(run_id) if one.name == "model")
    tell = container(["sh", "-ec", 'cat "$1" > "$0"', "{{$.outputs.artifacts['html'].path}}", READ])
    tell.input_artifact("data", "system.Model").output_artifact("html", "system.HTML")
    other = pipeline("tells").task("get", importer(models[ran[1]], type_="system.Model"), {"uri": "x"})
    other = other.task("tell", tell, {"data": artifact("get")})
    told = client.submit(other.build()).run_id
    assert client.wait(told, timeout=60).state == "SUCCEEDED"
    return Story(ran[0], ran[1], told, models)


def said(platform: Platform, *arguments: str, code: int = 0) -> str:
    answer = driving.command("artifacts", *arguments, "--endpoint", platform.url)
    assert answer.code == code, answer.stderr
    return answer.stdout


def objects(platform: Platform, *arguments: str, code: int = 0) -> Any:
    return json.loads(said(platform, *arguments, "-o", "json", code=code))


def test_a_report_is_traced_to_its_data_code_parameters_and_run(platform: Platform, story: Story) -> None:
    lines = said(platform, "lineage", story.told, "tell/html", "--up").splitlines()
    assert "HTML" in lines[0]
    text = "\n".join(lines)
    for expected in (
        f"made by tell  of run {story.told} (tells)  code sha256:",
        f"made by train  of run {story.second} (trains)  code sha256:",
        "image python:3.11  lr=0.2",
        "data.csv",
    ):
        assert expected in text, text
    assert story.first not in text.replace(f"made by load  of run {story.first}", "")
    graph = objects(platform, "lineage", story.told, "tell/html", "--up", "--hops", "2")
    assert {one["task"] for one in graph["tasks"]} >= {"tell", "train"}


def test_what_was_made_of_a_model_in_another_pipeline(platform: Platform, story: Story) -> None:
    lines = said(platform, "lineage", story.models[story.second], "--down").splitlines()
    assert any(f"read by tell  of run {story.told} (tells)" in line for line in lines), lines


def test_artifacts_are_found_by_what_they_are(platform: Platform, story: Story) -> None:
    uri = story.models[story.first]
    (one,) = objects(platform, "list", "--uri", uri)
    assert (one["type"], one["made_by"]["run_id"], one["made_by"]["task"]) == ("system.Model", story.first, "train")
    assert uri in [each["uri"] for each in objects(platform, "list", "--digest", one["digest"])]
    assert [each["uri"] for each in objects(platform, "list", story.first, "--type", "system.Model")] == [uri]
    found = objects(platform, "list", "--metadata", "rows=1", "--pipeline", "trains", "--limit", "0")
    assert {each["type"] for each in found} == {"system.Dataset"}
    shown = said(platform, "get", str(one["number"]))
    assert f"written by {story.first}/train (trains) as model" in shown


def test_one_is_downloaded_by_its_number(platform: Platform, story: Story, tmp_path: Path) -> None:
    one = objects(platform, "list", "--uri", story.models[story.second])[-1]  # the newest is who imported it
    said(platform, "download", str(one["number"]), "--to", str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_text() == "rows0.2\n"
    assert "there is no artifact '1'" in driving.command("artifacts", "get", "1", "--endpoint", platform.url).stderr


def test_two_models_differ_in_what_they_were_made_of(platform: Platform, story: Story) -> None:
    first, second = story.models[story.first], story.models[story.second]
    fields = {one["field"]: (one["first"], one["second"]) for one in objects(platform, "diff", first, second, code=1)}
    assert set(fields) == {"digest", "made_by.parameters.lr", "made_by.run", "uri"}, fields
    assert fields["made_by.parameters.lr"] == ("0.1", "0.2")
    assert said(platform, "diff", first, first) == ""


def test_the_client_answers_the_same_and_rest_too(platform: Platform, story: Story) -> None:
    with Client(platform.url) as client:
        (one,) = client.artifacts.find(uri=story.models[story.first])
        graph = client.artifacts.lineage(one.artifact.artifact_id, direction="up", hops=1)
        assert client.artifacts.get(one.number).artifact == one.artifact
        assert client.artifacts.diff(one.number, str(one.number)) == []
        with pytest.raises(BadInput, match="direction is 'upstream'; give one of up, down, both"):
            client.artifacts.lineage(one.artifact.artifact_id, direction="upstream")
        (maker,) = graph.makers(graph.root)
        assert (maker.path, maker.parameters["lr"]) == ("train", 0.1)
        (read,) = graph.inputs(maker.number)
        assert graph.artifacts[read.artifact].artifact.uri.endswith("data.csv")
    answer = platform.get(f"/apis/headrace.v1/artifacts/{one.number}/lineage?direction=UPSTREAM_OF&hops=1")
    assert {task["path"] for task in answer["tasks"]} == {"train"}
    listed = platform.get("/apis/headrace.v1/artifacts?type=system.Model&metadata=rows=1")
    assert listed.get("artifacts", []) == []


MATRIX = {"annotationSpecs": [{"displayName": "a"}, {"displayName": "b"}], "rows": [{"row": [1, 2]}, {"row": [3, 4]}]}


def test_runs_are_compared_by_figures_and_figures_are_data(platform: Platform, client: Records, tmp_path: Path) -> None:
    metadata = {"metadata": {"acc": "ACC", "confusionMatrix": MATRIX}}
    told = json.dumps({"artifacts": {"metrics": {"artifacts": [metadata]}}}).replace('"ACC"', "ACC")
    (tmp_path / "told.json").write_text(told)
    script = f'sed s/ACC/$1/ {tmp_path}/told.json > "$0"; printf \'<b>hi</b>\' > "$2"; printf "a,b\\n1,2\\n" > "$3"'
    files = ["{{$.outputs.artifacts['page'].path}}", "{{$.outputs.artifacts['rows'].path}}"]
    step = container(["sh", "-ec", script, "{{$.outputs.output_file}}", "{{$.inputs.parameters['acc']}}", *files])
    step.input("acc", "NUMBER_DOUBLE").output_artifact("metrics", "system.ClassificationMetrics")
    step.output_artifact("page", "system.HTML").output_artifact("rows", "system.Dataset")
    flow = pipeline("scores").input("acc", "NUMBER_DOUBLE").task("score", step, {"acc": dag_input("acc")})
    runs = [client.submit(flow.build(), {"acc": acc}).run_id for acc in (0.25, 0.75)]
    for run_id in runs:
        ended = client.wait(run_id, timeout=60)
        assert ended.state == "SUCCEEDED", ended.error
    answer = driving.command("runs", "compare", *runs, "--sort", "acc", "--endpoint", platform.url)
    assert [line.split() for line in answer.stdout.splitlines()] == [
        ["run", "state", "acc", "score.acc"],
        [runs[1], "SUCCEEDED", "0.75", "0.75"],
        [runs[0], "SUCCEEDED", "0.25", "0.25"],
    ]
    with Client(platform.url) as whole:
        (metrics,) = whole.artifacts.find(run_id=runs[1], kind="system.ClassificationMetrics")
        figures = whole.artifacts.figures(str(metrics.number))
        assert figures.numbers == {"acc": 0.75}
        assert (figures.whole.categories, figures.whole.matrix) == (("a", "b"), ((1.0, 2.0), (3.0, 4.0)))
        (html,) = whole.artifacts.find(run_id=runs[1], kind="system.HTML")
        shown = whole.artifacts.figures(str(html.number))
        assert (shown.preview, shown.media_type, shown.truncated) == ("<b>hi</b>", "text/html", False)
        (csv,) = whole.artifacts.find(run_id=runs[1], kind="system.Dataset")
        table = whole.artifacts.figures(str(csv.number))
        assert (table.columns, table.rows) == (("a", "b"), (("1", "2"),))
        best = whole.artifacts.compare_runs(pipeline="scores", sort_by="acc", limit=1)
        assert [one.run_id for one in best] == [runs[1]]
