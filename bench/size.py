"""Big runs with the simulated executor, one process for each service: wide loops with their results collected, nested loops, and
how they are read afterwards. A run that ends with a wrong count or output is a failure of the benchmark, not a figure.

Times are those that the platform stored; memory is the scheduler's process, looked at ten times a second while a run goes on.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import psutil

from bench.driving import BenchmarkError, Client, client
from bench.measuring import Row, cpu_seconds, row
from builders.specs import Component, container, dag, dag_input, output, pipeline
from fixtures.platforms import SERVICES, Platform, running
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import runs_pb2_grpc

WIDTHS = {1_000: 5, 10_000: 3, 100_000: 1}  # items → how often
NESTED = 100
PAGE = 1_000
LOOK_EVERY_S = 0.1
WITHIN_S = 300.0
ECHO = json.dumps({"outputs": {"Output": "{{$.inputs.parameters['text']}}"}})


def measure(folder: Path) -> Iterator[Row]:
    with running("processes", folder / "home", HEADRACE_EXECUTOR="simulated") as platform, client(platform) as one:
        bench = Bench(platform, one)
        bench.round(wide(), names(10), _wide_counts(10), names(10))  # every code path once
        medians: dict[int, float] = {}
        for width, times in WIDTHS.items():
            rounds = [bench.round(wide(), names(width), _wide_counts(width), names(width)) for _ in range(times)]
            made = list(_rows(f"loop of {width:,}", width, rounds))
            medians[width] = made[0].p50
            yield from made
        slowest = min(medians[width] / medians[min(WIDTHS)] for width in WIDTHS)
        yield row("completions a second, the slowest of the widths beside the least", "×", [slowest], 0.75, "more")
        yield from bench.readers()
        rounds = [bench.round(nested(), names(NESTED), _nested_counts(), names(NESTED) * NESTED) for _ in range(3)]
        yield from _rows(f"{NESTED} × {NESTED} nested loops", NESTED**2, rounds)


def _rows(what: str, width: int, rounds: list[dict[str, Any]]) -> Iterator[Row]:
    raw = {"rounds": rounds}
    cpu = sorted(one["cpu_us"] for one in rounds)[len(rounds) // 2]
    note = f"{cpu:,.0f} µs CPU an item"
    yield row(
        f"{what}: completions", "/s", [width / one["seconds"] for one in rounds], 3_000, "more", note=note, raw=raw
    )
    if width == 10_000 and "nested" not in what:
        yield row(f"{what}: started → all items made", "s", [one["expanded_s"] for one in rounds], 0.5)
    if width >= 100_000:
        yield row(f"{what}: submission → end", "s", [one["seconds"] for one in rounds], 40)
        note = "growth of the scheduler's RSS"
        yield row(f"{what}: memory of the engine", "MB", [one["memory_mb"] for one in rounds], 400, note=note)


class Bench:
    """The runs, one after the other, on one platform."""

    def __init__(self, platform: Platform, one: Client) -> None:
        self._platform = platform
        self._client = one
        self._scheduler = psutil.Process(platform.pids[SERVICES.index("scheduler")])
        self._last = ""

    def round(self, spec: str, items: list[str], counts: dict[str, int], expected: list[str]) -> dict[str, Any]:
        """One run, from its submission to its end, checked."""
        before, cpu, memory = self._rss(), cpu_seconds(self._platform.pids), Sampler(self._rss)
        with memory:
            run_id = self._client.submit(spec, {"items": items})
            watched = Expansion(self._platform, run_id)
            run = self._client.wait(run_id, WITHIN_S)
        cpu = cpu_seconds(self._platform.pids) - cpu
        watched.join()
        self._last = run_id
        if dict(run.task_counts) != counts:
            raise BenchmarkError(f"the run's tasks are {dict(run.task_counts)}, not {counts}")
        if (found := _content(run.outputs.parameters["Output"])) != expected:
            raise BenchmarkError(f"its output has {len(found)} values, or wrong ones; {len(expected)} were to come")
        executed = counts["TASK_SUCCEEDED"]
        return {
            "seconds": (run.finished_at_us - run.created_at_us) / 1e6,
            "expanded_s": watched.seconds,
            "memory_mb": (max(memory.seen) - before) / 1e6,
            "cpu_us": cpu / max(len(expected), 1) * 1e6,
            "tasks": executed,
        }

    def readers(self) -> Iterator[Row]:
        """What clients ask of the last run, which is the widest."""
        run, page = rq.GetRunRequest(run_id=self._last), rq.ListTasksRequest(run_id=self._last, page_size=PAGE)
        with grpc.insecure_channel(self._platform.grpc_address, options=[("grpc.enable_http_proxy", 0)]) as channel:
            runs = runs_pb2_grpc.RunsStub(channel)
            asked: dict[str, Callable[[], Any]] = {
                "the run": lambda: runs.Get(run),
                f"{PAGE:,} of its tasks": lambda: runs.Tasks(page),
            }
            for what, ask in asked.items():
                ask()
                yield row(f"reading {what}, {max(WIDTHS):,} items", "ms", [_ms(ask) for _ in range(20)], 40)

    def _rss(self) -> int:
        return int(self._scheduler.memory_info().rss)


class Sampler:
    """Looks at a figure again and again while the block runs."""

    def __init__(self, look: Callable[[], int]) -> None:
        self._look = look
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.seen = [look()]

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            self.seen.append(self._look())


class Expansion:
    """Follows a run's events as a client does, until all iterations of its outermost loop have been seen: they are committed."""

    def __init__(self, platform: Platform, run_id: str) -> None:
        self.seconds = 0.0
        self._address, self._run_id = platform.grpc_address, run_id
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(WITHIN_S)

    def _run(self) -> None:
        started, left = 0, -1
        with grpc.insecure_channel(self._address, options=[("grpc.enable_http_proxy", 0)]) as channel:
            watch = runs_pb2_grpc.RunsStub(channel).Watch(rq.WatchRequest(run_id=self._run_id, follow=True))
            for response in watch:
                for event in response.events:
                    if event.HasField("task_started") and event.path == "wide":
                        started, left = event.time_us, event.task_started.iteration_count
                    elif event.HasField("task_created") and event.task_created.kind == ev.LOOP_ITERATION:
                        left -= event.path.count("/") == 0
                if left == 0:
                    self.seconds = time.time() - started / 1e6
                    watch.cancel()
                    return


