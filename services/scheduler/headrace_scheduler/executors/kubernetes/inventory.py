"""What a cluster has of accelerators and what is in use, from its nodes and our Pods; and sentences that say so. Pure but for
what `Stock` is told. Fed by the executor's watches of nodes and Pods; read for placement, for waits and for `headrace nodes`.

In use is what this installation's Pods hold that this replica sees: other people's Pods are not ours to read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from headrace_scheduler.engine.quantities import quantity
from headrace_scheduler.executors import accelerators as names
from headrace_scheduler.executors import port
from headrace_scheduler.executors.accelerators import Wanted, gib, is_accelerator, is_one, nearest
from headrace_scheduler.executors.kubernetes.accelerators import Offer, fits, offers

SHOWN: Final = 8  # products in a sentence
OVER: Final = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True)
class StockNode:
    """One node. `usable` = it is ready and takes Pods; `why_not` says what is the matter else."""

    name: str
    cpu: float
    memory: int
    offers: tuple[Offer, ...]
    usable: bool
    why_not: str = ""
    taints: tuple[str, ...] = ()


def read_node(node: Mapping[str, Any]) -> StockNode:
    """What matters of a node as the API gives it."""
    metadata, spec, status = node["metadata"], node.get("spec") or {}, node.get("status") or {}
    free = status.get("allocatable") or {}
    why_not = "" if _is_ready(status) else "not ready"
    if spec.get("unschedulable"):
        why_not = "cordoned"
    return StockNode(
        metadata["name"],
        float(quantity(free.get("cpu", "0"))),
        int(quantity(free.get("memory", "0"))),
        tuple(offers(metadata.get("labels") or {}, free)),
        not why_not,
        why_not,
        tuple(_taint(one) for one in spec.get("taints") or () if one.get("effect") != "PreferNoSchedule"),
    )


def _is_ready(status: Mapping[str, Any]) -> bool:
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in status.get("conditions") or ())


def _taint(one: Mapping[str, Any]) -> str:
    value = f"={one['value']}" if one.get("value") else ""
    return f"{one.get('key', '')}{value}:{one.get('effect', '')}"


def held_by(pod: Mapping[str, Any]) -> tuple[str, Counter[str]]:
    """The node of a Pod and the resources that it holds there; none where it has ended or is on no node yet."""
    spec, held = pod.get("spec") or {}, Counter[str]()
    node = spec.get("nodeName") or ""
    if not node or (pod.get("status") or {}).get("phase") in OVER:
        return "", held
    for container in (*(spec.get("containers") or ()), *_sidecars(spec)):
        resources = container.get("resources") or {}
        asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        for name, text in asked.items():
            if name in ("cpu", "memory") or is_accelerator(name):
                held[name] += int(quantity(text) * (1000 if name == "cpu" else 1))
    return node, held


def _sidecars(spec: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return (one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always")


def request_of(pod: Mapping[str, Any]) -> port.Request:
    """What a Pod of ours asks for of accelerators: what its task asked for is an annotation."""
    for container in (pod.get("spec") or {}).get("containers") or ():
        for name, text in ((container.get("resources") or {}).get("limits") or {}).items():
            if is_accelerator(name):
                asked = (pod["metadata"].get("annotations") or {}).get(names.ANNOTATION, name)
                return port.Request(accelerators=int(quantity(text)), accelerator_type=asked)
    return port.Request()


@dataclass(slots=True)
class Stock:
    """All nodes by name, and what our Pods hold by their UIDs; `used` is its sum by node and resource, CPU in thousandths."""

    nodes: dict[str, StockNode] = field(default_factory=dict)
    held: dict[str, tuple[str, Counter[str]]] = field(default_factory=dict)
    used: dict[str, Counter[str]] = field(default_factory=dict)
    known: bool = False  # nodes were told: else nothing is said about what there is

    def node_seen(self, node: Mapping[str, Any]) -> None:
        """A node is there, like this."""
        found = read_node(node)
        self.nodes[found.name] = found
        self.known = True

    def node_gone(self, name: str) -> None:
        """A node is not there any more."""
        self.nodes.pop(name, None)

    def pod_seen(self, pod: Mapping[str, Any]) -> None:
        """A Pod of this installation is there, like this."""
        uid: str = pod["metadata"]["uid"]
        node, held = held_by(pod)
        if self.held.get(uid) == (node, held):
            return
        self.pod_gone(uid)
        if node:
            self.held[uid] = (node, held)
            self.used.setdefault(node, Counter()).update(held)

    def pod_gone(self, uid: str) -> None:
        """A Pod is not there any more."""
        node, held = self.held.pop(uid, ("", Counter()))
        used = self.used.get(node)
        if used is not None:
            used.subtract(held)
            if not any(used.values()):
                del self.used[node]

    def offers(self) -> list[Offer]:
        """All that the nodes have that take Pods."""
        return [one for node in self.nodes.values() if node.usable for one in node.offers]

    def got(self, uid: str) -> str:
        """The product that a Pod on a node holds; "" = none, or its node does not say."""
        node, held = self.held.get(uid, ("", Counter()))
        there = self.nodes[node].offers if node in self.nodes else ()
        return next((_name(one) for one in there if held[one.resource]), "")

    # ---- for people

    def shown(self) -> list[port.Node]:
        """The nodes as people see them."""
        return [_shown(node, self.used.get(node.name, Counter())) for _, node in sorted(self.nodes.items())]

    def problem(self, request: port.Request) -> str:
        """Why no node that is there can ever meet a request for accelerators, with what there is; "" = one can."""
        if not request.accelerators or not self.known:
            return ""
        wanted = names.read(request.accelerator_type)
        there = [one for node in self.nodes.values() for one in node.offers]
        good = [one for one in there if fits(one, wanted)]
        if any(one.count >= request.accelerators for one in good):
            return ""
        asks = f"asks for {request.accelerators} × {wanted}"
        if good:
            largest = max(one.count for one in good)
            return f"{asks} on one node; the largest node has {largest}. {self.has()}"
        near = _near_miss(wanted, there)
        return f"{asks}, which no node has. {self.has()}{near and f'; {near}'}"

    def has(self) -> str:
        """`The cluster has 4 × NVIDIA-H100-80GB-HBM3 and 2 × …`."""
        total: Counter[str] = Counter()
        for node in self.nodes.values():
            for one in node.offers:
                total[_name(one)] += one.count
        if not total:
            return "The cluster has no accelerators"
        named = [f"{count} × {name}" for name, count in total.most_common(SHOWN)]
        rest = f" and {len(total) - SHOWN} other kinds" if len(total) > SHOWN else ""
        return f"The cluster has {', '.join(named)}{rest}"

    def wait(self, request: port.Request) -> str:
        """What a Pod that no node takes now needs of accelerators and what is free of it, in numbers; "" = it asks for none."""
        if not request.accelerators or not self.known:
            return ""
        problem = self.problem(request)
        if problem:
            return f"no node fits: it {problem}"
        wanted = names.read(request.accelerator_type)
        free: Counter[str] = Counter()
        total: Counter[str] = Counter()
        out: list[str] = []
        most = 0
        for node in self.nodes.values():
            for one in node.offers:
                if not fits(one, wanted):
                    continue
                total[_name(one)] += one.count
                if not node.usable:
                    out.append(f"{node.name} is {node.why_not}")
                    continue
                left = max(one.count - self.used.get(node.name, Counter())[one.resource], 0)
                free[_name(one)] += left
                most = max(most, left)
        parts = [f"{free[name]} of {count} × {name} free" for name, count in total.most_common(SHOWN)]
        apart = (
            f", at most {most} on one node"
            if request.accelerators > 1 and sum(free.values()) >= request.accelerators
            else ""
        )
        return f"needs {request.accelerators} × {wanted}; {', '.join(parts)}{apart}{''.join(f'; {one}' for one in out[:3])}"


def _name(offer: Offer) -> str:
    if offer.resource.startswith(names.MIG_RESOURCE):
        profile = f"MIG {offer.resource.removeprefix(names.MIG_RESOURCE)}"
        return f"{offer.product} {profile}" if offer.product else profile
    return offer.product or offer.resource


def _near_miss(wanted: Wanted, there: list[Offer]) -> str:
    """What may have been meant, or is nearest."""
    products = list(dict.fromkeys(one.product for one in there if one.product))
    if wanted.mig:
        offered = sorted(one.resource.removeprefix(names.MIG_RESOURCE) for one in there if "/mig-" in one.resource)
        return (
            f"MIG profiles that are offered: {', '.join(dict.fromkeys(offered))}"
            if offered
            else "no node offers MIG slices"
        )
    named = [one for one in there if any(is_one(name, one.product) for name in wanted.products)]
    pool = named or (there if not wanted.products else [])
    largest = max((one.memory for one in pool), default=0)
    if wanted.memory and largest:
        return f"the largest of them has {gib(largest)}"
    guesses = dict.fromkeys(nearest(name, products) for name in wanted.products)
    meant = [one for one in guesses if one]
    return f"did you mean {' or '.join(meant)}?" if meant else ""


def _shown(node: StockNode, used: Counter[str]) -> port.Node:
    kinds = tuple(
        port.Accelerators(
            resource=one.resource,
            product=one.product,
            memory=one.memory,
            mig=one.resource.removeprefix(names.MIG_RESOURCE) if "/mig-" in one.resource else "",
            count=one.count,
            used=min(used[one.resource], one.count),
        )
        for one in node.offers
    )
    made = port.Node(
        node.name, node.cpu, node.memory, accelerators=kinds, status=node.why_not or "ready", taints=node.taints
    )
    return replace(made, cpu_used=used["cpu"] / 1000, memory_used=used["memory"])
