"""Tasks that misbehave: that task FAILED with a reason and the end of its log; others go on as the IR says."""

from __future__ import annotations

import json
import sys

import pytest

from builders.specs import container, pipeline
from corpus import driving
from fixtures import counting
from fixtures.platforms import Platform, running

OUT = "{{$.outputs.parameters['Output'].output_file}}"
ART = "{{$.outputs.artifacts['artifact'].path}}"
PYTHON = sys.executable


def shell(script: str, *args: str, outputs=None, artifacts=None):
    return container(["sh", "-c", script], list(args), outputs=outputs, output_artifacts=artifacts)


def writing(code: str, type_: str = "STRING"):
    """A component that writes its output file with a line of Python; sys.argv[1] is the file."""
    return container([PYTHON, "-c", f"import sys,os,json;p=sys.argv[1];{code}"], [OUT], outputs={"Output": type_})


def putting(script: str):
    return shell(script, ART, artifacts={"artifact": "system.Artifact"})


CASES = {
    "exits non-zero": (shell("echo last words; exit 3"), "UserError", ["3"], "last words"),
    "is killed": (shell("echo before; kill -9 $$"), "UserError", ["SIGKILL"], "before"),
    "writes no declared output": (shell("true", outputs={"Output": "STRING"}), "MissingOutput", ["Output"], ""),
    "writes it with the wrong type": (
        writing("open(p,'w').write('many')", "NUMBER_INTEGER"),
        "WrongOutput",
        ["Output"],
        "",
    ),
    "NUL": (writing("open(p,'w').write('a'+chr(0)+'b')"), "WrongOutput", ["Output", "NUL"], ""),
    "NaN": (writing("open(p,'w').write('nan')", "NUMBER_DOUBLE"), "WrongOutput", ["Output"], ""),
    "a lone surrogate": (writing(r"open(p,'wb').write(b'\xed\xa0\x80')"), "WrongOutput", ["Output"], ""),
    "10^400": (writing("open(p,'w').write('1'+'0'*400)", "NUMBER_DOUBLE"), "WrongOutput", ["Output"], ""),
    "300 MB": (writing("open(p,'w').write('x'*300_000_000)"), "WrongOutput", ["Output"], ""),
    "a link to elsewhere": (
        putting('mkdir -p "$(dirname "$0")"; ln -s /etc/passwd "$0"'),
        "OutputPath",
        ["artifact"],
        "",
    ),
    "a FIFO": (putting('mkdir -p "$(dirname "$0")"; mkfifo "$0"'), "OutputPath", ["artifact"], ""),
    "a link inside a folder": (putting('mkdir -p "$0"; ln -s /etc "$0/etc"'), "OutputPath", ["artifact"], ""),
}


def run(platform: Platform, tmp_path, flow) -> dict:
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps(flow.build()))
    said = driving.command("run", str(file), "-o", "json", "--endpoint", platform.url)
    assert said.code == 1, said.stderr
    return json.loads(said.stdout)


@pytest.mark.parametrize("case", CASES, ids=list(CASES))
def test_the_task_fails_with_a_reason_and_the_rest_goes_on(platform: Platform, tmp_path, case):
    component, reason, words, tail = CASES[case]
    flow = pipeline("bad").task("bad", component).task("good", shell("true"))
    flow.task("after-bad", shell("true"), after=["bad"]).task(
        "anyway", shell("true"), after=["bad"], on_completion=True
    )
    told = run(platform, tmp_path, flow)
    tasks = {task["path"]: task for task in told["tasks"]}
    assert told["state"] == "FAILED"
    assert {path: tasks[path]["state"] for path in ("bad", "good", "after-bad", "anyway")} == {
        "bad": "FAILED",
        "good": "SUCCEEDED",
        "after-bad": "SKIPPED",
        "anyway": "SUCCEEDED",
    }
    error = tasks["bad"]["error"]
    assert error["reason"] == reason, error
    assert all(word in error["message"] for word in words), error
    assert tail in error.get("log_tail", "")


@pytest.mark.timeout(240)
def test_a_task_that_prints_100_mb_is_no_trouble(platform: Platform, tmp_path):
    noisy = shell("head -c 100000000 /dev/zero | tr '\\0' 'x'; echo; echo the end; exit 1")
    told = run(platform, tmp_path, pipeline("noisy").task("noisy", noisy).task("good", shell("true")))
    tasks = {task["path"]: task for task in told["tasks"]}
    assert tasks["good"]["state"] == "SUCCEEDED"
    assert tasks["noisy"]["error"]["log_tail"].rstrip().endswith("the end")


def test_without_a_package_index_the_task_says_so_and_waits(tmp_path):
    install = 'pip install --quiet --no-warn-script-location \'no-such-package-of-headrace==1.0\' && "$0" "$@"'
    main = ["python3", "-m", "kfp.dsl.executor_main", "--component_module_path", "c.py"]
    needy = container(["sh", "-c", install, *main], ["--executor_input", "{{$}}", "--function_to_execute", "f"])
    flow = pipeline("needy").task("needy", needy).task("good", shell("true"))
    with running("embedded", tmp_path / "home", PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_FIND_LINKS="") as one:
        run_id = counting.submit(one, flow.build(), tmp_path)

        def failed() -> list[dict]:
            tasks = {task["path"]: task for task in counting.leaves(one, run_id)}
            return [told for told in tasks["needy"].get("attempts", []) if told["state"] == "ATTEMPT_FAILED"]

        counting.until("a first attempt that failed", lambda: bool(failed()), one)
        told = failed()[0]["error"]
        assert told["reason"] == "Environment"
        assert "no package index can be used" in told["message"]
        # An index may come back, so the task is tried again, with growing pauses; the rest does not wait for it.
        assert counting.state(one, run_id) == "RUN_RUNNING"
        good = {task["path"]: task["state"] for task in counting.leaves(one, run_id)}["good"]
        assert good == "TASK_SUCCEEDED"
