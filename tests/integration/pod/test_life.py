"""An attempt in its Pod, from the companion's first question to the end of `main`: shim and companion as processes."""

from __future__ import annotations

import json
import signal
import stat
from dataclasses import replace

import pytest

from builders.launches import launch, ours
from headrace_companion.publishing import sealed
from headrace_protos.v1 import events_pb2
from headrace_scheduler.executors import port
from headrace_servicekit.errors import Reason

MODEL = port.OutputArtifact("model", "system.Model")


def log_of(pod) -> bytes:
    store = pod.store
    return store.read(store.key(pod.desk.launch.task_root + "/executor-logs"))


def test_a_command_with_inputs_and_outputs(pod):
    script = 'echo "$0"; mkdir -p "$(dirname "$1")" "$(dirname "$2")"; printf 42 > "$1"; printf w > "$2"; echo done >&2'
    pod.run(
        launch(
            pod.store,
            *("sh", "-c", script, "{{$.inputs.parameters['x']}}"),
            *("{{$.outputs.parameters['n'].output_file}}", "{{$.outputs.artifacts['model'].path}}"),
            parameters={"x": "é"},
            outputs={"n": "NUMBER_INTEGER"},
            artifacts=[MODEL],
            traceparent="00-1-2-01",
        )
    )
    result = pod.desk.report()
    assert pod.main_code() == 0
    assert result.state == events_pb2.ATTEMPT_SUCCEEDED, pod.said()
    assert result.outputs.parameters["n"].json == "42"
    (model,) = result.outputs.artifacts["model"].artifacts
    assert pod.store.read(pod.store.key(model.uri)) == b"w"
    assert log_of(pod) == "é\ndone\n".encode()
    assert 0 < result.times.staged_us <= result.times.ended_us <= result.times.published_us
    assert 0 < result.times.started_us <= result.times.ended_us
    assert sealed(pod.desk.launch.task_root, pod.store).succeeded


def test_a_component_without_a_command_runs_its_images_entry_point(pod):
    pod.entry_point = ["sh", "-c", 'printf "%s|" "$@"', "{{$}}"]
    task = launch(pod.store, parameters={"x": "é"})
    pod.run(replace(task, args=[["a b"], ["{{$}}"]]))
    assert pod.desk.report().state == events_pb2.ATTEMPT_SUCCEEDED, pod.said()
    assert pod.main_code() == 0
    assert log_of(pod) == b"a b|{{$}}|"


def test_user_code_sees_what_it_is_to_see_and_nothing_of_ours(pod):
    pod.desk.pod = ("train-1", "uid-1")
    names = environment(pod, A="1")
    assert (names["A"], names["TRACEPARENT"]) == ("1", "00-1-2-01")
    assert (names["KFP_POD_NAME"], names["KFP_POD_UID"]) == ("train-1", "uid-1")
    assert (names["KFP_RUN_ID"], names["PYTHONUNBUFFERED"]) == (pod.desk.launch.attempt.run_id, "1")
    assert not [name for name in names if name.startswith("HEADRACE_")]


def test_what_the_task_calls_its_variables_wins(pod):
    pod.env |= {"PYTHONUNBUFFERED": "of the image"}
    names = environment(pod, KFP_RUN_ID="mine", HOME="/nowhere")
    assert (names["KFP_RUN_ID"], names["HOME"], names["PYTHONUNBUFFERED"]) == ("mine", "/nowhere", "1")


@pytest.mark.parametrize("given", [None, "", "/nowhere", "/etc/passwd"])
def test_user_code_has_a_home_that_it_can_write_to(pod, given):
    del pod.env["HOME"]
    if given is not None:
        pod.env["HOME"] = given
    home = pod.top / "home"
    assert environment(pod)["HOME"] == str(home)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_home_of_the_images_stays(pod, tmp_path):
    assert environment(pod)["HOME"] == str(tmp_path)
    assert not (pod.top / "home").exists()


def environment(pod, **env):
    """What user code finds, where the task asks for ENV."""
    pod.run(launch(pod.store, "env", env=env, traceparent="00-1-2-01"))
    assert pod.desk.report().state == events_pb2.ATTEMPT_SUCCEEDED, pod.said()
    pod.main_code()
    return dict(line.partition("=")[::2] for line in log_of(pod).decode().splitlines())


