"""How a setting is noted in `task.platform_config["kubernetes"]`, and what is refused before it is: shapes and types.

Called by every function of this package. What the platform finds out later (names, paths, quantities as Kubernetes takes them)
is not judged here, so that files that KFP compiles compile here too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from headrace.dsl.channels import ArtifactChannel, Channel
from headrace.dsl.components import GraphImplementation
from headrace.dsl.mistakes import mistake
from headrace.dsl.tasks import PipelineTask

Json = dict[str, Any]


def settings(task: PipelineTask, function: str) -> Json:
    """What the task has been given so far, to be changed in place."""
    if not isinstance(task, PipelineTask):
        raise mistake(
            f"kubernetes.{function}() takes a task of a pipeline first, got {shown(task)}; "
            "call a component inside a pipeline and hand over what it returns"
        )
    if isinstance(task.component.implementation, GraphImplementation):
        raise mistake(
            f"kubernetes.{function}() cannot be used on '{task.name}', which is a whole pipeline and has no Pod of its own; "
            "use it on the tasks inside that pipeline"
        )
    made: Json = task.platform_config.setdefault("kubernetes", {})
    return made


def add(task: PipelineTask, function: str, field: str, entry: Json) -> PipelineTask:
    """Append ENTRY to the list that FIELD holds."""
    settings(task, function).setdefault(field, []).append(entry)
    return task


def given(**fields: Any) -> Json:
    """What says something: KFP's documents leave empty texts, lists and objects out."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def reference(task: PipelineTask, value: Any, function: str, parameter: str, *kinds: type) -> Any:
    """VALUE where the IR takes a parameter: a constant of one of KINDS in its spelling, or the channel itself, which the compiler
    spells; the task then waits for its producer.
    """
    if isinstance(value, kinds):
        return {"runtimeValue": {"constant": value}}
    if isinstance(value, Channel) and not isinstance(value, ArtifactChannel):
        if value.producer is not None and value.producer not in task.after_:
            task.after_.append(value.producer)
        return value
    expected = " or ".join(_WORDS[kind] for kind in kinds)
    got = "an artifact" if isinstance(value, ArtifactChannel) else shown(value)
    raise mistake(
        f"kubernetes.{function}() takes {expected} or a parameter of the pipeline as '{parameter}', got {got}; "
        "pass a constant, an input of the pipeline or a task's output parameter"
    )


def text(value: Any, function: str, parameter: str) -> str:
    """VALUE, which must be text that is known when the pipeline is compiled."""
    if isinstance(value, str):
        return value
    if isinstance(value, Channel):
        raise mistake(
            f"kubernetes.{function}() takes '{parameter}' only as a constant, and got {shown(value)}, which is known when the "
            "pipeline runs; write the text itself"
        )
    raise mistake(f"kubernetes.{function}() takes text as '{parameter}', got {shown(value)}; put it in quotes")


def optional_text(value: Any, function: str, parameter: str) -> str | None:
    return None if value is None else text(value, function, parameter)


def flag(value: Any, function: str, parameter: str) -> bool:
    if not isinstance(value, bool):
        raise mistake(f"kubernetes.{function}() takes True or False as '{parameter}', got {shown(value)}")
    return value


def whole(value: Any, function: str, parameter: str, *, least: int, most: int | None = None) -> int:
    """VALUE, a whole number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise mistake(f"kubernetes.{function}() takes a whole number as '{parameter}', got {shown(value)}")
    if value < least or (most is not None and value > most):
        span = f"from {least} to {most}" if most is not None else f"of {least} or more"
        raise mistake(f"kubernetes.{function}() takes a whole number {span} as '{parameter}', got {value}")
    return value


def texts(value: Any, function: str, parameter: str) -> dict[str, str]:
    """VALUE, a dict of texts by text."""
    if not isinstance(value, Mapping):
        raise mistake(f"kubernetes.{function}() takes a dict of texts as '{parameter}', got {shown(value)}")
    for key, one in value.items():
        if not isinstance(key, str) or not isinstance(one, str):
            raise mistake(
                f"kubernetes.{function}() takes a dict of texts as '{parameter}', got the pair {shown(key)}: {shown(one)}; "
                "put both in quotes"
            )
    return dict(value)


def text_list(value: Any, function: str, parameter: str) -> list[str]:
    """VALUE, a list of texts."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise mistake(f"kubernetes.{function}() takes a list of texts as '{parameter}', got {shown(value)}")
    return [text(one, function, f"{parameter}[{index}]") for index, one in enumerate(value)]


def choice(value: Any, function: str, parameter: str, *known: str) -> str:
    """VALUE, one of the words that Kubernetes knows here."""
    if value not in known:
        raise mistake(f"kubernetes.{function}() takes one of {', '.join(known)} as '{parameter}', got {shown(value)}")
    return str(value)


def shown(value: Any) -> str:
    """A value in a message."""
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    if isinstance(value, str):
        return f"'{value[:60]}'"
    if isinstance(value, Channel):
        return f"'{value.name}'"
    return f"a value of type {type(value).__name__}"


_WORDS: Final[dict[type, str]] = {str: "text", dict: "a dict", list: "a list"}
