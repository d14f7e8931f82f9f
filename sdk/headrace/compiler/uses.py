"""Which channels each task uses: given as they are, marked in texts, lists and dicts, in its settings, in its platform's. Pure.

Read by the passes that hand values into groups, order tasks and bind inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from headrace.dsl.channels import Channel
from headrace.dsl.marks import marks_in
from headrace.dsl.tasks import PipelineTask, TaskSettings

# setting → the input that carries it where it is known only when the task runs
RESOURCES: Final = {
    "cpu_request": "cpu_request",
    "cpu_limit": "cpu_limit",
    "memory_request": "memory_request",
    "memory_limit": "memory_limit",
    "accelerator_type": "accelerator_type",
    "accelerator_limit": "accelerator_count",
}


@dataclass(slots=True)
class Uses:
    """`marked`: inputs in which channels are marked, by mark; `settings`: the same of `image`,
    the resources and `env/NAME`. `channels`: all of them and those of the platform's settings, in the order met; `waited_for`:
    those whose tasks KFP's compiler lists among the dependencies (all but the resources: these bind an output, which is enough).
    """

    marked: dict[str, dict[str, Channel]] = field(default_factory=dict)
    settings: dict[str, dict[str, Channel]] = field(default_factory=dict)
    channels: list[Channel] = field(default_factory=list)
    waited_for: list[Channel] = field(default_factory=list)


def uses_of(task: PipelineTask) -> Uses:
    """What TASK uses."""
    uses = Uses()
    for name, value in task.inputs.items():
        if isinstance(value, Channel):
            uses.channels.append(value)
        elif marks := marks_in(value):
            uses.marked[name] = marks
            uses.channels.extend(marks.values())
    resources: list[Channel] = []
    for name, value in _dynamic(task.settings):
        if marks := marks_in(value):
            uses.settings[name] = marks
            (resources if name in RESOURCES else uses.channels).extend(marks.values())
    if task.platform_config:
        from headrace.kubernetes.documents import channels  # only those who set something pay for it

        uses.channels.extend(channels(task.platform_config))
    uses.channels.extend(task.registered)
    uses.waited_for = uses.channels
    if resources:
        uses.channels = uses.channels + resources
    return uses


def _dynamic(settings: TaskSettings) -> Iterator[tuple[str, Any]]:
    if isinstance(settings.image, Channel) or settings.image:
        yield "image", settings.image
    for name in RESOURCES:
        value = getattr(settings, name)
        if value is not None:
            yield name, value
    for name, value in settings.env.items():
        yield f"env/{name}", value
