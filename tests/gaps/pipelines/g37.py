"""A list of artifacts goes through the input of a nested pipeline."""

from kfp import dsl


@dsl.container_component
def write(text: str, data: dsl.Output[dsl.Dataset]):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'printf %s "$1" > "$0"'], [data.path, text])


@dsl.container_component
def read(data: dsl.Input[dsl.Dataset], text: dsl.OutputPath(str)):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'cat "$1" > "$0"'], [text, data.path])


@dsl.pipeline
def inner(everything: list[dsl.Dataset]) -> list[str]:
    with dsl.ParallelFor(everything) as data:
        text = read(data=data)
    return dsl.Collected(text.outputs["text"])


@dsl.pipeline(name="g37")
def pipeline() -> list[str]:
    with dsl.ParallelFor(["a", "b", "c"]) as item:
        made = write(text=item)
    return inner(everything=dsl.Collected(made.outputs["data"])).output