@pytest.mark.parametrize(
    ("script", "timeout_s", "state", "reason", "said", "code"),
    [
        ("echo why; exit 3", 0, events_pb2.ATTEMPT_FAILED, "UserError", "exit code 3: why", 3),
        ("kill -SEGV $$", 0, events_pb2.ATTEMPT_FAILED, "UserError", "was ended by SIGSEGV", 139),
        ("sleep 60", 0.2, events_pb2.ATTEMPT_FAILED, "TimedOut", "ran longer than its time-out of 0.2 s", 143),
        ("true", 0, events_pb2.ATTEMPT_FAILED, "MissingOutput", "'n'", 0),
    ],
)
def test_failures_are_told_with_their_reason(pod, script, timeout_s, state, reason, said, code):
    pod.run(launch(pod.store, "sh", "-c", script, outputs={"n": "STRING"}, timeout_s=timeout_s))
    result = pod.desk.report()
    assert (result.state, result.error.reason) == (state, reason)
    assert said in result.error.message
    assert pod.main_code() == code


def test_a_program_that_is_not_there(pod):
    pod.run(launch(pod.store, "no-such-program"))
    assert pod.desk.report().error.message.startswith("there is no program 'no-such-program' in the image")
    assert pod.main_code() == 127


def test_what_cannot_be_staged_is_reported_and_main_is_told(pod):
    missing = events_pb2.ArtifactList(artifacts=[events_pb2.Artifact(uri=f"{pod.store.root}/none", schema_title="t")])
    pod.run(launch(pod.store, "true", inputs={"data": missing}))
    result = pod.desk.report()
    assert (result.state, result.error.reason) == (events_pb2.ATTEMPT_FAILED, "MissingInput")
    assert pod.main_code() == 1
    assert b"input artifact 'data' is missing" in pod.shim.stdout.read()


def test_without_a_command(pod):
    pod.run(launch(pod.store, image="some/image"))
    assert "entry point of its image some/image is not known" in pod.desk.report().error.message
    assert pod.main_code() == 1


def test_an_argument_that_no_system_takes(pod):
    pod.run(launch(pod.store, "echo", "x" * 200_000))
    result = pod.desk.report()
    assert result.error.reason == "InputResolution"
    assert "argument 1 of the command would be 200000 bytes long" in result.error.message
    pod.main_code()


def test_the_companion_asks_again_and_follows(pod):
    pod.desk.problems += [Reason.UNAVAILABLE, Reason.INTERNAL, Reason.DEADLINE, Reason.UNAUTHENTICATED]
    pod.run(launch(pod.store, "true"))
    assert pod.desk.report().state == events_pb2.ATTEMPT_SUCCEEDED
    assert pod.desk.asked == 5
    pod.main_code()


def test_a_superseded_attempt_ends_without_a_word(pod):
    pod.desk.problems.append(Reason.ATTEMPT_SUPERSEDED)
    pod.run(launch(pod.store, "true"))
    assert pod.main_code() == 1
    assert pod.desk.reports == []


def test_a_report_that_is_not_wanted_any_more_lets_main_end(pod):
    pod.desk.launch = launch(pod.store, "sh", "-c", "exit 4")
    pod.run(pod.desk.launch)
    pod.until_there("staged")
    pod.desk.problems.append(Reason.ATTEMPT_SUPERSEDED)
    assert pod.main_code() == 4


def test_main_may_come_long_after_the_companion(pod):
    pod.desk.launch = launch(pod.store, "true")
    pod.start_companion()
    pod.until_there("staged")
    pod.start_shim()
    assert pod.desk.report().state == events_pb2.ATTEMPT_SUCCEEDED
    assert pod.main_code() == 0


def test_the_companion_may_come_long_after_main(pod):
    pod.desk.launch = launch(pod.store, "true")
    pod.start_shim()
    assert pod.shim.poll() is None
    pod.start_companion()
    assert pod.desk.report().state == events_pb2.ATTEMPT_SUCCEEDED
    assert pod.main_code() == 0


def test_a_companion_that_is_killed_while_user_code_runs_goes_on(pod, tmp_path):
    go = tmp_path / "go"
    given = pod.store.put_bytes("in/data", b"input") and pod.store.uri("in/data")
    data = events_pb2.ArtifactList(artifacts=[events_pb2.Artifact(name="d", uri=given, schema_title="t")])
    script = f'echo one; until [ -e {go} ]; do sleep 0.05; done; echo two; cat "$0"; printf w > "$1"'
    inputs = ("{{$.inputs.artifacts['data'].path}}", "{{$.outputs.artifacts['model'].path}}")
    pod.run(launch(pod.store, "sh", "-c", script, *inputs, inputs={"data": data}, artifacts=[MODEL]))
    pod.until(lambda: pod.store.exists(log_key(pod)) and log_of(pod) == b"one\n")
    pod.kill_companion()
    go.touch()
    pod.until_there("exit")
    pod.start_companion()
    result = pod.desk.report()
    assert result.state == events_pb2.ATTEMPT_SUCCEEDED
    assert result.times.staged_us > 0
    assert pod.main_code() == 0
    assert log_of(pod) == b"one\ntwo\ninput"


