"""Platform settings of tasks on this machine: secrets and config maps from HOME, volumes, the Pod's fields, claims as tasks, and
the interpreter that an image's tag names.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from builders.launches import Watched, launch, log_of, python, store_in, succeeded, watching
from headrace_companion.folder_store import FolderStore
from headrace_protos.v1 import attempts_pb2, events_pb2
from headrace_scheduler.executors.process.executor import ProcessExecutor
from headrace_scheduler.executors.process.interpreters import version_of
from headrace_scheduler.executors.process.mounting import _try
from headrace_scheduler.executors.task_settings import EnvKind, EnvSource, Mount, MountKind, TaskSettings

THIS = f"{sys.version_info[0]}.{sys.version_info[1]}"
CANNOT_MOUNT = _try()  # a machine may forbid it: then a task that needs it fails with the sentence, which is tested too
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of environments for the whole module: each is made once."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def home(tmp_path: Path, environments: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "environments").symlink_to(environments)
    return folder


@pytest.fixture
def store(home: Path) -> FolderStore:
    return store_in(home)


@pytest.fixture
async def watched(home: Path, store: FolderStore) -> AsyncIterator[Watched]:
    async with watching(ProcessExecutor(home, store, os.environ, grace_s=0.5)) as one:
        yield one


def put(home: Path, kind: str, name: str, **keys: str) -> None:
    folder = home / kind / name
    folder.mkdir(parents=True)
    for key, text in keys.items():
        (folder / key).write_text(text)
        (folder / key).chmod(0o600)


def secret(variable: str, name: str = "login", key: str = "password", **more: Any) -> EnvSource:
    return EnvSource(variable, EnvKind.SECRET, name, key, **more)


def shell(store: FolderStore, script: str, settings: TaskSettings, **more: Any) -> Any:
    return launch(store, "sh", "-ec", script, settings=settings, **more)


def failed(result: attempts_pb2.AttemptResult) -> str:
    """The sentence of a task that failed for its user's doing: such a failure is not tried again by the platform."""
    assert result.state == events_pb2.ATTEMPT_FAILED
    assert (result.error.reason, result.error.failure_class) == ("Environment", events_pb2.USER)
    return result.error.message


# ---- variables


async def test_variables_come_from_secrets_and_config_maps(watched: Watched, store: FolderStore, home: Path) -> None:
    put(home, "secrets", "login", password=PASSWORD)
    put(home, "configmaps", "modes", mode="fast")
    settings = TaskSettings(
        env=(
            secret("PASSWORD"),
            EnvSource("MODE", EnvKind.CONFIG_MAP, "modes", "mode"),
            secret("NOT_THERE", name="other", optional=True),
            secret("NO_KEY", key="none", optional=True),
        )
    )
    given = shell(store, 'test "$PASSWORD" = "correct horse"; echo $MODE ${NOT_THERE-unset} ${NO_KEY-unset}', settings)
    result = await watched.run(given)
    assert succeeded(result)
    assert log_of(store, result) == b"fast unset unset\n"


async def test_a_secret_is_nowhere_but_in_the_environment(watched: Watched, store: FolderStore, home: Path) -> None:
    put(home, "secrets", "login", password=PASSWORD)
    look = f"""
        set -- {home}/attempts/*/*
        stat -c '%a' $1/request.json
        tr '\\0' ' ' < /proc/$$/cmdline
    """
    given = shell(store, look, TaskSettings(env=(secret("PASSWORD"),)))
    result = await watched.run(given)
    assert succeeded(result)
    log = log_of(store, result).decode()
    assert log.startswith("600\n")
    assert PASSWORD not in log
    told = await watched.launched(given.attempt)
    assert PASSWORD not in repr((told, result, given))
    kept = [path for path in home.rglob("*") if path.is_file() and "secrets" not in path.parts]
    assert kept
    assert not any(PASSWORD.encode() in path.read_bytes() for path in kept)


