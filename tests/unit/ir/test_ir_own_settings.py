"""`platforms.headrace`: how old results may be that tasks take. Other platforms are not asked for it."""

from __future__ import annotations

import pytest

from builders.specs import container, pipeline
from headrace_ir.plan import compile_plan
from headrace_ir.reading import read_spec
from headrace_ir.validating import validate


def package(own):
    flow = pipeline().task("a", container(), cache=True).task("b", container(), cache=True)
    return read_spec({"pipeline_spec": flow.build(), "platform_spec": {"platforms": {"headrace": own}}})


def test_ages_reach_the_plan():
    own = {"config": {"cacheMaxAge": "60s"}, "deploymentSpec": {"executors": {"exec-a": {"cacheMaxAge": "1.5s"}}}}
    plan = compile_plan(package(own))
    assert plan.config.cache_max_age_s == 60.0
    assert {task.key: task.cache.max_age_s for task in plan.dags[0].tasks} == {"a": 1.5, "b": 0.0}
    assert not plan.warnings


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        (
            {"config": {"cacheMaxAge": "1h"}},
            "platforms.headrace.config.cacheMaxAge: expected a duration such as '3600s', got '1h'",
        ),
        (
            {"config": {"cacheMaxAge": "0s"}},
            "platforms.headrace.config.cacheMaxAge: expected a duration such as '3600s', got '0s'",
        ),
        (
            {"config": {"cacheMaxage": "1s"}},
            "platforms.headrace.config.cacheMaxage: unknown field 'cacheMaxage'; did you mean 'cacheMaxAge'?",
        ),
        (
            {"deploymentSpec": {"executors": {"exec-c": {"cacheMaxAge": "1s"}}}},
            "platforms.headrace.deploymentSpec.executors.exec-c: unknown executor 'exec-c'; did you mean 'exec-b'?",
        ),
        (
            {"deploymentSpec": {"executors": {"exec-a": {"cacheMaxAge": 5}}}},
            "platforms.headrace.deploymentSpec.executors.exec-a.cacheMaxAge: "
            "expected a duration such as '3600s', got the number 5",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(own, problem):
    assert [str(one) for one in validate(package(own))] == [problem]


def test_a_misspelt_platform_is_found_beside_others():
    flow = pipeline().task("a", container())
    platforms = {"kubernetes": {}, "headrase": {}, "aws": {}}
    found = read_spec({"pipeline_spec": flow.build(), "platform_spec": {"platforms": platforms}})
    assert [str(one) for one in validate(found)] == [
        "platforms.headrase: unknown platform 'headrase'; did you mean 'headrace'?"
    ]
