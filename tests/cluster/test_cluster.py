"""The test cluster is what the other tests take it for: names, Services, volumes, images, devices, limits, lost nodes."""

from __future__ import annotations

import json

import pytest

from cluster import pods
from cluster.bringup import images, simulated
from cluster.bringup.kube import Kube
from cluster.bringup.places import API_SERVER, GATEWAY, ISSUER

ASK = """
import json, ssl, sys, urllib.request
folder = "/var/run/secrets/kubernetes.io/serviceaccount"
tls = ssl.create_default_context(cafile=f"{folder}/ca.crt")
token = {"Authorization": "Bearer " + open(f"{folder}/token").read()}
for url in sys.argv[1:]:
    with urllib.request.urlopen(urllib.request.Request(url, headers=token), context=tls) as answer:
        print(json.dumps(json.load(answer)))
"""


@pytest.fixture(scope="module", autouse=True)
def greedy(kube: Kube, module_namespace: str) -> str:
    """The namespace of a Pod that writes more than it may, which its node sees when it looks."""
    command = ["sh", "-c", "dd if=/dev/zero of=/tmp/big bs=1M count=30 2>/dev/null; while true; do sleep 1; done"]
    kube.create(pods.pod("greedy", module_namespace, "busybox", command, **{"ephemeral-storage": "10Mi"}))
    return module_namespace


@pytest.fixture(scope="module", autouse=True)
def node_lost(kube: Kube, module_namespace: str) -> str:
    """The namespace of a Pod whose simulated node has gone, of which the cluster is certain a minute later."""
    node = f"sim-{module_namespace}"
    simulated.add(kube, node, {"nvidia.com/gpu.product": "NVIDIA-B200"}, {"nvidia.com/gpu": "8"})
    try:
        for name, ends, phase in (("stays", "false", "Running"), ("ends", "true", "Succeeded")):
            body = pods.pod(name, module_namespace, "busybox", ["true"], node)
            body["metadata"]["annotations"] = {simulated.ENDS: ends}
            body["spec"]["tolerations"] = [simulated.TOLERATION]
            kube.create(body)
            kube.wait(
                "Pod", name, module_namespace, lambda seen, phase=phase: bool(seen) and seen["status"]["phase"] == phase
            )
    finally:
        kube.delete("Node", node)
    return module_namespace


def test_a_pod_reads_the_issuer_and_its_keys_by_the_cluster_s_names_and_by_the_bridge(
    kube: Kube, namespace: str
) -> None:
    urls = [f"{ISSUER}/.well-known/openid-configuration", f"{API_SERVER}/openid/v1/jwks"]
    phase, said = pods.run(kube, pods.pod("asks", namespace, "python:3.11", ["python", "-c", ASK, *urls]))
    discovery, keys = map(json.loads, said.splitlines())
    assert phase == "Succeeded"
    assert discovery["issuer"] == ISSUER
    assert [key["kty"] for key in keys["keys"]] == ["RSA"]


def test_a_service_is_reached_by_name_from_its_own_node_and_from_the_other(kube: Kube, namespace: str) -> None:
    server = pods.pod("web", namespace, "python:3.11", ["python", "-m", "http.server", "8000"], "node-1")
    server["metadata"]["labels"] = {"app": "web"}
    server["spec"]["containers"][0]["readinessProbe"] = {"tcpSocket": {"port": 8000}, "periodSeconds": 1}
    kube.create(server)
    metadata = {"name": "web", "namespace": namespace}
    ports = [{"port": 80, "targetPort": 8000}]
    kube.create(
        {
            "kind": "Service",
            "apiVersion": "v1",
            "metadata": metadata,
            "spec": {"selector": {"app": "web"}, "ports": ports},
        }
    )
    # A connection begun before the service's rules are written is lost for minutes; the next one is not.
    ask = "timeout 2 wget -qO /dev/null http://web 2>/dev/null"
    command = ["sh", "-c", f"until {ask}; do sleep 0.2; done; echo reached"]
    for node in ("node-1", "node-2"):
        assert pods.run(kube, pods.pod(f"from-{node}", namespace, "busybox", command, node)) == (
            "Succeeded",
            "reached\n",
        )


def test_a_name_outside_the_cluster_does_not_exist(kube: Kube, namespace: str) -> None:
    program = "import socket\ntry: socket.gethostbyname('example.com')\nexcept socket.gaierror as error: print(error)"
    phase, said = pods.run(kube, pods.pod("asks", namespace, "python:3.11", ["python", "-c", program]))
    assert (phase, said) == ("Succeeded", "[Errno -2] Name or service not known\n")


