"""An importer whose URI is another task's output and whose metadata comes from inputs, under a display name of its own."""

from kfp import dsl


@dsl.container_component
def choose(where: str, uri: dsl.OutputPath(str)):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'printf %s "$1" > "$0"'], [uri, where])


@dsl.container_component
def read(data: dsl.Input[dsl.Dataset], text: dsl.OutputPath(str), by: dsl.OutputPath(str)):
    script = 'cat "$2" > "$0"; printf "%s %s" "$3" "$4" > "$1"'
    words = [text, by, data.path, data.metadata["by"], data.metadata["deep"]]
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", script], words)


@dsl.pipeline(name="g25")
def pipeline(where: str, who: str, again: str = "no") -> str:
    uri = choose(where=where).outputs["uri"]
    metadata = {"by": who, "deep": {"list": [who, 1]}}
    data = dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset, reimport=False, metadata=metadata)
    data.set_display_name("Fetch the data")
    return read(data=data.output).outputs["by"]
