"""What the NetworkPolicies of deploy/kustomize let pass is what the services' settings say that they call, and nothing else.

The test cluster does not enforce policies, so `reachability.may` judges what kustomize renders. Whom a service calls is read
from where it opens its channels and from the addresses in its environment; a policy that lacks one of them fails here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster import quickstart
from cluster.quickstart import NAMESPACE, SERVICES
from cluster.reachability import Peer, may, selects

ROOT = Path(__file__).resolve().parents[2]
SCRAPE = 9464
API, OTLP = (8887, 8888), (4317, 4318)
Edge = tuple[str, str, int]  # who calls, who is called, at which port of its container
EVERYTHING = ("generated-secrets", "postgres", "minio", "jaeger", "otel-collector", "metrics")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What `kubectl kustomize` makes of an overlay."""

    objects: list[dict[str, Any]]

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        return [one for one in self.objects if one["kind"] in kinds]

    @property
    def policies(self) -> list[dict[str, Any]]:
        return self.of("NetworkPolicy")

    def workloads(self) -> dict[str, Peer]:
        """The Pod of each workload, by the workload's name."""
        found = {}
        for number, one in enumerate(self.of("Deployment", "StatefulSet", "Job"), 10):
            template = one["spec"]["template"]
            listed = [each for container in template["spec"]["containers"] for each in container.get("ports", ())]
            ports = {each["name"]: each["containerPort"] for each in listed}
            namespace, labels = one["metadata"]["namespace"], template["metadata"]["labels"]
            found[one["metadata"]["name"]] = Peer(f"10.244.1.{number}", namespace, labels, ports)
        return found

    def served(self, host: str, port: int) -> tuple[str, int]:
        """The workload and its container's port behind a Service's name."""
        (service,) = [one for one in self.of("Service") if one["metadata"]["name"] == host]
        (way,) = [one for one in service["spec"]["ports"] if one["port"] == port]
        behind = [
            (name, pod)
            for name, pod in self.workloads().items()
            if selects({"matchLabels": service["spec"]["selector"]}, pod.labels)
        ]
        assert len(behind) == 1, f"{host} leads to {[name for name, _ in behind]}"
        ((name, pod),) = behind
        return name, pod.ports[way["targetPort"]] if isinstance(way["targetPort"], str) else way["targetPort"]

    def environ(self, workload: dict[str, Any]) -> dict[str, str]:
        """Of its containers: the settings of their ConfigMaps, and what is written in the manifest."""
        maps = {one["metadata"]["name"]: one.get("data", {}) for one in self.of("ConfigMap")}
        found: dict[str, str] = {}
        for container in workload["spec"]["template"]["spec"]["containers"]:
            for source in container.get("envFrom", ()):
                found |= maps[source["configMapRef"]["name"]]
            found |= {one["name"]: one.get("value", "") for one in container.get("env", ())}
        return found


def rendered(folder: Path, *resources: str, components: tuple[str, ...]) -> Rendered:
    made = quickstart.overlay(folder, *resources, components=components, namespace=NAMESPACE)
    return Rendered([one for one in yaml.safe_load_all(quickstart.kubectl("kustomize", str(made))) if one])


