"""One input is null; the others of the same task are put in all the same."""

from typing import Optional

from kfp import dsl


@dsl.container_component
def show(data: dsl.Output[dsl.Dataset], said: dsl.OutputPath(str), present: str, absent: Optional[str] = None):
    script = 'printf "%s|%s|%s" "$2" "$3" "$(basename "$1")" > "$0"; echo x > "$1"'
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", script], [said, data.path, present, absent])


@dsl.pipeline(name="g22")
def pipeline(absent: Optional[str] = None) -> str:
    return show(present="here", absent=absent).outputs["said"]
