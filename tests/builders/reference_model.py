"""What a run must come to: a recursive evaluation of the description, with no events, no state machine and no order of facts.

`fate(path, number)` says what attempt NUMBER of a leaf comes to: "ok", "user", "lost" or "preempted"; `hit(path)`
whether the cache has it; `made(...)` gives outputs. A retry of the run is another evaluation, from what the one before left. What
was stopped, and where, only the run itself can say: `Stopped` holds that, and everything else must follow from it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from builders.descriptions import ARTIFACTS, Body, Condition, Declared, Flow, Node, Source, mentioned

PLATFORM_BUDGET = PREEMPTION_BUDGET = 10
STATUS = {"SUCCEEDED": "SUCCEEDED", "SKIPPED": "SKIPPED", "FAILED": "FAILED", "CANCELED": "CANCELLED"}
KINDS: dict[str, tuple[type, ...]] = {
    "number": (int,),
    "flag": (bool,),
    "list": (list,),
    "struct": (dict,),
    "status": (dict,),
}


def digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def made(path: str, number: int, inputs: dict[str, Any], wanted: dict[str, str] | list[str]) -> dict[str, Any]:
    """The outputs of an attempt that ends well: functions of where it ran, and of what it was given."""
    code = digest(path, number, inputs)
    a, b, c, d = (int(one, 16) for one in code[:4])
    texts = [f"v{int(one, 16) % 2}" for one in code[8 : 8 + b % 4]]
    struct = {"f": f"v{c % 2}", "n": d % 4, "l": texts}
    outputs = {
        "Output": f"v{a % 2}",
        "Maybe": f"v{a % 2}" if b % 3 else None,
        "Trace": code[:12],
        "Number": c % 4,
        "Flag": d % 2 == 0,
        "Texts": texts,
        "Structs": [{**struct, "n": number % 4} for number in range(b % 4)],
        "Numbers": [c % 4, d % 4][: a % 3],
        "Mixed": [f"v{a % 2}", d % 4, [texts], struct][b % 4 :],
        "Lines": "[" if a == 0 else json.dumps(texts) if a % 4 else '{"f": 1}',
        "Struct": struct if a else {"f": "v1"},
        "file": [f"file:///{path}/{number}/file"],
        "files": [f"file:///{path}/{number}/files/{one}" for one in range(d % 4)],
    }
    return {name: outputs[name] for name in wanted}


class Problem(Exception):  # noqa: N818 - as in the engine: what a user can cause
    """Why a task fails before it has begun."""


PUT_BACK = "PUT BACK"  # only while a retry is evaluated
AGAIN = ("FAILED", "CANCELED", PUT_BACK)


@dataclass
class Result:
    state: str
    outputs: dict[str, Any] = field(default_factory=dict)
    attempts: int = 0
    reason: str = ""  # why it was skipped, or its error's reason
    started: bool = False
    given: dict[str, Any] = field(default_factory=dict)
    cached: bool = False
    linked: bool = False  # its results are those of the run that this one resumes
    version: int = 0  # of a leaf's definition
    count: int = 0  # a loop's items


@dataclass
class Resumed:
    """The run that this one goes on from: what became of its tasks, and what of it runs again in any case."""

    results: dict[str, Result]
    again: list[str]

    def names(self, path: str) -> bool:
        """Whether the task is to run again: it is named, with its iterations or for all of them, or is inside of what is."""
        for name in self.again:
            for whole in (path, re.sub(r"\[\d+\]", "", path)):
                if whole == name or whole.startswith((f"{name}/", f"{name}[")):
                    return True
        return False


@dataclass
class Stopped:
    """Of a run that was terminated or took too long: tasks that ended CANCELED with their attempts, tasks that never were, and
    how many attempts those that failed had by then."""

    reason: str
    canceled: dict[str, int]
    absent: Callable[[str], bool]
    attempts: dict[str, int]
    opened: set[str]  # groups that had been opened, and ended CANCELED


@dataclass
class Model:
    flow: Flow
    fate: Callable[[str, int], str]
    hit: Callable[[str], bool]
    results: dict[str, Result] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)  # of the run
    stopped: Stopped | None = None
    resumed: Resumed | None = None
    steady: dict[str, bool] = field(
        default_factory=dict
    )  # whether all that comes before a task is as it was in the resumed run

    def run(self) -> str:
        """Evaluate the whole run, or retry it; its state."""
        root = self.flow.root
        given = {**self.flow.parameters, **self.flow.artifacts}
        scope = {name: _declared(one, given.get(name)) for name, one in root.inputs.items()}
        self.steady[""] = True
        self._dag("", root, scope, 0)
        self.outputs = self._returned("", root)
        return self._group_state("", root)

    # ---- groups

    def _dag(self, parent: str, body: Body, scope: dict[str, Any], retries: int) -> None:
        again: set[int] = set()
        for index, node in enumerate(body.children):
            path = f"{parent}/{node.key}" if parent else node.key
            if self.stopped and self.stopped.absent(path):
                continue
            before = self.results.get(path)
            anew = False
            if before is not None:
                if before.state not in AGAIN and not again & set(node.needs):
                    continue
                anew = node.is_group and (before.state == PUT_BACK or bool(again & set(node.needs)))
                again.add(index)
            if anew:
                before = self._put_back(path)
            policy = node.retries if node.retries >= 0 else retries
            self.results[path] = self._task(parent, body, node, scope, policy, before)
            if anew:
                self._leave_out(path)

    def _put_back(self, path: str) -> Result:
        """A group before which something runs again: of all that is in it, only how often it was tried stands."""
        for inside, result in self.results.items():
            if inside == path or inside.startswith((f"{path}/", f"{path}[")):
                self.results[inside] = Result(PUT_BACK, attempts=result.attempts)
        return self.results[path]

    def _leave_out(self, path: str) -> None:
        """What a group that was put back does not come to this time."""
        inside = [one for one in self.results if one.startswith((f"{path}/", f"{path}["))]
        for one in sorted(inside, key=len):
            if self.results[one].state != PUT_BACK:
                continue
            above = one[: one.rindex("[")] if one.endswith("]") else one.rpartition("/")[0]
            group, attempts = self.results[above], self.results[one].attempts
            if (canceled := self._canceled(one)) is not None:
                self.results[one] = canceled
            elif one.endswith("]") and group.started:
                self.results[one] = Result("SKIPPED", attempts=attempts, reason=f"the loop has {group.count} items now")
            else:
                how = "failed" if group.state == "FAILED" else "skipped"
                self.results[one] = Result("SKIPPED", attempts=attempts, reason=f"upstream {how}: {above}")

    def _group_state(self, parent: str, body: Body) -> str:
        children = [self.results.get(f"{parent}/{child.key}" if parent else child.key) for child in body.children]
        return _worst(children)

    def _returned(self, parent: str, body: Body) -> dict[str, Any]:
        outputs: dict[str, Any] = {}
        for name, returned in body.returns.items():
            for index, key in returned.choices:
                key_path = body.children[index].key
                child = self.results.get(f"{parent}/{key_path}" if parent else key_path)
                if child is None or (len(returned.choices) > 1 and child.state != "SUCCEEDED"):
                    continue
                if child.outputs.get(key) is not None:
                    outputs[name] = child.outputs[key]
                    break
        return outputs

    def _task(
        self, parent: str, body: Body, node: Node, scope: dict[str, Any], retries: int, before: Result | None
    ) -> Result:
        path = f"{parent}/{node.key}" if parent else node.key
        before_it = [f"{parent}/{body.children[one].key}" if parent else body.children[one].key for one in node.needs]
        self.steady[path] = self.steady[parent] and all(self._unchanged(one) for one in before_it)
        attempts = before.attempts if before else 0
        reopened = before is not None and before.started and node.is_group
        if (canceled := self._canceled(path)) is not None:
            return canceled
        if before is not None and reopened:
            given = before.given
        else:
            siblings = [self.results.get(f"{parent}/{one.key}" if parent else one.key) for one in body.children]
            try:
                reason = _not_triggered(node, body, siblings)
                inputs = Inputs(node, body, scope, siblings)
                if not reason and node.condition is not None and not node.per_item:
                    reason = "" if inputs.wanted() else "condition"
                if reason:
                    return Result("SKIPPED", attempts=attempts, reason=reason)
                given = inputs.all()
                if node.loop is not None:
                    _items(node, given)
            except Problem as problem:
                return Result("FAILED", attempts=attempts, reason=str(problem))
        if node.loop is None:
            return self._one(path, node, given, retries, attempts)
        result = self._loop(path, node, given, retries)
        result.given = given
        children = [f"{path}[{number}]" for number in range(len(_items(node, given)))]
        result.linked = self._group_is_linked(path, result, children)
        return result

    def _loop(self, path: str, node: Node, given: dict[str, Any], retries: int) -> Result:
        assert node.loop is not None
        iterations: list[Result | None] = []
        for number, item in enumerate(_items(node, given)):
            inner = f"{path}[{number}]"
            self.steady[inner] = self.steady[path]
            before = self.results.get(inner)
            if self.stopped and self.stopped.absent(inner):
                iterations.append(None)
                continue
            if before is None or before.state in AGAIN:
                self.results[inner] = self._iteration(inner, node, given, item, retries, before)
            iterations.append(self.results[inner])
        state = _worst(iterations)
        if state == "SUCCEEDED" and iterations and all(one and one.state == "SKIPPED" for one in iterations):
            return Result("SKIPPED", reason="condition", started=True, count=len(iterations))
        outputs: dict[str, Any] = {}
        for name in node.body.returns if node.body.form == "dag" else node.body.outputs:
            inside = node.body.form == "dag" and any(
                node.body.children[child].is_joined(key) for child, key in node.body.returns[name].choices
            )
            flat = inside or node.body.kind_of(name) in ARTIFACTS
            outputs[name] = []
            for one in iterations:
                value = one.outputs.get(name) if one else None
                if value is not None:
                    outputs[name] += value if flat else [value]
        return Result(state, outputs, reason=self._why(state), started=True, count=len(iterations))

    def _iteration(
        self, path: str, node: Node, given: dict[str, Any], item: Any, retries: int, before: Result | None
    ) -> Result:
        assert node.loop is not None
        attempts = before.attempts if before else 0
        if (canceled := self._canceled(path)) is not None:
            return canceled
        declared = node.body.inputs[node.loop.item]
        try:
            if declared.kind != "file":
                item = "" if item is None and declared.kind == "text" else item
                item = _declared(declared, item, group=node.body.form == "dag")
            given = {**given, node.loop.item: item}
            given |= {name: _filled(node.given[name].value, node.key, given.get) for name in node.late}
            reopened = before is not None and before.started and node.is_group and node.body.form == "dag"
            if node.per_item and not reopened and not _holds(node.condition, given):
                return Result("SKIPPED", attempts=attempts, reason="condition")
        except Problem as problem:
            return Result("FAILED", attempts=attempts, reason=str(problem))
        return self._one(path, node, given, retries, attempts)

    def _one(self, path: str, node: Node, given: dict[str, Any], retries: int, attempts: int) -> Result:
        if node.body.form == "dag":
            policy = node.retries if node.retries >= 0 else retries
            self._dag(path, node.body, given, policy)
            state = self._group_state(path, node.body)
            result = Result(state, self._returned(path, node.body), reason=self._why(state), started=True)
            result.linked = self._group_is_linked(path, result, [f"{path}/{one.key}" for one in node.body.children])
        elif (linked := self._linked(path, node, given, attempts)) is not None:
            result = linked
        elif node.body.form == "importer":
            result = self._importer(path, given, retries, attempts)
        else:
            result = self._leaf(path, node, given, retries, attempts)
        result.given, result.version = given, node.body.version
        return result

    # ---- what a resumed run has done already

    def _linked(self, path: str, node: Node, given: dict[str, Any], attempts: int) -> Result | None:
        """The result of a leaf that need not run."""
        done = self.resumed.results.get(path) if self.resumed is not None else None
        if self.resumed is None or done is None or done.state != "SUCCEEDED" or self.resumed.names(path):
            return None
        if done.version != node.body.version or not self.steady[path] or _seen(done.given) != _seen(given):
            return None
        return Result("SUCCEEDED", done.outputs, attempts, linked=True)

    def _group_is_linked(self, path: str, result: Result, children: list[str]) -> bool:
        """Whether nothing in a group has changed."""
        done = self.resumed.results.get(path) if self.resumed is not None else None
        if self.resumed is None or done is None or self.resumed.names(path):
            return False
        if result.state != "SUCCEEDED" or done.state != "SUCCEEDED":
            return False
        # iterations without an item any more, since a retry of the origin, do not count
        more = self.resumed.results.get(f"{path}[{len(children)}]")
        as_many = more is None or more.reason.startswith("the loop has ")
        return as_many and all(self._unchanged(child) for child in children)

    def _unchanged(self, path: str) -> bool:
        """Whether a task has the results that it had, or was skipped as it was."""
        result = self.results[path]
        done = self.resumed.results.get(path) if self.resumed is not None else None
        return result.linked or (done is not None and result.state == done.state == "SKIPPED")

    def _canceled(self, path: str) -> Result | None:
        """What was stopped before it began, or is no group."""
        if self.stopped is None or path in self.stopped.opened or path not in self.stopped.canceled:
            return None
        return Result("CANCELED", attempts=self.stopped.canceled[path], reason=self.stopped.reason)

    def _why(self, state: str) -> str:
        stopped = self.stopped.reason if self.stopped is not None else ""
        return {"FAILED": "TaskFailed", "CANCELED": stopped}.get(state, "")

    # ---- leaves

    def _importer(self, path: str, given: dict[str, Any], retries: int, attempts: int) -> Result:
        """Its tries are attempts only from the first failure on that is to be followed by another."""
        limit = self.flow.inline_bytes
        if not given.get("uri") or (limit and len(json.dumps(given["uri"])) > limit):
            return Result("FAILED", attempts=attempts, reason="InputResolution")
        failures = 0
        while True:
            number = attempts + 1
            if self.fate(path, number) == "ok":
                return Result("SUCCEEDED", {"artifact": [given["uri"]]}, number if attempts else 0)
            if not attempts and not retries:
                return Result("FAILED", reason="Import")
            attempts, failures = number, failures + 1
            cut = self.stopped is not None and self.stopped.attempts.get(path) == attempts
            if failures > retries or cut:
                return Result("FAILED", {}, attempts, "Import", started=True)

    def _leaf(self, path: str, node: Node, given: dict[str, Any], retries: int, attempts: int) -> Result:
        inputs = {name: visible(value) for name, value in given.items() if value is not None}
        cached = node.cache if self.flow.enable_cache is None else self.flow.enable_cache
        if self.resumed is not None and self.resumed.names(path):
            cached = False  # a user wants it to run
        if cached and self.hit(path):
            return Result("SUCCEEDED", _said(path, 0, inputs, node), attempts, cached=True)
        user = platform = preemptions = 0
        while True:
            attempts += 1
            fate = self.fate(path, attempts)
            if fate == "ok":
                return Result("SUCCEEDED", _said(path, attempts, inputs, node), attempts, started=True)
            user, platform = user + (fate == "user"), platform + (fate == "lost")
            preemptions += fate == "preempted"
            cut = self.stopped is not None and self.stopped.attempts.get(path) == attempts and fate == "user"
            if user > retries or platform > PLATFORM_BUDGET or preemptions > PREEMPTION_BUDGET or cut:
                reason = "UserError" if fate == "user" else "Lost"
                return Result("FAILED", {}, attempts, reason, started=True)


def _seen(given: dict[str, Any]) -> dict[str, Any]:
    return {name: visible(value) for name, value in given.items() if value is not None}


def _said(path: str, number: int, inputs: dict[str, Any], node: Node) -> dict[str, Any]:
    """What was made; a null is as good as nothing."""
    outputs = made(path, number, inputs, node.body.outputs)
    return {name: value for name, value in outputs.items() if value is not None}


def _worst(children: list[Result | None]) -> str:
    states = {child.state if child is not None else "CANCELED" for child in children}
    return "FAILED" if "FAILED" in states else "CANCELED" if "CANCELED" in states else "SUCCEEDED"


def _not_triggered(node: Node, body: Body, siblings: list[Result | None]) -> str:
    """Why a task's trigger does not fire; what failed comes before what was skipped."""
    if node.on_completion:
        return ""
    for bad, word in ((("FAILED", "CANCELED"), "failed"), (("SKIPPED",), "skipped")):
        for index in node.needs:
            upstream = siblings[index]
            assert upstream is not None, "a task comes after what it needs"
            if upstream.state in bad:
                return f"upstream {word}: {body.children[index].key}"
    return ""


