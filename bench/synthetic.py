"""Synthetic runs as lines of COPY, for the benchmark `scale`: pure, the same for the same number of runs.

A few hundred pipelines of very unequal size train models: each run imports one record of raw data that all runs of its
pipeline share, prepares it (a fifth of the runs take that from the cache), trains (half of them from the model of the run
before), evaluates (one in twenty fails there) and registers. So artifacts are shared, lineage crosses runs, and some artifacts
have uses without end.
What a line holds is made once for each pipeline and kind of run, with blanks of the right length; a run fills them in.
"""

from __future__ import annotations

import datetime
import hashlib
import itertools
import json
import random
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from builders.specs import container, pipeline
from headrace_cache.fingerprint import canonical
from headrace_ir.plan import compile_plan
from headrace_ir.reading import read_spec
from headrace_persistence.places import place
from headrace_persistence.stores.sessions import SHARDS
from headrace_protos.v1 import cache_pb2, plan_pb2
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq

PIPELINES: Final = 300
FIRST: Final = 1_000_000  # the first number of a run; each has STRIDE numbers for itself, its tasks and artifacts
STRIDE: Final = 24
EPOCH_US: Final = 1_760_000_000_000_000
EVERY_US: Final = 31_000_000  # between two runs: a million of them are a year
KEPT: Final = 0.15  # of the runs, the newest: the cache still has entries of theirs
TASKS: Final = ("import-raw", "prepare", "train", "evaluate", "register")
OUTPUTS: Final[Mapping[str, Mapping[str, str]]] = {
    "prepare": {"train-set": "Dataset", "test-set": "Dataset", "statistics": "Artifact", "report": "HTML"},
    "train": {"model": "Model", "metrics": "Metrics", "checkpoint": "Artifact", "log": "Markdown"},
    "evaluate": {"metrics": "Metrics", "confusion": "ClassificationMetrics", "report": "HTML"},
}
MADE: Final = [(task, name) for task, outputs in OUTPUTS.items() for name in outputs]
BLANK: Final = re.compile(r"@(\w+)@~*")


@dataclass(frozen=True, slots=True)
class Run:
    """What is drawn for a run. `prepared`: the run whose preparation it has; `base`: whose model it goes on from."""

    number: int
    pipeline: int
    prepared: int
    base: int | None
    failed: bool

    @property
    def cached(self) -> bool:
        return self.prepared != self.number


def runs(count: int) -> Iterator[Run]:
    """The runs, in the order of their creation."""
    chance = random.Random(7)
    weights = list(itertools.accumulate(1 / rank for rank in range(1, PIPELINES + 1)))
    prepared: dict[int, int] = {}
    last: dict[int, int] = {}
    for number in range(count):
        of = chance.choices(range(PIPELINES), cum_weights=weights)[0]
        origin = prepared[of] if of in prepared and chance.random() < 0.21 else number
        base = last.get(of) if chance.random() < 0.5 else None
        failed = chance.random() < 0.05
        prepared[of] = origin
        if not failed:
            last[of] = number
        yield Run(number, of, origin, base, failed)


# ── numbers and names ──


def run_number(run: int) -> int:
    return FIRST + run * STRIDE


def task_number(run: int, task: str) -> int:
    return run_number(run) + 1 + TASKS.index(task)


def artifact_number(run: int, task: str, name: str) -> int:
    return run_number(run) + 10 + MADE.index((task, name))


def context_number(of: int) -> int:
    """Of the context of a pipeline."""
    return FIRST - 2 * PIPELINES + of


def raw_number(of: int) -> int:
    """Of the raw data of a pipeline."""
    return FIRST - PIPELINES + of


def run_uuid(run: int) -> str:
    """With its time in front, as a run's id has it."""
    made = f"{(EPOCH_US + run * EVERY_US) // 1000:012x}7{run & 0xFFF:03x}8{_mixed(run) & ((1 << 60) - 1):015x}"
    return _dashed(made)


def content(number: int) -> str:
    """32 hexadecimal digits that look like chance: an artifact's UUID without dashes, and half of its digest."""
    return f"{_mixed(number):032x}"


def _mixed(number: int) -> int:
    return (number * 0x9E3779B97F4A7C15F39CC0605CEDC835 + 0x1234567) & ((1 << 128) - 1)


