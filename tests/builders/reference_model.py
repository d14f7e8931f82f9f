"""What a run must come to: a recursive evaluation of the description, with no events, no state machine and no order of facts.

`fate(path, number)` says what attempt NUMBER of a leaf comes to: "ok", "user" or "lost"; `made(...)` its outputs. A retry of
the run is another evaluation, which starts from what the one before left.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from builders.random_plans import OUTPUTS, Node

STATUS = {"SUCCEEDED": "SUCCEEDED", "SKIPPED": "SKIPPED", "FAILED": "FAILED"}
PLATFORM_BUDGET = 10


def digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def made(path: str, number: int, inputs: dict[str, Any]) -> dict[str, str]:
    """The outputs of an attempt that ends well."""
    text = digest(path, number, inputs)
    return {"Output": f"v{int(text[0], 16) % 2}", "Trace": text[:12]}


@dataclass
class Result:
    state: str
    outputs: dict[str, Any] = field(default_factory=dict)
    attempts: int = 0
    skip_reason: str = ""
    started: bool = False
    given: dict[str, Any] = field(default_factory=dict)
    status: Any = None


@dataclass
class Model:
    fate: Callable[[str, int], str]
    hit: Callable[[str], bool]
    results: dict[str, Result] = field(default_factory=dict)

    def run(self, nodes: list[Node]) -> str:
        self._dag("", nodes, "root", 0)
        return "FAILED" if any(self.results[node.key].state == "FAILED" for node in nodes) else "SUCCEEDED"

    def _dag(self, parent: str, nodes: list[Node], p: Any, retries: int) -> None:
        again: set[int] = set()
        for index, node in enumerate(nodes):
            path = f"{parent}/{node.key}" if parent else node.key
            before = self.results.get(path)
            if before is not None:
                if before.state != "FAILED" and not again & set(node.needs):
                    continue
                again.add(index)
                is_group = node.children is not None or node.items is not None
                if is_group and before.started and before.state != "FAILED":
                    continue  # what is inside a group that ended well stands
            policy = node.retries if node.retries >= 0 else retries
            self.results[path] = self._task(parent, nodes, node, p, policy, before)

    def _task(self, parent: str, nodes: list[Node], node: Node, p: Any, retries: int, before: Result | None) -> Result:
        path = f"{parent}/{node.key}" if parent else node.key
        attempts = before.attempts if before else 0
        reopened = before is not None and before.started and (node.children is not None or node.items is not None)
        upstream = {
            index: self.results[f"{parent}/{nodes[index].key}" if parent else nodes[index].key] for index in node.needs
        }
        source = upstream[node.source].outputs if node.source >= 0 else {}
        given = {"p": p, "x": _text(source.get("Output")), "t": _text(source.get("Trace"))}
        if not reopened:
            if not node.on_completion:
                for bad, word in (({"FAILED"}, "failed"), ({"SKIPPED"}, "skipped")):
                    for index in node.needs:
                        if upstream[index].state in bad:
                            return Result(
                                "SKIPPED", attempts=attempts, skip_reason=f"upstream {word}: {nodes[index].key}"
                            )
            if node.condition and (given["x"] == "v0") != (node.condition == "=="):
                return Result("SKIPPED", attempts=attempts, skip_reason="condition")
        status = STATUS[upstream[node.status_of].state] if node.status_of >= 0 else None
        if before is not None and reopened:
            given, status = before.given, before.status
        if node.items is not None:
            result = self._loop(path, node, given, status, retries)
        else:
            result = self._one(path, node, given, status, retries, attempts)
        result.given, result.status = given, status
        return result

    def _loop(self, path: str, node: Node, given: dict[str, Any], status: Any, retries: int) -> Result:
        iterations: list[Result] = []
        for number, item in enumerate(node.items or []):
            inner = f"{path}[{number}]"
            before = self.results.get(inner)
            if before is None or before.state == "FAILED":
                attempts = before.attempts if before else 0
                self.results[inner] = self._one(inner, node, {**given, "p": item}, status, retries, attempts)
            iterations.append(self.results[inner])
        state = "FAILED" if any(one.state == "FAILED" for one in iterations) else "SUCCEEDED"
        outputs: dict[str, Any] = {}
        if node.children is None or node.returns:
            for name in OUTPUTS:
                joined: list[Any] = []
                for one in iterations:
                    value = one.outputs.get(name, [])
                    joined += value if isinstance(value, list) else [value]
                outputs[name] = joined
        return Result(state, outputs, started=True)

    def _one(self, path: str, node: Node, given: dict[str, Any], status: Any, retries: int, attempts: int) -> Result:
        if node.children is None:
            return self._leaf(path, node, given, status, retries, attempts)
        self._dag(path, node.children, given["p"], retries)
        children = [self.results[f"{path}/{child.key}"] for child in node.children]
        outputs: dict[str, Any] = {}
        for name in OUTPUTS:
            for index in node.returns:
                child = children[index]
                if (child.state == "SUCCEEDED" or len(node.returns) == 1) and child.outputs.get(name) is not None:
                    outputs[name] = child.outputs[name]
                    break
        state = "FAILED" if any(child.state == "FAILED" for child in children) else "SUCCEEDED"
        return Result(state, outputs, started=True)

    def _leaf(self, path: str, node: Node, given: dict[str, Any], status: Any, retries: int, attempts: int) -> Result:
        inputs = {name: value for name, value in (*given.items(), ("status", status)) if value is not None}
        if node.cache and self.hit(path):
            return Result("SUCCEEDED", made(path, 0, inputs), attempts)
        user = platform = 0
        while True:
            attempts += 1
            fate = self.fate(path, attempts)
            if fate == "ok":
                return Result("SUCCEEDED", made(path, attempts, inputs), attempts, started=True)
            user, platform = user + (fate == "user"), platform + (fate == "lost")
            if user > retries or platform > PLATFORM_BUDGET:
                return Result("FAILED", {}, attempts, started=True)


def _text(value: Any) -> Any:
    """A value as a STRING input takes it."""
    return value if value is None or isinstance(value, str) else json.dumps(value, separators=(",", ":"))
