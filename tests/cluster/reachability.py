"""Who may call whom by the NetworkPolicies of rendered manifests: Kubernetes' own rules as a pure function.

The test cluster accepts policies and enforces none (README.md), so that its tests ask here. A call passes where both sides let
it: the caller's policies of egress, and those of ingress of whom it calls; a side that no policy selects lets everything pass.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]
NAME = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True)
class Peer:
    """A Pod, or with no namespace something outside the cluster, which has its address alone."""

    address: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)  # of its containers, by name


def may(policies: Sequence[Json], caller: Peer, called: Peer, port: int, protocol: str = "TCP") -> bool:
    """Whether the call passes."""
    return _lets(policies, "Egress", caller, called, called, port, protocol) and _lets(
        policies, "Ingress", called, caller, called, port, protocol
    )


def _lets(policies: Iterable[Json], way: str, of: Peer, other: Peer, called: Peer, port: int, protocol: str) -> bool:
    chosen = [one for one in policies if way in one["spec"]["policyTypes"] and _is_for(one, of)]
    side = "to" if way == "Egress" else "from"
    return not chosen or any(
        _names(rule.get(side), other, one["metadata"]["namespace"])
        and _opens(rule.get("ports"), called, port, protocol)
        for one in chosen
        for rule in one["spec"].get(way.lower()) or ()
    )


def _is_for(policy: Json, pod: Peer) -> bool:
    return policy["metadata"]["namespace"] == pod.namespace and selects(policy["spec"]["podSelector"], pod.labels)


def _names(peers: Sequence[Json] | None, other: Peer, namespace: str) -> bool:
    """Whether a rule's peers have OTHER among them; a rule without peers has everybody."""
    return not peers or any(_is(one, other, namespace) for one in peers)


def _is(peer: Json, other: Peer, namespace: str) -> bool:
    if block := peer.get("ipBlock"):
        address = ipaddress.ip_address(other.address)
        inside = [ipaddress.ip_network(one) for one in (block["cidr"], *block.get("except", ()))]
        return address in inside[0] and not any(address in one for one in inside[1:])
    if not other.namespace:
        return False
    if "namespaceSelector" in peer:
        there = selects(peer["namespaceSelector"], {NAME: other.namespace})
    else:
        there = other.namespace == namespace
    return there and selects(peer.get("podSelector") or {}, other.labels)


def _opens(ports: Sequence[Json] | None, called: Peer, port: int, protocol: str) -> bool:
    """Whether a rule's ports have this one; a rule without ports has them all."""
    return not ports or any(
        one.get("protocol", "TCP") == protocol
        and (
            "port" not in one
            or _number(one["port"], called) <= port <= one.get("endPort", _number(one["port"], called))
        )
        for one in ports
    )


def _number(port: int | str, called: Peer) -> int:
    return port if isinstance(port, int) else called.ports.get(port, -1)


def selects(selector: Json, labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches; an empty one matches everything."""
    exact: Mapping[str, str] = selector.get("matchLabels") or {}
    return exact.items() <= labels.items() and all(
        _holds(one["operator"], labels.get(one["key"]), one.get("values") or ())
        for one in selector.get("matchExpressions") or ()
    )


def _holds(operator: str, value: str | None, values: Sequence[str]) -> bool:
    match operator:
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "In":
            return value in values
        case "NotIn":
            return value not in values
    raise ValueError(f"no operator of label selectors: {operator}")
