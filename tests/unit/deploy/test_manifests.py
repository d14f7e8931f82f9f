"""Rules that every manifest in deploy/kustomize keeps, read as written: none of them depends on a patch.

What kustomize makes of them, and what a cluster says to that, is tests/cluster/test_quickstart.py's.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.reachability import Peer, may
from headrace_scheduler.executors.kubernetes import reserved

ROOT = Path(__file__).resolve().parents[3]
KUSTOMIZE = ROOT / "deploy/kustomize"
FILES = sorted(path for path in KUSTOMIZE.rglob("*.yaml") if "tmp-" not in str(path))
RUNS = {"Deployment", "StatefulSet", "Job"}
SERVICES = ("apiserver", "scheduler", "persistence", "cache")


def documents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


OBJECTS = [(path, one) for path in FILES if path.name != "config.yaml" for one in documents(path)]
WORKLOADS = [(path, one) for path, one in OBJECTS if one["kind"] in RUNS]


def ids(found: list[tuple[Path, dict[str, Any]]]) -> list[str]:
    return [f"{one['kind']}/{one['metadata']['name']}" for _, one in found]


def of_kind(kind: str) -> list[tuple[Path, dict[str, Any]]]:
    return [(path, one) for path, one in OBJECTS if one["kind"] == kind]


def containers(workload: dict[str, Any]) -> list[dict[str, Any]]:
    spec = workload["spec"]["template"]["spec"]
    return [*spec.get("initContainers", ()), *spec["containers"]]


def labels(workload: dict[str, Any]) -> dict[str, str]:
    return workload["spec"]["template"]["metadata"]["labels"]


def selected(by: dict[str, Any], workload: dict[str, Any]) -> bool:
    return by.get("matchLabels", {}).items() <= labels(workload).items() and not by.get("matchExpressions")


every_workload = pytest.mark.parametrize(("path", "workload"), WORKLOADS, ids=ids(WORKLOADS))


def test_the_parts_are_all_there():
    assert {one["metadata"]["name"] for _, one in of_kind("Deployment")} >= {f"headrace-{name}" for name in SERVICES}
    components = {path.name for path in (KUSTOMIZE / "components").iterdir()}
    named = {
        "postgres",
        "seaweedfs",
        "minio",
        "jaeger",
        "otel-collector",
        "ingress",
        "autoscaling",
        "generated-secrets",
        "metrics",
        "metrics-operator",
    }
    assert components == named
    for overlay in ("quickstart", "production"):
        assert (KUSTOMIZE / "overlays" / overlay / "kustomization.yaml").exists()


@every_workload
def test_every_container_says_what_it_needs_and_takes(path, workload):
    for one in containers(workload):
        assert {"cpu", "memory"} <= one["resources"]["requests"].keys()
        assert {"cpu", "memory"} <= one["resources"]["limits"].keys()


@every_workload
def test_nothing_is_root_or_may_become_so(path, workload):
    pod = workload["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    for one in containers(workload):
        wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        assert one["securityContext"] == wanted


@every_workload
def test_no_account_is_mounted_that_is_not_asked_for(path, workload):
    pod = workload["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False


@every_workload
def test_what_serves_is_probed(path, workload):
    if workload["kind"] == "Job":
        return
    for one in containers(workload):
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= one.keys()


@every_workload
def test_every_image_has_a_version(path, workload):
    tags = {one["name"]: str(one.get("newTag", "")) for one in images(path)}
    for one in containers(workload):
        assert tags.get(one["image"]), f"{one['image']} has no newTag in an images: list"
        assert tags[one["image"]] != "latest"


def images(path: Path) -> Iterator[dict[str, Any]]:
    for folder in (path.parent, path.parent.parent):
        if (folder / "kustomization.yaml").exists():
            yield from documents(folder / "kustomization.yaml")[0].get("images", [])


@every_workload
def test_a_policy_says_who_may_call_it(path, workload):
    found = [one for _, one in of_kind("NetworkPolicy") if selected(one["spec"]["podSelector"], workload)]
    assert len(found) == 1
    assert found[0]["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_policies_let_each_service_call_whom_it_calls_and_nobody_else():
    policies = {one["metadata"]["name"].removeprefix("headrace-"): one["spec"] for _, one in of_kind("NetworkPolicy")}
    calls = {
        "apiserver": {"persistence", "scheduler"},
        "scheduler": {"persistence", "cache"},
        "persistence": {"scheduler", "cache"},  # for retention
    }
    for caller in SERVICES:
        assert peers(policies[caller], "egress", "to") == calls.get(caller, set())
    for called in ("scheduler", "persistence", "cache"):
        assert peers(policies[called], "ingress", "from") == {one for one in calls if called in calls[one]}
    for store in ("seaweedfs", "minio"):
        assert peers(policies[store], "ingress", "from") == {"scheduler"}
    assert peers(policies["postgres"], "ingress", "from") == {"persistence", "cache"}


def peers(policy: dict[str, Any], way: str, side: str) -> set[str]:
    """The workloads that a policy names; of tasks' Pods it names none, only their label."""
    return {
        name.removeprefix("headrace-")
        for rule in policy[way]
        for peer in rule.get(side, ())
        if (name := peer.get("podSelector", {}).get("matchLabels", {}).get("app.kubernetes.io/name"))
    }


