"""A loop over a list of artifacts, and another over what it made."""

from kfp import dsl


@dsl.container_component
def write(text: str, data: dsl.Output[dsl.Dataset]):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'printf %s "$1" > "$0"'], [data.path, text])


@dsl.container_component
def double(data: dsl.Input[dsl.Dataset], twice: dsl.Output[dsl.Dataset]):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'cat "$1" "$1" > "$0"'], [twice.path, data.path])


@dsl.container_component
def read(data: dsl.Input[dsl.Dataset], text: dsl.OutputPath(str)):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'cat "$1" > "$0"'], [text, data.path])


@dsl.pipeline
def collect() -> list[dsl.Dataset]:
    with dsl.ParallelFor(["a", "b", "c"]) as item:
        made = write(text=item)
    return dsl.Collected(made.outputs["data"])


@dsl.pipeline(name="g1")
def pipeline() -> list[str]:
    with dsl.ParallelFor(collect().output, parallelism=2) as data:
        text = read(data=double(data=data).outputs["twice"])
    return dsl.Collected(text.outputs["text"])
