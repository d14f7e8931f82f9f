"""Google's client for Vertex AI Pipelines takes what Headrace compiles: everything that it checks before it submits, offline."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.fix_kfp_peer import ROOT
from headrace.comparing import as_package, differences
from sdk_corpus.test_same_ir import BEYOND, OFFICIAL, compiled

PYTHON = ROOT / ".venv-vertex" / "bin" / "python"
VALUES: dict[str, Any] = {
    "STRING": "text", "NUMBER_INTEGER": 3, "NUMBER_DOUBLE": 0.5, "BOOLEAN": True, "LIST": [1, "a"], "STRUCT": {"a": [1.5]},
}  # fmt: skip
# Vertex's client reads one document; what has settings of Kubernetes has two, also when KFP's SDK compiles it.
NAMES = [name for name in [*OFFICIAL, *BEYOND] if not name.startswith(("kube_", "configs_"))]


def values(file: Path) -> dict[str, Any]:
    """One of the right type for each input of the pipeline."""
    inputs = as_package(file).spec["root"].get("inputDefinitions", {}).get("parameters", {})
    return {name: VALUES[one["parameterType"]] for name, one in inputs.items()}


def ask(asked: dict[str, Any], scratch: Path) -> dict[str, Any]:
    (scratch / "asked.json").write_text(json.dumps(asked))
    command = [str(PYTHON), "-W", "ignore", str(Path(__file__).with_name("vertex_peer.py"))]
    done = subprocess.run(
        [*command, scratch / "asked.json", scratch / "answers.json"],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    answers: dict[str, Any] = json.loads((scratch / "answers.json").read_text())
    return answers


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    if not PYTHON.exists():
        pytest.fail("the peer environment is missing: run `make vertex-peer`")
    return compiled("native", tmp_path_factory.mktemp("compiled") / "out")


@pytest.fixture(scope="module")
def jobs(ours: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each job would send, asked of one program: its import takes seconds."""
    scratch = tmp_path_factory.mktemp("vertex")
    asked = {name: {"file": str(ours[name]), "values": values(ours[name])} for name in NAMES}
    as_json = scratch / "as-json.json"
    as_json.write_text(json.dumps(yaml.safe_load(ours["values_all_types"].read_text())))
    asked["(json)"] = {"file": str(as_json), "values": values(as_json)}
    asked["(unknown)"] = {"file": str(as_json), "values": {"nobody": 1}}
    asked["(broken)"] = {"file": str(_without_version(as_json, scratch)), "values": {}}
    return ask(asked, scratch)


def _without_version(file: Path, scratch: Path) -> Path:
    spec = json.loads(file.read_text())
    del spec["schemaVersion"]
    (scratch / "broken.json").write_text(json.dumps(spec))
    return scratch / "broken.json"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES)
def test_a_job_is_made_of_it(ours, jobs, name):
    job = jobs[name]
    assert "error" not in job
    assert job["job_id"].startswith(as_package(ours[name]).spec["pipelineInfo"]["name"])
    assert sorted(job["runtimeConfig"].get("parameterValues", {})) == sorted(values(ours[name]))
    sent = {one.path for one in differences(ours[name], job["pipelineSpec"])}
    assert not [path for path in sent if not path.endswith(".cachingOptions")]  # which the job was told to turn off


def test_json_is_taken_too(jobs):
    assert "error" not in jobs["(json)"]


def test_what_is_wrong_would_be_found(jobs):
    assert "nobody" in jobs["(unknown)"]["error"]
    assert "error" in jobs["(broken)"]
