"""Which constructs a description has, and which rules its evaluation met: for a test that random pipelines have them all."""

from __future__ import annotations

from collections.abc import Iterator

from builders.descriptions import ARTIFACTS, Body, Condition, Flow, Node
from builders.reference_model import Model


def constructs(flow: Flow, model: Model) -> set[str]:
    """Names of everything that occurs in one example."""
    found = set(_of_run(flow, model))
    found.update(_of_body(flow.root, 0, looped=False, retried=False))
    bodies = [id(node.body) for node in flow.nodes()]
    if len(bodies) > len(set(bodies)):
        found.add("a component used by several tasks")
    return found


def _of_run(flow: Flow, model: Model) -> Iterator[str]:
    if flow.enable_cache is not None:
        yield f"caching switched {'on' if flow.enable_cache else 'off'} for the run"
    if flow.deadline_s:
        yield "a deadline"
    if flow.step_events:
        yield "small steps"
    if flow.inline_bytes:
        yield "values by reference"
    if any(node.body.form == "leaf" and "Maybe" in node.body.outputs for node in flow.nodes()):
        yield "outputs that may be null"
    if flow.root.returns:
        yield "outputs of the run"
    for path, one in model.results.items():
        if one.reason:
            yield f"{one.state}: {one.reason.partition(':')[0]}"
        if model.resumed is not None and path in model.resumed.results:
            yield "a linked result" if one.linked else "a result that is not linked"
        if one.cached:
            yield "a cache hit"
        if one.attempts > 1 and one.state == "SUCCEEDED":
            yield "another attempt that succeeds"
        if one.attempts > 1 and one.state == "FAILED":
            yield "retries that do not help"
        if (
            one.started
            and one.state == "SUCCEEDED"
            and one.outputs
            and all(value == [] for value in one.outputs.values())
        ):
            yield "Collected of nothing"
        if path.endswith("[0]") and f"{path[:-3]}[1]" not in model.results:
            yield "a loop over one item"


def _of_body(body: Body, depth: int, *, looped: bool, retried: bool) -> Iterator[str]:
    dependents = {index for node in body.children for index in node.needs}
    exits: dict[int, int] = {}
    for index, node in enumerate(body.children):
        yield from _of_task(body, node, depth)
        yield from _of_sources(body, node)
        if node.on_completion and index in dependents:
            yield "dependents of an exit task"
        for upstream in node.needs if node.on_completion else ():
            exits[upstream] = exits.get(upstream, 0) + 1
        if node.loop is not None and looped:
            yield "a loop in a loop"
        if retried and node.retries < 0 and node.body.form == "leaf":
            yield "an inherited retry policy"
        if node.body.form == "dag":
            yield "a DAG in a DAG" if depth else "a DAG"
            loops, retries = looped or node.loop is not None, retried or node.retries > 0
            yield from _of_body(node.body, depth + 1, looped=loops, retried=retries)
    if max(exits.values(), default=0) > 1:
        yield "several exit tasks of one task"
    for returned in body.returns.values():
        is_artifact = returned.kind in ARTIFACTS
        if len(returned.choices) > 1:
            yield "OneOf of artifacts" if is_artifact else "OneOf of parameters"
        if looped and any(body.children[child].is_joined(key) for child, key in returned.choices):
            yield "Collected through several loops" + (" of artifacts" if is_artifact else "")


def _of_task(body: Body, node: Node, depth: int) -> Iterator[str]:
    has_status = any(one.origin == "status" for one in node.given.values())
    if node.on_completion:
        yield ("an exit task" if has_status else "an ignored failure") + (" inside a group" if depth else "")
        for present, name in ((node.condition, "a condition"), (node.loop, "a loop"), (node.retries > 0, "retries")):
            if present:
                yield f"on completion with {name}"
    if node.retries > 0:
        yield "a retry policy"
    if node.cache:
        yield "caching"
    if node.body.form == "importer":
        yield "an importer" + (" with a condition" if node.condition else " in a loop" if node.loop else "")
    if node.condition is not None:
        yield from _of_condition(node.condition)
        if node.loop is not None and node.late:
            yield "a constant for each item"
        if node.per_item:
            yield "a condition for each item"
    if node.loop is not None:
        yield from _of_loop(node)


def _of_condition(condition: Condition) -> Iterator[str]:
    yield f"condition {condition[0]}"
    for part in condition[1:]:
        if isinstance(part, tuple):
            if part[0] in ("int", "state"):
                yield f"condition on {part[0]}"
            elif part[0] != "input":
                yield from _of_condition(part)


def _of_loop(node: Node) -> Iterator[str]:
    assert node.loop is not None
    if node.loop.raw is not None:
        yield "a loop over raw items" if node.loop.raw else "a loop over no items"
    else:
        yield f"a loop over {node.body.inputs[node.loop.over].kind}"
    if node.loop.limit:
        yield "a parallelism limit"
    yield f"a loop of {'DAGs' if node.body.form == 'dag' else 'containers'}"


def _of_sources(body: Body, node: Node) -> Iterator[str]:
    for name, one in node.body.inputs.items():
        source = node.given.get(name)
        if source is None:
            yield "an input with a default, not given" if one.default is not None else "an optional input, not given"
            continue
        if source.field:
            yield f"a selector ({source.field})"
        if source.origin == "const" and "{{$" in str(source.value):
            yield "a constant with placeholders"
        if source.origin == "status":
            group = body.children[source.task].is_group
            yield "final status of a group" if group else "final status of a task"
        if source.origin == "task":
            producer = body.children[source.task]
            if producer.loop is not None:
                yield "Collected artifacts" if one.kind in ARTIFACTS else "Collected parameters"
            if one.kind == "text" and producer.kind_of(source.name) in ("list", "struct"):
                yield "a list or struct as text"
        if one.kind == "files" and node.body.form == "dag":
            yield "a list of artifacts into a DAG"