async def test_a_python_component_gets_them_too(watched: Watched, store: FolderStore, home: Path) -> None:
    put(home, "secrets", "login", password=PASSWORD)
    source = """
        def look() -> str:
            import os
            return os.environ["PASSWORD"][:7]
    """
    settings = TaskSettings(env=(secret("PASSWORD"),))
    result = await watched.run(python(store, source, "look", outputs={"Output": "STRING"}, settings=settings))
    assert succeeded(result)
    assert json.loads(result.outputs.parameters["Output"].json) == "correct"


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (
            secret("PASSWORD", name="other"),
            "the variable PASSWORD needs the key 'password' of the secret 'other', which is not on this machine: "
            "put it into the file {home}/secrets/other/password (chmod 600)",
        ),
        (
            EnvSource("M", EnvKind.CONFIG_MAP, "modes", "none"),
            "the variable M needs the key 'none' of the config map 'modes', which is not on this machine: "
            "put it into the file {home}/configmaps/modes/none",
        ),
        (secret("P", name="../login"), "'../login' cannot be the name of a secret"),
        (secret("P", name="n" * 254), f"a secret's name has at most 253 characters, '{'n' * 40}'… has 254"),
        (secret("P", key="../../x"), "'../../x' cannot be a key of the secret 'login'"),
        (
            secret("P", key="binary"),
            "the key 'binary' of the secret 'login' is no UTF-8 text: mount it as a file instead of a variable",
        ),
        (secret("P", key="nul"), "the key 'nul' of the secret 'login' holds a NUL, which no variable can hold"),
        (
            EnvSource("F", EnvKind.FIELD, "spec.volumes"),
            "the field 'spec.volumes' of the Pod is not known; known are metadata.name, ",
        ),
    ],
)
async def test_what_is_missing_is_said_with_its_place(
    watched: Watched, store: FolderStore, home: Path, one: EnvSource, sentence: str
) -> None:
    put(home, "secrets", "login", password=PASSWORD, nul="a\0b")
    (home / "secrets/login/binary").write_bytes(b"\xff")
    said = failed(await watched.run(shell(store, "true", TaskSettings(env=(one,)))))
    assert said.startswith(sentence.format(home=home))


async def test_fields_of_the_pod(watched: Watched, store: FolderStore) -> None:
    paths = {
        "NAME": "metadata.name",
        "NAMESPACE": "metadata.namespace",
        "LABEL": "metadata.labels['a']",
        "RUN": "metadata.labels['pipeline/runid']",
        "NOTE": "metadata.annotations['b']",
        "NONE": "metadata.labels['none']",
        "IP": "status.podIP",
    }
    settings = TaskSettings(
        env=tuple(EnvSource(name, EnvKind.FIELD, path) for name, path in paths.items()),
        labels={"a": "1"},
        annotations={"b": "2"},
    )
    given = shell(store, 'test "$NAME" = "$KFP_POD_NAME"; echo "$NAMESPACE $LABEL $RUN $NOTE <$NONE> $IP"', settings)
    result = await watched.run(given)
    assert succeeded(result)
    assert log_of(store, result).decode() == f"default 1 {given.attempt.run_id} 2 <> 127.0.0.1\n"


# ---- warnings


async def test_a_line_break_at_the_end_of_a_secret_is_said(watched: Watched, store: FolderStore, home: Path) -> None:
    put(home, "secrets", "login", password=PASSWORD + "\n")
    given = shell(store, "true", TaskSettings(env=(secret("P"),)))
    assert succeeded(await watched.run(given))
    warnings = (await watched.launched(given.attempt)).warnings
    assert "the key 'password' of the secret 'login' ends with a line break, which is part of its value" in warnings


async def test_one_warning_names_what_has_no_effect(watched: Watched, store: FolderStore, home: Path) -> None:
    put(home, "secrets", "login", password=PASSWORD)
    (home / "secrets/login/password").chmod(0o644)
    settings = TaskSettings(
        env=(secret("P"),),
        tolerations=({"key": "gpu"},),
        node_selector={"disk": "ssd"},
        affinity={"nodeAffinity": {}},
        pull_policy="Always",
        pull_secrets=("registry",),
        labels={"a": "1"},
        annotations={"b": "2"},
        security_context={"runAsUser": 1000},
    )
    given = shell(store, "true", settings)
    assert succeeded(await watched.run(given))
    warnings = (await watched.launched(given.attempt)).warnings
    assert [one for one in warnings if "no effect" in one] == [
        "these settings of a Pod have no effect on this machine: labels, annotations, node selector, tolerations, affinity, "
        "image pull policy, image pull secrets, security context"
    ]
    place = home / "secrets/login"
    assert f"other users of this machine may read the secret 'login': chmod 600 {place}/*" in warnings


