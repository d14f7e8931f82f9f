"""G66: the sizes of parameter values."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

from builders.specs import container, dag_input, output, pipeline
from gaps.gap import Gap
from gaps.shells import given, shell
from headrace.models import ValueReference
from headrace_ir.references import digest_of

GAP = Gap(
    "G66",
    "Large parameter values",
    kfp="no limit is checked anywhere; values travel through command lines and rows, and fail there with whatever comes first",
    here="above 32 KiB a value lies in the artifact store and travels by reference, up to 256 MiB; each limit has a sentence",
)
NOTE = "ü" * 40_000


def test_values_of_any_size_are_returned_looped_over_collected_and_compared(gaps):
    view = gaps.run("g66", note=NOTE)
    assert view.state == "SUCCEEDED"
    assert view.outputs == {"Output": ["x" * 40_000] * 4}
    assert view.tasks["measure"].outputs == {"Output": 80_000}
    assert view.tasks["measure-2"].outputs == {"Output": 160_000}
    assert view.tasks["condition-2/twice-2"].outputs == {"doubled": NOTE * 2}


def test_answers_show_where_a_large_value_lies_and_the_client_reads_it(gaps):
    run = gaps.client.wait(gaps.start("g66", {"note": NOTE}), timeout=60)
    reference = run.outputs["Output"]
    assert isinstance(reference, ValueReference)
    assert (reference.size, reference.type) == (len(json.dumps(["x" * 40_000] * 4, separators=(",", ":"))), "LIST")
    assert Path(unquote(urlsplit(reference.uri).path)).stat().st_size == reference.size
    assert str(reference) == f"LIST of {reference.size} bytes at {reference.uri}"
    assert gaps.client.outputs(run) == {"Output": ["x" * 40_000] * 4}
    assert gaps.client.value(run.run_id, "note", side="input") == NOTE
    assert gaps.client.value(run.run_id, "texts", task="make") == ["x" * 20_000] * 4
    described = {"headrace_value": {"size": 80_002, "digest": digest_of(json.dumps(NOTE, ensure_ascii=False).encode())}}
    assert run.parameters["note"] == described
    with urllib.request.urlopen(f"{gaps.platform.url}/apis/v2beta1/runs/{run.run_id}") as answer:
        assert json.load(answer)["runtime_config"]["parameters"] == {"note": described}


def test_a_run_that_resumes_another_keeps_its_large_parameters(gaps):
    first = gaps.start("g66", {"note": NOTE})
    gaps.client.wait(first, timeout=60)
    again = gaps.client.resume(first, from_tasks=["measure"])
    assert gaps.client.wait(again.run_id, timeout=60).state == "SUCCEEDED"
    assert gaps.client.value(again.run_id, "note", side="input") == NOTE
    other = gaps.client.resume(first, parameters={"note": "short"})
    assert gaps.client.wait(other.run_id, timeout=60).parameters == {"note": "short"}


def test_a_value_that_is_too_long_for_a_command_or_a_variable_fails_with_a_sentence(gaps):
    flow = pipeline().input("note", "STRING")
    flow.task("argument", shell('printf %s "$1" > "$0"', given("x"), x="STRING"), {"x": dag_input("note")})
    variable = container(["true"], inputs={"x": "STRING"}, env={"NOTE": given("x")})
    flow.task("variable", variable, {"x": dag_input("note")})
    view = gaps.run(flow, note="y" * 140_000)
    assert view.tasks["variable"].error == (
        "environment variable 'NOTE' would be 140000 bytes long, above the limit of 32768: "
        "give the value to the command, or let the task read it from an artifact"
    )
    assert view.tasks["argument"].error == (
        "argument 4 of the command would be 140000 bytes long; this system takes at most 131071: "
        "let the task take the value as an artifact, or in a Python component"
    )


def test_a_run_is_refused_that_is_given_too_much(gaps):
    assert gaps.refused("g66", note="z" * (17 << 20)) == [
        "the parameters have 17825795 bytes together, above the limit of 16777216 for a run; the largest is 'note' with "
        "17825794 bytes: give large data as an artifact"
    ]
    assert gaps.refused("g66", note={"headrace_value": {"size": 1, "digest": "sha256:0"}}) == [
        "parameter 'note' only describes a large value of another run: give the value itself"
    ]


def test_a_large_output_comes_from_the_cache_by_reference(gaps):
    flow = pipeline().task("make", shell("head -c 50000 /dev/zero | tr '\\0' 'x' > \"$0\""), cache=True)
    flow.task("use", shell('printf %s "$1" | wc -c > "$0"', given("x"), x="STRING"), {"x": output("make")}, cache=True)
    first, second = (gaps.client.wait(gaps.start(flow), timeout=60) for _ in range(2))
    tasks = {task.path: task for task in gaps.client.tasks(second.run_id)}
    assert [one.state for one in (first, second)] == ["SUCCEEDED"] * 2
    assert {path: task.cached for path, task in tasks.items()} == {"make": True, "use": True}
    assert gaps.client.value(second.run_id, "Output", task="use").strip() == "50000"
    Path(unquote(urlsplit(tasks["make"].outputs["Output"].uri).path)).unlink()
    third = gaps.client.wait(gaps.start(flow), timeout=60)
    assert {task.path: task.cached for task in gaps.client.tasks(third.run_id)} == {"make": False, "use": True}
