"""Random pipelines for the property test: a plain description, and the Plan that says the same.

Every leaf takes up to two texts (`x`, `t`) of one sibling, and `p`, the input of the DAG around it; it gives `Output` ("v0" or
"v1") and `Trace`, both functions of its path, its inputs and the attempt, so that a value which went astray shows.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from headrace_protos.v1 import plan_pb2 as pb

OUTPUTS = ("Output", "Trace")


@dataclass
class Node:
    """A task: a leaf, or a DAG of `children`; a loop over `items` where there are any."""

    key: str
    children: list[Node] | None = None
    after: list[int] = field(default_factory=list)
    source: int = -1  # the sibling whose outputs it takes
    on_completion: bool = False
    status_of: int = -1
    condition: str = ""  # "": none; "==" or "!=": x against "v0"
    items: list[str] | None = None
    limit: int = 0
    retries: int = -1  # -1: no policy of its own
    cache: bool = False
    returns: list[int] = field(
        default_factory=list
    )  # of a DAG: children whose outputs are its own, the first that has one

    @property
    def needs(self) -> list[int]:
        extra = [one for one in (self.source, self.status_of) if one >= 0]
        return sorted({*self.after, *extra})


def random_dag(rng: random.Random, depth: int = 0) -> list[Node]:
    nodes: list[Node] = []
    for number in range(rng.randint(1, 4 if depth == 0 else 3)):
        node = Node(f"{'abcd'[number]}{depth}")
        if number and rng.random() < 0.7:
            node.source = rng.randrange(number)
        node.after = sorted(rng.sample(range(number), rng.randint(0, number))) if rng.random() < 0.4 else []
        node.on_completion = bool(number) and rng.random() < 0.25
        if node.on_completion and rng.random() < 0.6:
            node.status_of = rng.randrange(number)
        if depth < 2 and rng.random() < (0.5 if depth == 0 else 0.3):
            node.children = random_dag(rng, depth + 1)
            node.returns = rng.sample(range(len(node.children)), rng.randint(0, min(2, len(node.children))))
        if rng.random() < 0.3:
            node.items = [rng.choice(("v0", "v1")) for _ in range(rng.randint(0, 4))]
            node.limit = rng.choice((0, 0, 1, 2))
        if node.source >= 0 and rng.random() < 0.35:
            node.condition = rng.choice(("==", "!="))
        node.retries = rng.choice((-1, -1, 0, 1, 2))
        node.cache = rng.random() < 0.3
        nodes.append(node)
    return nodes


def plan_of(nodes: list[Node]) -> pb.Plan:
    plan = pb.Plan(version=1, pipeline_name="random")
    plan.executors.add(label="e").container.CopyFrom(pb.Container(image="i", command=["run"], args=["{{$}}"]))
    _dag(plan, "root", nodes, [])
    return plan


def _dag(plan: pb.Plan, name: str, nodes: list[Node], returns: list[int]) -> int:
    index = len(plan.dags)
    plan.dags.add(component=name)
    made = pb.DagTemplate(component=name, parameters=[_text("p")])
    for position, node in enumerate(nodes):
        made.tasks.append(_task(plan, name, position, node))
    if returns:
        for output in OUTPUTS:
            selectors = [pb.OutputSelector(task=child, key=output) for child in returns]
            made.outputs.append(pb.DagOutput(name=output, selectors=selectors))
    plan.dags[index].CopyFrom(made)
    return index


def _task(plan: pb.Plan, name: str, position: int, node: Node) -> pb.PlanTask:
    task = pb.PlanTask(key=node.key, component=f"{name}-{node.key}", dependencies=node.needs)
    inputs = ["p"] if node.children is not None else ["p", "x", "t"]
    task.parameters.extend(_text(one) for one in inputs)
    if node.children is None:
        task.executor = 0
        task.output_parameters.extend(pb.ParameterDef(name=one, type=pb.STRING) for one in OUTPUTS)
    else:
        task.dag = _dag(plan, f"{name}-{node.key}", node.children, node.returns)
        task.output_parameters.extend(pb.ParameterDef(name=one) for one in OUTPUTS if node.returns)
        task.parameters.add(name="x", type=pb.STRING, optional=True)
    if node.items is None:
        task.parameter_bindings.add(name="p", component_input="p")
    if node.source >= 0:
        for name_, key in (("x", "Output"), ("t", "Trace")):
            if name_ == "x" or node.children is None:
                task.parameter_bindings.add(name=name_, task_output=pb.OutputSelector(task=node.source, key=key))
    if node.status_of >= 0:
        task.parameter_bindings.add(name="status", final_status_of=node.status_of)
    task.strategy = pb.ALL_COMPLETED if node.on_completion else pb.ALL_SUCCEEDED
    if node.condition:
        task.condition = f"inputs.parameter_values['x'] {node.condition} 'v0'"
    if node.items is not None:
        items = "[" + ",".join(f'"{one}"' for one in node.items) + "]"
        task.iterator.CopyFrom(pb.Iterator(raw_json=items, item_input="p", parallelism_limit=node.limit))
    if node.retries >= 0:
        task.retry.CopyFrom(
            pb.RetryPolicy(max_retries=node.retries, backoff_seconds=3, backoff_factor=2, max_backoff_seconds=4)
        )
    task.cache.enabled = node.cache
    return task


def _text(name: str) -> pb.ParameterDef:
    return pb.ParameterDef(name=name, type=pb.STRING, optional=True)
