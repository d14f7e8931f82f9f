"""The loader of queries and migrations: the form, and a message for each way to miss it."""

from __future__ import annotations

import pytest

from headrace_servicekit.sqlfiles import SqlFileError, load_migrations, load_queries

GOOD = """\
-- name: take_shards
-- Claims what is free, for one session.
UPDATE shard SET session = %(session)s
WHERE id = ANY(%(ids)s) -- only ours
  AND note LIKE '50%%' AND owner <> %(session)s;

-- name: count_shards
-- How many there are.
SELECT count(*) FROM shard
"""


def test_queries_are_named_and_stripped(tmp_path):
    (tmp_path / "shards.sql").write_text(GOOD)
    queries = load_queries(tmp_path)
    assert list(queries) == ["take_shards", "count_shards"]
    assert queries["count_shards"] == "SELECT count(*) FROM shard"
    assert queries["take_shards"].startswith("UPDATE shard")
    assert not queries["take_shards"].endswith(";")


def test_a_query_can_be_prepared(tmp_path):
    (tmp_path / "shards.sql").write_text(GOOD)
    prepared = load_queries(tmp_path).positional("take_shards")
    for part in ("session = $1", "ANY($2)", "LIKE '50%'", "owner <> $1"):
        assert part in prepared


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1", "text before the first"),
        ("-- name: a\nSELECT 1", "a: a comment that says what it does must follow the name"),
        ("-- name: a\n-- Does.\n", "a: there is no statement"),
        ("-- name: a\n-- Does.\nSELECT 1;\n-- name: a\n-- Does.\nSELECT 2;", "a: the name is taken"),
    ],
)
def test_a_malformed_file_is_refused_with_its_place(tmp_path, text, message):
    (tmp_path / "bad.sql").write_text(text)
    with pytest.raises(SqlFileError, match=f"bad.sql: .*{message}"):
        load_queries(tmp_path)


def test_migrations_are_numbered_without_gaps(tmp_path):
    for name in ("0001_begin.sql", "0002_more.sql"):
        (tmp_path / name).write_text("SELECT 1")
    assert [(one.version, one.name) for one in load_migrations(tmp_path)] == [(1, "0001_begin"), (2, "0002_more")]
    (tmp_path / "0004_late.sql").write_text("SELECT 1")
    with pytest.raises(SqlFileError, match=r"0004_late.sql: expected a name like 0003_"):
        load_migrations(tmp_path)
