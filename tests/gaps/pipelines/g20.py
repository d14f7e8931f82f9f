"""A list of artifacts and a single one, each as a whole in an argument: the program reads every file that is named there."""

from typing import List

from kfp import dsl

LISTED = """
import json, sys
to, *texts = sys.argv[1:]
lists = [json.loads(text) for text in texts]
read = [[open(one["uri"]).read() for one in listed] for listed in lists]
kinds = sorted({one["type"]["schemaTitle"] for listed in lists for one in listed})
open(to, "w").write(json.dumps({"read": read, "kinds": kinds}))
"""


@dsl.container_component
def write(text: str, data: dsl.Output[dsl.Dataset]):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'printf %s "$1" > "$0"'], [data.path, text])


@dsl.container_component
def read(many: dsl.Input[List[dsl.Dataset]], one: dsl.Input[dsl.Dataset], said: dsl.OutputPath(dict)):
    single = "{{$.inputs.artifacts['one']}}"
    return dsl.ContainerSpec("python:3.11", ["python3", "-c", LISTED], [said, many, single])


@dsl.pipeline(name="g20")
def pipeline() -> dict:
    with dsl.ParallelFor(["a", "b", "c"]) as item:
        made = write(text=item)
    single = write(text="single")
    return read(many=dsl.Collected(made.outputs["data"]), one=single.outputs["data"]).outputs["said"]
