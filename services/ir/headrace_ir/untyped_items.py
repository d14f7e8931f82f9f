"""Loops over lists whose items have no declared type (`items: list`). Pure; called by `reading`.

KFP's SDK declares such an item a STRING, so its backend makes texts of the items and then refuses each task that takes one as
an int, a float, a bool, a list or a dict. Here the type is left open where something takes the item as no text: every task
that takes it decides for itself. Items that are taken as texts alone stay STRING, and so do those of lists that are written
into the pipeline, whose types the SDK knows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from headrace_ir.checks.scopes import scopes
from headrace_ir.model import Component, Parameter, Source, Spec

# What the SDK calls the inputs by which groups hand values on. A nested pipeline's own inputs have types that its author chose.
HANDED_ON: Final = "pipelinechannel--"


class Place(NamedTuple):
    """An input parameter of a component."""

    component: str
    name: str


def with_open_items(spec: Spec) -> Spec:
    """SPEC with the type of such items left open, at the loop and at each group inside that hands the item on."""
    takers = _Takers(spec.components)
    opened: set[Place] = set()
    for item in dict.fromkeys(_items(spec)):
        opened |= takers.open_from(item)
    if not opened:
        return spec
    changed = {place.component for place in opened}
    return replace(
        spec,
        components={name: _left_open(one, opened) if name in changed else one for name, one in spec.components.items()},
    )


def _left_open(component: Component, opened: Collection[Place]) -> Component:
    inputs = {
        name: replace(one, type="", open=True) if Place(component.name, name) in opened else one
        for name, one in component.inputs.items()
    }
    return replace(component, inputs=inputs)


def _items(spec: Spec) -> Iterator[Place]:
    """The inputs that get the items of lists that are known when the run is."""
    for scope in scopes(spec):
        for task in scope.dag.tasks.values():
            if task.loop is not None and task.loop.parameter:
                yield Place(task.component, task.loop.item)


class _Takers:
    """Who takes what, read once for each group."""

    def __init__(self, components: Mapping[str, Component]) -> None:
        self._components = components
        self._inside: dict[str, Mapping[str, list[Place]]] = {}

    def open_from(self, item: Place) -> set[Place]:
        """The item's input and those of groups that it is handed on by; none where it is taken as a text alone."""
        seen, stack, as_no_text = set[Place](), [item], False
        while stack:
            place = stack.pop()
            declared = self._declared(place)
            if declared is None or place in seen:
                continue
            if declared.type not in ("", "STRING"):
                as_no_text = True
            elif self._is_group(place.component) and declared.type and place.name.startswith(HANDED_ON):
                seen.add(place)
                stack.extend(self._of(place.component).get(place.name, ()))
        return seen if as_no_text else set()

    def _declared(self, place: Place) -> Parameter | None:
        component = self._components.get(place.component)
        return component.inputs.get(place.name) if component is not None else None

    def _is_group(self, name: str) -> bool:
        return self._components[name].dag is not None

    def _of(self, name: str) -> Mapping[str, list[Place]]:
        """For each input of a group the inputs inside that are given it whole."""
        if name not in self._inside:
            found: dict[str, list[Place]] = defaultdict(list)
            dag = self._components[name].dag
            for task in dag.tasks.values() if dag is not None else ():
                for key, given in task.parameters.items():
                    if given.source is Source.DAG_INPUT and not given.selector:
                        found[given.name].append(Place(task.component, key))
            self._inside[name] = found
        return self._inside[name]
