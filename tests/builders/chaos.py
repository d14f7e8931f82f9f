"""A world in which everything goes wrong that may: facts come late, twice and in any order, replicas die at every point, and
what is loaded again must go on to the same end. Driven by one random generator, so that a seed says everything.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from builders.descriptions import Flow, pipeline_of
from builders.reference_model import digest, made, visible
from builders.rows import Rows
from builders.worlds import RUN_ID, START_US, canceled, failed, lost, plain, plan_of, preempted, read, stored, values
from headrace_ir import references
from headrace_ir.references import is_large, write_reference
from headrace_protos.lifecycle import TASK_FINAL
from headrace_protos.v1 import attempts_pb2
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_scheduler import drives
from headrace_scheduler.drives import Drive, advance
from headrace_scheduler.engine import PlanIndex, RunState, drafting, expanding, fold, pending, retrying
from headrace_scheduler.engine import commands as c
from headrace_scheduler.engine import facts as f
from headrace_scheduler.engine.contents import stored_text
from headrace_scheduler.engine.origins import Done, Origin
from headrace_scheduler.engine.rows import GROUPS, Row
from headrace_scheduler.executors.port import Launch

RARELY = 0.04
STEPS = 4000


class Chaos:
    """`fate` and `hit` as for the reference model."""

    def __init__(
        self,
        flow: Flow,
        rng: random.Random,
        fate: Callable[[str, int], str],
        hit: Callable[[str], bool],
        resumed: Chaos | None = None,
        again: Iterable[str] = (),
    ) -> None:
        """RESUMED: a run that has ended, which this one goes on from; AGAIN: what of it runs again in any case."""
        self.plan = PlanIndex(plan_of(pipeline_of(flow)), "file:///store")
        self.rng, self.fate, self.hit = rng, fate, hit
        run = rs.RunSnapshot(
            run_id=RUN_ID,
            revision=1,
            state=ev.RUN_PENDING,
            inputs=values(flow.parameters, flow.artifacts),
            created_at_us=START_US,
        )
        if flow.enable_cache is not None:
            run.enable_cache = flow.enable_cache
        self.rows = Rows(run)
        self.first = self.rows.snapshot()
        self.events: list[ev.Event] = []
        self.now_us = START_US
        self.pool: list[f.Fact] = []
        self.inbox: dict[int, f.Fact] = {}  # durable: told again until an append has consumed it
        self.delivered = 0
        self.attempts: dict[tuple[str, int], f.AttemptEnded] = {}  # the executor's own memory
        self.traceparents: dict[tuple[str, int], str] = {}
        self.origin = resumed.as_origin(again) if resumed is not None else None
        self.contents: dict[str, str] = dict(resumed.contents) if resumed is not None else {}  # the artifact store
        self.drive = Drive(self.plan, self._loaded(self.first))
        self.deaths = 0

    def deliver(self, fact: f.Fact) -> None:
        """A user's request: stored before it is acknowledged."""
        self.delivered += 1
        self.inbox[self.delivered] = fact

    def until_ended(self) -> None:
        """Go on until the run has ended and nothing is left in the inbox."""
        for _ in range(STEPS):
            if self.state.is_terminal and not self.inbox and not self.state.has_work:
                return
            self.tick()
        raise AssertionError(f"the run does not end: {self.rows.states()}, {self.pool}")

    def tick(self) -> None:
        """One tick of the driver, or an accident."""
        self.now_us += self.rng.randint(1, 200_000)
        if self.state.is_terminal and any(isinstance(one, f.RetryRequested) for one in self.inbox.values()):
            # it was left at its end: loaded for the retry
            self.drive = Drive(self.plan, self._loaded(self.rows.snapshot()))
        for number, fact in self.inbox.items():
            if number not in [one for _, one in self.drive.inbox]:
                self.drive.deliver(number, fact)
        told = self._some()
        self.drive.facts.extend(told)
        waiting = list(self.drive.facts)
        before = dump(self.state)
        taken = advance(self.drive, self.now_us, self._admit)
        stored(self.contents, taken)
        accident = self.rng.random()
        if accident < RARELY:  # dies before the append: what was not stored comes again
            assert dump(self.state) == before, "a step that is dropped leaves the state as it was"
            self.pool.extend(one for one in waiting if one not in self.inbox.values())
            self._die()
            return
        revision = self.state.revision
        self.rows.append(taken.events)
        self.events.extend(taken.events)
        for number in taken.consumed:
            del self.inbox[number]
        if accident < 2 * RARELY:  # dies between the append and its commands
            self._die()
            return
        assert revision + len(taken.events) == taken.state.revision, "the base is as it was"
        del self.drive.inbox[: len(taken.consumed)]
        self.drive.state = taken.state.settle()
        self._check_commands(taken.commands)
        self._check_limits()
        for command in taken.commands:
            self._carry_out(command)
        if not waiting and not taken.events and not taken.commands and not self.drive.facts:
            self._pass_time()

    @property
    def state(self) -> RunState:
        """What the replica knows."""
        state: RunState = self.drive.state
        return state

    def _admit(self, run_id: str, asked: Sequence[c.Admit]) -> list[f.Fact]:
        """Some find their slots within the tick, the others later."""
        at_once: list[f.Fact] = []
        for one in asked:
            if self.rng.random() < 0.6:
                at_once.append(f.Admitted(one.path))
            else:
                self._carry_out(one)
        return at_once

    def _some(self) -> list[f.Fact]:
        """Facts from the pool in any order; some stay there, to come twice."""
        self.rng.shuffle(self.pool)
        count = self.rng.randint(0, min(len(self.pool), 6)) if len(self.pool) > 1 else len(self.pool)
        taken, self.pool = self.pool[:count], self.pool[count:]
        self.pool.extend(one for one in taken if self.rng.random() < 0.05)
        return taken + self._noise()

    def _noise(self) -> list[f.Fact]:
        """Now and then what nobody asked for: of attempts that were superseded or never were, of tasks that wait for nothing."""
        if self.rng.random() > RARELY or not self.rows.tasks:
            return []
        path = self.rng.choice(list(self.rows.tasks))
        number = self.rows.tasks[path].attempts
        superseded = [f.AttemptEnded(path, other, failed()) for other in (number - 1, number + 9)]
        others = [
            f.Admitted("nowhere"),
            f.CacheSettled(path),
            f.Queued(path, "late"),
            f.AttemptLaunched(path, number + 9, "x"),
        ]
        return [self.rng.choice((*superseded, *others))]

    def _die(self) -> None:
        """Another replica loads the rows and asks for what is pending; facts under way may be lost, but not attempts."""
        self.deaths += 1
        self.pool = [one for one in self.pool if self.rng.random() < 0.5]
        loaded = self._loaded(self.rows.snapshot())
        folded = fold(self.plan, self._loaded(self.first), self.events)
        assert dump(folded) == dump(loaded), "folding the events gives what the rows say"
        # between two steps of a retry only a load gives what was forgotten of groups
        self.drive = Drive(self.plan, loaded if loaded.header.resetting else self.rng.choice((loaded, folded)))
        for path, number, _ in self.state.in_flight():
            if (path, number) in self.attempts:
                self.pool.append(self.attempts[path, number])
        for command in pending(self.plan, self.state, self.now_us):
            self._carry_out(command)

    def _loaded(self, snapshot: rs.RunSnapshot) -> RunState:
        return RunState.load(self.plan, snapshot, self.origin)

    def as_origin(self, again: Iterable[str]) -> Origin:
        """What another run that resumes this one reads of it; of groups no outputs."""
        done: dict[str, Done] = {}
        for path, task in self.rows.tasks.items():
            if task.state in (ev.TASK_SUCCEEDED, ev.TASK_SKIPPED):
                outputs = ev.Values() if task.kind in GROUPS else task.outputs
                done[path] = Done(task.kind, task.state, task.inputs, outputs, task.iteration_count, f"origin/{path}")
        return Origin("origin", self.plan, self.rows.run.inputs, done, again)

    def _check_limits(self) -> None:
        """No loop has more iterations at work than it may, also after a retry of the run."""
        at_work: dict[str, set[str]] = {}
        for path, _, _ in self.state.in_flight():
            row = self.state.known(path)
            while row.spec is not None:
                if row.iteration >= 0:
                    at_work.setdefault(row.parent, set()).add(row.path)
                row = self.state.known(row.parent)
        for path, iterations in at_work.items():
            limit = self.state.known(path).task.loop.limit
            assert not limit or len(iterations) <= limit, (path, iterations)

    def _check_commands(self, commands: tuple[c.Command, ...]) -> None:
        """Whatever a step asks for can be asked for again."""
        again = pending(self.plan, self.state, self.now_us)
        for command in commands:
            if isinstance(command, (c.Admit, c.AskCache, c.StartAttempt, c.CancelAttempt, c.Import)):
                row = self.state.row(command.path)
                assert command in again or row is None or row.stage.name in ("SETTLE", "IDLE", "LAUNCH"), command
            if isinstance(command, c.WakeAt):
                assert any(isinstance(one, c.WakeAt) and one.at_us <= command.at_us for one in again)

    def _carry_out(self, command: c.Command) -> None:
        match command:
            case c.Admit():
                if self.rng.random() < 0.2:
                    self.pool.append(f.Queued(command.path, "needs 1 core, 0 of 2 free"))
                self.pool.append(f.Admitted(command.path))
            case c.ReadValues():
                self.pool.append(read(self.contents, command))
            case c.AskCache():
                self.pool.append(self._cached(command))
            case c.StartAttempt():
                self._start(command)
            case c.CancelAttempt():
                self._cancel((command.path, command.number))
            case c.Import():
                self.pool.append(self._imported(command))

    def _cancel(self, key: tuple[str, int]) -> None:
        """Of an attempt whose end nobody has been told, the cancellation may be the end."""
        ended = self.attempts.get(key)
        if ended is None or (ended in self.pool and self.rng.random() < 0.7):
            self.pool = [one for one in self.pool if one is not ended]
            self.attempts[key] = f.AttemptEnded(*key, canceled())
        self.pool.append(self.attempts[key])

    def _imported(self, command: c.Import) -> f.Fact:
        if self.fate(command.path, command.number) != "ok":
            return f.Imported(command.path, problem="there is nothing at that URI", number=command.number)
        return f.Imported(command.path, ev.Artifact(artifact_id=command.uri, uri=command.uri), number=command.number)

    def _cached(self, command: c.AskCache) -> f.Fact:
        if self.hit(command.path) and not command.refresh:
            asked = command.ingredients
            artifacts = {
                name: [text.rsplit("\n", 2)[0] for text in one.contents] for name, one in asked.artifacts.items()
            }
            texts = {name: self._of_digest(text) for name, text in asked.parameters.items()}
            inputs = plain_inputs(texts) | artifacts
            outputs = self._made(command.path, 0, inputs, asked.output_parameters, asked.output_artifacts)
            for name in [one for one, value in outputs.parameters.items() if value.json == "null"]:
                del outputs.parameters[name]  # what was committed had none
            return f.CacheAnswered(command.path, "key", found=True, outputs=outputs, origin="other/task")
        answer = self.rng.random()
        if answer < 0.15:
            return f.CacheAnswered(command.path, "key", held_by="other/task")
        if answer < 0.3:
            return f.CacheAnswered(command.path, "", unavailable=True)
        return f.CacheAnswered(command.path, "key", token=f"token {self.rng.random()}")

    def _start(self, command: c.StartAttempt) -> None:
        key = (command.path, command.number)
        assert self.traceparents.setdefault(key, command.launch.traceparent) == command.launch.traceparent
        if key not in self.attempts:
            self.attempts[key] = f.AttemptEnded(*key, self._result(command.launch))
        if self.rng.random() < 0.1:
            self.pool.append(f.AttemptHeld(*key, "the image is being pulled"))
        if self.rng.random() < 0.3:  # a Pod: it exists, and runs later
            self.pool.append(f.AttemptLaunched(*key, "pod"))
            self.pool.extend(
                f.AttemptHeld(*key, f"no node has room for it ({one})") for one in range(self.rng.randint(0, 2))
            )
            self.pool.append(f.AttemptLaunched(*key, "pod", "node"))
        else:
            self.pool.append(f.AttemptLaunched(*key, "pid", "machine"))
        self.pool.append(self.attempts[key])

    def _result(self, launch: Launch) -> Any:
        match self.fate(launch.attempt.path, launch.attempt.number):
            case "user":
                return failed()
            case "lost":
                return lost()
            case "preempted":
                return preempted(self.rng.choice((ev.ATTEMPT_LOST, ev.ATTEMPT_FAILED)))
        artifacts = {name: [one.uri for one in group.artifacts] for name, group in launch.inputs.items()}
        referenced = {name: self.contents[ref.uri] for name, ref in launch.references.items()}
        inputs = plain_inputs({**launch.parameters, **referenced}) | artifacts
        declared = [one.name for one in launch.output_artifacts]
        outputs = self._made(launch.attempt.path, launch.attempt.number, inputs, launch.output_parameters, declared)
        return attempts_pb2.AttemptResult(state=ev.ATTEMPT_SUCCEEDED, outputs=outputs)

    def _made(
        self, path: str, number: int, inputs: dict[str, Any], parameters: Iterable[str], artifacts: Iterable[str]
    ) -> ev.Values:
        """What an attempt publishes: large values by reference; an empty list of artifacts is there too."""
        outputs = values(made(path, number, inputs, list(parameters)))
        for value in outputs.parameters.values():
            if is_large(value.json):
                ref = stored_text("file:///published", value.json)
                self.contents[ref.uri] = value.json
                write_reference(value, ref)
        for name, uris in made(path, number, inputs, list(artifacts)).items():
            outputs.artifacts[name].SetInParent()
            for uri in uris:
                outputs.artifacts[name].artifacts.add(artifact_id=uri, name=name, uri=uri)
        return outputs

    def _of_digest(self, text: str) -> str:
        """A parameter as the cache is told of it: a text, or the digest of what is stored."""
        if not text.startswith(("sha256:", "joined:")):
            return text
        name = text.removeprefix("sha256:").replace(":", "-")
        return next(content for uri, content in self.contents.items() if uri.endswith(f"/{name}"))

    def _pass_time(self) -> None:
        timers = self.state.timers().values()
        if timers:
            self.now_us = max(self.now_us, min(timers))


