"""What the setters of a task take: reading and checking the values. Pure; called by tasks.

A channel, or a text that holds channels, is taken as it is where the setting can be filled in when the task runs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from headrace.dsl.channels import Channel
from headrace.dsl.checking import kind_of, own, type_of_channel
from headrace.dsl.marks import marks_in
from headrace.dsl.mistakes import mistake

if TYPE_CHECKING:
    from headrace.dsl.tasks import PipelineTask

CPU: Final = re.compile(r"(\d*\.)?\d+m?")
MEMORY: Final = re.compile(r"\d+([EPTGMK]i?)?")
COUNT: Final = re.compile(r"\d+")
DURATION: Final = re.compile(r"(\d+) *([a-z]*)")
SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
UNITS: Final = {
    name: unit
    for unit, names in {
        "s": "s second seconds", "m": "m minute minutes", "h": "h hour hours", "d": "d day days", "w": "w week weeks",
    }.items()
    for name in names.split()
}  # fmt: skip


def cpu(task: PipelineTask, setter: str, value: Any) -> Any:
    """A number of CPUs, or of thousandths of one with an `m`."""
    return _matching(task, setter, value, CPU, "a number of CPUs such as '2', '0.5' or '500m'")


def memory(task: PipelineTask, setter: str, value: Any) -> Any:
    """A number of bytes, with a unit."""
    return _matching(
        task,
        setter,
        value,
        MEMORY,
        "a whole number with a unit such as '512Mi' or '4G' (E, P, T, G, M, K, or with an i)",
    )


def count(task: PipelineTask, setter: str, value: Any) -> Any:
    """A number of accelerators."""
    return _matching(task, setter, value, COUNT, "a whole number of accelerators such as 1")


def _matching(task: PipelineTask, setter: str, value: Any, pattern: re.Pattern[str], wanted: str) -> Any:
    written = str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""
    if pattern.fullmatch(written):
        return written
    return dynamic(task, setter, value, wanted)


def text(task: PipelineTask, setter: str, value: Any, wanted: str) -> Any:
    """A text that is not empty."""
    return (
        value
        if isinstance(value, str) and value and "{{channel:" not in value
        else dynamic(task, setter, value, wanted)
    )


def dynamic(task: PipelineTask, setter: str, value: Any, wanted: str) -> Any:
    """VALUE, if it is a channel or a text that holds some; else the mistake that WANTED is."""
    if isinstance(value, Channel):
        own(value, task.marks)
        if type_of_channel(value) is None:
            raise mistake(f"{setter}() of {task.name!r} takes {wanted}, but {value.described()} is {kind_of(value)}.")
        return value
    if isinstance(value, str) and (marks := marks_in(value)):
        for channel in marks.values():
            own(channel, task.marks)
        return value
    raise mistake(f"{setter}() of {task.name!r} takes {wanted}, or an output or input of the pipeline, not {value!r}.")


def fixed(task: PipelineTask, setter: str, value: Any) -> str:
    """A text that must be known when the pipeline is compiled."""
    if isinstance(value, Channel) or (isinstance(value, str) and marks_in(value)):
        raise mistake(
            f"{setter}() of {task.name!r} takes a text that is known when the pipeline is compiled, not a value of the run."
        )
    if not isinstance(value, str) or not value:
        raise mistake(f"{setter}() of {task.name!r} takes a text, not {value!r}.")
    return value


def duration(task: PipelineTask, name: str, value: Any) -> str:
    """A duration in seconds as the IR writes it (`30s`); takes `30s`, `5m`, `1 hour`, `2 days`, `1w` and a number of seconds."""
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        written = DURATION.fullmatch(str(value).strip().lower())
        unit = UNITS.get(written[2] or "s") if written else None
        if written and unit:
            return f"{int(written[1]) * SECONDS[unit]}s"
    raise mistake(f"{name} of {task.name!r} takes a duration such as '30s', '5m' or '1h', not {value!r}.")