def names(width: int) -> list[str]:
    return [f"item-{number}" for number in range(width)]


def wide() -> str:
    """A loop over the run's list, its results collected for one more task."""
    return _flow("bench-wide", _body(_work()), "item")


def nested() -> str:
    """A loop in a loop, over the same list."""
    inner = dag({"items": "LIST", "outer": "STRING"})
    inner.task("narrow", _body(_work()), {"items": dag_input("items")}, over="items")
    inner.returns("Output", "narrow", type_="LIST")
    return _flow("bench-nested", inner, "outer")


def _flow(name: str, body: Component, item: str) -> str:
    flow = pipeline(name).input("items", "LIST")
    flow.task("wide", body, {"items": dag_input("items")}, over="items", item=item)
    last = container(["last"], inputs={"all": "LIST"}, outputs={"Output": "LIST"})
    flow.task("last", last, {"all": output("wide")}).returns("Output", "wide", type_="LIST")
    return json.dumps(flow.build())


def _work() -> Component:
    return container(["work"], inputs={"text": "STRING"}, outputs={"Output": "STRING"}, env={"SIMULATE": ECHO})


def _body(work: Component) -> Component:
    body = dag({"item": "STRING", "items": "LIST"})
    return body.task("work", work, {"text": dag_input("item")}).returns("Output", "work")


def _wide_counts(width: int) -> dict[str, int]:
    return {"TASK_SUCCEEDED": 2 * width + 2}


def _nested_counts() -> dict[str, int]:
    return {"TASK_SUCCEEDED": 2 + 2 * NESTED + 2 * NESTED**2}


def _content(value: ev.Value) -> list[str]:
    text = Path(value.uri.removeprefix("file://")).read_text() if value.uri else value.json
    found: list[str] = json.loads(text)
    return found


def _ms(ask: Callable[[], Any]) -> float:
    started = time.perf_counter()
    ask()
    return (time.perf_counter() - started) * 1e3
