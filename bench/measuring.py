"""Figures: percentiles, the rows of the table, and what /proc says of a platform's processes. Decides nothing, starts nothing."""

from __future__ import annotations

import contextlib
import os
import platform as machine_facts
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import psutil

OURSELVES: Final = "this benchmark"
CONTROL_PLANE: Final = ("etcd", "kube-apiserver", "kube-scheduler", "kube-controller-manager", "kwok")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `better` says which way is good; a ratio is always ours better than theirs by that factor."""

    what: str
    unit: str
    p50: float
    p99: float
    aim: float
    better: str = "less"  # or "more"
    opponents: dict[str, float] = field(default_factory=dict)
    note: str = ""
    raw: dict[str, Any] = field(default_factory=dict)
    judged: int = 50  # the percentile that is held against the aim

    @property
    def value(self) -> float:
        """What is held against the aim."""
        return self.p50 if self.judged == 50 else percentile(self.raw["values"], self.judged, self.better)

    def ratio(self, opponent: float) -> float:
        return self.p50 / opponent if self.better == "more" else opponent / self.p50

    def as_json(self) -> dict[str, Any]:
        ratios = {name: self.ratio(value) for name, value in self.opponents.items() if self.p50}
        return {**asdict(self), "ratios": ratios}


def p50(values: Sequence[float]) -> float:
    return statistics.median(values)


def p99(values: Sequence[float], better: str = "less") -> float:
    """The 99th percentile where small is good, the 1st where big is; of few values that is the worst one."""
    return percentile(values, 99, better)


def percentile(values: Sequence[float], wanted: int, better: str = "less") -> float:
    ordered = sorted(values, reverse=better == "more")
    return ordered[min(len(ordered) - 1, len(ordered) * wanted // 100)]


def row(what: str, unit: str, values: Sequence[float], aim: float, better: str = "less", **more: Any) -> Row:
    raw = {"values": list(values), **more.pop("raw", {})}
    return Row(what, unit, p50(values), p99(values, better), aim, better, raw=raw, **more)


def processes_of(pids: Iterable[int]) -> list[psutil.Process]:
    """These and all that they started, Postgres and forked interpreters too."""
    own = [psutil.Process(pid) for pid in pids]
    return own + [child for one in own for child in one.children(recursive=True)]


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of the processes and of their children that have ended."""
    total = 0.0
    for one in processes_of(pids):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended between listing and reading; its parent has its time
            total += sum(one.cpu_times()[:4])
    return total


def cpu_by_program(platform: Mapping[str, int]) -> dict[str, float]:
    """User and system time of a platform's programs with what they started, of a control plane on this machine, and our own."""
    found = {name: cpu_seconds([pid]) for name, pid in platform.items()}
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess):
            name = OURSELVES if one.pid == os.getpid() else one.name()
            if name in (OURSELVES, *CONTROL_PLANE):
                found[name] = found.get(name, 0.0) + sum(one.cpu_times()[:2])
    return found


def memory(pids: Iterable[int]) -> list[dict[str, Any]]:
    """Megabytes for each process: PSS counts a shared page once in the sum, RSS counts it in every process."""
    return list(_memory(pids))


def _memory(pids: Iterable[int]) -> Iterator[dict[str, Any]]:
    for one in processes_of(pids):
        with contextlib.suppress(psutil.NoSuchProcess):
            full = one.memory_full_info()
            name = " ".join(one.cmdline())[:100]
            yield {"pid": one.pid, "name": name, "pss_mb": full.pss / 1e6, "rss_mb": full.rss / 1e6}


def machine() -> dict[str, Any]:
    return {
        "system": machine_facts.platform(),
        "python": machine_facts.python_version(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_average": os.getloadavg(),
    }
