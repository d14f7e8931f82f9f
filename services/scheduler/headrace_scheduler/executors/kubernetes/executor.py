"""The Kubernetes executor: the port over Pods, one for each attempt. It holds nothing durable, and Pods outlive it.

An attempt is created (launcher), followed by the watch of its namespace (watching, seen) and judged (following). Its report
decides it (`completed`); a Pod that ends without one is looked for in the store, and then judged by how it ended (settling).
Made by the composition root.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from headrace_companion.store import ArtifactStore
from headrace_protos.lifecycle import shard_of
from headrace_protos.v1 import attempts_pb2
from headrace_scheduler.executors import port
from headrace_scheduler.executors.kubernetes import ended, ends, rights
from headrace_scheduler.executors.kubernetes.calling import ApiError, Json, KubernetesApi, Unreachable, path_of
from headrace_scheduler.executors.kubernetes.claim_tasks import Claims
from headrace_scheduler.executors.kubernetes.creating import Created, Creator
from headrace_scheduler.executors.kubernetes.entry_points import EntryPoints
from headrace_scheduler.executors.kubernetes.explaining import Explainer
from headrace_scheduler.executors.kubernetes.following import Following, Handle, Judgement, judge, unexplained
from headrace_scheduler.executors.kubernetes.image_digests import ImageDigests
from headrace_scheduler.executors.kubernetes.images import Images
from headrace_scheduler.executors.kubernetes.inventory import Stock
from headrace_scheduler.executors.kubernetes.launcher import AT_ONCE, Launcher
from headrace_scheduler.executors.kubernetes.namespaces import Namespaces
from headrace_scheduler.executors.kubernetes.nodes import Nodes
from headrace_scheduler.executors.kubernetes.options import SHARDS, PodOptions
from headrace_scheduler.executors.kubernetes.ran_images import RanImages
from headrace_scheduler.executors.kubernetes.reaping import Reaper, Runs
from headrace_scheduler.executors.kubernetes.register import Register
from headrace_scheduler.executors.kubernetes.seen import Main, SeenPod, read
from headrace_scheduler.executors.kubernetes.settling import Settler
from headrace_scheduler.measuring import measured_pods
from headrace_servicekit.errors import Reason, ServiceError

logger = logging.getLogger(__name__)
LOOK_EVERY_S: Final = 0.5
REAP_EVERY_S: Final = 5.0
CALLS: Final = 32  # about Pods that are there, at once: all others wait here, not until a call has timed out
AGAIN_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What an operator decides of this executor, besides what its Pods look like."""

    most_pods: int = 5_000  # in flight
    keep_pods_s: float = 300.0  # after their attempts have ended
    unstartable_s: float = 300.0  # that somebody has to put right what a person must
    fixed: bool = False  # what no node has will never be there
    registries: Mapping[str, str] = field(default_factory=dict)  # registry → where to ask about its images instead


