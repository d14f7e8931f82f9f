"""Mistakes in pipelines as data: a function that makes one, and the whole sentence that must come of it.

The line that the sentence must name is the one marked `# !`; `{here}` in the sentence is the line marked `# group`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal

import pytest

from headrace import dsl
from headrace.dsl.mistakes import DefinitionError

Function = Callable[[], Any]


class Wrong:
    """The mistakes of one test module: `@wrong("sentence")` on each function that makes one."""

    def __init__(self) -> None:
        self.cases: list[Any] = []

    def __call__(self, message: str) -> Callable[[Function], Function]:
        def add(function: Function) -> Function:
            self.cases.append(pytest.param(function, message, id=function.__name__))
            return function

        return add


def check(function: Function, message: str) -> None:
    """FUNCTION makes the mistake that MESSAGE says, on its marked line."""
    lines, first = inspect.getsourcelines(function)
    (line,) = [number for number, text in enumerate(lines, first) if "# !" in text]
    groups = [number for number, text in enumerate(lines, first) if "# group" in text]
    file = inspect.getsourcefile(function)
    if groups:
        message = message.replace("{here}", f"{file}:{groups[0]}")
    with pytest.raises(DefinitionError) as caught:
        function()
    assert str(caught.value) == f"{file}:{line}: {message}", caught.value


# components to be wrong with


@dsl.container_component
def say(text: str, out: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image="alpine", command=["echo", text, out])


@dsl.container_component
def greet(text: str = "hello", status: dsl.PipelineTaskFinalStatus = None, out: dsl.OutputPath(str) = dsl.OUTPUT):
    return dsl.ContainerSpec(image="alpine", command=["echo", text, out])


@dsl.container_component
def count(number: int, out: dsl.OutputPath(int)):
    return dsl.ContainerSpec(image="alpine", command=["echo", number, out])


@dsl.container_component
def choose(size: Literal["s", "m"] = "s", options: dict = {}):  # noqa: B006
    return dsl.ContainerSpec(image="alpine", command=["echo", size, options])


@dsl.container_component
def total(numbers: list[int]):
    return dsl.ContainerSpec(image="alpine", command=["echo", numbers])


@dsl.container_component
def prepare(data: dsl.Output[dsl.Dataset], text: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image="alpine", command=["echo", data.path, text])


@dsl.container_component
def fit(data: dsl.Input[dsl.Dataset], model: dsl.Output[dsl.Model]):
    return dsl.ContainerSpec(image="alpine", command=["echo", data.path, model.path])


@dsl.container_component
def merge(datasets: dsl.Input[list[dsl.Dataset]]):
    return dsl.ContainerSpec(image="alpine", command=["echo"])


@dsl.pipeline
def inner(text: str = "a") -> str:
    return say(text=text).output