@pytest.fixture(scope="module", params=["quickstart", "all components"])
def manifests(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    folder = tmp_path_factory.mktemp("policies")
    if request.param == "quickstart":
        return rendered(folder, "overlays/quickstart", components=("metrics",))
    return rendered(folder, "base", components=EVERYTHING)


def called_services(service: str) -> set[str]:
    """The services to which the program opens a channel."""
    text = (ROOT / f"services/{service}/headrace_{service}/server.py").read_text()
    return set(re.findall(r'channel\([^)]*address_of\("(\w+)"\)', text))


def addresses(manifests: Rendered, service: str, workload: dict[str, Any]) -> Iterator[str]:
    """host:port of all that a service calls, as its environment names it."""
    environ = manifests.environ(workload)
    for one in called_services(service):
        yield environ[f"HEADRACE_{one.upper()}_ADDRESS"]
    if "HEADRACE_DATABASE_URL" in environ:  # from the Secret that the Job makes
        yield "headrace-postgres:5432"
    for name in ("AWS_ENDPOINT_URL_S3", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        if name in environ:
            yield environ[name].partition("://")[2]


def edges(manifests: Rendered) -> set[Edge]:
    """All calls within the installation, by what the services are set to."""
    found = set()
    for workload in manifests.of("Deployment"):
        caller = workload["metadata"]["name"]
        service = caller.removeprefix("headrace-")
        for address in addresses(manifests, service, workload) if service in SERVICES else ():
            host, _, port = address.rpartition(":")
            found.add((caller, *manifests.served(host.partition(".")[0], int(port))))
    for one in manifests.of("ConfigMap"):  # the collector's, which says where spans go on to
        for endpoint in re.findall(r"endpoint: (headrace-[\w-]+:\d+)", one.get("data", {}).get("config.yaml", "")):
            host, _, port = endpoint.rpartition(":")
            found.add(("headrace-otel-collector", *manifests.served(host, int(port))))
    return found


def test_what_is_read_of_the_services_is_whole() -> None:
    """The programs are read by a pattern: a change of theirs must not make it find nothing."""
    assert {one: called_services(one) for one in SERVICES} == {
        "apiserver": {"persistence", "scheduler"},
        "scheduler": {"persistence", "cache"},
        # For retention and erasing: contents go by the scheduler, results by the cache.
        "persistence": {"scheduler", "cache"},
        "cache": set(),
    }


def test_every_call_that_settings_name_passes_and_no_other_between_workloads(manifests: Rendered) -> None:
    pods = manifests.workloads()
    wanted = edges(manifests)
    assert {
        ("headrace-persistence", "headrace-cache", 8893),
        ("headrace-persistence", "headrace-scheduler", 8892),
    } < wanted
    passing = {
        (caller, called, port)
        for caller in pods
        for called in pods
        if caller != called
        for port in pods[called].ports.values()
        if may(manifests.policies, pods[caller], pods[called], port)
    }
    assert not wanted - passing, "settings name what a policy refuses"
    # Anybody may knock at the API, which wants a token, and whoever is a service may leave its spans.
    more = {(caller, called, port) for caller, called, port in passing - wanted if port not in (*API, *OTLP)}
    assert not more, "a policy lets more pass than anybody is set to call"
    assert all(may(manifests.policies, STRANGER, pods["headrace-apiserver"], port) for port in API)


STRANGER = Peer("10.244.2.2", "team-a", {"app": "notebook"})
TASK = Peer("10.244.2.3", NAMESPACE, {"headrace.io/run": "1"})
FAR_TASK = Peer("10.244.2.4", "team-a", {"headrace.io/run": "2"})
PROMETHEUS = Peer("10.244.2.5", "monitoring", {"app.kubernetes.io/name": "prometheus"})
METADATA, INTERNET = Peer("169.254.169.254"), Peer("203.0.113.7")
API_SERVER = Peer("10.0.0.1")


def test_metrics_are_for_prometheus_alone(manifests: Rendered) -> None:
    pods = manifests.workloads()
    for service in SERVICES:
        pod = pods[f"headrace-{service}"]
        assert pod.ports["metrics"] == SCRAPE
        assert may(manifests.policies, PROMETHEUS, pod, SCRAPE)
        for other in (STRANGER, TASK, FAR_TASK, *(pods[f"headrace-{one}"] for one in SERVICES if one != service)):
            assert not may(manifests.policies, other, pod, SCRAPE), other
        if service != "apiserver":
            assert not may(manifests.policies, PROMETHEUS, pod, pod.ports["grpc"])


@pytest.mark.parametrize("task", [TASK, FAR_TASK], ids=["of the installation's namespace", "of another"])
def test_a_task_reaches_the_scheduler_the_api_and_the_store(manifests: Rendered, task: Peer) -> None:
    pods = manifests.workloads()
    (store,) = {called for _, called, port in edges(manifests) if port in (8333, 9000)}
    reached = {
        (name, port)
        for name, pod in pods.items()
        for port in pod.ports.values()
        if may(manifests.policies, task, pod, port)
    }
    ports = pods[store].ports
    served = ports.get("s3", ports.get("api", 0))
    assert reached == {
        ("headrace-scheduler", 8892),
        ("headrace-apiserver", 8887),
        ("headrace-apiserver", 8888),
        (store, served),
    }
    assert may(manifests.policies, task, INTERNET, 443)
    if task is TASK:  # in other namespaces the policy is the operator's to put there
        assert not may(manifests.policies, task, METADATA, 80)
    assert not may(manifests.policies, STRANGER, task, 80) or task is FAR_TASK


def test_services_reach_what_is_outside_the_cluster(manifests: Rendered) -> None:
    """The API server's keys; a Postgres, a store and a registry that are elsewhere."""
    pods = manifests.workloads()
    outside: Mapping[str, set[int]] = {
        "apiserver": {443, 6443},
        "scheduler": {443, 6443, 80},
        "persistence": {443, 6443, 5432},
        "cache": {443, 6443, 5432},
    }
    for service, ports in outside.items():
        for port in (22, 80, 443, 5432, 6443):
            passes = may(manifests.policies, pods[f"headrace-{service}"], API_SERVER, port)
            assert passes is (port in ports), (service, port)
        assert may(manifests.policies, pods[f"headrace-{service}"], Peer("10.96.0.10"), 53, "UDP")


@pytest.mark.parametrize(
    ("policy", "passes"),
    [
        ({"ingress": [{}]}, True),
        ({"ingress": []}, False),
        ({"ingress": [{"ports": [{"port": "http"}]}]}, True),
        ({"ingress": [{"ports": [{"port": "grpc"}]}]}, False),
        ({"ingress": [{"ports": [{"port": 80, "endPort": 90}]}]}, True),
        ({"ingress": [{"ports": [{"port": 81, "endPort": 90}]}]}, False),
        ({"ingress": [{"ports": [{"port": 80, "protocol": "UDP"}]}]}, False),
        ({"ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "notebook"}}}]}]}, False),  # of its own namespace
        ({"ingress": [{"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "notebook"}}}]}]}, True),
        ({"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "b"}}}]}]}, False),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "10.244.0.0/16", "except": ["10.244.2.0/24"]}}]}]}, False),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "10.244.0.0/16"}}]}]}, True),
    ],
)  # fmt: skip
def test_the_rules_of_network_policies(policy: dict[str, Any], passes: bool) -> None:
    called = Peer("10.244.1.1", NAMESPACE, {"app": "x"}, {"http": 80})
    spec = {"podSelector": {"matchLabels": {"app": "x"}}, "policyTypes": ["Ingress"], **policy}
    one = {"metadata": {"namespace": NAMESPACE}, "spec": spec}
    assert may([one], STRANGER, called, 80) is passes
    assert may([one], called, STRANGER, 80)  # it says nothing of egress
    assert may([], STRANGER, called, 80)
