"""What is collected of a loop in which some iterations skip, or of one without items."""

from kfp import dsl


@dsl.container_component
def write(number: str, said: dsl.OutputPath(int), data: dsl.Output[dsl.Dataset]):
    script = 'printf %s "$2" > "$0"; printf %s "$2" > "$1"'
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", script], [said, data.path, number])


@dsl.container_component
def join(numbers: list, data: dsl.Input[list[dsl.Dataset]], said: dsl.OutputPath(str)):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'printf %s "$1" > "$0"'], [said, numbers])


@dsl.pipeline(name="g35")
def pipeline(items: list) -> str:
    with dsl.ParallelFor(items) as item:
        with dsl.If(item > 1):
            made = write(number=item)
    collected = join(numbers=dsl.Collected(made.outputs["said"]), data=dsl.Collected(made.outputs["data"]))
    return collected.outputs["said"]
