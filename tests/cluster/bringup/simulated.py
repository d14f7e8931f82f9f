"""Nodes without a machine behind them (kwok): for scale, for lost nodes, for products that no node here has.

They carry a taint, so that no Pod lands there by accident. A Pod on one is Running at once and stays so, unless it is
annotated `headrace.test/ends: "true"`: then it has Succeeded.
"""

from __future__ import annotations

from cluster.bringup.kube import Kube, Object
from cluster.bringup.places import BIN, DIR, KUBECONFIG
from cluster.bringup.processes import spawn

MANAGED = "headrace.test/simulated"
TAINT = {"key": MANAGED, "value": "true", "effect": "NoSchedule"}
TOLERATION = {"key": MANAGED, "operator": "Exists", "effect": "NoSchedule"}
ENDS = "headrace.test/ends"

STAGES = """
kind: Stage
apiVersion: kwok.x-k8s.io/v1alpha1
metadata: {name: node-ready}
spec:
  resourceRef: {apiGroup: v1, kind: Node}
  selector:
    matchExpressions:
    - {key: '.status.conditions.[] | select( .type == "Ready" ) | .status', operator: NotIn, values: ["True"]}
    - {key: '.metadata.annotations["headrace.test/lost"]', operator: DoesNotExist}
  next:
    statusTemplate: |
      {{ $now := Now }}
      conditions:
      {{ range NodeConditions }}
      - {type: {{ .type | Quote }}, status: {{ .status | Quote }}, reason: {{ .reason | Quote }},
         message: {{ .message | Quote }}, lastHeartbeatTime: {{ $now | Quote }}, lastTransitionTime: {{ $now | Quote }}}
      {{ end }}
      nodeInfo: {architecture: amd64, operatingSystem: linux, kubeletVersion: kwok, kernelVersion: kwok, osImage: kwok,
        containerRuntimeVersion: kwok, kubeProxyVersion: kwok, bootID: "", machineID: "", systemUUID: ""}
      phase: Running
---
kind: Stage
apiVersion: kwok.x-k8s.io/v1alpha1
metadata: {name: pod-runs}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
    - {key: '.metadata.deletionTimestamp', operator: DoesNotExist}
    - {key: '.status.phase', operator: In, values: [Pending]}
  next:
    statusTemplate: |
      {{ $now := Now }}
      phase: Running
      startTime: {{ $now | Quote }}
      conditions:
      {{ range $type := (list "PodReadyToStartContainers" "Initialized" "Ready" "ContainersReady") }}
      - {type: {{ $type | Quote }}, status: "True", lastTransitionTime: {{ $now | Quote }}}
      {{ end }}
      containerStatuses:
      {{ range .spec.containers }}
      - {name: {{ .name | Quote }}, image: {{ .image | Quote }}, ready: true, started: true, restartCount: 0,
         state: {running: {startedAt: {{ $now | Quote }}}}}
      {{ end }}
      initContainerStatuses:
      {{ range .spec.initContainers }}
      - {name: {{ .name | Quote }}, image: {{ .image | Quote }}, ready: true, started: true, restartCount: 0,
         state: {running: {startedAt: {{ $now | Quote }}}}}
      {{ end }}
---
kind: Stage
apiVersion: kwok.x-k8s.io/v1alpha1
metadata: {name: pod-ends}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
    - {key: '.metadata.deletionTimestamp', operator: DoesNotExist}
    - {key: '.status.phase', operator: In, values: [Running]}
    - {key: '.metadata.annotations["headrace.test/ends"]', operator: In, values: ["true"]}
  next:
    statusTemplate: |
      {{ $now := Now }}
      phase: Succeeded
      containerStatuses:
      {{ range .spec.containers }}
      - {name: {{ .name | Quote }}, image: {{ .image | Quote }}, ready: false, started: false, restartCount: 0,
         state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}}
      {{ end }}
---
kind: Stage
apiVersion: kwok.x-k8s.io/v1alpha1
metadata: {name: pod-goes}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
    - {key: '.metadata.deletionTimestamp', operator: Exists}
  next: {delete: true}
"""
OPTIONS = """
kind: KwokConfiguration
apiVersion: config.kwok.x-k8s.io/v1alpha1
options: {enableCRDs: [], podPlayStageParallelism: 16, nodeLeaseDurationSeconds: 40, nodePlayStageParallelism: 4,
  nodeLeaseParallelism: 4}
---
"""


def start() -> None:
    (DIR / "kwok.yaml").write_text(OPTIONS.lstrip() + STAGES.lstrip())
    managed = f"--manage-nodes-with-annotation-selector={MANAGED}=true"
    spawn("kwok", [f"{BIN}/kwok", f"--kubeconfig={KUBECONFIG}", f"--config={DIR}/kwok.yaml", managed])


def node(name: str, labels: dict[str, str] | None = None, resources: dict[str, str] | None = None) -> Object:
    """A simulated node with these labels, and with these resources besides plenty of processors, memory and Pods."""
    amounts = {"cpu": "1000", "memory": "4Ti", "pods": "10000", "ephemeral-storage": "10Ti", **(resources or {})}
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "annotations": {MANAGED: "true"},
            "labels": {"kubernetes.io/hostname": name, MANAGED: "true", **(labels or {})},
        },
        "spec": {"taints": [TAINT]},
        "status": {"allocatable": amounts, "capacity": amounts},
    }


def add(kube: Kube, name: str, labels: dict[str, str] | None = None, resources: dict[str, str] | None = None) -> None:
    kube.ensure(node(name, labels, resources))
    kube.wait("Node", name, "", is_ready, 30)


def is_ready(seen: Object | None) -> bool:
    conditions = (seen or {}).get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
