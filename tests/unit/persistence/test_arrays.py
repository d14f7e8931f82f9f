"""Array literals: what Postgres must read back unchanged (tests/integration/persistence/test_append_values.py reads it back)."""

from __future__ import annotations

from headrace_persistence.arrays import literals


def test_each_type_is_written_in_its_way() -> None:
    columns: dict[str, list[object]] = {
        "run": [1, None],
        "path": ['a"b\\c', ""],
        "number": [1, 2],
        "moves": [3, 4],
        "launched": [b"\x00\xff", None],
    }
    assert literals("update_attempts", columns) == {
        "run": "{1,NULL}",
        "path": '{"a\\"b\\\\c",""}',
        "number": "{1,2}",
        "moves": "{3,4}",
        "launched": '{"\\\\x00ff",NULL}',
    }
