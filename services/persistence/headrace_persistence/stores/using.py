"""Accelerator time as it is asked for: of a run's tasks, and of namespaces by day. Reads only: appending.py writes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final

from headrace_persistence.queries import SQL
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database

FIRST: Final = date(1, 1, 1)
LAST: Final = date(9999, 12, 31)


class Usage:
    """RunQuery's reads of accelerator time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_run(self, run: int) -> rq.RunUsageResponse:
        """By task, and all together."""
        answer = rq.RunUsageResponse()
        for path, accelerator, attempts, asked, used in await self._database.read(SQL["run_usage"], {"run": run}):
            if not answer.tasks or answer.tasks[-1].path != path:
                answer.tasks.add(path=path)
            answer.tasks[-1].times.add(accelerator=accelerator, attempts=attempts, asked_us=asked, used_us=used)
        answer.total.extend(_total(one for task in answer.tasks for one in task.times))
        return answer

    async def of_namespace(self, request: rq.NamespaceUsageRequest) -> rq.NamespaceUsageResponse:
        """By namespace and day, and all together."""
        first, last_day = _day(request.from_day, FIRST), _day(request.to_day, LAST)
        if first > last_day:
            raise ServiceError(
                Reason.INVALID_INPUT, f"no day is from {first} on and up to {last_day}; give the earlier first"
            )
        wanted = {"namespace": request.namespace.replace("\0", ""), "first": first, "last": last_day}
        answer = rq.NamespaceUsageResponse()
        rows = await self._database.read(SQL["namespace_usage"], wanted)
        for namespace, day, accelerator, attempts, asked, used in rows:
            last = answer.days[-1] if answer.days else None
            if last is None or (last.namespace, last.day) != (namespace, day.isoformat()):
                last = answer.days.add(namespace=namespace, day=day.isoformat())
            last.times.add(accelerator=accelerator, attempts=attempts, asked_us=asked, used_us=used)
        answer.total.extend(_total(one for day in answer.days for one in day.times))
        return answer


def _total(times: Iterable[rq.AcceleratorTime]) -> list[rq.AcceleratorTime]:
    """By product, the most used first."""
    found: dict[str, rq.AcceleratorTime] = {}
    for one in times:
        total = found.setdefault(one.accelerator, rq.AcceleratorTime(accelerator=one.accelerator))
        total.attempts += one.attempts
        total.asked_us += one.asked_us
        total.used_us += one.used_us
    return sorted(found.values(), key=lambda one: (-one.asked_us, one.accelerator))


def _day(text: str, otherwise: date) -> date:
    try:
        return date.fromisoformat(text) if text else otherwise
    except ValueError:
        raise ServiceError(Reason.INVALID_INPUT, f"'{text[:40]}' is no day; write one such as 2026-01-31") from None
