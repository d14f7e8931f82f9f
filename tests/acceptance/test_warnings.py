"""What a task was not given as it asked: it runs, and says so."""

from __future__ import annotations

import json

from builders.specs import container, pipeline
from corpus import driving
from fixtures.platforms import Platform


def run(platform: Platform, tmp_path, flow, *more: str) -> driving.Said:
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps(flow.build()))
    return driving.command("run", str(file), "--no-cache", "--endpoint", platform.url, *more)


def flow():
    greedy = container(["sh", "-c", "true"], image="alpine:3.19", resources={"resourceCpuLimit": "1000"})
    return pipeline("greedy").task("one", greedy).task("two", greedy)


def test_an_image_that_is_not_used_and_a_request_above_the_machine(platform: Platform, tmp_path):
    said = run(platform, tmp_path, flow(), "-o", "json")
    assert said.code == 0, said.stderr
    for task in json.loads(said.stdout)["tasks"]:
        image, cpu = sorted(task["warnings"], reverse=True)
        assert image == "the image alpine:3.19 is not used on this machine: the command runs directly on it"
        assert cpu.startswith("asks for 1000 CPUs, this machine has ")
        assert cpu.endswith("; it runs with what there is")


def test_the_same_warning_of_several_tasks_is_one_line(platform: Platform, tmp_path):
    said = run(platform, tmp_path, flow())
    assert said.code == 0, said.stderr
    lines = [line for line in said.stdout.splitlines() if "alpine:3.19" in line]
    assert len(lines) == 1
    assert " and 1 more: the image alpine:3.19 is not used" in lines[0]


def test_what_has_no_effect_in_a_package_is_a_line_each(platform: Platform, tmp_path):
    said = run(platform, tmp_path, pipeline("idle").task("a", container(["true"]), parallelism=3))
    assert said.code == 0, said.stderr
    warned = [line for line in said.stderr.splitlines() if line.startswith("warning: ")]
    assert warned == ["warning: root.dag.tasks.a.iteratorPolicy: has no effect without an iterator"]
