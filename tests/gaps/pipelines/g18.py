"""Concat and IfPresent in one another, with outputs in them, and for an artifact that may be absent."""

from typing import Optional

from kfp import dsl


@dsl.container_component
def join(
    said: dsl.OutputPath(str),
    bucket: str,
    text: Optional[str] = None,
    count: int = 3,
    data: Optional[dsl.Input[dsl.Dataset]] = None,
):
    parts = [
        "s3://",
        bucket,
        dsl.IfPresentPlaceholder("text", then=dsl.ConcatPlaceholder(["/", text]), else_="/none"),
        dsl.IfPresentPlaceholder("count", then=dsl.ConcatPlaceholder(["?n=", count])),
    ]
    return dsl.ContainerSpec(
        "python:3.11",
        ["sh", "-ec", 'to=${0#--to=}; printf "%s," "$@" > "$to"', dsl.ConcatPlaceholder(["--to=", said])],
        [
            dsl.ConcatPlaceholder(parts),
            dsl.IfPresentPlaceholder("text", then=["--text", text], else_=["--no-text"]),
            dsl.IfPresentPlaceholder(
                "data", then=["--data", dsl.ConcatPlaceholder(["at:", data.path])], else_="--no-data"
            ),
        ],
    )


@dsl.container_component
def make(data: dsl.Output[dsl.Dataset]):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'echo x > "$0"'], [data.path])


@dsl.pipeline(name="g18")
def pipeline(bucket: str):
    join(bucket=bucket)
    made = make()
    join(bucket=bucket, text="given", data=made.outputs["data"])