@contextmanager
def limits(flow: Flow) -> Iterator[None]:
    """Values above so many bytes travel by reference, and a step has so many events, as the description says."""
    with pytest.MonkeyPatch.context() as patch:
        if flow.inline_bytes:
            patch.setattr(references, "INLINE_BYTES", flow.inline_bytes)
        if flow.step_events:
            for module in (drafting, expanding, retrying, drives):
                patch.setattr(module, "BUDGET", flow.step_events)
        yield


def plain_inputs(parameters: Mapping[str, str]) -> dict[str, Any]:
    """A task's parameters as the reference model sees them."""
    return {name: visible(json.loads(text)) for name, text in parameters.items()}


def fates(seed: int, bad: float) -> Callable[[str, int], str]:
    """What becomes of attempts, as a function of path and number."""

    def fate(path: str, number: int) -> str:
        draw = int(digest(seed, "fate", path, number)[:8], 16) / 2**32
        for limit, fate in ((1.0, "user"), (1.3, "lost"), (1.5, "preempted")):
            if draw < bad * limit:
                return fate
        return "ok"

    return fate


def _is_put_back(state: RunState, row: Row) -> bool:
    """Whether a group is to begin anew; while a retry goes on, what is counted in it is not complete."""
    return state.header.resetting and row.kind in GROUPS and row.state == ev.TASK_PENDING


