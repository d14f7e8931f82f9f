"""The pipelines that several benchmarks run: a chain, and a loop. Each gives the text of a spec."""

from __future__ import annotations

import json

from builders.specs import Component, container, dag, dag_input, output, pipeline


def chain(name: str, length: int, work: Component | None = None, *, cache: bool | None = None) -> str:
    """Tasks one after another, each with the output of the one before. WORK takes `text` and puts out `Output`."""
    work = work or _simulated()
    flow = pipeline(name)
    for number in range(length):
        flow.task(f"step-{number}", work, {"text": output(f"step-{number - 1}") if number else "begin"}, cache=cache)
    return json.dumps(flow.build())


def loop(name: str, width: int) -> str:
    """One task in a loop over a constant list."""
    body = dag({"item": "STRING"}).task("work", _simulated(), {"text": dag_input("item")})
    items = json.dumps([f"item-{number}" for number in range(width)])
    return json.dumps(pipeline(name).task("wide", body, items=items).build())


def _simulated() -> Component:
    """Nothing runs it: an executor or a stand-in answers for it."""
    return container(
        ["work"], ["{{$.inputs.parameters['text']}}"], inputs={"text": "STRING"}, outputs={"Output": "STRING"}
    )