def _dashed(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def pipeline_name(of: int) -> str:
    return f"{('fraud', 'churn', 'demand', 'speech', 'ranking')[of % 5]}-model-{of:03d}"


def namespace(of: int) -> str:
    """Most are in one, as where nobody separates them."""
    return "default" if of % 3 else f"team-{of // 3 % 20:02d}"


def experiment(of: int) -> str:
    return _dashed(f"{_mixed(of % 60 + 1_000):032x}")


def uri(of: int, run_id: str, task: str, name: str) -> str:
    return f"s3://ml/{pipeline_name(of)}/{run_id}/{task}/{name}"


def raw(of: int) -> ev.Artifact:
    """The data that all runs of a pipeline import."""
    digest = content(raw_number(of))
    return ev.Artifact(
        artifact_id=_dashed(digest),
        name="artifact",
        schema_title="system.Dataset",
        uri=f"s3://lake/{pipeline_name(of)}/raw.parquet",
        digest=f"sha256:{digest * 2}",
    )


def ingredients(of: int, task: str, seed: str) -> cache_pb2.Ingredients:
    """What the key of a task is made of; SEED tells runs apart."""
    made = cache_pb2.Ingredients(
        namespace=namespace(of),
        pipeline_name=pipeline_name(of),
        component=f"comp-{task}",
        image="python:3.11",
        command=["python", f"{task}.py"],
        parameters={"seed": seed},
    )
    made.artifacts["raw"].contents.append(raw(of).digest)
    made.output_artifacts.update({name: f"system.{kind}@0.0.1" for name, kind in OUTPUTS[task].items()})
    return made


def seed(run: int) -> str:
    """Of as many characters for every run."""
    return str(10_000_000 + run)


# ── lines with blanks ──


def blank(name: str, length: int = 0) -> str:
    """Where a run's own text goes; in a message it must be as long as that."""
    return f"@{name}@".ljust(length, "~")


def _cell(value: Any) -> str:
    """As COPY reads it."""
    if value is None:
        return r"\N"
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, bytes):  # in bytea's escape format, whose backslashes COPY wants twice
        return "".join(chr(byte) if 32 <= byte < 127 and byte != 92 else rf"\\{byte:03o}" for byte in value)
    return str(value).replace("\\", r"\\").replace("\t", r"\t").replace("\n", r"\n")


@dataclass(slots=True)
class Lines:
    """Of one table."""

    text: str = ""

    def add(self, *cells: Any) -> None:
        self.text += "\t".join(map(_cell, cells)) + "\n"

    def stencil(self) -> str:
        return BLANK.sub(r"%(\1)s", self.text.replace("%", "%%"))


TABLES: Final[Mapping[str, Sequence[str]]] = {
    "platform.runs": (
        *("id", "run_id", "namespace", "shard", "day", "experiment_id", "display_name", "description", "pipeline_id"),
        *("pipeline_version_id", "pipeline_name", "pipeline_root", "service_account", "source", "recurring_run_id"),
        *("enable_cache", "parameters_json", "storage_state", "state", "revision", "task_counts", "inputs"),
        *("outputs", "error", "history", "created_at_us", "scheduled_at_us", "started_at_us", "finished_at_us"),
    ),
    "platform.run_specs": ("run", "spec_json", "plan"),
    "platform.tasks": (
        *(
            "run",
            "path",
            "id",
            "parent",
            "kind",
            "state",
            "definition",
            "inputs",
            "outputs",
            "cached_from",
            "skip_reason",
        ),
        *("cache_key", "attempts", "attempt_state", "created_at_us", "started_at_us", "finished_at_us"),
    ),
    "platform.attempts": (
        *("run", "path", "number", "state", "started", "launched", "finished", "created_at_us", "finished_at_us"),
    ),
    "platform.artifacts": (
        *("id", "artifact_id", "created_at_us", "payload", "place", "type_name", "uri", "name", "digest"),
    ),
    "platform.links": ("run", "task", "direction", "name", "position", "artifact", "attempt"),
    "platform.artifact_uses": ("pipeline", "artifact"),
    "platform.pipeline_tasks": ("pipeline", "task"),
    "platform.task_ends": ("ended_ms", "task"),
    "platform.pipeline_figures": ("pipeline", "name", "value", "artifact"),
    "platform.metadata_properties": ("kind", "node", "custom", "name", "made", "double_value", "string_value"),
    "cache.entries": (
        *("key", "namespace", "pipeline_name", "component", "run_id", "origin", "outputs", "ingredients", "uris"),
        *("created_at", "used_at"),
    ),
    "cache.entry_uris": ("uri", "key"),
}
CACHE: Final = ("cache.entries", "cache.entry_uris")


