"""use_accelerator: what it compiles to, and that the platform reads the same out of it."""

from __future__ import annotations

from typing import Any

import pytest

from headrace import dsl
from headrace import kubernetes as k
from headrace_ir.plan import compile_plan
from headrace_ir.reading import read_spec
from headrace_scheduler.executors.accelerators import Wanted, read
from headrace_scheduler.placing import requests_of


@dsl.component
def train():
    pass


def compiled(**wanted: Any) -> Any:
    """The pipeline's package, with `train` on such accelerators."""

    @dsl.pipeline(name="gpus")
    def flow():
        k.use_accelerator(train(), **wanted)

    return flow.package


@pytest.mark.parametrize(
    ("wanted", "read_as", "count"),
    [
        ({}, Wanted("nvidia.com/gpu"), 1),
        ({"product": "H100", "count": 2}, Wanted("nvidia.com/gpu", ("H100",)), 2),
        (
            {"product": ["H100", "A100-80GB"], "memory": "80GB"},
            Wanted("nvidia.com/gpu", ("H100", "A100-80GB"), 80 * 10**9),
            1,
        ),
        ({"memory": "40 GiB", "count": 4}, Wanted("nvidia.com/gpu", (), 40 * 2**30), 4),
        ({"mig": "1g.10gb"}, Wanted("nvidia.com/gpu", (), 0, "1g.10gb"), 1),
        ({"product": "A100", "mig": "3g.20gb"}, Wanted("nvidia.com/gpu", ("A100",), 0, "3g.20gb"), 1),
        ({"product": "MI300X", "resource": "amd.com/gpu"}, Wanted("amd.com/gpu", ("MI300X",)), 1),
    ],
)
def test_the_platform_reads_what_was_written(wanted: dict[str, Any], read_as: Wanted, count: int) -> None:
    package = compiled(**wanted)
    document = {"pipeline_spec": package.spec}
    if package.platform:
        document["platform_spec"] = package.platform
    ((_, request),) = requests_of(compile_plan(read_spec(document)))
    assert (read(request.accelerator_type), request.accelerators) == (read_as, count)


def test_other_platforms_see_a_resource_and_an_annotation() -> None:
    package = compiled(product=["H100", "A100"], memory="40GiB", count=2)
    (executor,) = package.spec["deploymentSpec"]["executors"].values()
    assert executor["container"]["resources"]["accelerator"] == {
        "type": "nvidia.com/gpu",
        "resourceType": "nvidia.com/gpu",
        "count": "2",
        "resourceCount": "2",
    }
    (settings,) = package.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values()
    assert settings == {"podMetadata": {"annotations": {"headrace.io/accelerator": "H100|A100 memory>=40GiB"}}}


def test_a_second_call_replaces_the_first() -> None:
    @dsl.pipeline(name="gpus")
    def flow():
        k.use_accelerator(k.use_accelerator(train(), "H100", 2), count=1)

    (executor,) = flow.package.spec["deploymentSpec"]["executors"].values()
    assert executor["container"]["resources"]["accelerator"]["resourceCount"] == "1"
    platform = flow.package.platform or {}
    assert "headrace.io/accelerator" not in str(platform)
