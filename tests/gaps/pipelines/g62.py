"""A component of a list of artifacts: how many there are and what is in each, from its ExecutorInput."""

from typing import List

from kfp import dsl

COUNT = """
import json, sys
to, executor_input, first = sys.argv[1:]
given = json.loads(executor_input)["inputs"]["artifacts"]["many"]["artifacts"]
texts = [open(one["uri"]).read() for one in given]
open(to, "w").write(json.dumps({"texts": texts, "first": open(first).read()}))
"""


@dsl.container_component
def write(text: str, data: dsl.Output[dsl.Dataset]):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'printf %s "$1" > "$0"'], [data.path, text])


@dsl.container_component
def count(many: dsl.Input[List[dsl.Dataset]], said: dsl.OutputPath(dict)):
    first = "{{$.inputs.artifacts['many'].path}}"
    return dsl.ContainerSpec("python:3.11", ["python3", "-c", COUNT], [said, "{{$}}", first])


@dsl.pipeline(name="g62")
def pipeline() -> dict:
    with dsl.ParallelFor(["a", "b", "c"]) as item:
        made = write(text=item)
    return count(many=dsl.Collected(made.outputs["data"])).outputs["said"]