def test_a_claim_of_the_default_class_is_writable_for_a_user_who_is_not_root_and_its_folder_goes_with_it(
    kube: Kube, namespace: str
) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    kube.create(
        {
            "kind": "PersistentVolumeClaim",
            "apiVersion": "v1",
            "metadata": {"name": "c", "namespace": namespace},
            "spec": spec,
        }
    )
    body = pods.pod("writes", namespace, "busybox", ["sh", "-c", "id -u; echo x > /data/x; ls /data"])
    body["spec"]["securityContext"] = {"runAsUser": 999, "fsGroup": 999}
    body["spec"]["volumes"] = [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]
    body["spec"]["containers"][0]["volumeMounts"] = [{"name": "v", "mountPath": "/data"}]
    assert pods.run(kube, body) == ("Succeeded", "999\nx\n")
    volume = kube.get("PersistentVolumeClaim", "c", namespace)["spec"]["volumeName"]
    kube.delete("Pod", "writes", namespace)
    kube.delete("PersistentVolumeClaim", "c", namespace)
    kube.wait("PersistentVolume", volume, "", lambda seen: seen is None)


@pytest.mark.parametrize(
    ("image", "command", "said"),
    [
        (images.STATIC, ["/write", "alone", "/tmp/deep/x"], "alone\n"),
        (
            images.UID_1000,
            ["sh", "-c", "id -u; echo $HOME; touch $HOME/x; stat -c %a $HOME"],
            "1000\n/home/user\n700\n",
        ),
        (images.UMASK_077, ["sh", "-c", "umask"], "0077\n"),
        ("alpine", ["sh", "-c", "echo small"], "small\n"),
        ("public.ecr.aws/docker/library/python:3.12", ["python", "-c", "print(1)"], "1\n"),
    ],
)
def test_images_are_pulled_from_our_registry_under_any_host_s_name(
    kube: Kube, namespace: str, image: str, command: list[str], said: str
) -> None:
    assert pods.run(kube, pods.pod("image", namespace, image, command)) == ("Succeeded", said)


def test_the_python_image_installs_what_pipelines_name_without_an_index(kube: Kube, namespace: str) -> None:
    install = "python -m pip install -q --no-deps kfp==2.14.3 joblib==1.5.2"
    look = "python -c 'import joblib; print(joblib.__version__)'"
    phase, said = pods.run(kube, pods.pod("pip", namespace, "python:3.11", ["sh", "-c", f"{install} && {look}"]))
    assert (phase, said) == ("Succeeded", "1.5.2\n")


def test_an_image_that_does_not_exist_is_told_by_the_kubelet(kube: Kube, namespace: str) -> None:
    kube.create(pods.pod("image", namespace, "gcr.io/none/such:1", ["true"]))
    seen = kube.wait(
        "Pod", "image", namespace, lambda seen: pods.waiting_reason(seen) in ("ErrImagePull", "ImagePullBackOff")
    )
    assert seen is not None
    assert seen["status"]["phase"] == "Pending"


def test_memory_limits_are_kept(kube: Kube, namespace: str) -> None:
    greedy = pods.pod("greedy", namespace, "python:3.11", ["python", "-c", "bytearray(300_000_000)"], memory="60Mi")
    kube.create(greedy)
    seen = kube.wait("Pod", "greedy", namespace, pods.has_ended)
    assert pods.end_reason(seen) == "OOMKilled"


def test_devices_are_allotted_and_counted(kube: Kube, namespace: str) -> None:
    ask = ["sh", "-c", "echo $NVIDIA_VISIBLE_DEVICES$AMD_VISIBLE_DEVICES"]
    two = pods.pod("two", namespace, "busybox", ask, "node-1", **{"nvidia.com/gpu": "2"})
    phase, said = pods.run(kube, two)
    assert (phase, len(said.strip().split(","))) == ("Succeeded", 2)
    slice_of = pods.pod("slice", namespace, "busybox", ask, **{"nvidia.com/mig-1g.10gb": "1"})
    assert pods.run(kube, slice_of)[1].startswith("mig-1g.10gb-")
    assert pods.run(kube, pods.pod("amd", namespace, "busybox", ask, **{"amd.com/gpu": "1"}))[1].startswith("gpu-")
    kube.create(pods.pod("none", namespace, "busybox", ask, **{"nvidia.com/gpu": "5"}))
    seen = kube.wait("Pod", "none", namespace, lambda seen: pods.unschedulable(seen) != "")
    assert "Insufficient nvidia.com/gpu" in pods.unschedulable(seen)


def test_everything_listens_on_the_bridge_or_the_loopback(kube: Kube) -> None:
    from cluster.bringup.processes import run

    ours = ("kube", "etcd", "coredns", "kwok", "containerd")
    lines = [line for line in run("ss", "-tlnpH").splitlines() if any(f'"{name}' in line for name in ours)]
    open_to = {line.split()[3].rpartition(":")[0] for line in lines}
    assert open_to <= {GATEWAY, "127.0.0.1", "[::ffff:127.0.0.1]"}


def test_storage_limits_are_kept(kube: Kube, greedy: str) -> None:
    seen = kube.wait("Pod", "greedy", greedy, pods.has_ended, 90)
    assert seen is not None
    assert seen["status"]["reason"] == "Evicted"
    assert "ephemeral" in seen["status"]["message"]


def test_a_simulated_node_runs_ends_and_loses_pods(kube: Kube, node_lost: str) -> None:
    kube.wait("Pod", "stays", node_lost, lambda seen: seen is None, 100)
