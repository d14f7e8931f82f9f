"""Conditions over texts with quotes, backslashes and line ends, and one that compares a text with a number."""

from kfp import dsl


@dsl.container_component
def say(text: str, said: dsl.OutputPath(str)):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'printf %s "$1" > "$0"'], [said, text])


@dsl.container_component
def count(number: dsl.OutputPath(int)):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'printf 3 > "$0"'], [number])


@dsl.pipeline(name="g59")
def pipeline(text: str = "it's") -> str:
    with dsl.If(text == "it's"):
        quoted = say(text="a quote")
    with dsl.Elif(text == "two\nlines, isn't it"):
        lined = say(text="two lines")
    with dsl.Else():
        other = say(text="neither")
    with dsl.If(count().output == text):
        say(text="never")
    return dsl.OneOf(quoted.outputs["said"], lined.outputs["said"], other.outputs["said"])
