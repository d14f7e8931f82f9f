"""The command line's grammar, where a platform is looked for, and exit codes.

- -p and -a: texts, typed values, and what is wrong with each
- an endpoint is a REST address; up.json of a dead process or another machine is ignored
- states have their exit codes
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from headrace.cli import _complain, arguments, main, parsing
from headrace.cli.results import exit_code
from headrace.cli.running import located
from headrace.errors import BadInput, InvalidSpec, NoPlatform, PlatformUnreachable, Problem
from headrace.finding import checked, find, is_local, platform_up, reachable


def test_parameters():
    given = ["a=1", "b:=1", "c=", "d=x=y", 'e:={"k": [1]}']
    assert arguments.parameters(given) == ({"a": "1", "c": "", "d": "x=y"}, {"b": 1, "e": {"k": [1]}})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["a"], "-p a: expected name=value, or name:=json"),
        (["=1"], "-p =1: expected name=value, or name:=json"),
        (["a=1", "a:=2"], "-p a is given twice"),
        (["a:={"], "-p a:= is not JSON"),
        (["a:=" + "[" * 50_000], "-p a:= is nested too deep: a value has at most 100 levels"),
        (["a=\udcff"], "-p 'a' is not UTF-8 text"),
    ],
)
def test_wrong_parameters(given, sentence):
    with pytest.raises(BadInput) as caught:
        arguments.parameters(given)
    assert str(caught.value).startswith(sentence)


def test_artifacts():
    assert arguments.artifacts(["data=s3://b/k=v"]) == {"data": "s3://b/k=v"}
    with pytest.raises(BadInput, match="-a data=: expected name=uri"):
        arguments.artifacts(["data="])
    with pytest.raises(BadInput, match="-a d is given twice"):
        arguments.artifacts(["d=x://a", "d=x://b"])


def test_artifacts_by_path(tmp_path):
    (tmp_path / "a b").touch()
    assert located("data", f"{tmp_path}/a b") == f"file://{tmp_path}/a%20b"
    assert located("data", "s3://b/k") == "s3://b/k"
    for path in ("/nope", "x" * 5000):
        with pytest.raises(BadInput) as caught:
            located("data", path)
        end = "give a path, or a URI such as s3://bucket/x"
        assert str(caught.value) == f"-a data: there is no file or folder {path[:200]}; {end}"


def test_resume_and_terminate():
    found = parsing.parser("1", {}).parse_args(["resume", "latest", "--from", "a", "--from", "l[3]/b", "-p", "x=1"])
    assert (found.run, found.file, found.from_tasks, found.parameter) == ("latest", None, ["a", "l[3]/b"], ["x=1"])
    found = parsing.parser("1", {}).parse_args(["resume", "0190", "new.yaml", "--no-wait"])
    assert (found.run, found.file, found.from_tasks, found.no_wait) == ("0190", "new.yaml", [], True)
    for options in ([], ["--run-exit-tasks"]):
        found = parsing.parser("1", {}).parse_args(["runs", "terminate", "latest", *options])
        assert found.run_exit_tasks == bool(options)


@pytest.mark.parametrize(("options", "wanted"), [([], None), (["--cache"], True), (["--no-cache"], False)])
def test_the_cache_is_as_the_spec_says_unless_asked_for(options, wanted):
    assert parsing.parser("1", {}).parse_args(["run", "p.yaml", *options]).cache is wanted


def test_the_cache_cannot_be_on_and_off(capsys):
    with pytest.raises(SystemExit):
        parsing.parser("1", {}).parse_args(["run", "p.yaml", "--cache", "--no-cache"])
    assert "not allowed with argument" in capsys.readouterr().err


BIG, HUGE = "9" * 20, "9" * 5000


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("artifacts list --limit -1", "-1 is no number of them; give one from 1 up, or 0 for all"),
        (f"runs compare --limit {BIG}", f"{BIG} is no number of them; give one from 1 up, or 0 for all"),
        (f"artifacts lineage 1 --hops {BIG}", f"{BIG} is no number of tasks; give one from 1 to 100, or 0 for 5"),
        ("artifacts lineage 1 --hops x", "x is no number of tasks; give one from 1 to 100, or 0 for 5"),
        (f"runs watch --after {BIG}", f"{BIG} is no sequence number; events have theirs, and 0 is before the first"),
        (f"runs watch --after {HUGE}", f"{HUGE[:40]} is no sequence number; events have theirs, and 0 is "),
        (
            f"retention set runs 9 --version {BIG}",
            f"{BIG} is no version; `headrace retention show` has it, and 0 is that there is none",
        ),
    ],
)
def test_numbers_that_no_message_holds(typed, sentence, capsys):
    with pytest.raises(SystemExit) as ended:
        parsing.parser("1", {}).parse_args(typed.split())
    assert (ended.value.code, sentence in capsys.readouterr().err) == (2, True)


@pytest.mark.parametrize(("state", "code"), [("SUCCEEDED", 0), ("FAILED", 1), ("CANCELED", 3), ("RUNNING", 0)])
def test_exit_codes(state, code):
    assert exit_code(state) == code


def test_endpoints():
    assert checked("127.0.0.1:8888/") == "http://127.0.0.1:8888"
    assert checked("https://host") == "https://host"
    for wrong in ("ftp://host", "http://", "http://host:port", "http://host:99999"):
        with pytest.raises(BadInput, match="is no address; give the REST address"):
            checked(wrong)


def test_a_wildcard_grpc_address_is_the_rest_host():
    assert reachable("0.0.0.0:8887", "http://ml.example:8888") == "ml.example:8887"
    assert reachable("[::]:8887", "http://[::1]:8888") == "[::1]:8887"
    assert reachable("grpc.example:443", "https://ml.example") == "grpc.example:443"
    assert is_local("127.0.0.1:1")
    assert not is_local("127.example:1")


def test_nothing_answers():
    with pytest.raises(PlatformUnreachable, match=r"no platform answers at http://127\.0\.0\.1:1"):
        find("http://127.0.0.1:1", {})


def announce(home, **facts) -> None:
    told = {"pid": os.getpid(), "host": socket.gethostname(), "http_address": "127.0.0.1:1", **facts}
    (home / "up.json").write_text(json.dumps(told))


def test_the_platform_that_is_up(tmp_path):
    with pytest.raises(NoPlatform, match="headrace up"):
        find(None, {"HEADRACE_HOME": str(tmp_path)})
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        grpc = f"127.0.0.1:{listening.getsockname()[1]}"
        announce(tmp_path, grpc_address=grpc)
        found = find(None, {"HEADRACE_HOME": str(tmp_path)})
        assert (found.http, found.grpc) == ("http://127.0.0.1:1", grpc)
        announce(tmp_path, grpc_address=grpc, host="another-machine")
        assert platform_up(tmp_path) is None
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        announce(tmp_path, grpc_address=grpc, pid=dead.pid)
        assert platform_up(tmp_path) is None
    announce(tmp_path, grpc_address=grpc)
    assert platform_up(tmp_path) is None
    (tmp_path / "up.json").write_text("{")
    assert platform_up(tmp_path) is None


def test_bad_calls_are_sentences(tmp_path, capsys):
    assert main(["run", str(tmp_path / "none.yaml")]) == 2
    assert main(["run", str(tmp_path)]) == 2
    (tmp_path / "empty.yaml").write_bytes(b"")
    assert main(["run", str(tmp_path / "empty.yaml")]) == 2
    (tmp_path / "p.py").write_text("x = 1")
    assert main(["run", str(tmp_path / "p.py")]) == 2
    assert main(["runs", "list", "--endpoint", "http://127.0.0.1:1"]) == 4
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in said] == ["headrace"] * 5
    for line, words in zip(
        said, ["there is no file", "is a folder", "is empty", "defines no pipeline", "no platform answers"], strict=True
    ):
        assert words in line


@pytest.mark.parametrize("limit", ["-1", "many"])
def test_a_limit_that_is_no_number_is_refused(capsys, limit):
    with pytest.raises(SystemExit) as ended:
        main(["runs", "list", "--limit", limit])
    assert ended.value.code == 2
    sentence = f"argument --limit: {limit} is no number of them; give one from 1 up, or 0 for all"
    assert capsys.readouterr().err.splitlines()[-1].endswith(sentence)


def test_a_wrong_from_is_said_once(capsys):
    problems = [Problem("from_tasks", "from task 'x': there is none"), Problem("root.dag", "is empty")]
    assert _complain(InvalidSpec("wrong", problems)) == 2
    said = ["from task 'x': there is none", "root.dag: is empty", "headrace: 2 problems; nothing was created"]
    assert capsys.readouterr().err.splitlines() == said


def test_the_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("headrace ")


def test_importing_is_cheap():
    wire = ("grpc", "google", "headrace_protos")
    code = f"import headrace.cli, sys; print([m for m in sys.modules if m.partition('.')[0] in {wire}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
