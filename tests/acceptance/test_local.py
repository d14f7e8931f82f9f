"""`headrace.local` as users have it: programs that call pipelines and components, on a real embedded platform.

- each scenario of programs/local_calls.py, on a platform that is up
- without one: started with the first call, ended with the program, also where that is killed; Ctrl-C ends the run
- what is shown; a debugger's prompt in a component's code
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.platforms import Platform, faults_in_logs, platform_environment, running
from headrace.finding import alive

PROGRAMS = Path(__file__).with_name("programs")
CALLS = PROGRAMS / "local_calls.py"
SCENARIOS = re.findall(r"^def scenario_(\w+)", CALLS.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    home = tmp_path_factory.mktemp("local") / "home"
    with running("embedded", home) as started:
        yield started
    assert faults_in_logs(home) == []


def environment(home: Path) -> dict[str, str]:
    return platform_environment(home, "127.0.0.1:0", "127.0.0.1:0", {}) | {"PYTHONWARNINGS": "error"}


def ran(
    home: Path, program: Path, *words: str, folder: Path, given: str = "", code: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, str(program), *words],
        env=environment(home),
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def written(folder: Path, text: str) -> Path:
    program = folder / "program.py"
    program.write_text(text)
    return program


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(up: Platform, tmp_path: Path, scenario: str) -> None:
    ran(up.home, CALLS, scenario, folder=tmp_path)


def test_logs_are_shown_with_their_task_and_nothing_else(up: Platform, tmp_path: Path) -> None:
    done = ran(up.home, CALLS, "sequence", folder=tmp_path)
    assert done.stdout.splitlines() == [
        "[add] adding 5 and 2",
        "[add-2] adding 7 and 10",
        "[add] adding 1 and 2",
        "[add-2] adding 3 and 10",
    ]
    assert done.stderr == ""


QUIET = """
from headrace import dsl, local

@dsl.component
def hello(name: str) -> str:
    print("a line")
    if name == "nobody":
        raise ValueError("nobody is there")
    return "hello " + name

local.init(loglevel={level!r}, raise_on_error=False)
hello(name="Ada")
hello(name="nobody")
"""


def test_loglevel(up: Platform, tmp_path: Path) -> None:
    done = ran(up.home, written(tmp_path, QUIET.format(level="warning")), folder=tmp_path)
    assert done.stdout == ""
    assert done.stderr.startswith("hello failed in the task 'hello': exit code 1: ValueError: nobody is there (run ")
    shown = ran(up.home, written(tmp_path, QUIET.format(level="debug")), folder=tmp_path).stderr.splitlines()
    assert re.fullmatch(r"run [0-9a-f-]{36}  http://127\.0\.0\.1:\d+/#/runs/details/[0-9a-f-]{36}", shown[0]), shown


DEBUGGED = """
from headrace import dsl, local

@dsl.component
def halve(number: int) -> float:
    breakpoint()
    half = number / 2
    return half

local.init(inline=True)
print("it is", halve(number=9).output)
"""


def test_a_debugger_stops_in_the_component(up: Platform, tmp_path: Path) -> None:
    program = written(tmp_path, DEBUGGED)
    given = "p number * 100\nn\nnumber = 42\nc\n"
    shown = ran(up.home, program, folder=tmp_path, given=given.replace("number = 42", "half = 21.0")).stdout
    assert f"> {program}(7)halve()" in shown, shown
    assert "(Pdb) 900" in shown, shown
    assert "it is 21.0\n" in shown, shown


OWN = """
import json, os, sys
from pathlib import Path
from headrace import dsl, local

@dsl.component
def hello() -> str:
    return "hello"

local.init()
assert hello().output == "hello"
assert hello().output == "hello"
up = json.loads((Path(os.environ["HEADRACE_HOME"]) / "up.json").read_text())
print(json.dumps(up), flush=True)
"""


def test_a_platform_of_its_own_ends_with_the_program(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = ran(home, written(tmp_path, OWN), folder=tmp_path)
    assert done.stderr.splitlines() == [
        f"starting an embedded platform on {home}; its Postgres is made first, which takes some seconds"
    ]
    assert not alive(json.loads(done.stdout)["pid"])
    assert not (home / "up.json").exists()
    again = ran(home, written(tmp_path, OWN), folder=tmp_path)
    assert again.stderr.splitlines() == [f"starting an embedded platform on {home}"]
    assert faults_in_logs(home) == []


def started(home: Path, *words: str | Path, folder: Path, given: int | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, *map(str, words)],  # which a shell's background job ignores
        env=environment(home),
        cwd=folder,
        stdin=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system does not end it with its parent")
def test_a_platform_of_its_own_ends_where_the_program_is_killed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with started(
        home, written(tmp_path, OWN + "sys.stdin.read()\nimport time; time.sleep(100)"), folder=tmp_path
    ) as program:
        assert program.stdout is not None
        pid = json.loads(program.stdout.readline())["pid"]
        assert alive(pid)
        program.kill()
    ended = subprocess.run(["tail", f"--pid={pid}", "-f", "/dev/null"], timeout=30, check=False)
    assert ended.returncode == 0
    assert not alive(pid)


SLOW = """
from headrace import dsl, local

@dsl.component
def wait():
    import time
    print("waiting", flush=True)
    time.sleep(100)