# ---- inputs


@dataclass
class Inputs:
    """The inputs of one task, each resolved when it is asked for."""

    node: Node
    body: Body  # the DAG around it
    scope: dict[str, Any]
    siblings: list[Result | None]

    def wanted(self) -> bool:
        condition = self.node.condition
        assert condition is not None
        return _holds(condition, {name: self.value(name) for name in mentioned(condition)})

    def all(self) -> dict[str, Any]:
        later = [self.node.loop.item, *self.node.late] if self.node.loop else []
        return {name: self.value(name) for name in self.node.body.inputs if name not in later}

    def value(self, name: str) -> Any:
        value = self.raw(name)
        source = self.node.given.get(name)
        if source is not None and source.origin == "const":
            value = _filled(value, self.node.key, self._or_default)
        return _declared(self.node.body.inputs[name], value, group=self.node.body.form == "dag")

    def raw(self, name: str) -> Any:
        source = self.node.given.get(name)
        if source is None:
            return None
        value = self._read(source)
        if source.field and value is not None:
            value = json.loads(_text(value)) if _is_json(_text(value)) else None
            if not isinstance(value, dict) or source.field not in value:
                raise Problem("InputResolution")
            value = value[source.field]
        return value

    def _read(self, source: Source) -> Any:
        if source.origin == "dag":
            return self.scope.get(source.name)
        if source.origin == "const":
            return source.value
        producer = self.siblings[source.task]
        assert producer is not None
        if source.origin == "task":
            return producer.outputs.get(source.name)
        return {"state": STATUS[producer.state], "task": self.body.children[source.task].key}

    def _or_default(self, name: str) -> Any:
        value = self.raw(name)
        return self.node.body.inputs[name].default if value is None else value


