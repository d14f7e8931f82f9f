"""How old an entry may be: what is asked for, else the pipeline's, the namespace's, everybody's limit."""

from __future__ import annotations

import pytest

from headrace_cache.ages import Ages, parse_ages, too_old
from headrace_protos.v1 import cache_pb2

AGES = parse_ages("team-a=7d team-a/training=12h team-b=0s", 3600.0)


@pytest.mark.parametrize(
    ("namespace", "name", "asked", "limit"),
    [
        ("team-a", "training", 5.0, 5.0),
        ("team-a", "training", 0.0, 43_200.0),
        ("team-a", "other", 0.0, 604_800.0),
        ("team-b", "other", 0.0, 0.0),
        ("team-c", "training", 0.0, 3600.0),
    ],
)
def test_the_most_special_limit_holds(namespace, name, asked, limit):
    assert AGES.limit(asked, cache_pb2.Ingredients(namespace=namespace, pipeline_name=name)) == limit


def test_nothing_said_is_for_ever():
    assert Ages().limit(0.0, cache_pb2.Ingredients(namespace="a")) == 0.0
    assert too_old(1e9, 0.0) == ""


@pytest.mark.parametrize("text", ["team-a", "team-a=7", "=7d", "team-a=7y", "team-a=-1d"])
def test_what_is_no_list_of_ages(text):
    with pytest.raises(ValueError, match="write NAMESPACE=7d or NAMESPACE/PIPELINE=12h"):
        parse_ages(text, 0.0)


def test_an_entry_that_is_too_old_says_so_with_numbers():
    assert too_old(60.0, 60.0) == ""
    assert too_old(10_800.0, 60.0) == "its entry is 3 h old, more than the 60 s that are allowed"
