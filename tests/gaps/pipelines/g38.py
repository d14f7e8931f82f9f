"""OneOf over branches, all of whose tasks come from the cache when it runs a second time."""

from kfp import dsl


@dsl.container_component
def say(text: str, said: dsl.OutputPath(str), data: dsl.Output[dsl.Dataset]):
    script = 'printf %s "$2" > "$0"; printf %s "$2" > "$1"'
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", script], [said, data.path, text])


@dsl.container_component
def read(text: str, data: dsl.Input[dsl.Dataset], said: dsl.OutputPath(str)):
    script = 'printf "%s and %s" "$1" "$(cat "$2")" > "$0"'
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", script], [said, text, data.path])


@dsl.pipeline(name="g38")
def pipeline(coin: str) -> str:
    with dsl.If(coin == "heads"):
        heads = say(text="won")
    with dsl.Else():
        tails = say(text="lost")
    text = dsl.OneOf(heads.outputs["said"], tails.outputs["said"])
    data = dsl.OneOf(heads.outputs["data"], tails.outputs["data"])
    return read(text=text, data=data).outputs["said"]
