"""The mutation suite: thousands of lookups of pipelines that change in one thing after another.

No hit may give what running would not have given, and what was made before and is whole must be a hit. See
builders/cached_worlds.py.
"""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from builders.cached_worlds import Laboratory
from builders.specs import Pipeline, artifact, container, dag_input, importer, pipeline
from headrace_cache.ages import Ages
from headrace_cache.handlers import CacheService
from headrace_cache.store import MIGRATIONS, SCHEMA, CacheStore
from headrace_servicekit.postgres import Database, migrate

SHARDS, LOOKUPS = 8, 260  # at least 2,080 lookups in all
MODEL = "{{$.outputs.artifacts['model'].path}}"
DATA = "{{$.inputs.artifacts['data'].path}}"


class Direct:
    """The service without a wire between."""

    def __init__(self, service: CacheService) -> None:
        self._service = service

    def __getattr__(self, name: str):
        method = getattr(self._service, name)
        return lambda request: method(request, None)


@dataclass
class Description:
    """All that mutations change. `order`: of the tasks in the pipeline, which also numbers its components."""

    name: str = "mutants"
    code: dict[str, str] = field(default_factory=lambda: {"prepare": "prep()", "train": "fit()", "report": "show()"})
    env: dict[str, str] = field(default_factory=lambda: {"MODE": "fast"})
    image: str = "python:3.11"
    inputs: dict[str, object] = field(default_factory=lambda: {"lr": 0.1, "shape": {"a": 1, "b": [1, 2]}})
    order: list[str] = field(default_factory=lambda: ["load", "prepare", "train", "again", "report"])
    names: dict[str, str] = field(default_factory=dict)
    secret: str = "login"
    extra_output: bool = False
    retries: int = 0
    memory: str = "1G"
    by_uri: bool = False
    words: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    cache_key: str = ""


def flow_of(d: Description, data: str) -> Pipeline:
    """load → prepare → train, again (the same component) → report."""
    flow = pipeline(d.name).input("lr", "NUMBER_DOUBLE").input("shape", "STRUCT")
    secret = {"secretAsEnv": [{"secretName": d.secret, "keyToEnv": [{"secretKey": "k", "envVar": "PASSWORD"}]}]}
    prepare = container(["run", d.code["prepare"], DATA, "--to", "{{$.outputs.artifacts['out'].path}}"], image=d.image)
    prepare.input_artifact("data", "system.Dataset").output_artifact("out", "system.Dataset")
    named = "{{$.inputs.artifacts['data'].uri}}" if d.by_uri else DATA
    train = container(
        ["run", d.code["train"]],
        [named, MODEL, "{{$.inputs.parameters['lr']}}", *d.words],
        image=d.image,
        env=d.env,
        resources={"resourceMemoryLimit": d.memory},
        kubernetes=secret,
    )
    train.input_artifact("data", "system.Dataset").input("lr", "NUMBER_DOUBLE").input("shape", "STRUCT")
    train.output_artifact("model", "system.Model").output("score", "STRING")
    if d.extra_output:
        train.output("more", "STRING")
    report = container(["run", d.code["report"], "{{$.inputs.artifacts['data'].path}}"], image=d.image)
    report.input_artifact("data", "system.Model").output("Output", "STRING")
    load = importer(data, metadata=d.metadata or None)
    name = {key: d.names.get(key, key) for key in d.order}
    retry = {"maxRetryCount": d.retries} if d.retries else None
    given = {"data": artifact(name["prepare"], "out"), "lr": dag_input("lr"), "shape": dag_input("shape")}
    made: dict[str, Callable[[], object]] = {
        "load": lambda: flow.task(name["load"], load, {"uri": data}),
        "prepare": lambda: flow.task(name["prepare"], prepare, {"data": artifact(name["load"])}, cache=True),
        "train": lambda: flow.task(name["train"], train, given, cache=True, retry=retry, cache_key=d.cache_key),
        "again": lambda: flow.task(name["again"], train, given | {"lr": 0.5}, cache=True),
        "report": lambda: flow.task(name["report"], report, {"data": artifact(name["train"], "model")}, cache=True),
    }
    for key in d.order:
        made[key]()
    return flow


