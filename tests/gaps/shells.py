"""Components for pipelines by hand: shell commands, so that no environment is made."""

from __future__ import annotations

from builders.specs import Component, container

OUTPUT = "{{$.outputs.parameters['Output'].output_file}}"


def given(name: str) -> str:
    """The placeholder of an input parameter."""
    return f"{{{{$.inputs.parameters['{name}']}}}}"


def shell(script: str, *arguments: str, **inputs: str) -> Component:
    """`$0` is the file of its output parameter Output, `$1` … are ARGUMENTS; inputs are given by type."""
    return container(["sh", "-ec", script, OUTPUT, *arguments], inputs=inputs, outputs={"Output": "STRING"})


def say(text: str) -> Component:
    """Puts TEXT out."""
    return shell('printf %s "$1" > "$0"', text)


def fail() -> Component:
    """Ends with exit code 3 and no output."""
    return shell("exit 3")


def told() -> Component:
    """Puts out the final status that it gets."""
    return shell('printf %s "$1" > "$0"', given("status"), status="TASK_FINAL_STATUS")
