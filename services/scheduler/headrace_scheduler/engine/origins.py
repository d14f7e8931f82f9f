"""An Origin: the ended run that another one resumes, as the engine sees it. Immutable in effect: only comparisons are remembered.

Made by the shell from the origin's rows (headrace_scheduler/looking_back.py) and given with the load; read by resuming.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from headrace_protos.lifecycle import parent_path
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine.indexing import DagSpec, PlanIndex, TaskSpec

_INDEX = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Done:
    """What the origin has of one task; `made_by`: "run_id/path" of the run that made its results."""

    kind: int
    state: int
    inputs: ev.Values
    outputs: ev.Values
    iteration_count: int
    made_by: str


class Origin:
    """`given`: the run's inputs. `again`: paths of tasks, groups and iterations that run again; one without indexes means
    every iteration.
    """

    __slots__ = ("_again", "_places", "_same", "given", "plan", "run_id", "tasks")

    def __init__(
        self, run_id: str, plan: PlanIndex, given: ev.Values, tasks: Mapping[str, Done], again: Iterable[str] = ()
    ) -> None:
        self.run_id = run_id
        self.plan = plan
        self.given = given
        self.tasks = tasks
        self._again = frozenset(again)
        self._places: dict[str, TaskSpec | None] = {}
        self._same: dict[tuple[int, int, int, int], bool] = {}

    def runs_again(self, path: str) -> bool:
        """Whether the task is named, or is inside something that is."""
        return names(self._again, path)

    def spec(self, path: str) -> TaskSpec | None:
        """The origin's task at a path."""
        where = place(path)
        if where not in self._places:
            self._places[where] = self._found(where)
        return self._places[where]

    def _found(self, where: str) -> TaskSpec | None:
        group, _, key = where.rpartition("/")
        holder = self.spec(group) if group else None
        if group and (holder is None or holder.target_dag < 0):
            return None
        dag = self.plan.dags[holder.target_dag if holder is not None else 0]
        return next((task for task in dag.tasks if task.key == key), None)

    def around(self, path: str, name: str) -> ev.Value | None:
        """An input of the DAG execution at a path; an iteration sees those of its loop too. None: there is none."""
        for at in (path, parent_path(path)) if path.endswith("]") else (path,):
            done = self.tasks.get(at)
            inputs = done.inputs if done is not None else ev.Values()
            if not at:
                inputs = self.given
            if name in inputs.parameters:
                return inputs.parameters[name]
        return None

    def same_task(self, ours: TaskSpec, theirs: TaskSpec) -> bool:
        """Whether two leaves are defined alike: interface, container or importer, platform settings. What decides when a
        task runs (its condition, dependencies, retries, caching) is not of its definition, nor is its name.
        """
        pair = (ours.dag, ours.index, theirs.dag, theirs.index)
        if pair not in self._same:
            self._same[pair] = _interface(ours) == _interface(theirs) and _executor(ours) == _executor(theirs)
        return self._same[pair]

    def same_group(self, ours: DagSpec, theirs: TaskSpec) -> bool:
        """Whether a group holds the same tasks and gives the same outputs of them."""
        if theirs.target_dag < 0:
            return False
        pair = (ours.index, -1, theirs.target_dag, -1)
        if pair not in self._same:
            body = self.plan.dags[theirs.target_dag]
            keys = [task.key for task in ours.tasks] == [task.key for task in body.tasks]
            self._same[pair] = keys and ours.outputs == body.outputs
        return self._same[pair]


def names(named: frozenset[str], path: str) -> bool:
    """Whether a task is among the NAMED paths, or is inside something that is; one without indexes means every iteration."""
    at = path if named else ""
    while at:
        if at in named or place(at) in named:
            return True
        at = parent_path(at)
    return False


def place(path: str) -> str:
    """A path without its indexes: where in the plan its task is."""
    return _INDEX.sub("", path)


def _interface(spec: TaskSpec) -> tuple[object, ...]:
    return (
        spec.declarations,
        spec.input_artifacts,
        spec.output_types,
        spec.optional_outputs,
        spec.output_artifacts,
        dict(spec.passthroughs),
    )


def _executor(spec: TaskSpec) -> tuple[object, ...]:
    made = spec.executor
    return (None,) if made is None else (made.WhichOneof("kind"), made.container, made.importer, made.platform_json)
