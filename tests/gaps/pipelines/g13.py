"""An optional parameter of the pipeline, unset, is used inside a condition and inside a loop."""

from typing import Optional

from kfp import dsl


@dsl.container_component
def say(said: dsl.OutputPath(str), text: str = "fallback"):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'printf %s "$1" > "$0"'], [said, text])


@dsl.pipeline(name="g13")
def pipeline(flag: str = "yes", text: Optional[str] = None) -> list[str]:
    with dsl.If(flag == "yes"):
        say(text=text).set_display_name("in a condition")
    with dsl.ParallelFor(["a"]):
        looped = say(text=text)
    return dsl.Collected(looped.outputs["said"])
