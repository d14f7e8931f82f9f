"""Tasks that make a volume claim: what their constants say that Kubernetes would refuse.

KFP marks them by the image of their executor; what they do is the platform's business, not a container's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from headrace_ir.checks.kubernetes import access_mode_problems
from headrace_ir.checks.names import name_problem
from headrace_ir.checks.quantities import quantity_problem
from headrace_ir.checks.scopes import scopes
from headrace_ir.model import Input, Source, Spec, Task
from headrace_ir.problems import Problem
from headrace_ir.values import text_of

CREATE: Final = "argostub/createpvc"
_NAMES: Final = ("pvc_name", "pvc_name_suffix")


def check(spec: Spec) -> Iterator[Problem]:
    images = {
        label: executor.container.image for label, executor in spec.executors.items() if executor.container is not None
    }
    for scope in scopes(spec):
        for task in scope.dag.tasks.values():
            component = spec.components.get(task.component)
            image = images.get(component.executor, "") if component is not None else ""
            if image == CREATE:
                yield from _create(task)


def _create(task: Task) -> Iterator[Problem]:
    given = {name: source for name, source in task.parameters.items() if not _is_null(source)}
    both = [name for name in _NAMES if name in given]
    if len(both) > 1:
        message = "only one of 'pvc_name' and 'pvc_name_suffix' can be given"
        yield Problem(given["pvc_name_suffix"].path, message)
    for key in both:
        text = _constant(given[key])
        bare = text.removeprefix("-") if key == "pvc_name_suffix" and isinstance(text, str) else text
        problem = name_problem(bare, "the name of a claim") if bare else None
        if problem:
            yield Problem(given[key].place, problem)
    modes, size = _constant(given.get("access_modes")), _constant(given.get("size"))
    if modes is not None:
        yield from access_mode_problems(modes, given["access_modes"].place)
    if size is not None:
        problem = quantity_problem(text_of(size), positive=True)
        if problem:
            yield Problem(given["size"].place, problem)


def _is_null(given: Input) -> bool:
    return given.source is Source.CONSTANT and given.value is None


def _constant(given: Input | None) -> Any:
    """A constant that is there already; None for what has a value only in a run."""
    known = given is not None and given.source is Source.CONSTANT and not given.selector
    if given is None or not known or "{{$" in str(given.value):
        return None
    return given.value
