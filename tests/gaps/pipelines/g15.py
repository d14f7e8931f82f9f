"""Constants that embed an input: as text, in a struct, and handed into a nested pipeline."""

from typing import Dict

from kfp import dsl

COMMAND = ["sh", "-ec", 'printf %s "$1" > "$0"']


@dsl.container_component
def say(text: str, said: dsl.OutputPath(str)):
    return dsl.ContainerSpec("python:3.11", COMMAND, [said, text])


@dsl.container_component
def show(struct: Dict, said: dsl.OutputPath(Dict)):
    return dsl.ContainerSpec("python:3.11", COMMAND, [said, struct])


@dsl.container_component
def whole(text: str, said: dsl.OutputPath(Dict)):
    return dsl.ContainerSpec("python:3.11", COMMAND, [said, "{{$}}"])


@dsl.pipeline
def inner(text: str) -> str:
    return say(text=text).outputs["said"]


@dsl.pipeline(name="g15")
def pipeline(project: str):
    say(text=f"Project = {project}")
    show(struct={"name": f"<{project}>", "deep": [{"name": f"{project}!"}]})
    inner(text=f"nested {project}")
    whole(text=f"whole {project}")