def _filled(value: Any, task: str, lookup: Callable[[str], Any]) -> Any:
    """A constant with other inputs of the task, and the task's name, put in."""
    if isinstance(value, list):
        return [_filled(one, task, lookup) for one in value]
    if isinstance(value, dict):
        return {name: _filled(one, task, lookup) for name, one in value.items()}
    if not isinstance(value, str) or "{{$" not in value:
        return value
    pieces = value.split("{{$.")
    text = pieces[0]
    for piece in pieces[1:]:
        inside, rest = piece.split("}}", 1)
        name = inside.removeprefix("inputs.parameters['").removesuffix("']")
        text += (task if inside == "pipeline_task_name" else _text(lookup(name))) + rest
    return text


def _declared(declared: Declared, value: Any, *, group: bool = False) -> Any:
    """A value as the input takes it; groups let a null pass."""
    if value is None:
        value = declared.default
    if value is None:
        if declared.optional or group:
            return None
        raise Problem("InputResolution")
    if declared.kind in ARTIFACTS:
        return value
    if declared.kind in ("text", "lines"):
        return _text(value)
    fits = isinstance(value, KINDS[declared.kind]) and (declared.kind == "flag" or not isinstance(value, bool))
    if not fits:
        raise Problem("InputResolution")
    return value


