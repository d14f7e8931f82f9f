"""A naive reference for critical paths, which shares nothing with the platform's: what a run did, as a network of activities
of known length. An activity is critical where the run would have ended later, had it been longer by a microsecond: each is
tried, one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from headrace_protos.v1 import events_pb2 as ev

Activity = tuple[str, str]  # whose, and which


class Reference:
    """Every question is answered by looking through all events again."""

    def __init__(self, events: Sequence[ev.Event]) -> None:
        self.events = list(events)
        starts = [i for i, one in enumerate(self.events) if one.WhichOneof("kind") in ("run_created", "run_retried")]
        last = starts[-1]
        while last - 1 in starts or self._more(last):  # a retry that is told in more than one event
            last = starts[starts.index(last) - 1]
        self.first = last
        self.born = self.events[last].time_us

    def _more(self, index: int) -> bool:
        before = [one for one in self.events[:index] if one.HasField("run_retried")]
        return self.events[index].HasField("run_retried") and bool(before) and before[-1].run_retried.more

    # ---- what happened

    def _last(self, path: str, *kinds: str) -> int:
        found = [i for i, one in enumerate(self.events) if one.path == path and one.WhichOneof("kind") in kinds]
        return found[-1] if found else -1

    def _life(self, path: str) -> int:
        return self.first if not path else self._last(path, "task_created", "task_reset")

    def created(self, path: str) -> int:
        return self.events[self._life(path)].time_us

    def started(self, path: str) -> int:
        """0 = it never did."""
        life = self.events[self._life(path)]
        if life.HasField("run_retried") or life.task_reset.reopen:
            return life.time_us
        found = self._last(path, "task_started", "run_started")
        return self.events[found].time_us if found > self._life(path) else 0

    def finished(self, path: str) -> int:
        found = self._last(path, "task_finished", "run_finished")
        return self.events[found].time_us if found > self._life(path) else 0

    def _told(self, path: str) -> ev.TaskCreated:
        told = ev.TaskCreated()
        for one in self.events:
            if one.path == path and one.HasField("task_created"):
                told = one.task_created
            elif one.path == path and one.task_reset.HasField("created"):
                told = one.task_reset.created
        return told

    def parent(self, path: str) -> str:
        return path[: path.rindex("[")] if path.endswith("]") else path.rpartition("/")[0]

    def children(self, path: str) -> list[str]:
        """That ended in this try, and in this life of the group."""
        paths = sorted({one.path for one in self.events if one.path and self.parent(one.path) == path})
        return [one for one in paths if self.finished(one) >= max(self.started(path), self.born)]

    def is_group(self, path: str) -> bool:
        return not path or self._told(path).kind in (ev.DAG, ev.LOOP, ev.LOOP_ITERATION)

    def made_room(self, path: str) -> str:
        """The iteration whose end let this one be created, where its loop was full."""
        life, loop = self._life(path), self.parent(path)
        if not path.endswith("]") or self.events[life].task_reset.reopen:
            return ""
        cause = 0
        ended = ""
        for one in self.events[self._life(loop) : life]:
            if one.path == loop and one.HasField("task_waiting"):
                cause = one.task_waiting.waiting_on.cause
            elif one.path == loop and one.WhichOneof("kind") in ("task_started", "task_finished"):
                cause = 0
            elif one.HasField("task_finished") and one.path.endswith("]") and self.parent(one.path) == loop:
                ended = one.path
        return ended if cause == ev.PARALLELISM else ""

    def before(self, path: str) -> list[str]:
        """What it can have waited for: what had ended when it acted first."""
        if self.events[self._life(path)].task_reset.reopen:
            return []
        acted = self.started(path) or self.finished(path)
        group = self.parent(path)
        keys = [f"{group}/{key}" if group else key for key in self._told(path).upstream]
        return [one for one in keys if 0 < self.finished(one) <= acted]

    # ---- as a network

    def network(self) -> tuple[dict[Activity, int], dict[Activity, list[Activity]]]:
        """The length of each activity, and after which others it begins."""
        lengths: dict[Activity, int] = {}
        after: dict[Activity, list[Activity]] = {}
        self._add("", lengths, after)
        return lengths, after

    def _add(self, path: str, lengths: dict[Activity, int], after: dict[Activity, list[Activity]]) -> None:
        begin = self._lead(path, lengths, after)
        if not self.is_group(path) or not self.started(path):
            after[path, "end"] = [begin]
            lengths[path, "end"] = self.finished(path) - self._ready(path)
            return
        after[path, "open"] = [begin]
        lengths[path, "open"] = self.started(path) - self._ready(path)
        inner = [one for one in self.children(path) if self.finished(one) <= self.finished(path)]
        for one in inner:
            self._add(one, lengths, after)
        after[path, "end"] = [(one, "end") for one in inner] or [(path, "open")]
        ends = [self.finished(one) for one in inner] or [self.started(path)]
        lengths[path, "end"] = self.finished(path) - max(ends)

    def _ends(self, path: str) -> dict[Activity, int]:
        """What had to happen, and when it had."""
        ends: dict[Activity, int] = {}
        if path and self.started(self.parent(path)):
            ends[self.parent(path), "open"] = self.started(self.parent(path))
        for one in self.before(path) if path else []:
            if self.finished(one) >= max(self.created(path), self.started(self.parent(path))):
                ends[one, "end"] = self.finished(one)
        return ends

    def _ready(self, path: str) -> int:
        return max([self.created(path), *self._ends(path).values()])

    def _lead(self, path: str, lengths: dict[Activity, int], after: dict[Activity, list[Activity]]) -> Activity:
        """What passed before it could begin: of the group that had not made it yet, or of the room that was not taken at once."""
        ends = self._ends(path)
        room = self.made_room(path) if path and not any(which == "end" for _, which in ends) else ""
        if room:
            ends = {(room, "end"): self.finished(room)}
        lengths[path, "lead"] = self._ready(path) - max(ends.values(), default=self.created(path))
        after[path, "lead"] = list(ends)
        return path, "lead"

    # ---- what is critical

    def critical(self) -> Counter[str]:
        """Path → the microseconds of its activities that are critical; what a group had not made yet counts as the group's."""
        lengths, after = self.network()
        length = self._length(lengths, after)
        assert self.born + length == self.finished(""), "the network is as long as the run was"
        found: Counter[str] = Counter()
        for one, own in lengths.items():
            if own and self._length({**lengths, one: own + 1}, after) > length:
                path, which = one
                freed = which == "lead" and (not path or bool(self.made_room(path)))
                found[path if which != "lead" or freed else self.parent(path)] += own
        return found

    def _length(self, lengths: dict[Activity, int], after: dict[Activity, list[Activity]]) -> int:
        ends: dict[Activity, int] = {}

        def end(one: Activity) -> int:
            if one not in ends:
                ends[one] = max([end(other) for other in after[one] if other in after], default=0) + lengths[one]
            return ends[one]

        return end(("", "end"))