@dataclass(slots=True)
class _Stencils:
    """The lines of one kind of run of a pipeline."""

    of: int
    cached: bool
    failed: bool
    base: bool
    lines: dict[str, Lines] = field(default_factory=lambda: {name: Lines() for name in TABLES})

    def made(self) -> dict[str, str]:
        self._run()
        self._task("import-raw", ev.IMPORTER, outputs={"artifact": raw(self.of)})
        self._link("import-raw", 2, "artifact", str(raw_number(self.of)))
        self._leaf("prepare", {"raw": ("", "")})
        self._leaf("train", {"data": ("prepare", "train-set"), **({"base": ("base", "model")} if self.base else {})})
        self._leaf("evaluate", {"model": ("train", "model"), "data": ("prepare", "test-set")})
        self._leaf("register", {"model": ("train", "model")})
        return {name: lines.stencil() for name, lines in self.lines.items()}

    def _run(self) -> None:
        state = ev.RUN_FAILED if self.failed else ev.RUN_SUCCEEDED
        steps = [(0, ev.RUN_PENDING), (1, ev.RUN_RUNNING), (600, state)]
        history = rq.Run(history=[rq.RunStateChange(time_us=EPOCH_US + s * 10**6, state=of) for s, of in steps])
        error = ev.Error(message="task evaluate failed: exit code 1").SerializeToString() if self.failed else b""
        parameters = json.dumps({"seed": blank("seed"), "rate": 0.1})
        values = ev.Values(parameters={"seed": ev.Value(json=json.dumps(blank("seed", 8)))}).SerializeToString()
        counts = "{0,0,0,3,1,1,0}" if self.failed else "{0,0,0,5,0,0,0}"
        self.lines["platform.runs"].add(
            *(blank("run"), blank("uuid"), namespace(self.of), blank("shard"), blank("day"), experiment(self.of)),
            *(f"{pipeline_name(self.of)} {blank('seed')}", "", "", "", pipeline_name(self.of), "", "", "bench", ""),
            *(None, parameters, blank("storage"), state, 42, counts, values, b"", error),
            *(history.SerializeToString(), blank("us"), blank("us"), blank("us"), blank("ended")),
        )
        self.lines["platform.run_specs"].add(blank("run"), "{}", plan())

    def _leaf(self, task: str, read: Mapping[str, tuple[str, str]]) -> None:
        ran = not (task == "prepare" and self.cached)
        failed = self.failed and task == "evaluate"
        skipped = self.failed and task == "register"
        made = {} if failed else {name: self._artifact(task, name) for name in OUTPUTS.get(task, ())}
        inputs = {}
        for name, (producer, output) in read.items():
            inputs[name] = self._artifact(producer, output) if producer else raw(self.of)
            if not skipped:
                self._link(task, 1, name, self._number(producer, output))
        self._task(task, ev.RUNTIME, inputs, made, ran=ran, failed=failed, skipped=skipped)
        for name in made:
            self._link(task, 2, name, self._number(task, name))
            if ran:
                self._record(task, name)
        if ran and not failed and made:
            self._entry(task, made)

    def _number(self, task: str, name: str) -> str:
        return blank(f"{_word(task)}_{_word(name)}") if task else str(raw_number(self.of))

    def _artifact(self, task: str, name: str) -> ev.Artifact:
        kind = "Model" if task == "base" else OUTPUTS[task][name]
        run = {"prepare": "prepared_uuid", "base": "base_uuid"}.get(task, "uuid")
        place_of = uri(self.of, blank(run, 36), "train" if task == "base" else task, name)
        return ev.Artifact(
            artifact_id=blank(f"{_word(task)}_{_word(name)}_uuid", 36),
            name=name,
            schema_title=f"system.{kind}",
            uri=place_of,
        )

    def _record(self, task: str, name: str) -> None:
        made, key = self._artifact(task, name), f"{_word(task)}_{_word(name)}"
        digest = f"sha256:{blank(f'{key}_half', 32) * 2}"
        told = ev.Artifact()
        told.CopyFrom(made)
        told.digest, told.size = digest, 123_456
        if figures := self._figures(task, name):
            numbers = {figure: blank(value, 8) for figure, value in figures.items() if value in ("one", "two")}
            texts = {figure: json.dumps(value) for figure, value in figures.items() if figure not in numbers}
            told.metadata_json = (
                f"{{{', '.join(f'{json.dumps(one)}: {text}' for one, text in {**numbers, **texts}.items())}}}"
            )
        self.lines["platform.artifacts"].add(
            *(blank(key), made.artifact_id, blank("us"), told.SerializeToString(), blank(f"{key}_place").encode()),
            *(made.schema_title, made.uri, name, digest),
        )
        self.lines["platform.artifact_uses"].add(context_number(self.of), blank(key))
        for figure, value in self._figures(task, name).items():
            number, text = (blank(value), None) if value in ("one", "two") else (None, value)
            self.lines["platform.metadata_properties"].add(1, blank(key), True, figure, True, number, text)
            if number is not None:
                self.lines["platform.pipeline_figures"].add(context_number(self.of), figure, number, blank(key))

    def _figures(self, task: str, name: str) -> Mapping[str, str]:
        """Of an artifact's metadata: `one` and `two` are numbers of the run's."""
        if name == "metrics":
            return {"accuracy": "one", "loss" if task == "train" else "f1": "two"}
        return {"framework": "torch", "commit": blank("train_model_half", 32)} if name == "model" else {}

    def _task(
        self,
        task: str,
        kind: int,
        inputs: Mapping[str, ev.Artifact] | None = None,
        outputs: Mapping[str, ev.Artifact] | None = None,
        *,
        ran: bool = False,
        failed: bool = False,
        skipped: bool = False,
    ) -> None:
        state = ev.TASK_FAILED if failed else ev.TASK_SKIPPED if skipped else ev.TASK_SUCCEEDED
        definition = ev.TaskCreated(kind=kind, task=TASKS.index(task), iteration=-1)  # type: ignore[arg-type]  # an enum's number
        cached = kind == ev.RUNTIME and not ran
        executed = ran and not skipped
        key = blank(f"{_word(task)}_key") if kind == ev.RUNTIME and task in OUTPUTS else ""
        self.lines["platform.tasks"].add(
            *(blank("run"), task, blank(f"{_word(task)}_id"), "", kind, state, definition.SerializeToString()),
            *(_values(inputs or {}, blank("seed", 8)), b"" if failed else _values(outputs or {})),
            *(f"{blank('prepared_uuid')}/prepare" if cached else "", "upstream failed" if skipped else "", key),
            *(int(executed), 4 if executed else 0, blank("us"), 0 if skipped else blank("us"), blank("ended")),
        )
        self.lines["platform.pipeline_tasks"].add(context_number(self.of), blank(f"{_word(task)}_id"))
        self.lines["platform.task_ends"].add(blank("ended_ms"), blank(f"{_word(task)}_id"))
        if executed:
            launched = ev.AttemptLaunched(handle="4711@1760000000", image_digest=f"sha256:{'ab' * 32}")
            ended = ev.AttemptFinished(state=ev.ATTEMPT_FAILED if failed else ev.ATTEMPT_SUCCEEDED)
            self.lines["platform.attempts"].add(
                *(blank("run"), task, 1, ended.state, ev.AttemptStarted(executor="process").SerializeToString()),
                *(launched.SerializeToString(), ended.SerializeToString(), blank("us"), blank("ended")),
            )

    def _link(self, task: str, direction: int, name: str, artifact: str) -> None:
        self.lines["platform.links"].add(blank("run"), blank(f"{_word(task)}_id"), direction, name, 0, artifact, 1)

    def _entry(self, task: str, made: Mapping[str, ev.Artifact]) -> None:
        key, uris = blank(f"{_word(task)}_key"), [one.uri for one in made.values()]
        told = ingredients(self.of, task, json.dumps(blank("seed", 8)))
        self.lines["cache.entries"].add(
            *(
                key,
                namespace(self.of),
                pipeline_name(self.of),
                f"comp-{task}",
                blank("uuid"),
                f"{blank('uuid')}/{task}",
            ),
            *(_values(made), told.SerializeToString(), f"{{{','.join(uris)}}}", blank("stamp"), blank("stamp")),
        )
        for one in uris:
            self.lines["cache.entry_uris"].add(one, key)