class KubernetesExecutor:
    """Attempts as Pods. `runs` says which runs are known; `clock` is monotonic."""

    workspaces = ""

    def __init__(
        self,
        api: KubernetesApi,
        store: ArtifactStore,
        options: PodOptions,
        runs: Runs,
        limits: Limits = Limits(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._options = options
        self._limits = limits
        self._clock = clock
        self._held: frozenset[int] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: dict[port.AttemptId, Following] = {}  # seen running, not told yet
        self._ending: dict[port.AttemptId, Following] = {}  # whose report is due
        self._calls = asyncio.Semaphore(CALLS)
        self._register = Register(self._let_go)
        measured_pods(self._register)
        self._namespaces = Namespaces(api, options, lambda name: _PodSink(self, name), clock)
        self._stock = Stock()
        self._nodes = Nodes(api, clock, self._stock)
        self._reaper = Reaper(api, limits.keep_pods_s, runs, self._drives_here, clock)
        self._settler = Settler(store)
        creator = Creator(api, AT_ONCE, limits.unstartable_s)
        self._claims = Claims(api, creator)
        self._images = Images(limits.registries, clock)
        self._entry_points = EntryPoints(api, self._images, limits.unstartable_s, clock)
        self._ran = RanImages(self._register.facts.put_nowait)
        self._digests = ImageDigests(api, self._images, options.defaults.pull_secrets, clock)
        self._explainer = Explainer(
            api, self._register, self._stock, limits.unstartable_s, clock, self._spawn, self._give_up
        )
        self._launcher = Launcher(
            api,
            self._register,
            self._namespaces,
            creator,
            self._spawn,
            self._created,
            limits.most_pods,
            self._stock.offers,
            self._claims,
            self._entry_points,
        )

    # ---- the port

    async def start(self, known: Sequence[tuple[port.AttemptId, str]]) -> None:
        await self._api.connect()
        await rights.check(self._api, self._options.namespace)
        self._nodes.begin()
        handles = [Handle.parse(handle) for _, handle in known]
        for name in {self._options.namespace, *(handle.namespace for handle in handles if handle is not None)}:
            self._namespaces.meet(name)
        self._spawn(self._looking(), "look after Pods")
        self._spawn(self._reaping(), "reap Pods")
        await self.adopt(known)

    async def adopt(self, known: Sequence[tuple[port.AttemptId, str]]) -> None:
        await asyncio.gather(*(self._adopt(attempt, handle) for attempt, handle in known))

    def inventory(self) -> Sequence[port.Inventory]:
        return (port.Inventory(node="cluster"),)

    def nodes(self) -> Sequence[port.Node]:
        return self._stock.shown()

    def place(self, request: port.Request) -> port.Placement:
        problem = self._stock.problem(request)
        if problem and not self._limits.fixed:
            return port.Placement(request, warnings=(f"{problem}. It waits until a node has it",))
        return port.Placement(request, problem=problem)

    async def launch(self, launch: port.Launch) -> None:
        if self._register.get(launch.attempt) is None and not self._register.tell_again(launch.attempt):
            self._launcher.launch(launch)

    async def cancel(self, attempt: port.AttemptId) -> None:
        if not self._drives(attempt):
            return  # another replica follows it
        of = self._register.get(attempt)
        if of is None:
            if not self._register.tell_again(attempt):
                await self._cancel_unknown(attempt)
            return
        of.canceled = True
        if of.launch is None:
            self._spawn(self._delete(of), f"cancel {of.name}")
        else:
            self._launcher.drop(of)
            self._register.end(of, ended.canceled())

    async def facts(self) -> AsyncIterator[Sequence[port.ExecutorFact]]:
        queue = self._register.facts
        while True:
            batch = [await queue.get()]
            while not queue.empty():
                batch.append(queue.get_nowait())
            yield batch

    def completed(
        self, attempt: port.AttemptId, result: attempts_pb2.AttemptResult
    ) -> attempts_pb2.AttemptResult | None:
        of = self._register.get(attempt)
        if of is None or of.settling:
            return None
        if ends.told_to_end(result):
            now = self._clock()
            of.told_at = of.told_at or now
            if unexplained(of, now):
                sentence = "it is not known yet why the Pod was told to end"
                raise ServiceError(Reason.UNAVAILABLE, sentence, retry_after=AGAIN_S)
        judged = ends.refined(result, of.taken_away, of.out_of_memory, of.by_node)
        full = ended.with_times(judged, of.created_us, of.scheduled_us, of.image_ready_us)
        of.accelerator = of.accelerator or self._stock.got(of.uid)  # its Pod may not have been seen to run
        self._register.end(of, full)
        return full

    async def image_digest(self, image: str, namespace: str, secrets: Sequence[str], ran: str = "") -> str:
        return await self._digests.digest(image, self._namespaces.of_run(namespace), secrets, ran)

    async def image_ran(self, attempt: port.AttemptId) -> str:
        return await self._ran.of(attempt)

    async def shards(self, held: frozenset[int]) -> None:
        if held == self._held:
            return
        self._held = held
        for of in self._register:
            if not self._drives(of.attempt):
                self._register.forget(of)
        self._namespaces.hold(held)

    async def end_run(self, run_id: str, namespace: str) -> None:
        await self._claims.delete_workspace(run_id, self._options.installation, self._namespaces.of_run(namespace))

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._namespaces.close()
        await self._nodes.close()
        await self._entry_points.close()
        await self._images.close()
        await self._api.close()

    # ---- following

    def _drives(self, attempt: port.AttemptId) -> bool:
        return self._held is None or self._drives_here(attempt)

    def _drives_here(self, attempt: port.AttemptId) -> bool:
        """For certain: the runs of its shard are loaded."""
        return self._held is not None and shard_of(attempt.run_id, SHARDS) in self._held

    async def _adopt(self, attempt: port.AttemptId, text: str) -> None:
        """Follow an attempt of a former life, told again if it is this one's."""
        if self._register.tell_again(attempt) or not text:
            return  # without a handle its launch comes again, and finds its Pod if there is one
        handle = Handle.parse(text)
        if handle is None:
            self._register.told_end(attempt, ended.lost("it was started by another executor, which is not here"))
            return
        of = Following(attempt, handle.namespace, None, handle.name, handle.uid, handle.root)
        of.since = self._clock()
        self._namespaces.meet(handle.namespace)
        self._register.follow(of)
        self._reaper.gone(of.uid)
        found = await self._get(of)
        if found is None:
            await self._settle(of, ended.lost("its Pod has gone"))
        else:
            self.pod_changed(found)

    def _created(self, of: Following, made: Created) -> None:
        if self._register.get(of.attempt) is not of:
            if of.canceled:  # while it was being created; else another replica has taken it over
                self._reaper.ended(of.namespace, of.name, made.uid, of.attempt, over=False)
                self._spawn(self._delete_now(of.attempt), f"cancel {of.name}")
            return
        of.since, of.created_us = self._clock(), of.created_us or time.time_ns() // 1000
        self._register.created(of, of.name, made.uid)
        self._reaper.gone(made.uid)
        if of.canceled:
            self._spawn(self._delete(of), f"cancel {of.name}")
        elif made.found is not None:
            self.pod_changed(made.found)
        else:
            self._act(of)  # the watch may have been faster than the answer

    def pod_changed(self, found: Json) -> None:
        """A Pod of this installation is there, like this."""
        pod = read(found)
        self._stock.pod_seen(found)
        of = self._register.of_uid(pod.uid)
        if of is None and pod.attempt is not None:
            of = self._register.get(pod.attempt)
            if of is not None and of.uid:
                of = None  # another Pod of that name
        if of is None:
            self._reaper.saw(pod, time.time_ns() // 1000)
            self._ran.saw(pod)
            return
        of.pod = pod
        self._note_times(of, pod)
        if pod.over or pod.main is Main.ENDED or pod.deleting:
            of.end, of.taken_away = ends.ending(found), ends.disruption(found)
            of.out_of_memory, of.by_node = ends.out_of_memory(found), ends.by_the_node(found)
        self._act(of, found)

    def pod_gone(self, uid: str, last: Json | None) -> None:
        """A Pod is not there any more; without LAST that is looked at again, because what one list lacks may be elsewhere."""
        of = self._register.of_uid(uid)
        self._reaper.gone(uid)
        self._stock.pod_gone(uid)
        if of is None:
            if last is not None:
                self._ran.saw(read(last))
            self._ran.gone(uid)
            return
        if last is None:
            self._spawn(self._look_again(of), f"look for {of.name}")
            return
        of.pod, of.gone, of.end = read(last), True, ends.deleted(last)
        self._act(of)

    def present(self, namespace: str) -> set[str]:
        """UIDs of Pods that should be in a namespace."""
        mine = {of.uid for of in self._register if of.uid and of.namespace == namespace}
        return mine | self._reaper.present(namespace)

    def _note_times(self, of: Following, pod: SeenPod) -> None:
        """Kubernetes tells whole seconds; where this replica saw it happen, it knows better."""
        now = time.time_ns() // 1000
        if pod.scheduled_us and not of.scheduled_us:
            of.scheduled_us = now if now - pod.scheduled_us < 2_000_000 else pod.scheduled_us
        if pod.started_us and not of.image_ready_us:
            of.image_ready_us = now if now - pod.started_us < 2_000_000 else pod.started_us

    def _act(self, of: Following, found: Json | None = None) -> None:
        """Do what follows from what was seen."""
        match judge(of, self._clock()):
            case Judgement.WAITS:
                self._explainer.waits(of, found)
            case Judgement.RUNS:
                of.accelerator = self._stock.got(of.uid)
                if of.held:
                    self._register.runs(of)
                else:
                    self._running[of.attempt] = of  # said a little later, with its report where that is there by then
            case Judgement.REPORT_DUE:
                of.ended_at = of.ended_at or self._clock()
                self._ending[of.attempt] = of
            case Judgement.OVER if not of.settling:
                self._spawn(self._settle(of, of.end or ended.lost(ended.NO_REPORT)), f"settle {of.name}")

    async def _settle(self, of: Following, otherwise: attempts_pb2.AttemptResult) -> None:
        """No report will come: take what it published, else OTHERWISE."""
        if of.settling:
            return
        of.settling = True
        if of.canceled:
            otherwise = ended.canceled()
        found = await self._settler.result(of.attempt, of.root, otherwise)
        result = ends.refined(found, of.taken_away, of.out_of_memory, of.by_node)
        self._register.end(of, ended.with_times(result, of.created_us, of.scheduled_us, of.image_ready_us))

    async def _look_again(self, of: Following) -> None:
        found = await self._get(of)
        if found is not None:
            self.pod_changed(found)
        else:
            of.gone = True
            self._act(of)

    async def _get(self, of: Following) -> Json | None:
        """Its Pod, as the API has it now; None: it has gone, or another one has its name."""
        while True:
            try:
                async with self._calls:
                    found = await self._api.get(path_of(of.namespace, "pods", of.name))
                return found if found["metadata"]["uid"] == of.uid else None
            except ApiError as refused:
                if refused.status == 404:
                    return None
                logger.warning("cannot look for the Pod %s/%s: %s", of.namespace, of.name, refused)
            except Unreachable as away:
                logger.warning("cannot look for the Pod %s/%s: %s", of.namespace, of.name, away)
            await asyncio.sleep(AGAIN_S)

    # ---- ending

    def _let_go(self, of: Following) -> None:
        """An attempt has ended: its Pod is the reaper's, and another one may begin."""
        self._ran.ended(of)
        if of.uid and not of.gone:
            over = of.pod is not None and of.pod.over
            self._reaper.ended(of.namespace, of.name, of.uid, of.attempt, over=over)
        self._launcher.pump()

    async def _delete(self, of: Following, grace_s: int | None = None) -> None:
        """End its Pod; the watch tells when it has ended."""
        while self._register.get(of.attempt) is of:
            try:
                async with self._calls:
                    there = await self._api.delete(path_of(of.namespace, "pods", of.name), uid=of.uid, grace_s=grace_s)
                if not there:
                    of.gone = True
                    self._act(of)
                return
            except (ApiError, Unreachable) as refused:
                logger.warning("the Pod %s/%s cannot be deleted yet: %s", of.namespace, of.name, refused)
                await asyncio.sleep(AGAIN_S)

    async def _cancel_unknown(self, attempt: port.AttemptId) -> None:
        """One that is not followed here; where its Pod is there all the same, it goes."""
        await self._delete_now(attempt)
        self._register.told_end(attempt, ended.canceled())

    async def _delete_now(self, attempt: port.AttemptId) -> None:
        for stray in self._reaper.find(attempt):
            async with self._calls:
                await self._reaper.delete(stray)

    # ---- housekeeping

    async def _looking(self) -> None:
        """What no change of a Pod says: that time has passed."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            running, self._running = self._running, {}
            for of in running.values():
                self._register.runs(of)
            ending, self._ending = self._ending, {}
            for of in ending.values():
                if self._register.get(of.attempt) is of:
                    self._act(of)
            self._explainer.look()
            lost = self._nodes.lost()
            for of in self._register if lost else ():
                if of.pod is not None and of.pod.node in lost and not of.settling:
                    self._lose(of, lost[of.pod.node])

    def _give_up(self, of: Following) -> None:
        """It cannot start, and nobody helped."""
        stuck = of.wait.stuck if of.wait is not None else None
        self._register.end(of, stuck or ended.refused("its Pod could not start"))
        self._spawn(self._delete_now(of.attempt), f"delete {of.name}")

    def _lose(self, of: Following, seconds: float) -> None:
        """Its node is lost, and the Pod with it; nobody but us will say so."""
        assert of.pod is not None, "only what was seen on a node is lost with it"
        self._spawn(self._settle(of, ends.node_lost(of.pod.node, seconds)), f"lose {of.name}")
        self._spawn(self._force(of), f"force {of.name}")

    async def _force(self, of: Following) -> None:
        try:
            async with self._calls:
                await self._api.delete(path_of(of.namespace, "pods", of.name), uid=of.uid, grace_s=0)
        except (ApiError, Unreachable) as refused:
            logger.warning("the Pod %s/%s of a lost node cannot be deleted: %s", of.namespace, of.name, refused)

    async def _reaping(self) -> None:
        while True:
            await asyncio.sleep(REAP_EVERY_S)
            try:
                await self._reaper.reap()
            except Exception:  # the next round tries again; without it Pods stay
                logger.exception("Pods that have ended could not be looked through")

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("%s failed", task.get_name(), exc_info=task.exception())


@dataclass(frozen=True, slots=True)
class _PodSink:
    """The watch of one namespace tells the executor."""

    executor: KubernetesExecutor
    namespace: str

    def present(self) -> set[str]:
        return self.executor.present(self.namespace)

    def changed(self, found: Json) -> None:
        self.executor.pod_changed(found)

    def gone(self, uid: str, last: Json | None) -> None:
        self.executor.pod_gone(uid, last)
