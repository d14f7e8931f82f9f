"""G56: a document of the file that is not what it should be."""

from __future__ import annotations

import json

import pytest

from builders.specs import pipeline
from gaps.gap import Gap
from gaps.shells import say

GAP = Gap(
    "G56",
    "A misspelt platform document",
    kfp="ignored in silence, and with it every setting",
    here="an unrecognised document is an error, and so is an unknown field anywhere in it",
)


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        (
            {"platfroms": {"kubernetes": {}}},
            "document 2: neither a pipeline spec nor a platform spec ('platfroms': did you mean 'platforms'?)",
        ),
        ({"settings": {}}, "document 2: neither a pipeline spec nor a platform spec ('settings': the fields here are "
            "'pipelineInfo', 'deploymentSpec', 'sdkVersion', 'schemaVersion', 'components', 'root', 'defaultPipelineRoot', "
            "'platforms')"),
        (
            {"platforms": {"kubernetes": {"deploymentSpec": {"executor": {}}}}},
            "platforms.kubernetes.deploymentSpec.executor: unknown field 'executor'; did you mean 'executors'?",
        ),
        (
            {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-a": {"secretAsEnvs": []}}}}}},
            "platforms.kubernetes.deploymentSpec.executors.exec-a.secretAsEnvs: unknown field 'secretAsEnvs'; did you mean "
            "'secretAsEnv'?",
        ),
        (
            {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-b": {}}}}}},
            "platforms.kubernetes.deploymentSpec.executors.exec-b: unknown executor 'exec-b'; did you mean 'exec-a'?",
        ),
    ],
)  # fmt: skip
def test_it_is_refused_with_the_nearest_name(gaps, platform, expected):
    document = pipeline("g56").task("a", say("x")).build()
    package = "\n---\n".join(json.dumps(one) for one in (document, platform)).encode()
    assert gaps.refused(package) == [expected]


def test_a_key_that_is_given_twice_is_refused(gaps):
    assert gaps.refused(b"pipelineInfo: {name: g56}\nroot: {}\nroot: {}\n") == [
        "not readable as YAML: line 3: the key 'root' is given twice"
    ]
