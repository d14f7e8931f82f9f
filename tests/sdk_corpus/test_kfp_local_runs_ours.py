"""What Headrace compiles, run by the official `kfp.local`: the same ends and outputs as of what the official SDK compiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from corpus import asking
from corpus.viewing import from_oracle
from differential.test_differential import CASES, ORACLE_CACHE, source
from sdk_corpus.test_same_ir import compiled

RUN = [row for row in CASES if row.oracle]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return compiled("as-kfp", tmp_path_factory.mktemp("compiled") / "out")


@pytest.fixture(scope="module")
def local(ours: dict[str, Path], kfp_python: Path) -> dict[str, tuple[Any, Any]]:
    """What `kfp.local` gives for the pipelines of tests/differential, as either SDK compiled them."""
    theirs = [(row, source(row)) for row in RUN]
    mine = [(row, ours[source(row).stem]) for row in RUN]
    asking.ask_all(theirs, ORACLE_CACHE)
    asking.ask_all(mine, ORACLE_CACHE)
    return {
        row.name: tuple(
            from_oracle(asking.ask(row, file, ORACLE_CACHE)) for file in (source(row), ours[source(row).stem])
        )
        for row in RUN
    }


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("row", RUN, ids=lambda row: row.name)
def test_kfp_local_runs_it_to_the_same_outputs(local, row):
    official, mine = local[row.name]
    assert (mine.state, mine.outputs) == (official.state, official.outputs), mine.error
    assert told(mine, official) == told(official, mine)


def told(one: Any, other: Any) -> dict[str, Any]:
    """The tasks of one run. `kfp.local` stops at the first failure, and takes independent tasks in the order of a set, so what
    else it ran before that differs from process to process: of a run that failed, what both ran."""
    return one.tasks if one.state == "SUCCEEDED" else {name: one.tasks[name] for name in one.tasks.keys() & other.tasks}