async def test_init_containers_are_refused(watched: Watched, store: FolderStore) -> None:
    settings = TaskSettings(init_containers=({"name": "load", "image": "busybox"},))
    said = failed(await watched.run(shell(store, "true", settings)))
    assert said == "init containers ('load') need a cluster: run this pipeline on Kubernetes"


# ---- volumes


async def outcome_of_mounting(watched: Watched, given: Any) -> attempts_pb2.AttemptResult | None:
    """The result; None where this machine cannot mount, and that was said."""
    result = await watched.run(given)
    if not CANNOT_MOUNT:
        assert succeeded(result)
        return result
    said = failed(result)
    assert said.startswith("nothing can be mounted at /")
    assert "run this pipeline on Kubernetes" in said
    return None


async def test_volumes_are_found_at_their_paths(watched: Watched, store: FolderStore, home: Path) -> None:
    put(home, "secrets", "login", password="x")
    put(home, "configmaps", "modes", mode="fast")
    (home / "volumes/data").mkdir(parents=True)
    settings = TaskSettings(
        mounts=(
            Mount(MountKind.SECRET, "login", "/headrace-test/secret"),
            Mount(MountKind.CONFIG_MAP, "modes", "/headrace-test/config"),
            Mount(MountKind.SECRET, "other", "/headrace-test/none", optional=True),
            Mount(MountKind.CLAIM, "data", "/headrace-test/data"),
            Mount(MountKind.CLAIM, "data", "/headrace-test/inside", sub_path="a/b"),
            Mount(MountKind.EMPTY_DIR, "scratch", "/usr/local/headrace-test"),
            Mount(MountKind.EPHEMERAL, "big", "/headrace-other"),
        )
    )
    script = """
        cd /headrace-test
        echo $(cat secret/password) $(cat config/mode) $(stat -c %a secret) $(ls -A none | wc -l) $(id -u)
        echo file > data/file; echo inner > inside/inner
        echo scratch > /usr/local/headrace-test/x; ls /usr/local/bin > /dev/null; echo big > /headrace-other/x
        echo written > written; pwd
    """
    result = await outcome_of_mounting(watched, shell(store, script, settings))
    if result is None:
        return
    assert log_of(store, result).decode() == f"x fast 700 0 {os.getuid()}\n/headrace-test\n"
    assert (home / "volumes/data/file").read_text() == "file\n"
    assert (home / "volumes/data/a/b/inner").read_text() == "inner\n"
    assert not Path("/headrace-test").exists()
    assert not Path("/usr/local/headrace-test").exists()


async def test_a_python_component_sees_a_claim_and_leaves_its_files(
    watched: Watched, store: FolderStore, home: Path
) -> None:
    (home / "volumes/data").mkdir(parents=True)
    (home / "volumes/data/in").write_text("given")
    source = """
        def copy() -> str:
            import os, subprocess
            with open("/data-of-a-claim/in") as file, open("/data-of-a-claim/out", "w") as out:
                out.write(file.read() + subprocess.check_output(["echo", "x"], text=True))
            return os.getcwd().rpartition("/")[2]
    """
    settings = TaskSettings(mounts=(Mount(MountKind.CLAIM, "data", "/data-of-a-claim"),))
    given = python(store, source, "copy", outputs={"Output": "STRING"}, settings=settings)
    result = await outcome_of_mounting(watched, given)
    if result is not None:
        assert json.loads(result.outputs.parameters["Output"].json) == "work"
        assert (home / "volumes/data/out").read_text() == "givenx\n"


