"""The pipelines of KFP's own suite that are about Kubernetes (class D of the corpus) end on Pods as they should.

The corpus is not ours and lies beside the repository (CORPUS, as for `make conformance`); where it is not, that is said.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.installation import Installation
from corpus import driving
from corpus.conformance import SECRETS
from corpus.expecting import Expected, read_expected

CORPUS = Path(os.environ.get("CORPUS") or Path(__file__).resolve().parents[3] / "shared/kfp-ir").absolute()
CASES = [one for one in read_expected() if one.kind == "D"]
CLAIM = "shared"
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not CORPUS.is_dir(), reason=f"there is no corpus at {CORPUS}; CORPUS names another folder"),
]


@pytest.fixture(scope="module")
def furnished(on_pods: Installation) -> Iterator[Installation]:
    """With the secrets and the claim that those pipelines expect in their namespace."""
    kube, namespace = on_pods.kube, on_pods.namespace
    for name, values in SECRETS.items():
        metadata = {"name": name, "namespace": namespace}
        kube.create({"kind": "Secret", "apiVersion": "v1", "metadata": metadata, "stringData": values})
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": CLAIM, "namespace": namespace}
    kube.create({"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": metadata, "spec": spec})
    yield on_pods
    kube.delete("PersistentVolumeClaim", CLAIM, namespace)


@pytest.fixture(scope="module")
def runs(furnished: Installation, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every pipeline's run; all are under way at once."""

    def submit(expected: Expected) -> str:
        given = expected.arguments(tmp_path_factory.mktemp("scratch"))
        file = CORPUS / "valid" / expected.name
        said = driving.run(furnished.platform.url, file, given, {}, "--no-wait", "--no-cache")
        assert said.code == 0, f"{expected.name}: {said.sentence}"
        return str(json.loads(said.stdout)["run_id"])

    return {expected.name: submit(expected) for expected in CASES}


@pytest.mark.parametrize("expected", CASES, ids=[one.name for one in CASES])
def test_pipelines_about_kubernetes_end_as_they_should(
    furnished: Installation, runs: dict[str, str], expected: Expected
) -> None:
    ended = furnished.ended(runs[expected.name], 240)
    tasks = {task["path"]: task for task in furnished.tasks(runs[expected.name])}
    assert ended == expected.end, {path: task["error"] for path, task in tasks.items() if "error" in task}
    states = {path: tasks[path]["state"].removeprefix("TASK_") for path in expected.tasks}
    assert states == expected.tasks
    for place, value in expected.right.items():
        path, _, name = place.rpartition("/")
        assert json.loads(tasks[path]["outputs"]["parameters"][name]["json"]) == value
