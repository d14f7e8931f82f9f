"""The corpus run on Headrace, as the official SDK compiled it and as ours did: the same ends and outputs, task by task."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from corpus import driving
from corpus.viewing import RunView, TaskView
from fixtures.platforms import Platform, running
from fixtures.records import Records
from sdk_corpus.test_same_ir import BEYOND, DECLARED, OFFICIAL, compiled

# What needs more than one machine's processes, and why; tests/gaps and tests/differential run those of theirs.
NOT_HERE = {
    "brought_packages": "index URLs of nobody",
    "brought_notebooks": "packages from an index",
    "brought_images_of_their_own": "an image that nobody has built",
    "configs_task_configs": "settings of a Pod",
    "signatures_own_artifacts": "artifacts that the pipeline is given",
    "signatures_paths_of_both": "KFP's runtime has no path for a parameter (`InputPath(str)`)",
}
MODULES = (
    "pairs_",
    "comparisons_",
    "signatures_",
    "placing_",
    "loaded_",
    "brought_",
    "settings_",
    "configs_",
    "crossing_",
)
DIFFER = {name for one in DECLARED for name in one.flows if name not in ("kube_volumes",)}
OURS_ALONE = sorted({*BEYOND, *(name for one in DECLARED for name in one.flows if one.invalid)})
BOTH = [name for name in OFFICIAL if name.startswith(MODULES) and name not in NOT_HERE and name not in DIFFER]
GIVEN: dict[str, dict[str, Any]] = {"signatures_every_type": {"a": "x"}}
LIMIT_S = 100.0
VARIES = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,}|\d{4}-\d\d-\d\d[T ][\d:.-]+Z?")


@dataclass(frozen=True)
class Runs:
    """Every run by who compiled it and its pipeline's name."""

    platform: Platform
    client: Records
    ids: dict[tuple[str, str], str]

    def view(self, who: str, name: str) -> RunView:
        run_id = self.ids[who, name]
        self.client.wait(run_id, timeout=LIMIT_S)
        return driving.view(self.platform.url, run_id)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """All of them at once: the platform is to do many things beside each other."""
    ours = compiled("as-kfp", tmp_path_factory.mktemp("compiled") / "out")
    sources = {("kfp", name): OFFICIAL[name] for name in BOTH} | {
        ("headrace", name): ours[name] for name in [*BOTH, *OURS_ALONE]
    }
    with (
        running("embedded", tmp_path_factory.mktemp("same-runs") / "home") as platform,
        Records(platform.url) as client,
    ):

        def start(one: tuple[str, str]) -> str:
            return client.submit(Path(sources[one]), GIVEN.get(one[1], {}), enable_cache=False).run_id

        with ThreadPoolExecutor(4) as pool:
            yield Runs(platform, client, dict(zip(sources, pool.map(start, sources), strict=True)))


def alike(task: TaskView) -> str:
    """All of a task, without what no two runs share."""
    return VARIES.sub(
        "*", repr(task if task.kind == "RUNTIME" else replace(task, error=""))
    )  # which failed first, varies


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", BOTH)
def test_both_run_alike(runs, name):
    official, ours = runs.view("kfp", name), runs.view("headrace", name)
    assert (ours.state, ours.outputs) == (official.state, official.outputs)
    assert {path: alike(task) for path, task in ours.tasks.items()} == {
        path: alike(task) for path, task in official.tasks.items()
    }


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", OURS_ALONE)
def test_what_kfps_sdk_cannot_compile_runs(runs, name):
    view = runs.view("headrace", name)
    assert view.state == ("FAILED" if name.endswith("_ignoring") else "SUCCEEDED"), view.error
