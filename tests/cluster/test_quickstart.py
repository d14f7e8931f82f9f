"""The platform as `kubectl apply -k` installs it: every manifest to a real API server, and the quickstart for real."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import headrace
from cluster import quickstart
from cluster.bringup.kube import Kube
from cluster.bringup.processes import wait
from headrace import dsl

INSTALL_WITHIN_S = 1200  # most of it is building images, the first time
RUN_WITHIN_S = 400
STORES = {"seaweedfs": "minio", "minio": "seaweedfs"}
OTHERS = ("generated-secrets", "postgres", "jaeger", "otel-collector", "ingress", "autoscaling")
IRIS = Path(__file__).resolve().parents[2] / "examples/iris/pipeline.py"


@pytest.mark.parametrize("store", STORES)
def test_a_cluster_takes_every_component(store: str, namespaces: Callable[..., str], tmp_path: Path):
    made = quickstart.overlay(tmp_path, "base", components=(*OTHERS[:2], store, *OTHERS[2:]), namespace=namespaces())
    answer = quickstart.kubectl("apply", "--server-side", "--dry-run=server", "-k", str(made))
    assert f"statefulset.apps/headrace-{store} " in answer
    assert f"headrace-{STORES[store]}" not in answer
    kinds = {
        "deployment.apps": "jaeger",
        "horizontalpodautoscaler.autoscaling": "apiserver",
        "job.batch": "make-secrets",
    }
    for kind, name in {**kinds, "ingress.networking.k8s.io": "grpc"}.items():
        assert f"{kind}/headrace-{name} " in answer


def test_a_cluster_takes_the_production_overlay(namespaces: Callable[..., str], tmp_path: Path):
    made = quickstart.overlay(tmp_path, "overlays/production", namespace=namespaces())
    answer = quickstart.kubectl("apply", "--server-side", "--dry-run=server", "-k", str(made))
    assert "deployment.apps/headrace-scheduler " in answer
    rendered = quickstart.kubectl("kustomize", str(made))
    assert rendered.count("replicas: 2") == 4


def test_an_image_that_is_set_for_the_companion_reaches_the_scheduler(tmp_path: Path):
    made = quickstart.overlay(tmp_path, "overlays/quickstart")
    quickstart.set_images(made, {"headrace/companion": "registry.example.com/team/companion:7"})
    lines = quickstart.kubectl("kustomize", str(made)).splitlines()
    named = lines.index("        - name: HEADRACE_COMPANION_IMAGE")
    assert lines[named + 1].strip() == "value: registry.example.com/team/companion:7"


@pytest.fixture(scope="module")
def installed(kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The quickstart, anew, with local images and nothing else patched; it goes at the end."""
    made = quickstart.overlay(tmp_path_factory.mktemp("quickstart"), "overlays/quickstart")
    quickstart.set_images(made, quickstart.local_images())
    quickstart.kubectl("delete", "namespace", quickstart.NAMESPACE, "--ignore-not-found", "--timeout=120s")
    quickstart.kubectl("apply", "-k", str(made))
    try:
        quickstart.ready()
        yield made
    finally:
        quickstart.kubectl("delete", "-k", str(made), "--ignore-not-found", "--wait=true", "--timeout=120s")


@pytest.fixture
def client(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[headrace.Client]:
    with quickstart.forwarded() as settings:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        with headrace.Client() as one:
            yield one


def pods_of(kube: Kube, run: Any) -> list[str]:
    """The names of the Pods that the run has had; they stay for minutes after their attempt."""
    found = kube.list("Pod", quickstart.NAMESPACE, labelSelector=f"headrace.io/run={run.id}")
    return [one["metadata"]["annotations"]["headrace.io/path"] for one in found]


def iris() -> Any:
    spec = importlib.util.spec_from_file_location("iris", IRIS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.iris


@pytest.mark.timeout(INSTALL_WITHIN_S + 2 * RUN_WITHIN_S)
def test_iris_runs_on_one_pod_for_each_executed_task(kube: Kube, client: headrace.Client):
    first = client.submit(iris())
    first.wait(timeout=RUN_WITHIN_S)
    assert first.state == "SUCCEEDED"
    executed = [task.path for task in first.tasks if task.attempts]
    assert sorted(pods_of(kube, first)) == sorted(executed)
    assert len(executed) == 7  # of more tasks: the loop, its iterations, the branches have none
    assert len(executed) < len(first.tasks)
    assert {artifact.uri.partition("/artifacts/")[0] for artifact in first.artifacts} == {"s3://headrace"}

    again = client.submit(iris())
    again.wait(timeout=RUN_WITHIN_S)
    assert again.state == "SUCCEEDED"
    assert again.outputs == first.outputs
    assert pods_of(kube, again) == []


@dsl.component(base_image="python:3.11")
def wait_and_count(number: int) -> int:
    import time

    time.sleep(5)
    return number + 1


@dsl.pipeline(name="through-an-upgrade")
def through_an_upgrade() -> int:
    last = wait_and_count(number=0)
    for _ in range(5):
        last = wait_and_count(number=last.output)
    with dsl.ParallelFor(items=[1, 2, 3, 4]) as number:
        wait_and_count(number=number)
    return last.output


@pytest.mark.timeout(INSTALL_WITHIN_S + RUN_WITHIN_S)
def test_an_upgrade_disturbs_no_run(kube: Kube, installed: Path, monkeypatch: pytest.MonkeyPatch):
    """Every service is replaced while tasks run; no attempt is lost and none is made twice."""

    def connect(settings: dict[str, str]) -> headrace.Client:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        return headrace.Client()

    with quickstart.forwarded() as settings, connect(settings) as before:
        run_id = before.submit(through_an_upgrade, enable_cache=False).id
        assert wait(
            lambda: len(kube.list("Pod", quickstart.NAMESPACE, labelSelector=f"headrace.io/run={run_id}")) >= 4, 60
        )
    for service in ("persistence", "cache", "scheduler", "apiserver"):
        quickstart.kubectl("-n", quickstart.NAMESPACE, "rollout", "restart", f"deployment/headrace-{service}")
    quickstart.ready()
    with quickstart.forwarded() as settings, connect(settings) as after:
        run = after.runs.get(run_id)
        run.wait(timeout=RUN_WITHIN_S)
        assert run.state == "SUCCEEDED"
        assert run.outputs["Output"] == 6
        assert [len(task.attempts) for task in run.tasks if task.attempts] == [1] * 10
        assert len(pods_of(kube, run)) == 10
