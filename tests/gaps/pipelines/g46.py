"""Reads what an importer names."""

from kfp import dsl


@dsl.container_component
def need(data: dsl.Input[dsl.Dataset], text: dsl.OutputPath(str)):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'cat "$1" > "$0"'], [text, data.path])


@dsl.pipeline(name="g46")
def pipeline(uri: str):
    data = dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset)
    need(data=data.output)
