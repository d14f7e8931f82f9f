"""`headrace experiments`, `pipelines` and `artifacts`, by the real command on the real platform, in both topologies.

- the life of each, as text, JSON and YAML; shapes as docs/reference/cli.md says
- each mistake is a sentence and exit code 2
"""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders.specs import container, dag_input, pipeline
from fixtures.platforms import HEADRACE, Platform, platform_environment

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"
TREE = (
    'mkdir -p "$0/below"; printf one > "$0/a"; printf 22 > "$0/below/b"; mkdir -p "$(dirname "$1")"; printf "$2" > "$1"'
)


def headrace(platform: Platform, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [str(HEADRACE), *arguments, "--endpoint", platform.url],
        env=platform_environment(platform.home, "127.0.0.1:0", "127.0.0.1:0", {}),
        capture_output=True,
        timeout=100,
        check=False,
    )


def told(platform: Platform, *arguments: str) -> Any:
    done = headrace(platform, *arguments, "-o", "json")
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def refused(platform: Platform, *arguments: str) -> str:
    done = headrace(platform, *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    return done.stderr.decode().strip()


def fields(name: str) -> set[str]:
    """What the reference says an object has."""
    (row,) = re.findall(rf"^\| {name} \| (.*) \|$", REFERENCE.read_text(), re.M)
    return set(re.findall(r"`(\w+)`", row))


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    made = container(
        ["sh", "-ec", TREE, "{{$.outputs.artifacts['tree'].path}}", "{{$.outputs.artifacts['text'].path}}",
         "{{$.inputs.parameters['x']}}"],
        inputs={"x": "STRING"}, output_artifacts={"tree": "system.Dataset", "text": "system.Artifact"},
    )  # fmt: skip
    built = pipeline("stored").input("x", "STRING", default="hello").task("make", made, {"x": dag_input("x")}).build()
    path = tmp_path / "stored.yaml"
    path.write_text(yaml.safe_dump(built))
    return path


def test_the_life_of_an_experiment(platform: Platform, flow: Path) -> None:
    name = f"vision {uuid.uuid4()}"
    made = told(platform, "experiments", "create", name, "--description", "of cats")
    assert set(made) == fields("experiment")
    assert (made["name"], made["description"], made["archived"]) == (name, "of cats", False)
    run = told(platform, "run", str(flow), "--experiment", name, "--no-wait")
    assert run["experiment_id"] == made["experiment_id"]
    shown = told(platform, "experiments", "get", made["experiment_id"])
    assert [one["run_id"] for one in shown["runs"]] == [run["run_id"]]
    assert [one["run_id"] for one in told(platform, "runs", "list", "--experiment", name)] == [run["run_id"]]
    assert told(platform, "experiments", "archive", name)["archived"]
    listed = yaml.safe_load(headrace(platform, "experiments", "list", "--archived", "-o", "yaml").stdout)
    assert name in [one["name"] for one in listed]
    assert name not in headrace(platform, "experiments", "list", "--no-archived", "--limit", "0").stdout.decode()
    assert (
        f"experiment {name} is not archived\n" == headrace(platform, "experiments", "unarchive", name).stdout.decode()
    )
    assert told(platform, "experiments", "delete", name) == {"experiment_id": made["experiment_id"]}
    assert refused(platform, "experiments", "get", name) == (
        f"headrace: there is no experiment '{name}'; `headrace experiments list` shows those that there are"
    )


def test_the_life_of_a_pipeline(platform: Platform, flow: Path) -> None:
    name = f"p-{uuid.uuid4()}"
    made = told(platform, "pipelines", "upload", str(flow), "--name", name, "--tag", "team=vision")
    assert set(made) == fields("pipeline") | {"version"}
    assert set(made["version"]) == fields("version")
    assert (made["name"], made["tags"]) == (name, {"team": "vision"})
    assert refused(platform, "pipelines", "upload", str(flow), "--name", name) == (
        f"headrace: The name {name} already exists; choose another"
    )
    said = headrace(
        platform, "pipelines", "upload", str(flow), "--version-of", name, "--name", "second"
    ).stdout.decode()
    assert re.fullmatch(rf"pipeline {name} \({made['pipeline_id']}\)\n  version second \([0-9a-f-]{{36}}\)\n", said)
    shown = told(platform, "pipelines", "get", name)
    assert [one["name"] for one in shown["versions"]] == ["second", name]
    assert name in headrace(platform, "pipelines", "list").stdout.decode()
    assert refused(platform, "pipelines", "delete", name).startswith("headrace: ")
    gone = told(platform, "pipelines", "delete", name, "--version", "second")
    assert set(gone) == {"pipeline_id", "pipeline_version_id"}
    assert told(platform, "pipelines", "delete", name, "--all-versions") == {"pipeline_id": made["pipeline_id"]}
    assert refused(platform, "pipelines", "get", name) == (
        f"headrace: there is no pipeline '{name}'; `headrace pipelines list` shows those that there are"
    )


def test_artifacts_are_listed_shown_and_downloaded(platform: Platform, flow: Path, tmp_path: Path) -> None:
    run = told(platform, "run", str(flow), "-p", "x=hello")["run_id"]
    listed = told(platform, "artifacts", "list", run)
    assert {one["name"] for one in listed} == {"tree", "text"}
    assert set(listed[0]) == fields("artifact")
    text = headrace(platform, "artifacts", "list", run).stdout.decode()
    assert re.search(r"^make/tree \(Dataset\)  file:///", text, re.M)
    shown = told(platform, "artifacts", "get", run, "make/tree")
    assert shown["files"] == [{"name": "a", "size": 3}, {"name": "below/b", "size": 2}]
    assert headrace(platform, "artifacts", "get", run, "make/text", "--to", "-").stdout == b"hello"
    headrace(platform, "artifacts", "get", run, "make/tree", "--to", str(tmp_path / "copy"))
    assert {
        str(p.relative_to(tmp_path / "copy")): p.read_text() for p in (tmp_path / "copy").rglob("*") if p.is_file()
    } == {
        "a": "one",
        "below/b": "22",
    }
    assert told(platform, "artifacts", "get", run, "make/text", "--to", str(tmp_path / "t"))["path"] == str(
        tmp_path / "t"
    )
    assert refused(platform, "artifacts", "get", run, "make/tree", "--to", "-") == (
        "headrace: make/tree is a folder of 2 files; give --to a path, not -"
    )
    assert refused(platform, "artifacts", "get", run, "make/txt") == (
        f"headrace: run {run} has no artifact make/txt; did you mean make/text?"
    )


def test_a_run_is_archived_and_brought_back(platform: Platform, flow: Path) -> None:
    run = told(platform, "run", str(flow))["run_id"]
    assert set(told(platform, "runs", "get", run)) == fields("run") | {"outputs", "tasks", "artifacts"}
    assert told(platform, "runs", "archive", run)["archived"]
    assert run in [one["run_id"] for one in told(platform, "runs", "list", "--archived", "--state", "succeeded")]
    assert run not in [one["run_id"] for one in told(platform, "runs", "list", "--no-archived", "--limit", "0")]
    assert headrace(platform, "runs", "unarchive", run).stdout.decode() == f"{run} is not archived\n"


@pytest.mark.parametrize(
    ("tag", "sentence"),
    [
        ("team", "--tag team: expected name=value"),
        ("=x", "--tag =x: expected name=value"),
        ("a=1", "--tag a is given twice"),
    ],
)
def test_a_tag_that_is_none(platform: Platform, flow: Path, tag: str, sentence: str) -> None:
    assert refused(platform, "pipelines", "upload", str(flow), "--tag", "a=0", "--tag", tag) == f"headrace: {sentence}"