def mutate(d: Description, lab: Laboratory, rng: random.Random) -> tuple[Description, str, tuple[str, ...]]:
    """The description with one thing changed (or the laboratory), what that was, and what is to be refreshed."""
    d = dataclasses.replace(d, code=dict(d.code), env=dict(d.env), inputs=dict(d.inputs), order=list(d.order), names={})
    few = rng.randrange(4)  # values come back, so that hits across many runs are asked for too
    refresh: tuple[str, ...] = ()
    kind = rng.choice(KINDS)
    match kind:
        case "code":
            d.code[rng.choice(sorted(d.code))] = f"code {few}"
        case "env":
            d.env = rng.choice([{"MODE": f"{few}"}, {"MODE": "fast", "MORE": f"{few}"}, {}])
        case "image":
            d.image = f"python:3.{10 + few}"
        case "tag":
            lab.images[d.image] = f"sha256:{few}"
        case "content":
            (lab.folder / "data.csv").write_text(f"rows {few}")
        case "touch":
            os.utime(lab.folder / "data.csv", ns=(rng.randrange(1 << 40), rng.randrange(1 << 60)))
        case "parameter":
            d.inputs["lr"] = rng.choice([0.1, 0.2, 1, 1e300])
        case "structure":
            d.inputs["shape"] = rng.choice(
                [{"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1}, {"b": [2, 1], "a": 1}, {"a": True}]
            )
        case "pipeline":
            d.name = f"mutants-{few % 2}"
        case "names":
            d.names = {key: f"{key}-{few}" for key in d.order if rng.random() < 0.5}
        case "order":
            rng.shuffle(d.order)
        case "secret":
            d.secret = rng.choice(["login", "other"])
        case "output":
            d.extra_output = not d.extra_output
        case "words":
            d.words = rng.choice([[], ["--a", "--b"], ["--b", "--a"]])
        case "irrelevant":
            d.retries, d.memory = few, f"{few + 1}G"
        case "uri":
            d.by_uri = not d.by_uri
        case "metadata":
            d.metadata = rng.choice([{}, {"source": "lab", "by": "x"}, {"by": "x", "source": "lab"}])
        case "deletion":
            lab.delete_something(rng)
        case "refresh":
            refresh = (rng.choice(["prepare", "train", "report"]),)
    return d, kind, refresh


KINDS = (
    *("code", "env", "image", "tag", "content", "touch", "parameter", "structure", "pipeline", "names", "order"),
    *("secret", "output", "irrelevant", "uri", "metadata", "deletion", "refresh", "nothing", "words"),
)


@pytest.mark.parametrize("shard", range(SHARDS))
async def test_no_hit_lies_and_nothing_is_made_twice(database_url, tmp_path, shard):
    rng = random.Random(shard)
    await migrate(database_url, SCHEMA, MIGRATIONS)
    async with Database(database_url, name="mutations") as database:
        lab = Laboratory(Direct(CacheService(CacheStore(database), Ages())), tmp_path)
        data = lab.folder / "data.csv"
        data.write_text("rows")
        description = Description()
        await lab.run(flow_of(description, data.as_uri()), description.inputs, "first")
        while lab.verdicts.cases < LOOKUPS:
            description, kind, refresh = mutate(description, lab, rng)
            await lab.run(flow_of(description, data.as_uri()), description.inputs, kind, refresh=refresh)
        verdicts = lab.verdicts
        assert verdicts.false_hits == []
        assert verdicts.surprise_misses == []
        assert verdicts.failures == []
        assert min(verdicts.hits, verdicts.misses) > LOOKUPS / 10
