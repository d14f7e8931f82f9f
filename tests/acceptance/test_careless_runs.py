"""What people type for a run, on the real platform: parts of ids, other cases, what is no id; and runs deleted by mistake:
one that goes on, one that is pinned.
"""

from __future__ import annotations

import re

import pytest

from builders.specs import container, pipeline
from corpus import driving
from fixtures.platforms import Platform
from fixtures.records import Records
from headrace.errors import NotFound


def succeeded(platform: Platform) -> str:
    with Records(platform.url) as client:
        flow = pipeline("careless-runs").task("train", container(["true"])).build()
        run_id = client.submit(flow, enable_cache=False).run_id
        assert client.wait(run_id, timeout=60).state == "SUCCEEDED"
    return run_id


@pytest.fixture(scope="module")
def ended(platform: Platform) -> str:
    """The id of a run that has."""
    return succeeded(platform)


def test_a_run_is_found_by_what_its_id_begins_with(platform: Platform, ended: str) -> None:
    for typed in (ended[:23], ended[:24], ended.upper(), ended.replace("-", ""), ended.replace("-", "")[:20]):
        said = driving.command("runs", "get", typed, "-o", "json", "--endpoint", platform.url)
        assert (said.code, f'"run_id": "{ended}"' in said.stdout) == (0, True), (typed, said.stderr)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "'' is no run: give its id, a unique beginning of it, or `latest`"),
        ("-", "'-' is no run: give its id, a unique beginning of it, or `latest`"),
        ("LATEST", "'LATEST' is no run: give its id, a unique beginning of it, or `latest`"),
        ("zzzzzzzz-0000-7000-8000-000000000000", "'zzzzzzzz-0000-7000-8000-000000000000' is no run: give its id, "),
        ("00000000-0000-7000-8000-000000000000", "there is no run 00000000-0000-7000-8000-000000000000; `headrace runs list` "),
        ("00000000", "no run's id begins with 00000000; `headrace runs list` shows them"),
    ],
)  # fmt: skip
def test_what_is_no_run_is_told(platform: Platform, ended: str, typed: str, sentence: str) -> None:
    said = driving.command("runs", "get", "--endpoint", platform.url, "--", typed)
    assert said.code == 2
    assert said.stderr.startswith(f"headrace: {sentence}"), said.stderr


def test_several_runs_are_named(platform: Platform, ended: str) -> None:
    succeeded(platform)
    said = driving.command("trace", ended[:2], "--endpoint", platform.url)
    assert (said.code, said.stdout) == (2, "")
    assert said.stderr.startswith(f"headrace: the ids of several runs begin with {ended[:2]}: 0")
    assert said.stderr.endswith("; give more of it\n")


def test_deleting_what_goes_on_or_is_pinned_must_be_meant(platform: Platform) -> None:
    def said(action: str, *options: str) -> driving.Said:
        return driving.command("runs", action, run_id, *options, "--endpoint", platform.url)

    with Records(platform.url) as client:
        run_id = client.submit(pipeline("careless-runs").task("train", container(["sleep", "600"])).build()).run_id
        on = said("delete")
        assert re.fullmatch(
            rf"headrace: run {run_id} has not ended \((PENDING|RUNNING)\): `headrace runs terminate {run_id}` ends it, "
            r"and delete with --force ends it and deletes it\n",
            on.stderr,
        )
        assert said("terminate").code == 0
        assert client.wait(run_id, timeout=60).state == "CANCELED"
        assert said("pin").code == 0
        pinned = said("delete")
        sentence = f"headrace: run {run_id} is pinned: `headrace runs unpin {run_id}`, or delete it with --force\n"
        assert (on.code, pinned.code, pinned.stderr) == (2, 2, sentence)
        assert client.runs.get(run_id).pinned
        assert said("delete", "--force").stdout == f"{run_id} is deleted\n"
    again = said("delete")
    assert (again.code, again.stderr) == (2, f"headrace: there is no run {run_id}; `headrace runs list` shows them\n")


def test_a_run_that_goes_on_is_ended_and_deleted_where_that_is_meant(platform: Platform) -> None:
    with Records(platform.url) as client:
        run_id = client.submit(pipeline("careless-runs").task("train", container(["sleep", "600"])).build()).run_id
        said = driving.command("runs", "delete", run_id, "--force", "--endpoint", platform.url)
        assert (said.code, said.stdout) == (0, f"{run_id} is deleted\n")
        with pytest.raises(NotFound):
            client.wait(run_id, timeout=60)
