"""After the iris example the official ml-metadata client finds its contexts, executions, events and artifacts, by the names
that KFP's tools depend on; the lineage of the chosen model reaches the data set.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from corpus import driving
from fixtures.fix_kfp_peer import ROOT, peer_environment
from fixtures.platforms import Platform

SCRIPT = Path(__file__).parent / "ml_metadata_sessions" / "reading_a_run.py"
CONTAINER = {
    "display_name",
    "task_name",
    "parent_dag_id",
    "inputs",
    "outputs",
    "image",
    "pod_name",
    "pod_uid",
    "namespace",
}


@pytest.fixture(scope="module")
def read(whole: Platform, mlmd_python: Path) -> dict[str, Any]:
    """The run as the client tells it, with its id."""
    said = driving.run(whole.url, ROOT / "examples" / "iris" / "pipeline.py", {}, {})
    assert said.code == 0, said.stderr
    run_id = json.loads(said.stdout)["run_id"]
    command = [str(mlmd_python), str(SCRIPT), whole.grpc_address, run_id]
    done = subprocess.run(command, env=peer_environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return {**json.loads(done.stdout), "run_id": run_id}


def tasks(read: dict[str, Any]) -> dict[str, list[Any]]:
    """The executions by task name."""
    found: dict[str, list[Any]] = {}
    for one in read["executions"].values():
        found.setdefault(one["properties"]["task_name"], []).append(one)
    return found


pytestmark = pytest.mark.timeout(900)


def test_contexts(read):
    run, pipeline = read["run"], read["pipeline"]
    assert (run["type"], run["name"]) == ("system.PipelineRun", read["run_id"])
    assert (pipeline["type"], pipeline["name"]) == ("system.Pipeline", "iris")
    assert read["siblings"] == [read["run_id"]]
    told = run["properties"]
    assert set(told) == {"pipeline_root", "store_session_info", "namespace", "resource_name"}
    assert (told["namespace"], told["resource_name"]) == ("default", f"iris-{read['run_id']}")
    assert told["pipeline_root"].endswith(f"/iris/{read['run_id']}")
    assert read["contexts of the model"] == [read["run_id"], "iris"]


def test_executions(read):
    found = tasks(read)
    assert {name: len(ones) for name, ones in found.items()} == {
        "": 1, "split-flowers": 1, "for-loop-1": 5, "train-model": 4, "choose-best": 1, "condition-branches-2": 1,
        "condition-3": 1, "condition-4": 1, "evaluate-model": 1,
    }  # fmt: skip
    assert sorted(map(int, read["executions"])) == read["of the pipeline"]
    for name, ones in found.items():
        is_container = name in ("split-flowers", "train-model", "choose-best", "evaluate-model")
        for one in ones:
            assert one["type"] == f"system.{'Container' if is_container else 'DAG'}Execution"
            assert one["last_known_state"] == ("CANCELED" if name == "condition-4" else "COMPLETE")
            assert set(one["properties"]) >= (CONTAINER if is_container else {"display_name", "inputs"})


def test_the_tree_of_executions(read):
    found, (root,) = tasks(read), tasks(read)[""]
    assert root["name"] == f"run/{read['run_id']}"
    assert root["id"] == read["root"]["id"]
    assert "parent_dag_id" not in root["properties"]
    assert sorted(read["in the root"]) == ["choose-best", "condition-branches-2", "for-loop-1", "split-flowers"]
    (loop,) = [one for one in found["for-loop-1"] if "iteration_count" in one["properties"]]
    iterations = [one for one in found["for-loop-1"] if one is not loop]
    assert loop["properties"]["iteration_count"] == "4"
    assert {one["properties"]["total_dag_tasks"] for one in found["for-loop-1"]} == {"1"}
    assert found["condition-branches-2"][0]["properties"]["total_dag_tasks"] == "2"
    assert sorted(one["properties"]["iteration_index"] for one in iterations) == ["0", "1", "2", "3"]
    assert {one["properties"]["parent_dag_id"] for one in iterations} == {loop["id"]}
    assert {one["properties"]["parent_dag_id"] for one in found["train-model"]} == {one["id"] for one in iterations}


def test_parameters_are_structs(read):
    (evaluated,) = tasks(read)["evaluate-model"]
    assert evaluated["properties"]["inputs"] == {"name": "support-vectors"}
    assert "is released" in evaluated["properties"]["outputs"]["Output"]
    assert evaluated["properties"]["image"].startswith("python:")
    (condition,) = tasks(read)["condition-3"]
    producer = json.loads(next(iter(condition["properties"]["parameter_producer_task"].values())))
    assert producer["valueFromParameter"]["producerSubtask"] == "evaluate-model"


def test_artifacts_are_typed_and_named(read):
    kinds: dict[str, int] = {}
    for one in read["artifacts"].values():
        kinds[one["type"]] = kinds.get(one["type"], 0) + 1
        assert one["state"] == "LIVE"
        assert one["uri"].startswith("file:///")
        assert one["properties"]["display_name"]
    assert kinds == {
        "system.Dataset": 2, "system.Model": 6, "system.Metrics": 5, "system.HTML": 1, "system.ClassificationMetrics": 1,
    }  # fmt: skip
    assert read["by their UUIDs"] == len(read["artifacts"])
    by_name = {one["properties"]["display_name"]: one["properties"] for one in read["artifacts"].values()}
    assert isinstance(by_name["metrics"].get("accuracy", by_name["metrics"].get("cross_validation_accuracy")), float)
    assert "struct" in by_name["confusion"]["confusionMatrix"]
    assert [uri.rpartition("/for-loop-1/")[2] for uri in read["good ones"]] == ["3/train-model/1/metrics"]


def test_events_say_who_read_and_wrote_what(read):
    (evaluated,) = tasks(read)["evaluate-model"]
    events = [one for one in read["events"] if one["execution_id"] == evaluated["id"]]
    told = {(one["type"], one["path"]["steps"][0]["key"]) for one in events}
    assert told == {
        ("INPUT", "candidate"), ("INPUT", "test"), ("OUTPUT", "metrics"), ("OUTPUT", "report"), ("OUTPUT", "confusion"),
        ("OUTPUT", "released"),
    }  # fmt: skip
    assert all(int(one["milliseconds_since_epoch"]) > 0 for one in read["events"])


def test_lineage_of_the_released_model_reaches_the_data_set(read):
    lineage = read["lineage"]
    assert {"released", "best", "model", "training"} <= {one["display_name"] for one in lineage["artifacts"]}
    assert "system.Dataset" in {one["type"] for one in lineage["artifacts"]}
    assert {"evaluate-model", "choose-best", "train-model", "split-flowers"} <= set(lineage["executions"])
    assert lineage["contexts"] == sorted([read["run_id"], "iris"])
