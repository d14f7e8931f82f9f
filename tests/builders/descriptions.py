"""Plain descriptions of pipelines: what random_plans.py draws, reference_model.py evaluates, and shrinking.py makes smaller.

A `Body` is a component, a `Node` a task that uses one. Here too: the same thing as a spec (for reading and compiling) and as a
short text (for people). What a description means is not said here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from builders import specs

TYPES = {
    "text": "STRING",
    "lines": "STRING",  # JSON text of a list
    "trace": "STRING",
    "number": "NUMBER_INTEGER",
    "flag": "BOOLEAN",
    "list": "LIST",
    "struct": "STRUCT",
    "status": "TASK_FINAL_STATUS",
}
ARTIFACTS = ("file", "files")
MAPS = "inputs.parameter_values"

# A condition: ("==" | "!=" | "<" | ">" | "<=" | ">=", left, right) with operands ("input", name), ("int", name), a literal; or
# ("!", condition), ("&&" | "||", condition, condition).
Condition = tuple[Any, ...]


@dataclass(frozen=True)
class Source:
    """Where an input comes from: "dag" input `name`, output `name` of the sibling `task`, its "status", or a "const"."""

    origin: str
    name: str = ""
    task: int = -1
    value: Any = None
    field: str = ""  # the selector parseJson(string_value)["<field>"]


@dataclass
class Declared:
    kind: str
    optional: bool = False
    default: Any = None


@dataclass
class Return:
    """An output of a DAG; several choices are a OneOf."""

    kind: str
    choices: list[tuple[int, str]]


@dataclass(eq=False)
class Body:
    """A component: a "leaf" with `outputs` (name → kind), an "importer", or a "dag" of `children`."""

    form: str
    inputs: dict[str, Declared] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)
    returns: dict[str, Return] = field(default_factory=dict)
    version: int = 0  # of what a leaf runs

    def kind_of(self, key: str) -> str:
        return self.returns[key].kind if self.form == "dag" else self.outputs[key]


@dataclass
class Loop:
    """Over `raw` items, or over the input `over`; `item` is the input that gets one."""

    item: str
    raw: list[Any] | None = None
    over: str = ""
    limit: int = 0


@dataclass(eq=False)
class Node:
    key: str
    body: Body
    given: dict[str, Source] = field(default_factory=dict)
    after: list[int] = field(default_factory=list)
    on_completion: bool = False
    condition: Condition | None = None
    loop: Loop | None = None
    retries: int = -1  # -1: no policy of its own
    cache: bool = False

    @property
    def needs(self) -> list[int]:
        return sorted({*self.after, *(one.task for one in self.given.values() if one.task >= 0)})

    @property
    def is_group(self) -> bool:
        return self.body.form == "dag" or self.loop is not None

    @property
    def late(self) -> list[str]:
        """Constants that hold the loop's item, so that each iteration has its own."""
        if self.loop is None:
            return []
        item = placeholder(self.loop.item)
        return [name for name, one in self.given.items() if one.origin == "const" and _holds(one.value, item)]

    @property
    def per_item(self) -> bool:
        if self.condition is None or self.loop is None:
            return False
        return not mentioned(self.condition).isdisjoint([self.loop.item, *self.late])

    def kind_of(self, key: str) -> str:
        """What consumers see of an output."""
        kind = self.body.kind_of(key)
        if self.loop is None:
            return kind
        return "files" if kind in ARTIFACTS else "list"

    def is_joined(self, key: str) -> bool:
        """Whether the output is made of those of a loop's iterations."""
        if self.loop is not None:
            return True
        if self.body.form != "dag":
            return False
        return any(self.body.children[child].is_joined(name) for child, name in self.body.returns[key].choices)


@dataclass
class Flow:
    """A run: its root, what it was given, and the settings of pipeline and run."""

    root: Body
    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, list[str]] = field(default_factory=dict)
    enable_cache: bool | None = None
    deadline_s: int = 0
    inline_bytes: int = 0  # what is larger travels by reference; 0: the usual limit
    step_events: int = 0  # as many as one step may have, more or less; 0: the usual number

    def nodes(self) -> Iterator[Node]:
        """Every task of every component, each once."""
        seen: dict[int, Body] = {}
        waiting = [self.root]
        while waiting:
            body = waiting.pop()
            if id(body) in seen:
                continue
            seen[id(body)] = body
            for node in body.children:
                yield node
                waiting.append(node.body)


