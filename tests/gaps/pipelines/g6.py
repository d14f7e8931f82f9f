"""An artifact that the run gives to the pipeline."""

from kfp import dsl


@dsl.container_component
def read(data: dsl.Input[dsl.Dataset], text: dsl.OutputPath(str)):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'cat "$1" > "$0"'], [text, data.path])


@dsl.pipeline(name="g6")
def pipeline(data: dsl.Input[dsl.Dataset]) -> str:
    return read(data=data).outputs["text"]
