"""A parameter and an artifact that are optional go unset through two pipelines."""

from typing import Optional

from kfp import dsl


@dsl.container_component
def say(said: dsl.OutputPath(str), text: str = "fallback"):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'printf %s "$1" > "$0"'], [said, text])


@dsl.container_component
def look(said: dsl.OutputPath(str), data: Optional[dsl.Input[dsl.Dataset]] = None):
    script = 'if test -n "$1"; then cat "$1"; else printf nothing; fi > "$0"'
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", script], [said, data.path])


@dsl.pipeline
def inner(text: Optional[str] = None, data: Optional[dsl.Input[dsl.Dataset]] = None) -> str:
    look(data=data)
    return say(text=text).outputs["said"]


@dsl.pipeline
def outer(text: Optional[str] = None, data: Optional[dsl.Input[dsl.Dataset]] = None) -> str:
    return inner(text=text, data=data).output


@dsl.pipeline(name="g12")
def pipeline(text: Optional[str] = None) -> str:
    return outer(text=text).output
