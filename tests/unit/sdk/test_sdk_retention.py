"""`headrace retention` as people write and read it: limits, and the line of a policy."""

from __future__ import annotations

from datetime import timedelta

import pytest

from headrace.cli.retention import ONE, limits, plan_lines, policy_line
from headrace.errors import BadInput
from headrace.retention import KINDS, Going, Policy, RetentionPlan


@pytest.mark.parametrize(
    ("text", "age", "count"),
    [
        ("keep", None, None),
        ("90d", timedelta(days=90), None),
        ("1.5h", timedelta(minutes=90), None),
        ("1000", None, 1000),
        ("2w,20", timedelta(weeks=2), 20),
        ("20,2w", timedelta(weeks=2), 20),
        ("0", None, 0),
        ("0s", timedelta(0), None),
    ],
)
def test_limits(text, age, count):
    assert limits(text) == (age, count)


@pytest.mark.parametrize(
    "text", ["", "90x", "d", "-5d", "nand", "infd", "1e30d", "5d,5d", "1,1", "90d ,1", "9" * 19, "9" * 5000]
)
def test_wrong_limits_are_a_sentence(text):
    with pytest.raises(BadInput) as caught:
        limits(text)
    assert str(caught.value).startswith(f"{text[:40]}: ")
    assert str(caught.value).endswith(
        "is neither an age such as 90d nor a number; `keep` keeps all, `none` says nothing here"
    )
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("policy", "line"),
    [
        (Policy("runs", "", "", None, None, 3), "runs: all are kept (version 3)"),
        (
            Policy("runs", "team-a", "training", timedelta(hours=36), 5, 1),
            "runs of team-a/training: what is older than 36h goes; of each pipeline the newest 5 stay (version 1)",
        ),
        (
            Policy("packages", "team-a", "", None, 5, 1),
            "packages of team-a: of each namespace the newest 5 stay (version 1)",
        ),
        (
            Policy("logs", "", "", timedelta(days=14), None, 0, declared=True),
            "logs: what is older than 14d goes (declared by the platform's settings)",
        ),
    ],
)
def test_a_policy_is_one_line(policy, line):
    assert policy_line(policy) == line


def test_what_goes_is_counted_by_what_it_is():
    assert set(ONE) == set(KINDS)
    going = [Going(kind, f"{number}", "", "", "old", 5) for number in (1, 2) for kind in ("cache", "logs")]
    last = list(plan_lines(RetentionPlan(tuple(going[:3]), more=True), "would go"))[-1]
    assert last == "2 cached results, 1 log would go, 15 bytes of artifacts; there is more"
    assert list(plan_lines(RetentionPlan(()), "went")) == ["nothing went"]
