"""What a run may ask of the cache, and the sentences that say why a task was a hit or a miss."""

from __future__ import annotations

import pytest

from headrace_apiserver.caching import MOST_NAMED, caching_of, reason_of
from headrace_protos.v1 import cache_pb2, plan_pb2
from headrace_servicekit.errors import ServiceError


def plan() -> plan_pb2.Plan:
    made = plan_pb2.Plan()
    made.dags.add().tasks.add(key="train")
    return made


def test_nothing_asked_for_is_nothing():
    assert caching_of(plan(), [], 0.0) is None


def test_tasks_are_named_once():
    asked = caching_of(plan(), ["train", "train"], 60.0)
    assert asked is not None
    assert (list(asked.refresh), asked.max_age_s) == (["train"], 60.0)


@pytest.mark.parametrize(
    ("refresh", "age", "sentence"),
    [
        (["trian"], 0.0, "refresh task 'trian': there is no task 'trian' in the pipeline; did you mean 'train'?"),
        (["train[0]"], 0.0, "refresh task 'train[0]': 'train' is no loop, it has no item 0"),
        ([str(n) for n in range(MOST_NAMED + 1)], 0.0, "1001 tasks are to be refreshed, at most 1000"),
        ([], -1.0, "cache_max_age_s is -1; give seconds, 0 for no limit"),
        ([], float("nan"), "cache_max_age_s is nan"),
    ],
)
def test_what_cannot_be_asked_for(refresh, age, sentence):
    with pytest.raises(ServiceError) as refused:
        caching_of(plan(), refresh, age)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (
            {"found": True, "nearest_origin": "r/a"},
            "the results are those of r/a: all that its key is made of was the same",
        ),
        ({"why": "nobody knows"}, "it was not cached: nobody knows"),
        ({"key": "k", "why": "it is gone"}, "there was an entry of the same key that was not taken: it is gone"),
        ({"key": "k"}, "there was no entry of this pipeline yet"),
        (
            {"key": "k", "nearest_key": "n", "nearest_origin": "r/a", "first_difference": "args[1]"},
            "no entry has this key; the nearest, of r/a, differs first in args[1]",
        ),
    ],
)
def test_why(told, sentence):
    assert reason_of(cache_pb2.ExplainResponse(**told)) == sentence