def log_key(pod) -> str:
    return pod.store.key(pod.desk.launch.task_root + "/executor-logs")


def test_a_companion_that_is_killed_before_its_report_was_heard_tells_what_it_sealed(pod):
    pod.desk.problems += []
    pod.desk.launch = launch(pod.store, "sh", "-c", "echo x")
    pod.run(pod.desk.launch)
    pod.until_there("staged")
    pod.desk.problems += [Reason.UNAVAILABLE] * 1000
    pod.until(lambda: sealed(pod.desk.launch.task_root, pod.store) is not None)
    pod.kill_companion()
    pod.desk.problems.clear()
    pod.start_companion()
    assert pod.desk.report().state == events_pb2.ATTEMPT_SUCCEEDED
    assert pod.main_code() == 0


def test_a_companion_that_starts_when_all_is_over_does_nothing(pod):
    pod.run(launch(pod.store, "true"))
    pod.desk.report()
    pod.until_there("published")
    pod.kill_companion()
    asked = pod.desk.asked
    pod.start_companion()
    pod.companion.send_signal(signal.SIGTERM)
    pod.companion.wait(20)
    assert pod.desk.asked == asked
    assert len(pod.desk.reports) == 1


def test_main_told_to_end_is_no_fault_of_the_users(pod):
    pod.run(launch(pod.store, "sh", "-c", "echo ready; sleep 60"))
    pod.until(lambda: pod.store.exists(log_key(pod)) and log_of(pod) == b"ready\n")
    pod.shim.send_signal(signal.SIGTERM)
    result = pod.desk.report()
    assert (result.state, result.error.reason) == (events_pb2.ATTEMPT_LOST, "Lost")
    assert "told to end" in result.error.message
    pod.main_code()


def test_main_that_ends_without_a_word_leaves_its_log(pod):
    pod.run(launch(pod.store, "sh", "-c", "echo last words; sleep 60"))
    pod.until_there("log")
    pod.until(lambda: b"last" in (pod.top / "control" / "log").read_bytes())
    pod.shim.kill()
    pod.shim.wait()
    pod.companion.send_signal(signal.SIGTERM)
    assert pod.companion.wait(20) == 0
    assert log_of(pod) == b"last words\n"
    assert pod.desk.reports == []


def test_an_output_that_user_code_left_elsewhere(pod, tmp_path):
    said = {"artifacts": {"model": {"artifacts": [{"name": "model", "custom_path": str(tmp_path / "own" / "model")}]}}}
    script = 'mkdir -p "$1/own/model"; printf w > "$1/own/model/weights"; printf %s "$2" > "$0"'
    argv = ("sh", "-c", script, "{{$.outputs.output_file}}", str(tmp_path), json.dumps(said))
    pod.run(launch(pod.store, *argv, artifacts=[MODEL]))
    result = pod.desk.report()
    assert result.state == events_pb2.ATTEMPT_SUCCEEDED, result.error
    (model,) = result.outputs.artifacts["model"].artifacts
    assert pod.store.read(pod.store.key(f"{model.uri}/weights")) == b"w"
    pod.main_code()


def test_our_component_finds_its_runtime_and_takes_any_size(pod):
    source = "def double(text: str) -> str:\n    return text + text\n"
    pod.env["PYTHONPATH"] = "/nowhere"
    pod.run(
        launch(pod.store, *ours(source, "double"), parameters={"text": "ab" * 200_000}, outputs={"Output": "STRING"})
    )
    result = pod.desk.report()
    assert result.state == events_pb2.ATTEMPT_SUCCEEDED, result.error
    assert result.outputs.parameters["Output"].size == 800_002
    pod.main_code()


def test_user_code_that_writes_over_the_shims_word_spoils_its_own_attempt(pod):
    script = f"mkdir {pod.top}/control/exit.new; echo nonsense > {pod.top}/control/exit"
    pod.run(launch(pod.store, "sh", "-c", script))
    result = pod.desk.report()
    assert result.state == events_pb2.ATTEMPT_FAILED
    assert "wrote over" in result.error.message