GUIDE = (ROOT / "docs/guides/kubernetes.md").read_text()
TASK = Peer("10.244.2.3", "headrace", {"headrace.io/run": "1"})
OUTSIDE = Peer("203.0.113.7")


def admitted(caller: Peer, *more: dict[str, Any]) -> set[int]:
    """The ports, of those that are usual for something, at which it may call what is outside the cluster."""
    base = [one for path, one in of_kind("NetworkPolicy") if path.is_relative_to(KUSTOMIZE / "base")]
    policies = [{**one, "metadata": {**one["metadata"], "namespace": "headrace"}} for one in (*base, *more)]
    usual = {*range(20, 90), 443, 3128, 3141, *range(4310, 4320), 5000, 5432, 6432, 6443, *range(8000, 9100), 16443}
    return {port for port in usual if may(policies, caller, OUTSIDE, port)}


def test_the_guide_says_which_calls_out_of_the_cluster_policies_let_pass():
    table = re.findall(r"^\| (all four|[a-z, ]+) \| [^|]+ \| ([\d, ]+) \| ([^|]+) \|$", GUIDE, re.MULTILINE)
    assert len(table) == 3
    added = yaml.safe_load(re.search(r"```yaml\n(apiVersion: networking.*?)```", GUIDE, re.DOTALL)[1])
    for service in SERVICES:
        pod = Peer("10.244.2.4", "headrace", {"app.kubernetes.io/name": f"headrace-{service}"})
        rows = [one for one in table if one[0] == "all four" or service in one[0].split(", ")]
        ports = {int(port) for _, text, _ in rows for port in text.split(", ")}
        assert admitted(pod) == ports, service
        assert not ports & {int(port) for _, _, refused in rows for port in re.findall(r"\d+", refused)}
        assert admitted(pod, added) - ports == ({5000} if service == "scheduler" else set())
    assert {3141, 5000, 8443} < admitted(TASK)