def _is_left_to_reset(state: RunState, row: Row) -> bool:
    """Whether an ended execution is in a group that begins anew: a load has that apart."""
    if row.state not in TASK_FINAL:
        return False
    while row.spec is not None:
        row = state.known(row.parent)
        if _is_put_back(state, row):
            return True
    return False


def dump(state: RunState) -> dict[str, Any]:
    """Everything that is recorded of a run, comparably; of groups that ended well, without what is counted inside them."""
    header = state.header
    shown: dict[str, Any] = {"revision": header.revision, "state": header.state, "started": header.started_at_us}
    shown |= {"retried": header.retried_at_us, "exit tasks": header.exit_tasks, "resetting": header.resetting}
    for row in state.rows():
        if header.resetting and _is_left_to_reset(state, row):
            continue
        counts = (row.unmet, row.created, row.open, row.failed, row.canceled, row.skipped, row.stage.name)
        shown[f"task {row.path}"] = (
            (
                row.kind,
                row.state,
                row.iteration,
                row.iteration_count,
                row.attempts,
                row.attempt_state,
                row.handle,
                row.node,
            ),
            (row.user_failures, row.infrastructure_failures, row.preemptions, row.retry_at_us),
            (row.cached, row.linked, row.cache_key, row.cache_token),
            () if row.state in (ev.TASK_SUCCEEDED, ev.TASK_SKIPPED) or _is_put_back(state, row) else counts,
            plain(row.inputs.message()),
            plain(row.outputs.message()) if row.path else {},
            str(row.error) if row.path else "",
            str(row.waiting_on),
        )
    shown["active"] = set(state.active())
    shown["turns"] = state.header.turns
    return shown