def _items(node: Node, given: dict[str, Any]) -> list[Any]:
    """What a loop goes over."""
    assert node.loop is not None
    if node.loop.raw is not None:
        return node.loop.raw
    value = given.get(node.loop.over)
    if node.body.inputs[node.loop.over].kind in ARTIFACTS:
        return [[one] for one in value or []]
    if isinstance(value, str):
        value = json.loads(value) if _is_json(value) else None
    if not isinstance(value, list):
        raise Problem("InputResolution")
    return value


def _text(value: Any) -> str:
    """A value as text."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def visible(value: Any) -> Any:
    """What a leaf's outputs depend on: of a final status, its state and whose it is."""
    if isinstance(value, dict) and "pipelineJobResourceName" in value:
        return {"state": value["state"], "task": value["pipelineTaskName"]}
    return value


# ---- conditions


def _holds(condition: Condition, values: dict[str, Any]) -> bool:
    answer = _decided(condition, values)
    if answer is None:
        raise Problem("ConditionFailed")
    return answer


def _decided(condition: Condition, values: dict[str, Any]) -> bool | None:
    """True, false, or None: it cannot be decided."""
    match condition:
        case ("!", part):
            inner = _decided(part, values)
            return None if inner is None else not inner
        case ("&&" | "||" as operator, left, right):
            sides = [_decided(left, values), _decided(right, values)]
            decisive = operator == "||"
            if decisive in sides:
                return decisive
            return None if None in sides else not decisive
        case (operator, left, right):
            try:
                return _compared(operator, _operand(left, values), _operand(right, values))
            except (TypeError, ValueError):
                return None
    raise AssertionError(condition)


def _operand(part: Any, values: dict[str, Any]) -> Any:
    match part:
        case ("input", name):
            return values.get(name)
        case ("int", name):
            return int(values[name])
        case ("state", name):
            return values[name]["state"]
    return part


def _compared(operator: str, left: Any, right: Any) -> bool:
    if operator in ("==", "!="):
        same = type(left) is type(right) and left == right
        return same == (operator == "==")
    return bool({"<": left < right, ">=": left >= right}[operator])
