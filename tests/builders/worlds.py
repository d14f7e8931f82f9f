"""A little world round the engine: runs a pipeline (made with builders.specs) by answering the engine's commands, with rows
and events kept as persistence would keep them. What user code does is given as a function or a table by task path.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from builders.rows import Rows
from builders.specs import Pipeline
from headrace_ir.plan import compile_plan
from headrace_ir.reading import read_spec
from headrace_protos.v1 import attempts_pb2, plan_pb2
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_scheduler.drives import Advance
from headrace_scheduler.engine import PlanIndex, RunState, Step, pending, step
from headrace_scheduler.engine import commands as c
from headrace_scheduler.engine import facts as f
from headrace_scheduler.engine.contents import joined
from headrace_scheduler.engine.origins import Done, Origin
from headrace_scheduler.executors.port import Launch

RUN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
ORIGIN_ID = "01890a5d-0000-774b-bcce-b302099a8057"
START_US = 1_700_000_000_000_000
SECOND = 1_000_000


def plan_of(flow: Pipeline) -> plan_pb2.Plan:
    """The Plan of a pipeline, through reading and validation."""
    platform = flow.platform()
    document = flow.build()
    return compile_plan(
        read_spec(document if platform is None else {"pipeline_spec": document, "platform_spec": platform})
    )


def values(parameters: Mapping[str, Any] | None = None, artifacts: Mapping[str, Any] | None = None) -> ev.Values:
    """A Values message; an artifact is given by its URI, or a list of them."""
    made = ev.Values()
    for name, value in (parameters or {}).items():
        made.parameters[name].json = json.dumps(value, separators=(",", ":"))
    for name, uris in (artifacts or {}).items():
        for uri in [uris] if isinstance(uris, str) else uris:
            made.artifacts[name].artifacts.add(artifact_id=uri, name=name, uri=uri)
    return made


def plain(message: ev.Values, contents: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Parameters as Python values (references by their content, where CONTENTS has it), artifacts as lists of URIs."""
    made: dict[str, Any] = {name: _plain(value, contents or {}) for name, value in message.parameters.items()}
    return made | {name: [one.uri for one in group.artifacts] for name, group in message.artifacts.items()}


def _plain(value: ev.Value, contents: Mapping[str, str]) -> Any:
    if not value.uri:
        return json.loads(value.json)
    return json.loads(contents[value.uri]) if value.uri in contents else {"uri": value.uri}


def stored(contents: dict[str, str], step: Step | Advance) -> None:
    """Keep what a step wants stored, as the shell does before it appends."""
    for uri, content in step.contents.items():
        contents[uri] = content if isinstance(content, str) else joined(content, contents.__getitem__)


def read(contents: Mapping[str, str], command: c.ReadValues) -> f.ValuesRead:
    """What the shell answers."""
    gone = f.Missing("it is gone")
    found = {ref.uri: json.loads(contents[ref.uri]) if ref.uri in contents else gone for ref in command.refs}
    return f.ValuesRead(command.path, found)


def succeeded(parameters: Mapping[str, Any] | None = None, artifacts: Mapping[str, Any] | None = None) -> Any:
    """An attempt that ends well, with these outputs."""
    return attempts_pb2.AttemptResult(state=ev.ATTEMPT_SUCCEEDED, outputs=values(parameters, artifacts))


def failed(message: str = "exit code 1", kind: int = ev.USER, reason: str = "UserError", exit_code: int = 1) -> Any:
    """An attempt that ends badly."""
    error = ev.Error(reason=reason, message=message, failure_class=kind, exit_code=exit_code)
    return attempts_pb2.AttemptResult(state=ev.ATTEMPT_FAILED, error=error)


def lost() -> Any:
    """An attempt that vanished."""
    error = ev.Error(reason="Lost", message="the attempt vanished", failure_class=ev.INFRASTRUCTURE)
    return attempts_pb2.AttemptResult(state=ev.ATTEMPT_LOST, error=error)


