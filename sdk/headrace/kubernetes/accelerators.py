"""Which accelerators a task gets, beyond the name of a resource: product, memory on each, MIG profile.

It compiles to what KFP has too (a resource and a count, and an annotation of the Pod), so the IR stays everybody's: another
platform gives the resource, Headrace also the right node (docs/adr/0015).
"""

from __future__ import annotations

import re
from typing import Any, Final

from headrace.dsl.mistakes import mistake
from headrace.dsl.tasks import PipelineTask
from headrace.kubernetes.settings import settings, shown, text, text_list, whole

ANNOTATION: Final = "headrace.io/accelerator"
MEMORY: Final = re.compile(r"[0-9]+(\.[0-9]+)?\s*[KMGT]i?B?")
MIG: Final = re.compile(r"[0-9]+g\.[0-9]+gb(\.me)?")


def use_accelerator(
    task: PipelineTask,
    product: str | list[str] = "",
    count: int = 1,
    memory: str = "",
    mig: str = "",
    resource: str = "nvidia.com/gpu",
) -> PipelineTask:
    """Give the task COUNT accelerators, all on one node: of PRODUCT ('H100', 'A100-80GB', as its node's label has it; of a list
    the first that there is), with at least MEMORY each ('40GiB'), or the slices of a MIG profile ('1g.10gb'). RESOURCE is the
    vendor's. For a choice that is known only when the pipeline runs, `task.set_accelerator_type()` takes the same as one
    text: 'H100|A100-80GB memory>=40GiB'.
    """
    function = "use_accelerator"
    products = (
        text_list(product, function, "product") if isinstance(product, list) else [text(product, function, "product")]
    )
    for one in products:
        if "|" in one:
            raise mistake(f"kubernetes.{function}() takes alternatives as a list of products, got {shown(one)}")
    number = whole(count, function, "count", least=1)
    name = text(resource, function, "resource")
    if mig:
        if MIG.fullmatch(text(mig, function, "mig")) is None:
            raise mistake(f"kubernetes.{function}() takes a MIG profile such as '1g.10gb' as 'mig', got {shown(mig)}")
        if name != "nvidia.com/gpu":
            raise mistake(
                f"kubernetes.{function}() takes 'mig' for 'nvidia.com/gpu' alone, got the resource {shown(name)}"
            )
        name = f"nvidia.com/mig-{mig}"
    wanted = _wanted([one for one in products if one], memory, function)
    task.set_accelerator_type(name).set_accelerator_limit(number)
    annotations: dict[str, Any] = settings(task, function).setdefault("podMetadata", {}).setdefault("annotations", {})
    annotations.pop(ANNOTATION, None)
    if wanted:
        annotations[ANNOTATION] = wanted
    return task


def _wanted(products: list[str], memory: str, function: str) -> str:
    parts = ["|".join(products)] if products else []
    if memory:
        if MEMORY.fullmatch(text(memory, function, "memory")) is None:
            raise mistake(f"kubernetes.{function}() takes memory such as '40GiB' as 'memory', got {shown(memory)}")
        parts.append(f"memory>={memory.replace(' ', '')}")
    return " ".join(parts)
