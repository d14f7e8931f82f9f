"""Making a description that fails smaller: whatever can be left out, is; for a person to read what is left."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator

from builders.descriptions import ARTIFACTS, Body, Declared, Flow, Node, Source

MOST = 120  # candidates that are tried


def shrink(flow: Flow, fails: Callable[[Flow], bool]) -> Flow:
    """The smallest description found that still fails, which FLOW itself must."""
    tried = 0
    smaller = True
    while smaller and tried < MOST:
        smaller = False
        for candidate in _candidates(flow):
            tried += 1
            if fails(candidate):
                flow, smaller = candidate, True
                break
            if tried >= MOST:
                break
    return flow


def _candidates(flow: Flow) -> Iterator[Flow]:
    """Copies with one thing less each, the largest things first."""
    bodies = _bodies(flow)
    for number, body in enumerate(bodies):
        for index in reversed(range(len(body.children))):
            if len(body.children) > 1:
                yield _changed(flow, number, lambda one, index=index: _drop_child(one, index))
    for number, body in enumerate(bodies):
        for index, node in enumerate(body.children):
            for name, value in (
                ("condition", None),
                ("on_completion", False),
                ("retries", -1),
                ("cache", False),
                ("after", []),
            ):
                if getattr(node, name) != value:
                    yield _changed(flow, number, lambda one, i=index, n=name, v=value: setattr(one.children[i], n, v))
            if node.loop is not None:
                yield _changed(flow, number, lambda one, i=index: _drop_loop(one.children[i]))
                if len(node.loop.raw or ()) > 1:
                    yield _changed(flow, number, lambda one, i=index: _shorten(one.children[i]))
            for name in node.given:
                yield _changed(flow, number, lambda one, i=index, n=name: _drop_given(one.children[i], n))
        for name in body.returns if body.form == "dag" else ():
            yield _changed(flow, number, lambda one, n=name: one.returns.pop(n))
    for setting in ("enable_cache", "deadline_s", "inline_bytes", "step_events"):
        if getattr(flow, setting):
            yield dataclasses.replace(copy.deepcopy(flow), **{setting: None if setting == "enable_cache" else 0})


def _bodies(flow: Flow) -> list[Body]:
    found = [flow.root]
    for node in flow.nodes():
        if all(node.body is not one for one in found):
            found.append(node.body)
    return found


def _changed(flow: Flow, number: int, change: Callable[[Body], object]) -> Flow:
    made = copy.deepcopy(flow)
    change(_bodies(made)[number])
    return made


def _drop_child(body: Body, index: int) -> None:
    del body.children[index]
    for node in body.children:
        node.after = [one - (one > index) for one in node.after if one != index]
        for name, source in list(node.given.items()):
            if source.task == index:
                _drop_given(node, name)
            elif source.task > index:
                node.given[name] = dataclasses.replace(source, task=source.task - 1)
    for name, returned in list(body.returns.items()):
        returned.choices = [(one - (one > index), key) for one, key in returned.choices if one != index]
        if not returned.choices:
            del body.returns[name]


def _drop_given(node: Node, name: str) -> None:
    """Nothing, or a constant where something has to be."""
    declared: Declared = node.body.inputs[name]
    constants = {"number": 1, "flag": True, "list": ["v0"], "struct": {"f": "v0", "n": 1, "l": []}, "lines": "[]"}
    needed = node.loop is not None and node.loop.over == name
    if declared.kind in (*ARTIFACTS, "status") or (declared.optional and not needed):
        declared.optional = True
        if needed:
            _drop_loop(node)
        node.given.pop(name, None)
    else:
        node.given[name] = Source("const", value=constants.get(declared.kind, "v0"))


def _drop_loop(node: Node) -> None:
    assert node.loop is not None
    node.body.inputs[node.loop.item].optional = True
    node.loop = None


def _shorten(node: Node) -> None:
    assert node.loop is not None
    node.loop.raw = (node.loop.raw or [])[:-1]
