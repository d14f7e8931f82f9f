"""SimulatedExecutor: the executor port without any process. Started by server.py where HEADRACE_EXECUTOR=simulated."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from headrace_protos.v1 import attempts_pb2, plan_pb2
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.executors.port import (
    AttemptId,
    ExecutorFact,
    Finished,
    Inventory,
    Launch,
    Launched,
    Node,
    Placement,
    Request,
)

REMEMBERED: Final = 10_000
_MADE_UP: Final[Mapping[int, str]] = {
    plan_pb2.STRING: '"simulated"',
    plan_pb2.NUMBER_INTEGER: "1",
    plan_pb2.NUMBER_DOUBLE: "0.5",
    plan_pb2.BOOLEAN: "true",
    plan_pb2.LIST: "[]",
    plan_pb2.STRUCT: "{}",
}


class SimulatedExecutor:
    """Ends each attempt after its seconds (0: at once); cancels are immediate."""

    workspaces = ""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._facts: list[ExecutorFact] = []
        self._signal = asyncio.Event()
        self._running: dict[AttemptId, asyncio.TimerHandle] = {}
        self._ended: OrderedDict[AttemptId, Finished] = (
            OrderedDict()
        )  # the last ones: a late second launch has no effect

    async def start(self, known: Sequence[tuple[AttemptId, str]]) -> None:
        """Attempts of a former life are gone: each is LOST."""
        await self.adopt(known)

    async def adopt(self, known: Sequence[tuple[AttemptId, str]]) -> None:
        """Those that this executor does not run are LOST; a launch that was never made is made again by its command."""
        for attempt, handle in known:
            if attempt in self._ended:
                self._tell(self._ended[attempt])  # a run that was dropped and loaded again may have missed it
            elif handle and attempt not in self._running:
                self._tell(Finished(attempt, _ended(ev.ATTEMPT_LOST, "Lost", "its executor was restarted")))

    def inventory(self) -> Sequence[Inventory]:
        """Without limits."""
        return (Inventory(node="simulated"),)

    def nodes(self) -> Sequence[Node]:
        """Admission knows all."""
        return ()

    def place(self, request: Request) -> Placement:
        """Everything fits."""
        return Placement(request)

    async def launch(self, launch: Launch) -> None:
        """Launched at once, finished after its seconds."""
        attempt = launch.attempt
        if attempt in self._running or attempt in self._ended:
            return
        behaviour = _behaviour(launch)
        self._tell(Launched(attempt, handle=f"simulated:{attempt.number}", node="simulated"))
        seconds = float(behaviour.get("seconds", self._seconds))
        result = _result(launch, behaviour)
        if seconds <= 0:
            self._end(attempt, result)
            return
        self._running[attempt] = asyncio.get_running_loop().call_later(seconds, self._end, attempt, result)

    async def cancel(self, attempt: AttemptId) -> None:
        """Ends it at once."""
        timer = self._running.pop(attempt, None)
        if timer is not None:
            timer.cancel()
        self._end(attempt, _ended(ev.ATTEMPT_CANCELED, "Canceled", "cancelled"))

    async def facts(self) -> AsyncIterator[Sequence[ExecutorFact]]:
        """Batches: whatever has gathered since the last one."""
        while True:
            await self._signal.wait()
            self._signal.clear()
            batch, self._facts = self._facts, []
            yield batch

    def completed(self, attempt: AttemptId, result: attempts_pb2.AttemptResult) -> None:
        """Nothing is reported here."""

    async def image_digest(self, image: str, namespace: str, secrets: Sequence[str], ran: str = "") -> str:
        return ""

    async def image_ran(self, attempt: AttemptId) -> str:
        return ""

    async def shards(self, held: frozenset[int]) -> None:
        """Attempts do not outlive this replica."""

    async def end_run(self, run_id: str, namespace: str) -> None:
        """Tasks share nothing here."""

    async def close(self) -> None:
        """Cancels every timer; nothing else is held."""
        for timer in self._running.values():
            timer.cancel()
        self._running.clear()

    def _end(self, attempt: AttemptId, result: attempts_pb2.AttemptResult) -> None:
        self._running.pop(attempt, None)
        self._ended[attempt] = finished = Finished(attempt, result)
        while len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        self._tell(finished)

    def _tell(self, fact: ExecutorFact) -> None:
        self._facts.append(fact)
        self._signal.set()


def _behaviour(launch: Launch) -> dict[str, Any]:
    parts = launch.env.get("SIMULATE", ())
    text = parts if isinstance(parts, str) else "".join(part.get("t", "") for part in parts)
    return dict(json.loads(text)) if text else {}


def _result(launch: Launch, behaviour: Mapping[str, Any]) -> attempts_pb2.AttemptResult:
    now = time.time_ns() // 1000
    failing = launch.attempt.number <= int(behaviour.get("fail_first", 0))
    code = 1 if failing else int(behaviour.get("exit", 0))
    if code:
        result = _ended(ev.ATTEMPT_FAILED, "UserError", f"exit code {code} (simulated)")
        result.error.exit_code = code
        result.error.failure_class = ev.USER
        return result
    result = attempts_pb2.AttemptResult(state=ev.ATTEMPT_SUCCEEDED)
    result.times.started_us = result.times.ended_us = result.times.published_us = now
    given = behaviour.get("outputs", {})
    for name, kind in launch.output_parameters.items():
        result.outputs.parameters[name].json = json.dumps(given[name]) if name in given else _MADE_UP.get(kind, "null")
    for declared in launch.output_artifacts:
        uri = f"{launch.task_root}/{declared.name}"
        result.outputs.artifacts[declared.name].artifacts.add(
            artifact_id=str(uuid.uuid5(uuid.UUID(launch.attempt.run_id), uri)),
            name=declared.name,
            uri=uri,
            schema_title=declared.schema_title,
            schema_version=declared.schema_version,
            instance_schema=declared.instance_schema,
            schema_uri=declared.schema_uri,
            metadata_json=declared.metadata_json,
        )
    return result


def _ended(state: ev.AttemptState.ValueType, reason: str, message: str) -> attempts_pb2.AttemptResult:
    return attempts_pb2.AttemptResult(state=state, error=ev.Error(reason=reason, message=message))
