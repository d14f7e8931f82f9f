"""The process executor: the port over processes of this machine. Owns HOME/attempts, environments and the fork servers.

`start` ends what a dead platform left before anything is launched. Children die with the platform, so an attempt that is
known from before either published its `attempt.json`, and is told from it, or is lost. Made by the composition root.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import shutil
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from uv import find_uv_bin

from headrace_companion.logs import LogPump
from headrace_companion.publishing import sealed
from headrace_companion.remote.fetching import AS_IT_IS, Fetcher
from headrace_companion.remote.fetching import Means as FetchMeans
from headrace_companion.remote.sources import Ambient
from headrace_companion.results import AttemptResult, Failure, Reason
from headrace_companion.store import ArtifactStore, StoreError
from headrace_ir.values import MAX_VALUE_BYTES
from headrace_protos.lifecycle import attempt_path
from headrace_protos.v1 import attempts_pb2
from headrace_scheduler.executors import port
from headrace_scheduler.executors.process import machine, shedding, survivors
from headrace_scheduler.executors.process.attempts import GRACE_SECONDS, ROOT, Attempt, Means
from headrace_scheduler.executors.process.environments import Environments
from headrace_scheduler.executors.process.fetches import Fetches
from headrace_scheduler.executors.process.interpreters import Interpreters, ours
from headrace_scheduler.executors.process.local_store import LocalStore
from headrace_scheduler.executors.process.mounting import Mounting
from headrace_scheduler.executors.process.reports import report
from headrace_scheduler.executors.process.requests import inherited
from headrace_scheduler.executors.process.zygotes import Zygotes

logger = logging.getLogger(__name__)
THREADS: Final = 8
REMEMBERED: Final = 10_000
IDLE_CHECK_SECONDS: Final = 60.0


class ProcessExecutor:
    """Attempts as processes. `home` is the platform's folder, `environ` what user code may inherit of."""

    def __init__(
        self,
        home: Path,
        store: ArtifactStore,
        environ: Mapping[str, str],
        *,
        strict: bool = False,
        found: machine.Machine | None = None,
        grace_s: float = GRACE_SECONDS,
        fetching: FetchMeans = AS_IT_IS,
        max_value_bytes: int = MAX_VALUE_BYTES,
        keep: shedding.Keep = shedding.Keep(),  # noqa: B008  # a constant
    ) -> None:
        self._home = home
        self.workspaces = str(home.absolute() / "workspaces")
        self._store = store
        self._strict = strict
        self._environ = inherited(environ)
        self._machine = found or machine.look()
        self._label = hashlib.sha256(os.fsencode(os.path.realpath(home))).hexdigest()[:12]
        self._attempts: dict[port.AttemptId, Attempt] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._launched: dict[port.AttemptId, port.Launched] = {}  # of those that run
        self._ended: OrderedDict[port.AttemptId, port.Finished] = OrderedDict()
        self._facts: asyncio.Queue[port.ExecutorFact] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="headrace-attempts")
        self._pump = LogPump()
        self._housekeeping: asyncio.Task[None] | None = None
        self._means = Means(
            store=store,
            environments=Environments(home / "environments", find_uv_bin(), self._environ, keep),
            zygotes=Zygotes(self._environ, home / "logs"),
            pump=self._pump,
            interpreters=Interpreters(self._environ),
            fetches=Fetches(Fetcher(home / "imports", fetching, Ambient(environ))),
            accelerators=machine.AcceleratorSlots(self._machine.accelerators),
            threads=self._threads,
            environ=self._environ,
            home=home.absolute(),
            workspaces=Path(self.workspaces),
            local=LocalStore(home.absolute()),
            mounting=Mounting((str(home), ours().path)),
            node=self._machine.node,
            product=self._machine.product,
            grace_s=grace_s,
            max_value_bytes=max_value_bytes,
        )

    async def start(self, known: Sequence[tuple[port.AttemptId, str]]) -> None:
        folder = self._home / "attempts"
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        left = await asyncio.to_thread(lambda: [path for path in folder.glob("*/*") if path.is_dir()])
        await asyncio.to_thread(self._means.fetches.fetcher.clear_unfinished)
        await asyncio.to_thread(survivors.end, lambda mark: mark.startswith(self._label + ":"), left)
        self._pump.start()
        self._housekeeping = asyncio.create_task(self._keep_house())
        await self.adopt(known)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def adopt(self, known: Sequence[tuple[port.AttemptId, str]]) -> None:
        for attempt, handle in known:
            told = self._ended.get(attempt) or self._launched.get(attempt)
            if told is not None:
                self._facts.put_nowait(told)  # a run that was dropped and loaded again may have missed it
            elif attempt not in self._attempts:
                result = await asyncio.to_thread(self._recovered, attempt, handle)
                # With neither a handle nor a process the launch was never made: its command comes again.
                if result is not None:
                    self._tell(port.Finished(attempt, report(attempt, result)))

    def _recovered(self, attempt: port.AttemptId, handle: str) -> AttemptResult | None:
        """What an attempt of a dead platform published, else that it is lost; None if it may never have begun."""
        for root in (handle.partition(":")[2].partition(":")[2], self._root_of(attempt)):
            try:
                found = sealed(root, self._store) if root else None
            except (StoreError, OSError, ValueError):
                continue  # what cannot be read was not published completely
            if found is not None:
                return found
        if not handle and survivors.read_record(self._folder(attempt)) is None:
            return None
        failure = Failure(Reason.LOST, "the platform ended while it ran")
        return AttemptResult(attempt_path(attempt.path, attempt.number), None, None, failure)

    def _root_of(self, attempt: port.AttemptId) -> str:
        """The output prefix that a dead platform noted before it started the process."""
        try:
            return (self._folder(attempt) / ROOT).read_text()
        except OSError:
            return ""

    def inventory(self) -> Sequence[port.Inventory]:
        return (self._machine.inventory(),)

    def nodes(self) -> Sequence[port.Node]:
        """Admission knows all."""
        return ()

    def place(self, request: port.Request) -> port.Placement:
        return machine.place(self._machine, request, strict=self._strict)

    async def launch(self, launch: port.Launch) -> None:
        if launch.attempt in self._attempts:
            return
        if launch.attempt in self._ended:
            self._facts.put_nowait(self._ended[launch.attempt])
            return
        attempt = Attempt(launch, self._mark(launch.attempt), self._folder(launch.attempt), self._means, self._tell)
        attempt.note(machine.place(self._machine, launch.request, strict=False).warnings)
        self._attempts[launch.attempt] = attempt
        task = attempt.begin()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def cancel(self, attempt: port.AttemptId) -> None:
        running = self._attempts.get(attempt)
        if running is not None:
            running.cancel()
        elif attempt in self._ended:
            self._facts.put_nowait(self._ended[attempt])
        else:
            failure = Failure(Reason.CANCELED, "canceled")
            result = AttemptResult(attempt_path(attempt.path, attempt.number), None, None, failure)
            self._tell(port.Finished(attempt, report(attempt, result)))

    async def facts(self) -> AsyncIterator[Sequence[port.ExecutorFact]]:
        while True:
            batch = [await self._facts.get()]
            while not self._facts.empty():
                batch.append(self._facts.get_nowait())
            yield batch

    def completed(self, attempt: port.AttemptId, result: attempts_pb2.AttemptResult) -> None:
        return None

    async def image_digest(self, image: str, namespace: str, secrets: Sequence[str], ran: str = "") -> str:
        return ""  # of an image its tag is looked at, for the interpreter's version

    async def image_ran(self, attempt: port.AttemptId) -> str:
        return ""

    async def shards(self, held: frozenset[int]) -> None:
        pass  # attempts do not outlive this replica

    async def end_run(self, run_id: str, namespace: str) -> None:
        await asyncio.to_thread(shutil.rmtree, self._means.workspaces / run_id, ignore_errors=True)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        if self._housekeeping is not None:
            self._housekeeping.cancel()
        self._means.fetches.close()
        await self._means.environments.close()
        await self._means.zygotes.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._housekeeping is not None:
            await asyncio.to_thread(self._pump.stop)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _tell(self, fact: port.ExecutorFact) -> None:
        if isinstance(fact, port.Launched):
            self._launched[fact.attempt] = fact
        if isinstance(fact, port.Finished):
            self._launched.pop(fact.attempt, None)
            self._attempts.pop(fact.attempt, None)
            self._ended[fact.attempt] = fact
            if len(self._ended) > REMEMBERED:
                self._ended.popitem(last=False)
        self._facts.put_nowait(fact)

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(IDLE_CHECK_SECONDS)
            await self._means.zygotes.end_idle()
            await self.shed()

    async def shed(self) -> None:
        """Environments that nobody uses go, as far as they are not to be kept."""
        try:
            gone = await self._means.environments.shed()
            await self._means.zygotes.end_of(gone)
            await asyncio.to_thread(shedding.clear, self._means.environments.folder)
        except OSError as failed:
            logger.warning("environments that nobody uses are not looked after: %s", failed)

    def _mark(self, attempt: port.AttemptId) -> str:
        return f"{self._label}:{attempt.run_id}:{attempt_path(attempt.path, attempt.number)}"

    def _folder(self, attempt: port.AttemptId) -> Path:
        # Paths of deep loops are longer than a file name may be.
        short = hashlib.sha256(attempt.path.encode()).hexdigest()[:16]
        return self._home / "attempts" / attempt.run_id / f"{short}-{attempt.number}"
