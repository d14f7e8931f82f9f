"""G54: settings for platforms other than Kubernetes."""

from __future__ import annotations

import json

from builders.specs import pipeline
from gaps.gap import Gap
from gaps.shells import say

GAP = Gap(
    "G54",
    "Settings for other platforms",
    kfp="singlePlatformSpecs and platforms other than kubernetes are dropped in silence",
    here="they have no effect, and a warning names each; a misspelt platform is refused",
)


def package(platforms):
    document = pipeline("g54").task("a", say("x")).returns("Output", "a").build()
    document["components"]["comp-a"]["singlePlatformSpecs"] = [{"platform": "aws"}]
    return "\n---\n".join(json.dumps(one) for one in (document, {"platforms": platforms})).encode()


def test_each_is_named_by_a_warning(gaps):
    given = package({"aws": {}, "kubernetes": {}})
    assert gaps.warnings(given) == [
        "components.comp-a.singlePlatformSpecs: has no effect; platform settings are read from the platform document only",
        "platforms.aws: settings for this platform have no effect",
    ]
    assert gaps.warnings(package({"aws": {}}))[1] == "platforms.aws: settings for this platform have no effect"
    assert gaps.run(given).outputs == {"Output": "x"}


def test_a_misspelt_platform_is_refused(gaps):
    expected = "platforms.kubernets: unknown platform 'kubernets'; did you mean 'kubernetes'?"
    assert gaps.refused(package({"kubernets": {}})) == [expected]
