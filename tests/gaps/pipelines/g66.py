"""Values of any size: returned, looped over, collected, compared, and read by Python and by a shell."""

from kfp import dsl


@dsl.container_component
def make(count: int, texts: dsl.OutputPath(list)):
    script = "import json, sys; open(sys.argv[1], 'w').write(json.dumps(['x' * 20_000] * int(sys.argv[2])))"
    return dsl.ContainerSpec("python:3.11", ["python3", "-c", script], [texts, count])


@dsl.container_component
def twice(text: str, doubled: dsl.OutputPath(str)):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'printf %s%s "$1" "$1" > "$0"'], [doubled, text])


@dsl.component
def measure(texts: list) -> int:
    return sum(len(text) for text in texts)


@dsl.pipeline(name="g66")
def pipeline(note: str, count: int = 4) -> list[str]:
    made = make(count=count)
    measure(texts=made.outputs["texts"]).set_display_name("made")
    with dsl.ParallelFor(made.outputs["texts"]) as text:
        bigger = twice(text=text)
    measure(texts=dsl.Collected(bigger.outputs["doubled"]))
    with dsl.If(note != "short", name="long"):
        twice(text=note)
    return dsl.Collected(bigger.outputs["doubled"])
