"""Lineage and the cache at scale: synthetic runs of ten tasks each, whose first reads what an earlier run made; then queries.

`python bench/lineage.py [ARTIFACTS [URL]]` (default 1,000,000 and a Postgres of its own): loads rows by SQL, prints one line
for each query with percentiles in milliseconds. Nothing else should run on the machine.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from headrace_cache.ages import Ages
from headrace_cache.handlers import CacheService
from headrace_cache.store import CacheStore
from headrace_embedded.postgres import BundledPostgres
from headrace_persistence.lineage.comparing import Comparison
from headrace_persistence.lineage.finding import Records
from headrace_persistence.lineage.walking import Walker
from headrace_persistence.queries import MIGRATIONS, SCHEMA
from headrace_protos.v1 import cache_pb2, plan_pb2
from headrace_protos.v1 import lineage_pb2 as pb
from headrace_servicekit.postgres import Database, Transaction, migrate

TASKS = 10  # of a run, each with one artifact
TRIES = 200
CACHE_MIGRATIONS = MIGRATIONS.parents[3] / "cache" / "headrace_cache" / "sql" / "migrations"

RUNS = """
INSERT INTO platform.runs (id, run_id, namespace, shard, day, experiment_id, display_name, description, pipeline_id,
    pipeline_version_id, pipeline_name, pipeline_root, service_account, source, recurring_run_id, parameters_json,
    state, revision, inputs, history, created_at_us, scheduled_at_us, finished_at_us)
SELECT n * 100, md5(n::text)::uuid::text, 'default', 0, current_date, 'default', 'run ' || n, '', '',
    '', 'pipeline ' || n %% 100, '', '', 'bench', '', '{}',
    4, 1, '', '', n, n, n FROM generate_series(1, %(runs)s) AS n