async def test_a_path_that_leads_to_its_claim_needs_no_mount(watched: Watched, store: FolderStore, home: Path) -> None:
    """What can be done where nothing can be mounted."""
    (home / "volumes/data").mkdir(parents=True)
    link = home.parent / "data"
    link.symlink_to(home / "volumes/data")
    given = shell(store, f"echo x > {link}/x", TaskSettings(mounts=(Mount(MountKind.CLAIM, "data", str(link)),)))
    assert succeeded(await watched.run(given))
    assert (home / "volumes/data/x").read_text() == "x\n"


async def test_shared_memory_is_the_machines_own(watched: Watched, store: FolderStore) -> None:
    mount = Mount(MountKind.EMPTY_DIR, "shm", "/dev/shm", options={"medium": "Memory"})
    assert succeeded(await watched.run(shell(store, "test -d /dev/shm", TaskSettings(mounts=(mount,)))))


@pytest.mark.parametrize(
    ("mount", "sentence"),
    [
        (
            Mount(MountKind.SECRET, "other", "/s"),
            "the secret 'other', to be mounted at /s, is not on this machine: make the folder {home}/secrets/other with a "
            "file for each key",
        ),
        (
            Mount(MountKind.CLAIM, "data", "/d"),
            "the claim 'data' is not on this machine: make the folder {home}/volumes/data with its files",
        ),
        (Mount(MountKind.CLAIM, "here", "/d", sub_path="../x"), "the path '../x' leads out of the claim 'here'"),
        (
            Mount(MountKind.EMPTY_DIR, "e", "{parent}"),
            "nothing can be mounted at {parent} on this machine: it would hide",
        ),
        (Mount(MountKind.EMPTY_DIR, "e", "/"), "nothing can be mounted at / on this machine: it would hide"),
    ],
)
async def test_what_cannot_be_mounted_is_said(
    watched: Watched, store: FolderStore, home: Path, mount: Mount, sentence: str
) -> None:
    (home / "volumes/here").mkdir(parents=True)
    made = Mount(mount.kind, mount.source, mount.path.format(parent=home.parent), mount.sub_path)
    said = failed(await watched.run(shell(store, "true", TaskSettings(mounts=(made,)))))
    assert said.startswith(sentence.format(home=home, parent=home.parent))


# ---- claims as tasks


async def test_a_claim_is_made_used_and_deleted(watched: Watched, store: FolderStore, home: Path) -> None:
    given = {"size": "5Mi", "access_modes": ["ReadWriteOnce"], "pvc_name_suffix": "-mine"}
    create = launch(store, image="argostub/createpvc", parameters=given, outputs={"name": "STRING"})
    result = await watched.run(create)
    assert succeeded(result)
    name = json.loads(result.outputs.parameters["name"].json)
    assert name.endswith("-mine")
    assert (home / "volumes" / name).is_dir()
    assert any("its size, access modes" in one for one in result.warnings)
    again = launch(store, image="argostub/createpvc", parameters=given, outputs={"name": "STRING"},
                   run_id=create.attempt.run_id, number=2)  # fmt: skip
    assert json.loads((await watched.run(again)).outputs.parameters["name"].json) == name
    assert succeeded(await watched.run(launch(store, image="argostub/deletepvc", parameters={"pvc_name": name})))
    assert list((home / "volumes").iterdir()) == []


@pytest.mark.parametrize(
    ("image", "given", "sentence"),
    [
        ("argostub/deletepvc", {"pvc_name": "x"}, "the claim 'x' is not on this machine, so it cannot be deleted"),
        ("argostub/createpvc", {"pvc_name": "a", "pvc_name_suffix": "b"}, "give pvc_name or pvc_name_suffix, not both"),
        ("argostub/createpvc", {"pvc_name": "../a"}, "'../a' cannot be the name of a claim"),
        ("argostub/createpvc", {"pvc_name": "here"}, "the claim 'here' exists already, in {home}/volumes/here: "),
    ],
)
async def test_claims_that_cannot_be(
    watched: Watched, store: FolderStore, home: Path, image: str, given: dict[str, str], sentence: str
) -> None:
    (home / "volumes/here").mkdir(parents=True)
    result = await watched.run(launch(store, image=image, parameters=given))
    assert (result.state, result.error.failure_class) == (events_pb2.ATTEMPT_FAILED, events_pb2.USER)
    assert result.error.message.startswith(sentence.format(home=home))