@every_workload
def test_a_budget_keeps_it_through_drains(path, workload):
    if workload["kind"] == "Job":
        return
    found = [one for _, one in of_kind("PodDisruptionBudget") if selected(one["spec"]["selector"], workload)]
    assert [one["spec"]["maxUnavailable"] for one in found] == [1]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_replaced_without_a_gap(service):
    (workload,) = [one for _, one in of_kind("Deployment") if one["metadata"]["name"] == f"headrace-{service}"]
    assert workload["spec"]["strategy"] == {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    pod = workload["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["topologySpreadConstraints"]
    wait = int(re.search(r"sleep\((\d+)\)", container["lifecycle"]["preStop"]["exec"]["command"][-1]).group(1))
    assert pod["terminationGracePeriodSeconds"] >= wait + 10  # what headrace_embedded.lifecycle takes at most


def test_replicas_of_the_scheduler_say_where_each_of_them_is():
    """Companions reach any replica by the Service, and are sent to the one that drives their run."""
    (workload,) = [one for _, one in of_kind("Deployment") if one["metadata"]["name"] == "headrace-scheduler"]
    (container,) = containers(workload)
    (port,) = [one["containerPort"] for one in container["ports"] if one["name"] == "grpc"]
    environ = {one["name"]: one for one in container["env"]}
    assert environ["POD_IP"]["valueFrom"] == {"fieldRef": {"fieldPath": "status.podIP"}}
    assert environ["HEADRACE_ADVERTISE_ADDRESS"]["value"] == f"$(POD_IP):{port}"
    assert environ["HEADRACE_POD_SCHEDULER_ADDRESS"]["value"] == f"headrace-scheduler.$(POD_NAMESPACE).svc:{port}"
    names = list(environ)  # a variable may name those before it alone
    assert names.index("POD_IP") < names.index("HEADRACE_ADVERTISE_ADDRESS")
    assert names.index("POD_NAMESPACE") < names.index("HEADRACE_POD_SCHEDULER_ADDRESS")


def test_no_task_can_mount_what_is_the_platforms():
    """Secrets and claims are called what the executor keeps from tasks."""
    named = {name for _, workload in WORKLOADS for name in secrets_of(workload)}
    assert named == {"headrace-database", "headrace-store"}
    assert [name for name in named if not reserved.SECRETS.fullmatch(name)] == []
    sets = [one for _, one in of_kind("StatefulSet")]
    claims = [(one, claim["metadata"]["name"]) for one in sets for claim in one["spec"].get("volumeClaimTemplates", ())]
    assert len(claims) >= 3
    for owner, claim in claims:
        assert reserved.CLAIMS.fullmatch(f"{claim}-{owner['metadata']['name']}-0")
    assert of_kind("PersistentVolumeClaim") == []


def secrets_of(workload: dict[str, Any]) -> Iterator[str]:
    for one in containers(workload):
        for variable in one.get("env", ()):
            if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                yield reference["name"]
        yield from (each["secretRef"]["name"] for each in one.get("envFrom", ()) if "secretRef" in each)
    for volume in workload["spec"]["template"]["spec"].get("volumes", ()):
        if "secret" in volume:
            yield volume["secret"]["secretName"]


def test_no_secret_is_written_down():
    assert of_kind("Secret") == []
    assert [
        path for path, one in OBJECTS if one["kind"] in ("Kustomization", "Component") and "secretGenerator" in one
    ] == []
    for path, workload in WORKLOADS:
        for variable in (each for one in containers(workload) for each in one.get("env", ())):
            secret = re.search(r"PASSWORD$|SECRET|_KEY|DATABASE_URL", variable["name"])
            assert not (secret and "value" in variable), f"{path}: {variable['name']}"


def test_rights_are_named_one_by_one_and_nodes_alone_are_the_clusters():
    roles = [one for _, one in [*of_kind("Role"), *of_kind("ClusterRole")]]
    for rule in (rule for one in roles for rule in one["rules"]):
        assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        assert not {"escalate", "bind", "impersonate"} & {*rule["verbs"]}
    (cluster,) = [one for _, one in of_kind("ClusterRole")]
    assert cluster["rules"] == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]}]
    readers = [rule for one in roles for rule in one["rules"] if "secrets" in rule["resources"]]
    assert [rule["verbs"] for rule in readers] == [["create"]]


def test_only_the_scheduler_and_the_maker_of_secrets_have_rights():
    bindings = [one for _, one in [*of_kind("RoleBinding"), *of_kind("ClusterRoleBinding")]]
    subjects = {subject["name"] for one in bindings for subject in one["subjects"]}
    assert subjects == {"headrace-scheduler", "headrace-make-secrets"}
    assert {"headrace-task"} < {one["metadata"]["name"] for _, one in of_kind("ServiceAccount")}


def test_an_overlay_names_the_companions_image_to_the_scheduler():
    for name in ("quickstart", "production"):
        (overlay,) = documents(KUSTOMIZE / "overlays" / name / "kustomization.yaml")
        assert overlay["transformers"] == ["../../transformers/companion-image"]


def test_every_setting_is_one_that_a_service_reads():
    """A variable that is misspelt would be without effect."""
    text = "".join(path.read_text() for path in (ROOT / "services").rglob("*.py"))
    fields = set(re.findall(r"^    (\w+): ", text, re.M))
    files = [path for path in KUSTOMIZE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    written = "".join(path.read_text() for path in files if "tmp-" not in str(path))
    ours = {name.removeprefix("HEADRACE_").lower() for name in re.findall(r"HEADRACE_[A-Z_]+", written)}
    assert ours - fields == set()


def test_generated_passwords_differ_and_fit_where_they_are_used():
    file = KUSTOMIZE / "components/generated-secrets/make_secrets.py"
    spec = importlib.util.spec_from_file_location("make_secrets", file)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    made = program.wanted("abc", "key", "secret", "headrace-postgres")
    assert made["headrace-database"]["url"] == "postgresql://headrace:abc@headrace-postgres:5432/headrace"
    asked = {
        (reference["name"], reference["key"])
        for _, workload in WORKLOADS
        for one in containers(workload)
        for variable in one.get("env", ())
        if (reference := variable.get("valueFrom", {}).get("secretKeyRef"))
    }
    assert asked <= {(name, key) for name, values in made.items() for key in values}
