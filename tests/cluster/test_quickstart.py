"""The platform as `kubectl apply -k` installs it: every manifest to a real API server, and the quickstart for real."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

import headrace
from builders.specs import artifact, artifact_input, container, dag, importer, pipeline
from cluster import quickstart
from cluster.bringup.kube import Kube
from cluster.bringup.processes import wait
from cluster.faults import Gate
from cluster.installation import ATTEMPT, PATH, RUN, PodLog
from cluster.quickstart import NAMESPACE

INSTALL_WITHIN_S = 1200  # most of it is building images, the first time
RUN_WITHIN_S = 400
STORES = {"seaweedfs": "minio", "minio": "seaweedfs"}
OTHERS = ("generated-secrets", "postgres", "jaeger", "otel-collector", "ingress", "autoscaling", "metrics")
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


def release(folder: Path) -> Path:
    """An overlay as a user's, with images of this working tree."""
    made = quickstart.overlay(folder, "overlays/quickstart", components=("metrics",), namespace=NAMESPACE)
    quickstart.set_images(made, quickstart.local_images())
    return made


@pytest.fixture(scope="module")
def installed(kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The quickstart with its metrics, anew, with local images and nothing else patched; it goes at the end."""
    made = release(tmp_path_factory.mktemp("quickstart"))
    with quickstart.alone():
        quickstart.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s")
        quickstart.kubectl("apply", "-k", str(made))
        try:
            quickstart.ready()
            yield made
        finally:
            quickstart.kubectl("delete", "-k", str(made), "--ignore-not-found", "--wait=true", "--timeout=120s")


@pytest.fixture(scope="module")
def seen(installed: Path, kube: Kube) -> Iterator[PodLog]:
    """Every Pod of the namespace from now on, also those that are gone."""
    with PodLog(kube, NAMESPACE) as log:
        yield log


@pytest.fixture
def client(installed: Path) -> Iterator[headrace.Client]:
    with quickstart.connected() as one:
        yield one


def pods_of(kube: Kube, seen: PodLog, run: Any) -> list[tuple[str, str]]:
    """The task and the attempt of each Pod that the run has ever had."""
    now = kube.list("Pod", NAMESPACE, labelSelector=f"{RUN}={run.id}")
    pods = {one["metadata"]["uid"]: one["metadata"] for one in [*seen.of(run.id), *now]}
    return sorted((one["annotations"][PATH], one["labels"][ATTEMPT]) for one in pods.values())


def one_for_each(paths: list[str]) -> list[tuple[str, str]]:
    """What `pods_of` is where each of these tasks ran once, in a Pod of its own."""
    return sorted((path, "1") for path in paths)


def attempts_of(run: Any) -> list[str]:
    """The paths of tasks, one for each attempt."""
    return sorted(task.path for task in run.tasks for _ in task.attempts)


def iris() -> Any:
    spec = importlib.util.spec_from_file_location("iris", IRIS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.iris


TRAINED = [f"for-loop-1[{number}]/train-model" for number in range(4)]
EXECUTED = ["split-flowers", *TRAINED, "choose-best", "condition-branches-2/condition-3/evaluate-model"]


@pytest.mark.timeout(INSTALL_WITHIN_S + 2 * RUN_WITHIN_S)
def test_iris_runs_on_one_pod_for_each_executed_task(kube: Kube, seen: PodLog, client: headrace.Client):
    first = client.submit(iris())
    first.wait(timeout=RUN_WITHIN_S)
    assert first.state == "SUCCEEDED", first.error
    assert pods_of(kube, seen, first) == one_for_each(EXECUTED)
    assert attempts_of(first) == sorted(EXECUTED)
    assert len(first.tasks) > len(EXECUTED)  # the loop, its iterations, the branches: they have none
    assert {one.uri.partition("/artifacts/")[0] for one in first.artifacts} == {"s3://headrace"}
    # Metrics are metadata alone: their code writes no file.
    files = [one for one in first.artifacts if not one.type.endswith("Metrics")]
    with quickstart.store(kube) as store:
        there = {one.object_name for one in store.list_objects("headrace", "artifacts/", recursive=True)}
    assert {one.uri.removeprefix("s3://headrace/") for one in files} <= there
    assert len(files) == 9  # two datasets, four models, the best, the released, the report
    report = next(one for one in first.artifacts if one.name == "report")
    assert b"<title>Iris classifier</title>" in report.read()

    again = client.submit(iris())
    again.wait(timeout=RUN_WITHIN_S)
    assert again.state == "SUCCEEDED", again.error
    assert again.outputs == first.outputs
    assert sorted(task.path for task in again.tasks if task.cached) == sorted(EXECUTED)
    assert pods_of(kube, seen, again) == []


GIVEN = "artifacts/namespaces/default/given/page"
COUNT = 'wc -c < "$0" | tr -d \' \\n\' > "$1"'


def around_code(uri: str) -> Any:
    """All that is no code around two tasks that are: an importer, a loop, a nested pipeline, a branch that is not taken."""
    given = ["{{$.inputs.artifacts['artifact'].path}}", "{{$.outputs.parameters['Output'].output_file}}"]
    count = container(
        ["sh", "-c", COUNT, *given],
        image="alpine",
        input_artifacts={"artifact": "system.HTML"},
        outputs={"Output": "STRING"},
    )
    inner = dag({"item": "STRING"}).input_artifact("artifact", "system.HTML")
    inner.task("count", count, {"artifact": artifact_input("artifact")})
    flow = pipeline("around-code").task("import", importer(uri, type_="system.HTML"), {"uri": uri})
    flow.task("nested", inner, {"artifact": artifact("import"), "item": "x"})
    flow.task("loop", inner, {"artifact": artifact("import")}, items='["a", "b"]')
    flow.task("never", inner, {"artifact": artifact("import"), "item": "x"}, when="'a' == 'b'")
    return flow.build()


@pytest.mark.timeout(INSTALL_WITHIN_S + RUN_WITHIN_S)
def test_nothing_but_code_has_a_pod(kube: Kube, seen: PodLog, client: headrace.Client):
    with quickstart.store(kube) as store:
        store.put_object("headrace", GIVEN, BytesIO(b"seventeen letters"), 17)
    run = client.submit(around_code(f"s3://headrace/{GIVEN}"))
    run.wait(timeout=RUN_WITHIN_S)
    assert run.state == "SUCCEEDED", run.error
    executed = ["nested/count", "loop[0]/count", "loop[1]/count"]
    assert pods_of(kube, seen, run) == one_for_each(executed)
    assert {run.tasks[path].outputs["Output"] for path in executed} == {"17"}
    assert run.tasks["import"].state == "SUCCEEDED"
    assert run.tasks["never"].state == "SKIPPED"


SLICE = "NVIDIA-H100-80GB-HBM3 MIG 1g.10gb"


def asking(gate: Gate) -> Any:
    """A task on an accelerator that stands at the gate, and one that asks for more than any node has."""
    one = {"accelerator": {"resourceType": "MIG 1g.10gb", "resourceCount": "1"}}
    flow = pipeline("asking").task("works", gate.task(resources=one), {"name": "works"}, cache=False)
    return flow.task("waits", container(["true"], image="alpine", resources={"resourceCpuRequest": "900"})).build()


@pytest.mark.timeout(INSTALL_WITHIN_S + RUN_WITHIN_S)
def test_prometheus_is_told_of_pods_at_work_what_others_wait_for_and_accelerator_time(
    kube: Kube, client: headrace.Client
):
    with Gate() as gate:
        run = client.submit(asking(gate))
        wanted = {
            ("headrace_pods", "running"): 1,
            ("headrace_pods", "pending"): 1,
            ("headrace_waiting_pods", "cpu"): 1,
            ("headrace_waiting_pods", "accelerators"): 0,
            ("headrace_held_shards",): 256,
            ("headrace_driven_runs",): 1,
        }

        def told() -> dict[tuple[str, ...], float]:
            found = quickstart.metrics(kube, "scheduler")
            return {one: found[one] for one in wanted}

        assert wait(lambda: told() == wanted, RUN_WITHIN_S, 0.5), told()
        gate.open()
        assert wait(lambda: told()["headrace_pods", "running"] == 0, RUN_WITHIN_S, 0.5), told()
    run.terminate()
    run.wait(timeout=RUN_WITHIN_S)
    seconds = ("headrace_accelerator_seconds_total", "default", SLICE)
    assert wait(lambda: quickstart.metrics(kube, "persistence").get((*seconds, "used"), 0.0) > 0, 60, 0.5)
    accounts = quickstart.metrics(kube, "persistence")
    assert accounts[*seconds, "asked"] >= accounts[*seconds, "used"]
    assert quickstart.metrics(kube, "cache")["headrace_postgres_connections", "cache", "idle"] > 0
    calls = [one for one in quickstart.metrics(kube, "apiserver") if one[0] == "headrace_grpc_requests_total"]
    assert any(code == "OK" and service == "apiserver" for _, code, _, service in calls)


def trained() -> Any:
    """train → report, both cached, each with an artifact."""
    write = ["sh", "-c", 'echo "$1" > "$0"', "{{$.outputs.artifacts['made'].path}}"]
    train = container([*write, "model"], image="alpine").output_artifact("made", "system.Model")
    report = container([*write, "{{$.inputs.artifacts['model'].path}}"], image="alpine")
    report.input_artifact("model", "system.Model").output_artifact("made", "system.HTML")
    flow = pipeline("trained").task("train", train, cache=True)
    return flow.task("report", report, {"model": artifact("train", "made")}, cache=True).build()


@pytest.mark.timeout(INSTALL_WITHIN_S + 4 * RUN_WITHIN_S)
def test_policies_and_erasing_empty_the_store_and_the_cache(kube: Kube, seen: PodLog, client: headrace.Client):
    """Persistence decides, the cache forgets, and the scheduler, who has the store's keys, deletes."""
    both = one_for_each(["train", "report"])

    def ran() -> tuple[Any, bool]:
        """A run, and whether it did anything itself."""
        run = client.submit(trained())
        run.wait(timeout=RUN_WITHIN_S)
        assert run.state == "SUCCEEDED", run.error
        return run, pods_of(kube, seen, run) == both

    def stored() -> set[str]:
        with quickstart.store(kube) as store:
            found = store.list_objects("headrace", "artifacts/namespaces/default/trained/", recursive=True)
            return {str(one.object_name).rpartition("/")[2] for one in found}

    assert ran()[1]
    assert not ran()[1]
    assert "made" in stored()
    scope = ("--namespace", "default", "--pipeline", "trained")
    for kind, limit in (("runs", "0"), ("artifacts", "0d"), ("cache", "0")):
        quickstart.command("retention", "set", kind, limit, *scope)
    lines = quickstart.command("retention", "run", "--namespace", "default").splitlines()
    assert lines[-1].startswith("2 cached results, 2 runs, 2 artifacts went, "), lines
    assert stored() == set()
    for kind in ("runs", "artifacts", "cache"):
        quickstart.command("retention", "set", kind, "none", *scope)
    again, anew = ran()
    assert anew
    model = next(one for one in again.artifacts if one.type == "system.Model")
    assert "2 artifacts of 1 run are erased" in quickstart.command("artifacts", "erase", model.id, "--derived", "--yes")
    assert "made" not in stored()
    assert ran()[1]


def through_an_upgrade(gate: Gate) -> Any:
    """As many tasks as services that end while these are replaced, and as many that begin then and outlast it."""
    flow = pipeline("through-an-upgrade")
    for service in quickstart.SERVICES:
        flow.task(f"before-{service}", gate.task(), {"name": f"before-{service}"}, cache=False)
        flow.task(
            f"after-{service}", gate.task(), {"name": f"after-{service}"}, after=[f"before-{service}"], cache=False
        )
    return flow.build()


@pytest.mark.timeout(INSTALL_WITHIN_S + 2 * RUN_WITHIN_S)
def test_an_upgrade_disturbs_no_run(kube: Kube, installed: Path, seen: PodLog, tmp_path: Path):
    """Two replicas of every service are replaced while tasks run, end and begin: no attempt is lost and none is made twice."""

    def apply(**settings: str) -> None:
        made = release(tmp_path / f"release-{len(list(tmp_path.iterdir()))}")
        quickstart.set_settings(made, replicas=2, **settings)
        quickstart.kubectl("apply", "-k", str(made))

    names = [f"{when}-{service}" for service in quickstart.SERVICES for when in ("before", "after")]
    apply(HEADRACE_LOG_LEVEL="info")
    quickstart.ready()
    with Gate() as gate:
        with quickstart.connected() as before:
            run_id = before.submit(through_an_upgrade(gate)).id
            assert wait(lambda: len(gate.begun) == len(quickstart.SERVICES), RUN_WITHIN_S)
        replaced = service_pods(kube)
        apply(HEADRACE_LOG_LEVEL="debug")
        for service in quickstart.SERVICES:
            gate.open(f"before-{service}")
            assert wait(lambda service=service: gate.begun[f"after-{service}"] > 0, RUN_WITHIN_S)
        quickstart.ready()
        assert not replaced & service_pods(kube)
        gate.open()
        with quickstart.connected() as after:
            run = after.runs.get(run_id)
            run.wait(timeout=RUN_WITHIN_S)
            assert run.state == "SUCCEEDED", run.error
            assert attempts_of(run) == sorted(names)
    assert gate.begun == dict.fromkeys(names, 1)
    assert pods_of(kube, seen, run) == one_for_each(names)


def service_pods(kube: Kube) -> set[str]:
    """The uids of the Pods of the four services that are not ending."""
    pods = kube.list("Pod", NAMESPACE, labelSelector="app.kubernetes.io/component=control-plane")
    return {one["metadata"]["uid"] for one in pods if "deletionTimestamp" not in one["metadata"]}