# ---- workspaces


async def test_a_workspace_is_shared_by_a_run_and_goes_with_it(
    watched: Watched, store: FolderStore, home: Path
) -> None:
    run_id = "0190a5d0-ac96-774b-bcce-b302099a8057"
    folder = Path(watched.executor.workspaces) / run_id
    settings = TaskSettings(workspace_claim="claim")
    write = shell(store, f"echo text > {folder}/x", settings, run_id=run_id, path="a")
    read = shell(store, f"cat {folder}/x", settings, run_id=run_id, path="b")
    assert succeeded(await watched.run(write))
    assert log_of(store, await watched.run(read)) == b"text\n"
    await watched.executor.end_run(run_id, "default")
    assert not folder.exists()
    await watched.executor.end_run(run_id, "default")


async def test_code_that_names_the_path_of_pods_finds_the_workspace(
    watched: Watched, store: FolderStore, home: Path
) -> None:
    given = shell(store, "echo text > /kfp-workspace/x", TaskSettings(workspace_claim="claim"))
    if await outcome_of_mounting(watched, given) is not None:
        assert (home / "workspaces" / given.attempt.run_id / "x").read_text() == "text\n"
    assert not Path("/kfp-workspace").exists()


# ---- interpreters


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("python:3.11", "3.11"),
        ("docker.io/library/python:3.12.1-slim", "3.12"),
        ("ubi9/python-311:latest", "3.11"),
        ("ubi8/python-39", "3.9"),
        ("python", ""),
        ("python-3:1", ""),
        ("mypython:3.11", ""),
        ("python-3111:1", ""),
    ],
)
def test_what_the_name_of_an_image_promises(image: str, version: str) -> None:
    assert version_of(image) == version


async def test_a_command_that_is_empty_fails_at_once(watched: Watched, store: FolderStore) -> None:
    said = failed(await watched.run(launch(store, image="busybox")))
    assert said == "the component has no command, and the entry point of its image busybox is not known here"


async def test_python_in_a_command_is_the_one_that_the_image_names(watched: Watched, store: FolderStore) -> None:
    script = "import sys; print('%d.%d' % sys.version_info[:2], sys.prefix == sys.base_prefix)"
    for argv in (("python3", "-c", script), ("sh", "-c", f'python -c "{script}"')):
        given = launch(store, *argv, image=f"docker.io/library/python:{THIS}-slim")
        result = await watched.run(given)
        assert succeeded(result)
        assert log_of(store, result).decode() == f"{THIS} True\n"
        assert not any("runs with Python" in one for one in (await watched.launched(given.attempt)).warnings)


async def test_a_python_that_is_not_here_is_said(watched: Watched, store: FolderStore) -> None:
    given = launch(store, "python3", "--version", image="python:3.7")
    result = await watched.run(given)
    assert succeeded(result)
    assert log_of(store, result).decode().startswith(f"Python {THIS}.")
    warnings = (await watched.launched(given.attempt)).warnings
    assert f"Python 3.7 of the image python:3.7 is not on this machine; the task runs with Python {THIS}" in warnings


async def test_a_command_without_python_has_the_path_as_it_is(watched: Watched, store: FolderStore) -> None:
    given = launch(store, "sh", "-c", "echo $PATH", image="python:3.7")
    result = await watched.run(given)
    assert log_of(store, result).decode().strip() == os.environ["PATH"]
    assert not any("3.7 of" in one for one in (await watched.launched(given.attempt)).warnings)


def test_nothing_is_left_of_a_trial() -> None:
    before = set(os.listdir("/"))
    with tempfile.TemporaryDirectory() as folder:
        assert stat.S_ISDIR(os.stat(folder).st_mode)
        _try()
    assert set(os.listdir("/")) == before