def _values(artifacts: Mapping[str, ev.Artifact], seed_: str = "") -> bytes:
    made = ev.Values(artifacts={name: ev.ArtifactList(artifacts=[one]) for name, one in artifacts.items()})
    if seed_:
        made.parameters["seed"].json = json.dumps(seed_)
    return made.SerializeToString(deterministic=True)


def _word(name: str) -> str:
    return name.replace("-", "_")


@cache
def plan() -> bytes:
    """Of all pipelines alike."""
    flow = pipeline("trained")
    for task in TASKS:
        flow.task(task, container(["python", f"{task}.py"], image="python:3.11"))
    made: plan_pb2.Plan = compile_plan(read_spec(flow.build()))
    return made.SerializeToString()


@cache
def stencils(of: int, cached: bool, failed: bool, base: bool) -> dict[str, str]:  # what makes a kind of run
    """Table → the lines of such a run, with blanks."""
    return _Stencils(of, cached, failed, base).made()


def raw_lines() -> dict[str, str]:
    """Table → the lines for the raw data of all pipelines."""
    lines, uses = Lines(), Lines()
    for of in range(PIPELINES):
        one = raw(of)
        cells = (raw_number(of), one.artifact_id, EPOCH_US, one.SerializeToString(), place(one), one.schema_title)
        lines.add(*cells, one.uri, one.name, one.digest)
        uses.add(context_number(of), raw_number(of))
    return {"platform.artifacts": lines.text, "platform.artifact_uses": uses.text}


