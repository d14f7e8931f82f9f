"""Migration 0006 on a database of the release before: its artifacts are found by type and URI, its runs have their pipelines."""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg

from headrace_persistence.queries import MIGRATIONS, SCHEMA
from headrace_protos.v1 import events_pb2 as ev
from headrace_servicekit.postgres import migrate

ARTIFACTS = (
    ev.Artifact(
        name="model", schema_title="my.Model", uri="s3://b/é", metadata_json='{"a":1}', size=1 << 40, digest="sha256:1"
    ),
    ev.Artifact(name="", instance_schema="title: x", uri="x" * 300, custom_path="/tmp/x"),
    ev.Artifact(schema_title="system.Dataset", uri="nul\0here"),
    ev.Artifact(),
)
RUN = """INSERT INTO platform.runs (run_id, namespace, shard, day, experiment_id, display_name, description, pipeline_id,
    pipeline_version_id, pipeline_name, pipeline_root, service_account, source, recurring_run_id, parameters_json, state,
    revision, inputs, history, created_at_us, scheduled_at_us)
VALUES (%s, 'default', 0, now()::date, '', '', '', '', '', %s, '', '', '', '', '{}', 1, 1, '', '', %s, 0)"""


async def test_what_is_there_already_is_shown(empty_database_url: str, tmp_path: Path) -> None:
    for file in sorted(MIGRATIONS.glob("000[1-5]_*.sql")):
        shutil.copy(file, tmp_path)
    assert await migrate(empty_database_url, SCHEMA, tmp_path) == 5
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        for number, one in enumerate(ARTIFACTS):
            row = (f"id {number}", 7_000, one.SerializeToString())
            connection.execute(
                "INSERT INTO platform.artifacts (artifact_id, created_at_us, payload) VALUES (%s, %s, %s)", row
            )
        for run_id, name, at in (("r1", "iris", 9), ("r2", "iris", 5), ("r3", "", 1)):
            connection.execute(RUN, (run_id, name, at))
    await migrate(empty_database_url, SCHEMA, MIGRATIONS)
    with psycopg.connect(empty_database_url) as connection:
        shown = connection.execute(
            "SELECT type_name, uri, created_ms FROM platform.seen_artifacts ORDER BY id"
        ).fetchall()
        assert shown == [
            ("my.Model", "s3://b/é", 7),
            ("system.Artifact", "x" * 300, 7),
            ("system.Dataset", "", 7),  # a text that Postgres cannot hold
            ("system.Artifact", "", 7),
        ]
        assert connection.execute("SELECT name FROM platform.artifacts ORDER BY id LIMIT 1").fetchall() == [("model",)]
        assert connection.execute("SELECT name, created_at_us FROM platform.pipeline_contexts").fetchall() == [
            ("iris", 5)
        ]
        parents = connection.execute("SELECT count(*) FROM platform.seen_parents").fetchone()
        assert parents == (2,)
        assert connection.execute("SELECT to_regprocedure('platform.text_field(bytea, integer)')").fetchone() == (None,)
