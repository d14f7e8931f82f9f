"""The process executor on this machine: real processes, real environments, what user code can do to it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from builders.launches import Watched, launch, log_of, python, store_in, succeeded, watching
from headrace_companion.folder_store import FolderStore
from headrace_protos.v1 import events_pb2
from headrace_scheduler.executors import port
from headrace_scheduler.executors.process.executor import ProcessExecutor

# `setsid` is no core utility: the same with the interpreter that runs the tests
IN_NEW_SESSION = "import os, sys; os.fork() and os._exit(0); os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])"
NEW_SESSION = f"{sys.executable} -c '{IN_NEW_SESSION}'"
LEADER = "import os; print(os.getpid(), os.getpgid(0), os.getsid(0))"


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of environments for the whole module: each is made once."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def home(tmp_path: Path, environments: Path) -> Iterator[Path]:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "environments").symlink_to(environments)
    yield folder
    shutil.rmtree(folder / "attempts", ignore_errors=True)


@pytest.fixture
def store(home: Path) -> FolderStore:
    return store_in(home)


@pytest.fixture
async def watched(home: Path, store: FolderStore) -> AsyncIterator[Watched]:
    async with watching(ProcessExecutor(home, store, os.environ, grace_s=0.5)) as one:
        yield one


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


async def test_a_lightweight_component_returns_a_value(watched: Watched, store: FolderStore) -> None:
    task = python(
        store,
        """
        def add(a: int, b: float) -> int:
            print("adding", type(a).__name__, __name__)
            return a + int(b)
        """,
        "add",
        parameters={"a": 3, "b": 4.0},
        outputs={"Output": "NUMBER_INTEGER"},
    )
    result = await watched.run(task)
    assert succeeded(result)
    assert result.outputs.parameters["Output"].json == "7"
    assert b"adding int ephemeral_component" in log_of(store, result)
    assert not result.warnings


async def test_an_attempt_leaves_two_marks_in_its_folder(watched: Watched, store: FolderStore, home: Path) -> None:
    task = python(
        store, "def f(a: str) -> str:\n    return a\n", "f", parameters={"a": "x"}, outputs={"Output": "STRING"}
    )
    assert succeeded(await watched.run(task))
    await asyncio.gather(*watched.executor._tasks)  # an attempt cleans up after it has told its result
    left = {path.name for path in (home / "attempts").glob("*/*/**/*")}
    assert left == {"process", "root"}


async def test_forked_tasks_draw_different_random_numbers(watched: Watched, store: FolderStore) -> None:
    source = """
    def draw() -> str:
        import random
        return str(random.random())
    """
    tasks = [python(store, source, "draw", outputs={"Output": "STRING"}) for _ in range(3)]
    results = await asyncio.gather(*map(watched.run, tasks))
    assert all(map(succeeded, results))
    assert len({result.outputs.parameters["Output"].json for result in results}) == 3


@pytest.mark.parametrize(
    ("body", "exit_code", "message"),
    [
        ("raise ValueError('no luck')", 1, "ValueError: no luck"),
        ("import sys; sys.exit(3)", 3, "exit code 3"),
        ("raise SystemExit('good bye')", 1, "good bye"),
        ("import os; os._exit(7)", 7, "exit code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", 139, "SIGSEGV"),
    ],
)
async def test_a_component_that_fails(
    watched: Watched, store: FolderStore, body: str, exit_code: int, message: str
) -> None:
    result = await watched.run(python(store, f"def fail():\n    {body}\n", "fail"))
    assert result.state == events_pb2.ATTEMPT_FAILED
    assert (result.error.reason, result.error.exit_code) == ("UserError", exit_code)
    assert message in result.error.message
    assert "zygote_main" not in result.error.log_tail


async def test_a_component_behaves_as_in_a_fresh_interpreter(watched: Watched, store: FolderStore) -> None:
    source = """
    def look() -> dict:
        import os, signal, subprocess, sys, threading
        sys.stdout.buffer.write(bytes([0, 255, 254, 10]))
        found = {
            "argv0": os.path.basename(sys.argv[0]),
            "main": sys.modules["__main__"].__spec__.name,
            "threads": threading.active_count(),
            "stdin": sys.stdin.read(),
            "session": os.getsid(0) == os.getpid(),
            "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:3],
            "extra": len(os.listdir("/proc/self/fd")),
            "term": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
            "child": subprocess.run([sys.executable, "-c", "import kfp; print(6 * 7)"], capture_output=True, text=True).stdout,
            "headrace": sorted(name for name in os.environ if name.startswith("HEADRACE_")),
            "cwd": os.path.basename(os.getcwd()),
            "path0": sys.path[0].endswith("ATTEMPT") or os.path.isdir(sys.path[0]),
            "ours": [path for path in sys.path if "headrace_scheduler" in path],
        }
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.close(0)
        return found
    """
    result = await watched.run(python(store, source, "look", outputs={"Output": "STRUCT"}))
    assert succeeded(result)
    found = json.loads(result.outputs.parameters["Output"].json)
    assert found["argv0"] == "executor_main.py"
    assert found["main"] == "kfp.dsl.executor_main"
    assert found["threads"] == 1
    assert found["stdin"] == ""
    assert found["session"] is True
    assert found["term"] is True
    assert found["child"] == "42\n"
    assert found["headrace"] == ["HEADRACE_ATTEMPT"]
    assert found["cwd"] == "work"
    assert found["ours"] == []
    assert found["descriptors"] == [0, 1, 2]
    assert found["extra"] <= 4  # the fourth is the listing's own
    assert b"\x00\xff\xfe\n" in log_of(store, result)


async def test_a_component_that_wants_its_own_start_gets_a_fresh_interpreter(
    watched: Watched, store: FolderStore
) -> None:
    source = """
    def seed() -> str:
        import sys
        return str(sys.flags.hash_randomization) + str(sys.modules["__main__"].__spec__.name)
    """
    task = python(store, source, "seed", outputs={"Output": "STRING"}, env={"PYTHONHASHSEED": "0"})
    result = await watched.run(task)
    assert succeeded(result)
    assert result.outputs.parameters["Output"].json == '"0kfp.dsl.executor_main"'


async def test_artifacts_flow_from_task_to_task(watched: Watched, store: FolderStore) -> None:
    make = python(
        store,
        """
        def make(data: Output[Dataset]):
            data.metadata["rows"] = 2
            data.path = data.path + ".csv"
            with open(data.path, "w") as file:
                file.write("a\\nb\\n")
        """,
        "make",
        artifacts=[port.OutputArtifact("data", "system.Dataset", "0.0.1")],
    )
    made = await watched.run(make)
    assert succeeded(made)
    (artifact,) = made.outputs.artifacts["data"].artifacts
    assert artifact.uri == f"{make.task_root}/data.csv"
    assert (artifact.size, json.loads(artifact.metadata_json)) == (4, {"rows": 2})
    use = python(
        store,
        """
        def use(data: Input[Dataset]) -> str:
            with open(data.path, "a") as file:
                file.write("spoilt")
            return str(data.metadata["rows"]) + open(data.path).read()
        """,
        "use",
        inputs={"data": events_pb2.ArtifactList(artifacts=[artifact])},
        outputs={"Output": "STRING"},
    )
    used = await watched.run(use)
    assert succeeded(used)
    assert json.loads(used.outputs.parameters["Output"].json) == "2a\nb\nspoilt"
    key = store.key(artifact.uri)
    assert key is not None
    assert store.read(key) == b"a\nb\n"


async def test_a_returned_uri_of_an_artifact_outlives_the_task(watched: Watched, store: FolderStore) -> None:
    """User code sees local places as URIs; as a parameter, for an importer say, one has to mean the stored artifact."""
    made = port.OutputArtifact("data", "system.Dataset")
    source = """
        def make(data: Output[Dataset]) -> str:
            open(data.path, "w").write("x")
            return data.uri
    """
    first = await watched.run(python(store, source, "make", outputs={"Output": "STRING"}, artifacts=[made]))
    assert succeeded(first)
    (artifact,) = first.outputs.artifacts["data"].artifacts
    assert json.loads(first.outputs.parameters["Output"].json) == artifact.uri
    source = """
        def where(data: Input[Dataset]) -> str:
            return data.uri
    """
    given = {"data": first.outputs.artifacts["data"]}
    second = await watched.run(python(store, source, "where", outputs={"Output": "STRING"}, inputs=given))
    assert json.loads(second.outputs.parameters["Output"].json) == artifact.uri


async def test_the_whole_group_is_killed_also_what_left_it(watched: Watched, store: FolderStore, home: Path) -> None:
    pids = home / "pids"
    script = (
        f"echo $$ >> {pids}; (sleep 1000 & echo $! >> {pids}; "
        f"{NEW_SESSION} sh -c 'echo $$ >> {pids}; trap \"\" TERM; (sleep 1000); sleep 1000' & wait) & trap '' TERM; "
        f"while [ $(wc -l < {pids}) -lt 3 ]; do sleep 0.01; done; echo ready; wait; sleep 1000"
    )
    task = launch(store, "sh", "-c", script)
    await watched.executor.launch(task)
    await watched.launched(task.attempt)
    async with asyncio.timeout(10):
        while not (pids.exists() and len(pids.read_text().split()) >= 3):
            await asyncio.sleep(0.01)
    started = [int(word) for word in pids.read_text().split()]
    await watched.executor.cancel(task.attempt)
    result = await watched.finished(task.attempt)
    assert result.state == events_pb2.ATTEMPT_CANCELED
    assert [pid for pid in started if alive(pid)] == []


async def test_what_a_finished_task_left_behind_is_ended(watched: Watched, store: FolderStore, home: Path) -> None:
    pid_file = home / "daemon"
    script = f"{NEW_SESSION} sh -c 'echo $$ > {pid_file}; exec sleep 1000' & "
    script += f"while [ ! -s {pid_file} ]; do sleep 0.01; done; echo done"
    task = launch(store, "sh", "-c", script)
    result = await watched.run(task)
    assert succeeded(result)
    assert log_of(store, result) == b"done\n"
    assert not alive(int(pid_file.read_text()))


async def test_time_out(watched: Watched, store: FolderStore) -> None:
    result = await watched.run(launch(store, "sleep", "1000", timeout_s=0.2))
    assert result.state == events_pb2.ATTEMPT_FAILED
    assert (result.error.reason, result.error.failure_class) == ("TimedOut", events_pb2.TIMEOUT)
    assert "0.2 s" in result.error.message


async def test_a_hundred_megabytes_of_output(watched: Watched, store: FolderStore) -> None:
    task = launch(store, "sh", "-c", "head -c 100000000 /dev/zero | tr '\\0' 'x'; echo; echo the end >&2; exit 4")
    result = await watched.run(task)
    assert result.error.message == "exit code 4: the end"
    assert result.error.log_tail.endswith("the end")
    assert len(result.error.log_tail) <= 4096
    key = store.key(result.log_uri)
    assert key is not None
    assert store.size(key) == 100_000_009


async def test_a_literal_command_ignores_its_image_and_says_so(watched: Watched, store: FolderStore) -> None:
    task = launch(store, "sh", "-c", "echo to >/dev/stderr; echo out", image="alpine:3")
    result = await watched.run(task)
    assert succeeded(result)
    assert log_of(store, result) == b"to\nout\n"
    assert list(result.warnings) == ["the image alpine:3 is not used on this machine: the command runs directly on it"]


async def test_a_command_that_is_not_there(watched: Watched, store: FolderStore) -> None:
    result = await watched.run(launch(store, "no-such-program-here"))
    assert (result.error.reason, result.error.exit_code) == ("UserError", 127)
    assert "no-such-program-here" in result.error.message
    assert "No such file" in result.error.message


async def test_a_command_whose_first_word_is_empty(watched: Watched, store: FolderStore) -> None:
    result = await watched.run(launch(store, "", "a"))
    assert (result.error.reason, result.error.exit_code) == ("UserError", 127)
    assert "headrace: cannot run '': the command's first word is empty" in result.error.message
    assert "Traceback" not in result.error.message


WRITES = "OUT={{$.outputs.parameters['x'].output_file}}"


@pytest.mark.parametrize(
    ("kind", "script", "reason", "words"),
    [
        ("STRING", "true", "MissingOutput", "output 'x' (STRING) was not written"),
        ("NUMBER_INTEGER", "printf 3.5 > $0", "WrongOutput", "NUMBER_INTEGER"),
        ("NUMBER_DOUBLE", "printf NaN > $0", "WrongOutput", "NUMBER_DOUBLE"),
        ("NUMBER_DOUBLE", "printf 1e400 > $0", "WrongOutput", "infinite"),
        ("NUMBER_INTEGER", "printf 1; head -c 400 /dev/zero | tr '\\0' 0 > $0; printf 1 >> $0", "WrongOutput", ""),
        ("STRING", "printf 'a\\000b' > $0", "WrongOutput", "NUL"),
        ("STRING", "printf '\\355\\240\\200' > $0", "WrongOutput", "UTF-8"),
        ("STRING", "truncate -s 300000000 $0", "WrongOutput", "300000000 bytes"),
        ("BOOLEAN", "printf maybe > $0", "WrongOutput", "BOOLEAN"),
        ("LIST", "printf '{}' > $0", "WrongOutput", "LIST"),
        ("STRUCT", "printf '{\"a\": NaN}' > $0", "WrongOutput", "NaN"),
        ("STRING", "ln -s /etc/passwd $0", "OutputPath", "is a link"),
        ("STRING", "mkfifo $0", "OutputPath", "is a FIFO"),
        ("STRING", "mkdir $0", "OutputPath", "not a regular file"),
    ],
)
async def test_bad_outputs_fail_their_task_with_the_reason(
    watched: Watched, store: FolderStore, kind: str, script: str, reason: str, words: str
) -> None:
    task = launch(store, "sh", "-c", script, "{{$.outputs.parameters['x'].output_file}}", outputs={"x": kind})
    result = await watched.run(task)
    assert result.state == events_pb2.ATTEMPT_FAILED
    assert (result.error.reason, result.error.failure_class) == (reason, events_pb2.USER)
    assert words in result.error.message
    assert not result.outputs.parameters


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("ln -s /etc $0", "is a link"),
        ("mkdir $0; ln -s /etc/passwd $0/link", "is a link"),
        ("mkfifo $0", "is a FIFO"),
        ("mkdir -p $0/a; mkfifo $0/a/pipe", "is a FIFO"),
        ("rm -r $(dirname $0); ln -s /etc $(dirname $0)", "outputs"),
    ],
)
async def test_artifacts_that_are_no_plain_files_are_refused(
    watched: Watched, store: FolderStore, script: str, words: str
) -> None:
    declared = [port.OutputArtifact("a")]
    task = launch(store, "sh", "-c", script, "{{$.outputs.artifacts['a'].path}}", artifacts=declared)
    result = await watched.run(task)
    assert result.state == events_pb2.ATTEMPT_FAILED
    assert result.error.reason in ("OutputPath", "Internal")
    assert words in result.error.message


async def test_an_artifact_outside_its_folder_is_refused(watched: Watched, store: FolderStore) -> None:
    task = python(
        store,
        "def leave(a: Output[Artifact]):\n    a.path = '/etc/passwd'\n",
        "leave",
        artifacts=[port.OutputArtifact("a")],
    )
    result = await watched.run(task)
    assert result.error.reason == "OutputPath"
    assert "outside the task's output folder" in result.error.message


async def test_a_failed_task_keeps_its_log_and_marked_partial_results(watched: Watched, store: FolderStore) -> None:
    task = launch(
        store, "sh", "-c", "echo half > $0; exit 1", "{{$.outputs.artifacts['a'].path}}",
        artifacts=[port.OutputArtifact("a")],
    )  # fmt: skip
    result = await watched.run(task)
    assert result.state == events_pb2.ATTEMPT_FAILED
    assert not result.outputs.artifacts
    prefix = store.key(task.task_root)
    assert prefix is not None
    assert store.read(f"{prefix}/partial/a") == b"half\n"
    assert not store.exists(f"{prefix}/a")


async def test_a_missing_input_is_named(watched: Watched, store: FolderStore) -> None:
    gone = events_pb2.Artifact(name="data", uri=store.uri("gone/data"), schema_title="system.Dataset")
    task = launch(store, "true", inputs={"data": events_pb2.ArtifactList(artifacts=[gone])})
    result = await watched.run(task)
    assert result.error.reason == "MissingInput"
    assert "input artifact 'data' is missing" in result.error.message


async def test_no_package_index(home: Path, store: FolderStore) -> None:
    environ = {**os.environ, "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_FIND_LINKS": ""}
    async with watching(ProcessExecutor(home, store, environ)) as watched:
        task = python(store, "def f():\n    pass\n", "f", installs=[("no-such-package-of-headrace==1.0",)])
        result = await watched.run(task)
        assert result.error.reason == "Environment"
        assert "no package index can be used" in result.error.message
        assert "no-such-package-of-headrace" in result.error.message


async def test_two_tasks_share_one_build_of_their_environment(watched: Watched, store: FolderStore) -> None:
    source = "def where() -> str:\n    import sys\n    return sys.prefix\n"
    installs = [("kfp==2.12.1", "--no-deps")]
    tasks = [python(store, source, "where", installs=installs, outputs={"Output": "STRING"}) for _ in range(2)]
    results = await asyncio.gather(*map(watched.run, tasks))
    assert all(map(succeeded, results))
    assert len({result.outputs.parameters["Output"].json for result in results}) == 1
    assert any(isinstance(fact, port.Held) and "kfp==2.12.1" in fact.detail for fact in watched.facts)


PLATFORM = """
import asyncio, os, sys
from pathlib import Path
from builders.launches import launch, store_in, watching
from headrace_scheduler.executors.process.executor import ProcessExecutor

