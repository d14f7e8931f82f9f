"""Migrations on databases of the release before: what was there is found as what comes later is.

0006: artifacts by type and URI, runs by pipeline. 0013: tasks and figures by pipeline. 0015: experiments that a pipeline ran in.
0016: when tasks ended.
"""

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


async def test_tasks_and_figures_are_found_by_pipeline(empty_database_url: str, tmp_path: Path) -> None:
    for file in sorted(MIGRATIONS.glob("00*.sql")):
        if file.name < "0013":
            shutil.copy(file, tmp_path)
    assert await migrate(empty_database_url, SCHEMA, tmp_path) == 12
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        for number, pipeline in ((1, "iris"), (2, "iris"), (3, "other")):
            connection.execute(RUN, (f"r{number}", pipeline, number))
        connection.execute("UPDATE platform.runs SET experiment_id = 'e' || created_at_us % 2")
        connection.execute(
            "INSERT INTO platform.pipeline_contexts (name, created_at_us) VALUES ('iris', 1), ('other', 3)"
        )
        connection.execute(
            "INSERT INTO platform.tasks (run, path, parent, kind, state, definition, created_at_us)"
            " SELECT id, 'train', '', 1, 1, '', 1 FROM platform.runs"
        )
        connection.execute(
            "UPDATE platform.tasks t SET state = 4, started_at_us = 2000, finished_at_us = 3999 FROM platform.runs r"
            " WHERE r.id = t.run AND r.run_id = 'r2'"
        )
        connection.execute("INSERT INTO platform.artifacts (artifact_id, created_at_us, payload) VALUES ('a', 1, '')")
        connection.execute(
            "INSERT INTO platform.artifact_uses (pipeline, artifact) SELECT p.id, a.id FROM platform.artifacts a,"
            " platform.pipeline_contexts p WHERE p.name = 'iris'"
        )
        connection.execute(
            "INSERT INTO platform.metadata_properties (kind, node, custom, name, made, double_value, string_value)"
            " SELECT 1, a.id, true, c.name, c.made, c.value, c.text FROM platform.artifacts a, (VALUES"
            " ('acc', true, 0.5, NULL), ('nan', true, 'NaN', NULL), ('text', true, NULL, 'x'), ('people', false, 0.9, NULL)"
            ") AS c (name, made, value, text)"
        )
    await migrate(empty_database_url, SCHEMA, MIGRATIONS)
    with psycopg.connect(empty_database_url) as connection:
        tasks = connection.execute(
            "SELECT p.name, r.run_id FROM platform.pipeline_tasks l JOIN platform.pipeline_contexts p ON p.id = l.pipeline"
            " JOIN platform.tasks t ON t.id = l.task JOIN platform.runs r ON r.id = t.run ORDER BY 2"
        ).fetchall()
        assert tasks == [("iris", "r1"), ("iris", "r2"), ("other", "r3")]
        ends = connection.execute(
            "SELECT r.run_id, e.ended_ms FROM platform.task_ends e JOIN platform.tasks t ON t.id = e.task"
            " JOIN platform.runs r ON r.id = t.run"
        ).fetchall()
        assert ends == [("r2", 3)]
        figures = connection.execute(
            "SELECT p.name, f.name, f.value FROM platform.pipeline_figures f"
            " JOIN platform.pipeline_contexts p ON p.id = f.pipeline"
        ).fetchall()
        assert figures == [("iris", "acc", 0.5)]
        experiments = connection.execute(
            "SELECT e.experiment_id, p.name FROM platform.pipeline_experiments e"
            " JOIN platform.pipeline_contexts p ON p.id = e.pipeline ORDER BY 1, 2"
        ).fetchall()
        assert experiments == [("e0", "iris"), ("e1", "iris"), ("e1", "other")]