"""
SPECS = (
    "INSERT INTO platform.run_specs (run, spec_json, plan)"
    " SELECT n * 100, '{}', %(plan)s FROM generate_series(1, %(runs)s) AS n"
)
EACH = "FROM generate_series(1, %(runs)s) AS n, generate_series(0, 9) AS k"
WORK = (
    "INSERT INTO platform.tasks (run, path, id, parent, kind, state, definition, created_at_us, started_at_us, finished_at_us)"
    f" SELECT n * 100, 'task-' || k, n * 100 + 10 + k, '', 1, 4, '', n, n, n {EACH}",
    "INSERT INTO platform.artifacts (id, artifact_id, created_at_us, payload, place, type_name, uri, digest)"
    " SELECT n * 100 + 20 + k, md5(n || '/' || k)::uuid::text, n, '', decode(md5(n || '/' || k), 'hex'),"
    " CASE WHEN k = 9 THEN 'system.Model' WHEN k = 8 THEN 'system.Metrics' ELSE 'system.Dataset' END,"
    f" 's3://bucket/' || n || '/' || k, 'sha256:' || md5(n || '/' || k) {EACH}",
    "INSERT INTO platform.links (run, task, direction, name, position, artifact, attempt)"
    f" SELECT n * 100, n * 100 + 10 + k, 2, 'out', 0, n * 100 + 20 + k, 1 {EACH}",
    # A task reads what the one before it made, the first of a run the model of the run a thousand before.
    "INSERT INTO platform.links (run, task, direction, name, position, artifact, attempt)"
    " SELECT n * 100, n * 100 + 10 + k, 1, 'in', 0, CASE WHEN k > 0 THEN n * 100 + 19 + k ELSE (n - 1000) * 100 + 29 END, 1"
    f" {EACH} WHERE k > 0 OR n > 1000",
    "INSERT INTO platform.metadata_properties (kind, node, custom, name, made, double_value)"
    f" SELECT 1, n * 100 + 28, true, 'accuracy', true, (hashint8(n) & 1048575) / 1048576.0 {EACH} WHERE k = 8",
    "INSERT INTO platform.metadata_properties (kind, node, custom, name, made, string_value)"
    f" SELECT 1, n * 100 + 29, true, 'commit', true, md5(n::text) {EACH} WHERE k = 9",
)
ENTRIES = """
INSERT INTO cache.entries (key, namespace, pipeline_name, component, run_id, origin, outputs, ingredients, uris)
SELECT md5(n::text) || md5(n::text), 'default', 'pipeline ' || n %% 100, 'comp', 'r', 'r/t', '', '', ARRAY['s3://bucket/' || n]
FROM generate_series(1, %(entries)s) AS n
"""


async def load(database: Database, runs: int) -> None:
    plan = plan_pb2.Plan(version=1).SerializeToString()

    async def work(t: Transaction) -> None:
        await t.execute(RUNS, {"runs": runs})
        await t.execute(SPECS, {"runs": runs, "plan": plan})
        for text in WORK:
            await t.execute(text, {"runs": runs})
        await t.execute(ENTRIES, {"entries": runs * TASKS})

    await database.transaction(work)
    own = ("runs", "tasks", "artifacts", "links", "metadata_properties")
    tables = [*(f"platform.{name}" for name in own), "cache.entries", "cache.entry_uris"]

    async def analyze(t: Transaction) -> None:
        for table in tables:
            await t.execute(f"ANALYZE {table}")

    await database.transaction(analyze)


async def measured(what: str, aim: float, work: Callable[[random.Random], Awaitable[object]]) -> None:
    rng, times = random.Random(7), []
    for _ in range(TRIES):
        begun = time.perf_counter()
        await work(rng)
        times.append((time.perf_counter() - begun) * 1e3)
    times.sort()
    print(
        f"{what:45} p50 {times[TRIES // 2]:8.2f}  p95 {times[TRIES * 95 // 100]:8.2f}  p99 {times[-3]:8.2f}  aim {aim:g} ms"
    )


async def queries(database: Database, runs: int) -> None:
    records, walker, comparison = Records(database), Walker(database), Comparison(database)

    def find(**asked: Any) -> Awaitable[object]:
        return records.find(pb.FindArtifactRecordsRequest(page_size=50, **asked))

    def any_run(rng: random.Random) -> int:
        return rng.randint(max(runs // 2, 1), runs)

    await measured("newest artifacts", 50, lambda rng: find())
    await measured("newest models", 50, lambda rng: find(type="system.Model"))
    await measured(
        "models, a page from the middle", 50, lambda rng: find(type="system.Model", before_id=any_run(rng) * 100)
    )
    await measured("by URI", 50, lambda rng: find(uri=f"s3://bucket/{any_run(rng)}/3"))
    await measured("of a pipeline", 50, lambda rng: find(pipeline_name=f"pipeline {rng.randint(0, 99)}"))
    await measured("by a text in the metadata", 50, lambda rng: find(metadata=[f"commit={'0' * 32}"]))
    await measured("models by a number in the metadata", 50, lambda rng: find(metadata=["accuracy=2.5"]))

    def walk(rng: random.Random, direction: Any, hops: int) -> Awaitable[object]:
        number = str(any_run(rng) * 100 + 29)
        return walker.walk(pb.GetLineageRequest(artifact_id=number, direction=direction, hops=hops))

    await measured("lineage, 5 hops up", 100, lambda rng: walk(rng, pb.UPSTREAM_OF, 5))
    await measured("lineage, 20 hops up, over three runs", 100, lambda rng: walk(rng, pb.UPSTREAM_OF, 20))
    await measured("lineage, 5 hops down", 100, lambda rng: walk(rng, pb.DOWNSTREAM_OF, 5))
    newest = pb.CompareRunsRequest(pipeline_name="pipeline 7")
    await measured("20 runs of a pipeline by their figures", 50, lambda rng: comparison.compare(newest))
    service = CacheService(CacheStore(database), Ages())
    asked = cache_pb2.LookupRequest(
        ingredients=[cache_pb2.Ingredients(namespace="default", component=str(n)) for n in range(10)]
    )
    await measured("cache: a lookup of ten keys", 20, lambda rng: service.Lookup(asked, None))  # type: ignore[arg-type]
    gone = cache_pb2.InvalidateRequest(uris=["s3://elsewhere/x"])
    await measured("cache: an artifact that is deleted", 20, lambda rng: service.Invalidate(gone, None))  # type: ignore[arg-type]


async def main(artifacts: int, url: str) -> None:
    """Loads, and asks."""
    await migrate(url, SCHEMA, MIGRATIONS)
    await migrate(url, "cache", CACHE_MIGRATIONS)
    async with Database(url, name="bench", max_size=2) as database:
        begun = time.perf_counter()
        await load(database, artifacts // TASKS)
        print(f"{artifacts:,} artifacts of {artifacts // TASKS:,} runs loaded in {time.perf_counter() - begun:.0f} s")
        await queries(database, artifacts // TASKS)


async def with_bundled(artifacts: int) -> None:
    """On a Postgres of its own."""
    with tempfile.TemporaryDirectory(prefix="hr-bench-") as home:
        Path(home).chmod(0o755)
        async with BundledPostgres(Path(home)) as postgres:
            await main(artifacts, postgres.dsn())


if __name__ == "__main__":
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    asyncio.run(main(many, sys.argv[2]) if len(sys.argv) > 2 else with_bundled(many))
