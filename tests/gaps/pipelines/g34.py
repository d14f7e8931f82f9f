"""A loop over a field of the items of another, and a body that reads the whole list."""

from kfp import dsl


@dsl.container_component
def say(label: str, number: str, everything: list, said: dsl.OutputPath(str)):
    script = 'printf "%s%s of %s" "$1" "$2" "$3" > "$0"'
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", script], [said, label, number, everything])


@dsl.pipeline(name="g34")
def pipeline(items: list = [{"label": "a", "numbers": [1, 2]}, {"label": "b", "numbers": [3]}]) -> list[str]:
    with dsl.ParallelFor(items) as item:
        with dsl.ParallelFor(item.numbers) as number:
            said = say(label=item.label, number=number, everything=item.numbers)
    return dsl.Collected(said.outputs["said"])