def _holds(value: Any, text: str) -> bool:
    if isinstance(value, (list, dict)):
        return any(_holds(one, text) for one in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and text in value


def placeholder(name: str) -> str:
    return f"{{{{$.inputs.parameters[{name!r}]}}}}"


def mentioned(condition: Condition) -> set[str]:
    """The inputs that a condition names."""
    return {
        name
        for part in condition[1:]
        if isinstance(part, tuple)
        for name in ({part[1]} if part[0] in ("input", "int", "state") else mentioned(part))
    }


def condition_text(condition: Condition) -> str:
    match condition:
        case ("input", name):
            return f"{MAPS}['{name}']"
        case ("int", name):
            return f"int({MAPS}['{name}'])"
        case ("state", name):
            return f"{MAPS}['{name}'].state"
        case ("!", part):
            return f"!({condition_text(part)})"
        case (operator, left, right):
            return f"{_operand(left)} {operator} {_operand(right)}"
    raise AssertionError(condition)


def _operand(part: Any) -> str:
    if isinstance(part, tuple):
        text = condition_text(part)
        return f"({text})" if part[0] in ("&&", "||") else text
    return f"'{part}'" if isinstance(part, str) else json.dumps(part)


# ---- as a spec


def pipeline_of(flow: Flow) -> specs.Pipeline:
    """The description as a pipeline that can be read and compiled."""
    config = {"activeDeadlineSeconds": flow.deadline_s} if flow.deadline_s else None
    made = specs.pipeline("random", config=config)
    components: dict[int, specs.Component] = {}
    _declare(made, flow.root)
    _fill(made, flow.root, components)
    return made


def _component(body: Body, components: dict[int, specs.Component]) -> specs.Component:
    if id(body) in components:
        return components[id(body)]
    if body.form == "dag":
        made: specs.Component = specs.dag()
    elif body.form == "importer":
        made = specs.importer()
        made.inputs.clear()
    else:
        args = [placeholder(name) for name, one in body.inputs.items() if one.kind in TYPES]
        made = specs.container(["run", f"version {body.version}"], ["{{$}}", *args])
    components[id(body)] = made
    _declare(made, body)
    if isinstance(made, specs.Dag):
        _fill(made, body, components)
    for name, kind in body.outputs.items():
        if body.form == "importer":
            continue
        if kind in ARTIFACTS:
            made.output_artifact(name, as_list=kind == "files")
        else:
            made.output(name, TYPES[kind])
    return made


def _declare(made: specs.Component, body: Body) -> None:
    for name, one in body.inputs.items():
        if one.kind in ARTIFACTS:
            made.input_artifact(name, as_list=one.kind == "files", optional=one.optional)
        else:
            default = ... if one.default is None else one.default
            made.input(name, TYPES[one.kind], default=default, optional=one.optional)


def _fill(made: specs.Dag, body: Body, components: dict[int, specs.Component]) -> None:
    keys = [child.key for child in body.children]
    for node in body.children:
        made.task(node.key, _component(node.body, components), **_task(node, keys))
    for name, returned in body.returns.items():
        choices = [(keys[index], key) for index, key in returned.choices]
        if returned.kind in ARTIFACTS:
            made.returns_artifact(name, *choices, as_list=returned.kind == "files")
        elif len(choices) == 1:
            made.returns(name, *choices[0], type_=TYPES[returned.kind])
        else:
            made.returns_one_of(name, *choices, type_=TYPES[returned.kind])


def _task(node: Node, keys: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "given": {name: _reference(node.body.inputs[name].kind, one, keys) for name, one in node.given.items()},
        "after": [keys[index] for index in node.after],
        "when": condition_text(node.condition) if node.condition is not None else None,
        "on_completion": node.on_completion,
        "cache": node.cache,
    }
    if node.retries >= 0:
        made["retry"] = {
            "maxRetryCount": node.retries,
            "backoffDuration": "3s",
            "backoffFactor": 2,
            "backoffMaxDuration": "4s",
        }
    if node.loop is not None:
        made |= {"item": node.loop.item, "parallelism": node.loop.limit}
        if node.loop.raw is not None:
            made["items"] = json.dumps(node.loop.raw)
        else:
            is_artifact = node.body.inputs[node.loop.over].kind in ARTIFACTS
            made["over_artifacts" if is_artifact else "over"] = node.loop.over
    return made


def _reference(kind: str, source: Source, keys: list[str]) -> Any:
    is_artifact = kind in ARTIFACTS
    match source.origin:
        case "dag":
            made = specs.artifact_input(source.name) if is_artifact else specs.dag_input(source.name)
        case "task":
            key = keys[source.task]
            made = specs.artifact(key, source.name) if is_artifact else specs.output(key, source.name)
        case "status":
            made = specs.final_status(keys[source.task])
        case _:
            made = specs.constant(source.value)
    return made.field(source.field) if source.field else made


# ---- as text


def text_of(flow: Flow) -> str:
    """A few lines that say everything; `a1[x]` is the output x of the task a1, `.x` the input x of the DAG around."""
    settings = [f"{name}={value!r}" for name, value in {**flow.parameters, **flow.artifacts}.items()]
    settings += [] if flow.enable_cache is None else [f"enable_cache={flow.enable_cache}"]
    settings += [f"deadline={flow.deadline_s}s"] if flow.deadline_s else []
    settings += [f"by reference above {flow.inline_bytes} bytes"] if flow.inline_bytes else []
    settings += [f"{flow.step_events} events a step"] if flow.step_events else []
    head = f"run({', '.join(settings)}) of root{_interface(flow.root)}"
    return "\n".join([head, *_lines(flow.root, "  ", {})])


def _interface(body: Body) -> str:
    inputs = []
    for name, one in body.inputs.items():
        mark = "?" if one.optional else ""
        default = "" if one.default is None else f"={one.default!r}"
        inputs.append(f"{name}:{one.kind}{mark}{default}")
    returned = [
        f"{name}:{one.kind}<-" + "|".join(f"{body.children[child].key}[{key}]" for child, key in one.choices)
        for name, one in body.returns.items()
    ]
    outputs = [f"{name}:{kind}" for name, kind in body.outputs.items()]
    return f"({', '.join(inputs)}) -> ({', '.join(outputs + returned)})"


def _lines(body: Body, indent: str, seen: dict[int, str]) -> Iterator[str]:
    for node in body.children:
        given = [f"{name}={_source(one, body)}" for name, one in node.given.items()]
        words = [f"{indent}{node.key}: {node.body.form}{_interface(node.body)}", f"given({', '.join(given)})"]
        words += [f"after {[body.children[index].key for index in node.after]}"] if node.after else []
        words += ["on completion"] if node.on_completion else []
        words += [f"when {condition_text(node.condition)}"] if node.condition is not None else []
        if node.loop is not None:
            items = node.loop.over or json.dumps(node.loop.raw)
            words.append(f"for {node.loop.item} in {items}" + (f" limit {node.loop.limit}" if node.loop.limit else ""))
        words += [f"retries {node.retries}"] if node.retries >= 0 else []
        words += ["cache"] if node.cache else []
        if id(node.body) in seen:
            yield " ".join([*words, f"(the component of {seen[id(node.body)]})"])
            continue
        seen[id(node.body)] = node.key
        yield " ".join(words)
        yield from _lines(node.body, indent + "  ", seen)


def _source(source: Source, body: Body) -> str:
    match source.origin:
        case "dag":
            text = f".{source.name}"
        case "task":
            text = f"{body.children[source.task].key}[{source.name}]"
        case "status":
            text = f"status({body.children[source.task].key})"
        case _:
            text = json.dumps(source.value)
    return f"{text}.{source.field}" if source.field else text