local.init()
try:
    wait()
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interruption_ends_the_run(up: Platform, tmp_path: Path) -> None:
    with started(up.home, written(tmp_path, SLOW), folder=tmp_path) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline() == "[wait] waiting\n"
        os.kill(program.pid, signal.SIGINT)
        said = (program.stdout.read(), program.stderr.read())
        assert said == ("interrupted\n", "interrupted: the run is being ended\n")
    listed = subprocess.run(
        [sys.executable, "-m", "headrace", "runs", "get", "latest", "-o", "json"],
        env=environment(up.home) | {"HEADRACE_ENDPOINT": up.url},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(listed.stdout)["state"] in ("CANCELING", "CANCELED")


TOLD = """
import pathlib
from headrace import dsl, local
from headrace.errors import HeadraceError

@dsl.component
def wait_for(file: str) -> str:
    import os, time
    print("waiting", flush=True)
    while not os.path.exists(file):
        time.sleep(0.01)
    return "seen"

local.init()
file = str(pathlib.Path("go").absolute())
try:
    print(wait_for(file=file).output)
except HeadraceError as failed:
    print(failed)
    pathlib.Path(file).touch()
    print(wait_for(file=file).output)
"""


def test_a_platform_that_dies_is_said_and_another_one_started(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with started(home, written(tmp_path, TOLD), folder=tmp_path) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "[wait_for] waiting\n".replace("_", "-")
        first = json.loads((home / "up.json").read_text())["pid"]
        os.kill(first, signal.SIGKILL)
        assert program.stdout.readline().startswith("the embedded platform ended while run ")
        rest = program.stdout.read()
    assert rest.endswith("seen\n"), rest
    assert program.returncode == 0


OWNER = """
import sys
from headrace import dsl, local

@dsl.component
def hello():
    pass

local.init()
hello()
print("up", flush=True)
sys.stdin.read()
"""

JOINING = """
from headrace import dsl, local

@dsl.component
def wait_for(file: str) -> str:
    import os, time
    print("waiting", flush=True)
    while not os.path.exists(file):
        time.sleep(0.01)
    return "seen"

@dsl.pipeline
def waiting(file: str) -> str:
    return wait_for(file=file).output

if __name__ == "__main__":
    local.init()
    run = waiting(file="go")
    print(run.tasks["wait-for"].outputs["Output"], flush=True)
"""


@pytest.mark.parametrize("command", [[], ["-m", "headrace", "run"]], ids=["call", "command"])
def test_a_run_goes_on_where_the_process_that_started_its_platform_ends(tmp_path: Path, command: list[str]) -> None:
    home, go = tmp_path / "home", tmp_path / "go"
    owner = started(home, written(tmp_path, OWNER), folder=tmp_path, given=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "up\n"
    program = tmp_path / "joining.py"
    program.write_text(JOINING.replace('file="go"', f"file={str(go)!r}"))
    words = [*command, str(program), *(["--pipeline=waiting", "-p", f"file={go}"] if command else [])]
    with started(home, *words, folder=tmp_path) as joined:
        assert joined.stdout is not None
        assert joined.stderr is not None
        meets = joined.stderr if command else joined.stdout
        assert any("waiting" in line or "running" in line for line in meets)
        owner.communicate("", timeout=60)
        assert owner.returncode == 0
        go.touch()
        said, complaints = joined.communicate(timeout=60)
    assert joined.returncode == 0, complaints
    assert "seen\n" in said
    assert f"starting an embedded platform on {home}\n" in complaints
    assert faults_in_logs(home) == []


def test_programs_that_start_at_once_share_one_platform(tmp_path: Path) -> None:
    home = tmp_path / "home"
    program = written(
        tmp_path, OWN.partition("up = ")[0]
    )  # whose platform it was may have ended when the other one reads on
    both = [started(home, program, folder=tmp_path) for _ in range(2)]
    for one in both:
        said, complaints = one.communicate(timeout=100)
        assert one.returncode == 0, said + complaints
    assert faults_in_logs(home) == []


def test_on_a_terminal_it_is_drawn_how_far_the_run_is(up: Platform, tmp_path: Path) -> None:
    terminal, theirs = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, str(written(tmp_path, TOLD))],
        env=environment(up.home) | {"TERM": "xterm"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    drawn = b""
    with os.fdopen(terminal, "rb", buffering=0) as reading, program:
        while b"wait-for  0/1 tasks" not in drawn:
            drawn += reading.read(100)
        (tmp_path / "go").touch()
        with contextlib.suppress(OSError):  # a terminal whose other end is closed
            while more := reading.read(1000):
                drawn += more
        assert program.stdout is not None
        assert program.stdout.read() == "[wait-for] waiting\nseen\n"
    assert drawn.endswith(b"\r\x1b[2K"), drawn[-200:]


MISSING = """
import sys
sys.path.insert(0, "hidden")
import importlib.metadata
from headrace import dsl, local
from headrace.local import platforms

platforms.entry_points = lambda **_: ()  # as where headrace[server] is not installed

@dsl.component
def hello() -> str:
    return "hello"

local.init()
try:
    hello()
except local.NoServer as missing:
    print(missing)
"""


def test_without_the_server_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    done = ran(tmp_path / "home", written(tmp_path, MISSING), folder=tmp_path)
    expected = "headrace.local needs the embedded platform, which is not installed here: pip install 'headrace[server]'"
    assert done.stdout.strip() == expected
