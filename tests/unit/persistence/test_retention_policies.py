"""Policies: what counts where, how they are written, and each thing that can be wrong with one."""

from __future__ import annotations

from typing import Any

import pytest

from headrace_persistence.retention import policies as p
from headrace_persistence.retention.policies import KEEP, Limits, Policies, PolicyProblem, declared, shown_age
from headrace_persistence.settings import PersistenceSettings
from headrace_servicekit.settings import SettingsError

DAY = 86400


def test_nothing_said_keeps_everything():
    assert Policies().of(p.RUNS, "team-a", "training") == KEEP
    assert KEEP.why(10**18, 10**6) == ""


def test_the_more_special_policy_counts_whole():
    said = declared("runs=90d,1000 team-a:runs=30d team-a/training:runs=5 team-b:runs=keep")
    assert said.of(p.RUNS, "other", "x") == Limits(90 * DAY, 1000)
    assert said.of(p.RUNS, "team-a", "x") == Limits(30 * DAY)
    assert said.of(p.RUNS, "team-a", "training") == Limits(None, 5)
    assert said.of(p.RUNS, "team-b", "x") == KEEP
    assert said.of(p.LOGS, "team-a", "training") == KEEP


def test_archived_runs_have_the_policy_of_runs_unless_something_is_said_of_them():
    assert declared("runs=90d").of(p.ARCHIVED, "a", "b") == Limits(90 * DAY)
    assert declared("runs=90d archived=7d").of(p.ARCHIVED, "a", "b") == Limits(7 * DAY)
    assert declared("runs=90d archived=keep").of(p.ARCHIVED, "a", "b") == KEEP


@pytest.mark.parametrize(
    ("age_s", "newer", "why"),
    [
        (30 * DAY, 0, ""),
        (30 * DAY + 1, 0, "older than 30d"),
        (0, 9, ""),
        (0, 10, "beyond the newest 10"),
        (31 * DAY, 10, "older than 30d"),
    ],
)
def test_why_something_goes(age_s: float, newer: int, why: str):
    assert Limits(30 * DAY, 10).why(int(age_s * 1e6), newer) == why


@pytest.mark.parametrize(("text", "why"), [("0s", "older than 0s"), ("0", "beyond the newest 0")])
def test_zero_keeps_nothing(text: str, why: str):
    assert p.parsed_limits(text).why(1, 0) == why


@pytest.mark.parametrize(
    ("seconds", "shown"), [(90 * DAY, "90d"), (7 * DAY, "1w"), (36 * 3600, "36h"), (90, "90s"), (0.5, "0.5s")]
)
def test_ages_are_shown_in_their_largest_unit(seconds: float, shown: str):
    assert shown_age(seconds) == shown


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("runs", "'runs': expected KIND=LIMITS or NAMESPACE/PIPELINE:KIND=LIMITS, such as team-a:runs=90d,1000"),
        ("runs=", "'runs=': expected KIND=LIMITS or NAMESPACE/PIPELINE:KIND=LIMITS, such as team-a:runs=90d,1000"),
        ("runs=soon", "'runs=soon': 'soon' is neither an age such as 90d nor a number; write `keep` for no limit"),
        ("runs=1d,2d", "'runs=1d,2d': '2d' is neither an age such as 90d nor a number; write `keep` for no limit"),
        (
            "models=9d",
            "'models=9d': 'models' is nothing that is kept; there are runs, archived, artifacts, logs, cache, traces, packages",
        ),
        (
            "/training:runs=9d",
            "'/training:runs=9d': the policy for pipeline 'training' names no namespace; name it too, such as default/training",
        ),
        (
            "a/b:packages=9d",
            "'a/b:packages=9d': packages are shared by the pipelines of a namespace; set a policy for 'a' instead",
        ),
        ("runs=9d runs=8d", "'runs=8d': runs is given twice"),
    ],
)
def test_a_mistake_is_told_with_its_word(text: str, sentence: str):
    with pytest.raises(PolicyProblem) as wrong:
        declared(text)
    assert str(wrong.value) == sentence


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        (Limits(-1.0), "max_age is -1 seconds; give 0 to 1e+11, or none to keep things of any age"),
        (Limits(float("nan")), "max_age is nan seconds; give 0 to 1e+11, or none to keep things of any age"),
        (Limits(1e308), "max_age is 1e+308 seconds; give 0 to 1e+11, or none to keep things of any age"),
        (Limits(None, 2**53), "max_count is 9007199254740992; give 0 to 9007199254740991, or none to keep any number"),
        (Limits(None, -5), "max_count is -5; give 0 to 9007199254740991, or none to keep any number"),
    ],
)
def test_limits_below_nothing_are_mistakes(limits: Limits, sentence: str):
    with pytest.raises(PolicyProblem) as wrong:
        p.checked("", "", p.RUNS, limits)
    assert str(wrong.value) == sentence


def test_a_nul_in_a_name_is_a_mistake():
    with pytest.raises(PolicyProblem) as wrong:
        p.checked("a\0", "", p.RUNS, KEEP)
    assert str(wrong.value) == "the name of a namespace or pipeline holds a NUL character; take it out"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"retention": "runs"},
            "HEADRACE_RETENTION: 'runs': expected KIND=LIMITS or NAMESPACE/PIPELINE:KIND=LIMITS, such as team-a:runs=90d,1000",
        ),
        ({"retention_every": 0.0}, "HEADRACE_RETENTION_EVERY is 0; expected a number above 0"),
        ({"retention_rate": -1.0}, "HEADRACE_RETENTION_RATE is -1; expected a number above 0"),
    ],
)
def test_settings_are_checked_at_the_start(settings: dict[str, Any], sentence: str):
    with pytest.raises(SettingsError) as wrong:
        PersistenceSettings(**settings).checked()
    assert str(wrong.value) == sentence