@cache
def _key_text(of: int, task: str) -> tuple[str, str]:
    """What a task's key is the digest of, before and after the seed."""
    text = json.dumps(
        canonical(ingredients(of, task, json.dumps("SEED"))), sort_keys=True, separators=(",", ":"), ensure_ascii=True
    )
    before, _, after = text.partition("SEED")
    return before, after


def key(of: int, task: str, run: int) -> str:
    """As the cache makes it of these ingredients."""
    before, after = _key_text(of, task)
    return hashlib.sha256(f"{before}{seed(run)}{after}".encode()).hexdigest()


@cache
def _day(number: int) -> str:
    return str(datetime.date(1970, 1, 1) + datetime.timedelta(days=number))


def filling(run: Run, count: int) -> dict[str, Any]:
    """What goes into the blanks of a run's lines; COUNT is the number of all runs."""
    number, uuid = run.number, run_uuid(run.number)
    us = EPOCH_US + number * EVERY_US
    filled: dict[str, Any] = {
        "run": run_number(number),
        "uuid": uuid,
        "shard": int(uuid[-4:], 16) % SHARDS,
        "day": _day(us // 86_400_000_000),
        "seed": seed(number),
        "storage": 2 if number < count * 0.2 else 1,
        "us": us,
        "ended": us + 600_000_000 + number % 977 * 1_000_000,
        "ended_ms": us // 1000 + 600_000 + number % 977 * 1_000,
        "stamp": f"{_day(us // 86_400_000_000)} 12:00:00+00",
        "one": f"{_mixed(number) % 999_983 / 1e6:.6f}",
        "two": f"{_mixed(number + 1) % 999_983 / 1e6:.6f}",
        "prepared_uuid": uuid if not run.cached else run_uuid(run.prepared),
        "prepare_key": key(run.pipeline, "prepare", run.prepared),
        "train_key": key(run.pipeline, "train", number),
        "evaluate_key": key(run.pipeline, "evaluate", number),
    }
    for index, task in enumerate(TASKS):
        filled[f"{_word(task)}_id"] = run_number(number) + 1 + index
    if run.base is not None:
        filled["base_uuid"] = run_uuid(run.base)
        filled["base_model"] = artifact_number(run.base, "train", "model")
        filled["base_model_uuid"] = _dashed(content(filled["base_model"]))
    for index, word in enumerate(_WORDS):
        artifact = run_number(run.prepared if index < _PREPARED else number) + 10 + index
        digits = content(artifact)
        filled[word] = artifact
        filled[f"{word}_uuid"] = _dashed(digits)
        filled[f"{word}_half"] = digits
        filled[f"{word}_place"] = digits[:16]
    return filled


_WORDS: Final = [f"{_word(task)}_{_word(name)}" for task, name in MADE]
_PREPARED: Final = len(OUTPUTS["prepare"])


def chunks(count: int, kept: int, size: int, only: Collection[str] = tuple(TABLES)) -> Iterator[dict[str, str]]:
    """Table → the lines of SIZE runs after the other, of the tables ONLY; the cache has those of runs from KEPT on."""
    texts: dict[str, list[str]] = {name: [] for name in only}
    for number, run in enumerate(runs(count), 1):
        filled = filling(run, count)
        for name, stencil in stencils(run.pipeline, run.cached, run.failed, run.base is not None).items():
            if stencil and name in texts and (name not in CACHE or run.number >= kept):
                texts[name].append(stencil % filled)
        if number % size == 0 or number == count:
            yield {name: "".join(found) for name, found in texts.items() if found}
            texts = {name: [] for name in only}
