"""What an attempt may do with which objects: decided from its Launch alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from builders.launches import launch
from headrace_ir.references import ValueRef
from headrace_protos.v1 import events_pb2
from headrace_protos.v1.access_pb2 import Complete, Put, Want
from headrace_scheduler.executors.port import Launch
from headrace_scheduler.granting import Answered, Granted, Refused, judge
from headrace_scheduler.stores.areas import Area, Areas

ROOT = "s3://bucket/headrace"
MINE = f"{ROOT}/namespaces/a/p/run/train/2"
DEFAULT = Area(ROOT)
DATA = Area("s3://data-of-a/runs", frozenset({"a"}), ("s3://data-of-a/",))
AREAS = Areas([DEFAULT, DATA])
INPUT = f"{ROOT}/namespaces/a/p/run/prepare/1/set"
FOREIGN = f"{ROOT}/namespaces/b/p/run/secret/1/model"
FORBIDDEN = "is neither an input of this attempt nor beneath"


def given(*uris: str) -> Launch:
    made = launch(cast(Any, DEFAULT), "true")
    artifacts = {
        f"in{i}": events_pb2.ArtifactList(artifacts=[events_pb2.Artifact(uri=uri)]) for i, uri in enumerate(uris)
    }
    references = {"large": ValueRef(f"{ROOT}/namespaces/a/p/run/prepare/1/parameter-values/x", 1, "sha256:0", "string")}
    return replace(made, namespace="a", task_root=MINE, inputs=artifacts, references=references)


LAUNCH = given(INPUT, FOREIGN, "s3://data-of-a/set", "s3://public/set", "https://host/x?y=../z", "s3://bucket/other")


@pytest.mark.parametrize(
    ("want", "verdict"),
    [
        (Want(find=INPUT), Granted(DEFAULT)),
        (Want(find=f"{INPUT}/below/file"), Granted(DEFAULT)),
        (Want(find=f"{ROOT}/namespaces/a/p/run/prepare/1/parameter-values/x"), Granted(DEFAULT)),
        (Want(find=f"{MINE}/executor-logs"), Granted(DEFAULT)),
        (Want(put=Put(uri=f"{MINE}/model")), Granted(DEFAULT)),
        (Want(complete=Complete(uri=f"{MINE}/model")), Granted(DEFAULT)),
        (Want(abort=f"{MINE}/model"), Granted(DEFAULT)),
        (Want(delete=f"{MINE}/model"), Granted(DEFAULT)),
        (Want(find=f"{ROOT}/namespaces/a/p/run/prepare/1/attempt.json"), Granted(DEFAULT)),
        (Want(find="s3://bucket/attempt.json"), Answered(problem="", missing=True)),
        (Want(find="s3://attempt.json"), Answered(missing=True)),
        (Want(find="s3://data-of-a/set"), Granted(DATA)),
        (Want(find="s3://public/set"), Answered(outside=True)),
        (Want(find="s3://bucket/other"), Answered(outside=True)),
        (Want(find="https://host/x?y=../z"), Answered(outside=True)),
        (Want(find=FOREIGN), Answered(problem=f"{FOREIGN} belongs to the namespace 'b', not to 'a'")),
    ],
)
def test_what_is_granted(want: Want, verdict: Granted | Answered) -> None:
    assert judge(want, LAUNCH, AREAS) == verdict


@pytest.mark.parametrize(
    ("want", "sentence"),
    [
        (Want(find=f"{INPUT}s"), FORBIDDEN),
        (Want(find=f"{ROOT}/namespaces/a/p/run/other/1/x"), FORBIDDEN),
        (Want(find=f"{ROOT}/namespaces/a/p/run/train/1/x"), FORBIDDEN),
        (Want(find=MINE), FORBIDDEN),
        (Want(find=f"{MINE}/../../../../b/x"), "is not the URI of an object"),
        (Want(find=f"{INPUT}/../x"), "is not the URI of an object"),
        (Want(find=f"{MINE}//x"), "is not the URI of an object"),
        (Want(put=Put(uri=INPUT)), "does not lie beneath"),
        (Want(put=Put(uri=f"{MINE}0/x")), "does not lie beneath"),
        (Want(delete=INPUT), "does not lie beneath"),
        (Want(delete=MINE), "does not lie beneath"),
        (Want(abort=INPUT), "does not lie beneath"),
        (Want(complete=Complete(uri=INPUT)), "does not lie beneath"),
        (Want(find=""), "is not the URI of an object"),
        (Want(), "is not the URI of an object"),
    ],
)
def test_what_is_refused(want: Want, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        judge(want, LAUNCH, AREAS)


def test_a_run_that_publishes_in_anothers_part_gets_no_way() -> None:
    mine = replace(LAUNCH, task_root=f"{ROOT}/namespaces/b/p/run/train/2")
    verdict = judge(Want(put=Put(uri=f"{mine.task_root}/x")), mine, AREAS)
    assert verdict == Answered(problem=f"{mine.task_root}/x belongs to the namespace 'b', not to 'a'")