def preempted(state: int = ev.ATTEMPT_LOST) -> Any:
    """An attempt whose node was taken away, or that had to make room."""
    error = ev.Error(reason="Lost", message="its node is gone", failure_class=ev.PREEMPTED)
    return attempts_pb2.AttemptResult(state=state, error=error)


def canceled() -> Any:
    """An attempt that was ended."""
    return attempts_pb2.AttemptResult(state=ev.ATTEMPT_CANCELED, error=ev.Error(reason="Canceled"))


Behaviour = Callable[[Launch], Any]


def default_behaviour(launch: Launch) -> Any:
    """Every declared output gets a value that names the task."""
    made = {name: 1 if kind in (1, 2) else launch.attempt.path for name, kind in launch.output_parameters.items()}
    kinds = {plan_pb2.LIST: [], plan_pb2.STRUCT: {}, plan_pb2.BOOLEAN: True}
    made |= {name: kinds[kind] for name, kind in launch.output_parameters.items() if kind in kinds}
    return succeeded(made, {one.name: f"{launch.task_root}/{one.name}" for one in launch.output_artifacts})


@dataclass
class World:
    """`run()` to the end, or `tell` facts one by one. `results` overrides `behaviour` by `path` or `path#attempt`."""

    flow: Pipeline | plan_pb2.Plan
    inputs: Mapping[str, Any] = field(default_factory=dict)
    results: Mapping[str, Any] = field(default_factory=dict)
    behaviour: Behaviour = default_behaviour
    root_artifacts: Mapping[str, Any] = field(default_factory=dict)
    enable_cache: bool | None = False
    hits: Mapping[str, ev.Values] = field(default_factory=dict)
    now_us: int = START_US
    workspaces: str = ""
    origin: Origin | None = None

    def __post_init__(self) -> None:
        plan = self.flow if isinstance(self.flow, plan_pb2.Plan) else plan_of(self.flow)
        self.plan = PlanIndex(plan, "file:///store", self.workspaces)
        run = rs.RunSnapshot(
            run_id=RUN_ID,
            namespace="default",
            revision=1,
            state=ev.RUN_PENDING,
            inputs=values(self.inputs, self.root_artifacts),
            display_name="my run",
            created_at_us=START_US,
        )
        if self.enable_cache is not None:
            run.enable_cache = self.enable_cache
        self.rows = Rows(run)
        self.events: list[ev.Event] = []
        self.commands: list[c.Command] = []
        self.launches: dict[str, Launch] = {}
        self.waiting: list[f.Fact] = []
        self.contents: dict[str, str] = {}  # the artifact store, as far as large values go
        self.state = RunState.load(self.plan, self.rows.snapshot(), self.origin)

    # ---- one step at a time

    def take(self, *facts: f.Fact) -> Step:
        """One step, appended and settled; its commands wait in `commands`."""
        taken = step(self.plan, self.state, (f.Clock(self.now_us), *facts))
        stored(self.contents, taken)
        self.rows.append(taken.events)
        self.events.extend(taken.events)
        self.state = taken.state.settle()
        self.commands.extend(taken.commands)
        return taken

    def tell(self, *facts: f.Fact) -> tuple[ev.Event, ...]:
        """Steps until nothing is left to look at; the events."""
        events: tuple[ev.Event, ...] = ()
        if self.state.is_terminal and any(isinstance(one, f.RetryRequested) for one in facts):
            self.reload()  # a run that has ended is left, and loaded again with what a retry needs
        while True:
            taken = self.take(*facts)
            events, facts = events + taken.events, taken.left
            if not taken.more and not facts:
                return events

    def reload(self) -> None:
        """The replica dies; another one loads the rows, and asks for what is pending."""
        self.state = RunState.load(self.plan, self.rows.snapshot(), self.origin)
        self.commands = list(pending(self.plan, self.state, self.now_us))

    def answer(self, command: c.Command) -> list[f.Fact]:
        """What the world says to a command."""
        match command:
            case c.Admit():
                return [f.Admitted(command.path)]
            case c.AskCache():
                hit = self.hits.get(command.path)
                if hit is not None and not command.refresh:
                    return [f.CacheAnswered(command.path, "key", found=True, outputs=hit, origin="other/task")]
                return [f.CacheAnswered(command.path, f"key of {command.path}", token=f"token of {command.path}")]
            case c.Import():
                return [
                    f.Imported(
                        command.path, ev.Artifact(artifact_id=command.uri, uri=command.uri), number=command.number
                    )
                ]
            case c.StartAttempt():
                self.launches[f"{command.path}#{command.number}"] = command.launch
                launched = f.AttemptLaunched(command.path, command.number, "pid", "node")
                result = self._result(command.launch)
                return [launched] if result is None else [launched, self.end(command, result)]
            case c.ReadValues():
                return [read(self.contents, command)]
            case c.CancelAttempt():
                return [f.AttemptEnded(command.path, command.number, canceled())]
        return []

    def end(self, command: c.StartAttempt, result: Any) -> f.Fact:
        return f.AttemptEnded(command.path, command.number, result)

    def _result(self, launch: Launch) -> Any:
        name = f"{launch.attempt.path}#{launch.attempt.number}"
        given = self.results.get(name, self.results.get(launch.attempt.path, ...))
        return self.behaviour(launch) if given is ... else given

    # ---- to the end

    def run(self) -> World:
        """Answer everything, and let time pass where only time helps, until the run ends or nothing moves any more."""
        self.tell()
        while not self.state.is_terminal:
            commands, self.commands = self.commands, []
            facts = [fact for command in commands for fact in self.answer(command)]
            if facts:
                self.now_us += 1000
                self.tell(*facts)
            elif not self.pass_time(commands):
                break
        return self

    def pass_time(self, commands: list[c.Command]) -> bool:
        """To the next timer, if there is one."""
        timers = self.state.timers().values()
        times = [*timers, *(one.at_us for one in commands if isinstance(one, c.WakeAt))]
        if not times:
            return False
        self.now_us = max(self.now_us, min(times))
        self.tell()
        return True

    # ---- another run that resumes this one

    def as_origin(self, *again: str) -> Origin:
        """What the scheduler reads of this run for one that resumes it."""
        done = {
            path: Done(task.kind, task.state, task.inputs, task.outputs, task.iteration_count, self._made_by(path))
            for path, task in self.rows.tasks.items()
        }
        return Origin(ORIGIN_ID, self.plan, self.rows.run.inputs, done, again)

    def _made_by(self, path: str) -> str:
        ends = (one.task_finished for one in self.events if one.path == path and one.HasField("task_finished"))
        return next((one.linked_from for one in ends if one.linked_from), f"{ORIGIN_ID}/{path}")

    def linked(self) -> set[str]:
        """Paths of the tasks whose results are another run's."""
        return {path for path, task in self.rows.tasks.items() if task.linked}

    # ---- reading

    @property
    def outcome(self) -> str:
        return ev.RunState.Name(self.state.state).removeprefix("RUN_")

    @property
    def states(self) -> dict[str, str]:
        return self.rows.states()

    def outputs(self, path: str = "") -> dict[str, Any]:
        """The outputs of a task; "" = of the run."""
        if path:
            return plain(self.rows.tasks[path].outputs, self.contents)
        ended = next(one.run_finished.outputs for one in reversed(self.events) if one.HasField("run_finished"))
        return plain(ended, self.contents)

    def error(self, path: str = "") -> ev.Error:
        """The error of a task; "" = of the run."""
        if path:
            return self.rows.tasks[path].error
        return next(one.run_finished.error for one in reversed(self.events) if one.HasField("run_finished"))

    def skip_reason(self, path: str) -> str:
        return next(
            one.task_finished.skip_reason
            for one in reversed(self.events)
            if one.path == path and one.HasField("task_finished")
        )