async def main(home):
    store = store_in(home)
    async with watching(ProcessExecutor(home, store, os.environ)) as watched:
        await watched.run(launch(store, "true", run_id=sys.argv[2], path="published"))
        script = f"sleep 1000 & echo $! $$ > {home}/new; mv {home}/new {home}/pids; wait"
        task = launch(store, "sh", "-c", script, run_id=sys.argv[2], path="survivor")
        await watched.run(task)

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_a_new_platform_ends_survivors_and_recovers_what_was_published(home: Path, store: FolderStore) -> None:
    run_id = str(uuid.uuid4())
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    platform = await asyncio.create_subprocess_exec(sys.executable, "-c", PLATFORM, str(home), run_id, env=environ)
    async with asyncio.timeout(30):
        while not (home / "pids").exists():
            await asyncio.sleep(0.02)
    platform.kill()
    await platform.wait()
    known = [(port.AttemptId(run_id, "published", 1), ""), (port.AttemptId(run_id, "survivor", 1), "1:1:")]
    async with watching(ProcessExecutor(home, store, os.environ), known) as again:
        assert [pid for pid in (home / "pids").read_text().split() if alive(int(pid))] == []
        assert succeeded(await again.finished(known[0][0]))
        lost = await again.finished(known[1][0])
        assert (lost.state, lost.error.reason) == (events_pb2.ATTEMPT_LOST, "Lost")


async def test_children_die_with_the_platform(home: Path, store: FolderStore) -> None:
    executor = ProcessExecutor(home, store, os.environ)
    async with watching(executor) as watched:
        task = launch(store, "sh", "-c", "trap '' TERM; sleep 1000 & echo $!; wait")
        await executor.launch(task)
        pid = int((await watched.launched(task.attempt)).handle.partition(":")[0])
        assert alive(pid)
    assert not alive(pid)


async def test_signals_of_the_terminal_do_not_reach_tasks(watched: Watched, store: FolderStore) -> None:
    result = await watched.run(launch(store, sys.executable, "-c", LEADER))
    assert succeeded(result)
    assert len(set(log_of(store, result).split())) == 1
