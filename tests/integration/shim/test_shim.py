"""The shim, driven as a companion drives it, as a plain program."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from headrace_companion import pod_layout
from headrace_companion.pod.command import Command, NotRunnable

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
SHIM = Path(__file__).parents[3] / "services" / "companion" / "shim"


def test_it_names_the_places_that_the_companion_names():
    text = (SHIM / "shim.h").read_text()
    named = dict(re.findall(r'#define (?:FILE|DIR)_(\w+) "(.*)"', text))
    ours = {name: getattr(pod_layout, name) for name in named if name != "BIN"}
    assert {name: str(pod_layout.TOP / place) for name, place in named.items() if name != "BIN"} == {
        name: str(place) for name, place in ours.items()
    }
    assert str(pod_layout.TOP / named["BIN"]) == str(pod_layout.SHIM.parent)
    assert f'"{pod_layout.TOP}"' in (SHIM / "files.c").read_text()


def test_install_copies_itself_whole_for_everybody_and_again(shim_pod):
    subprocess.run([shim_pod.program, "install", shim_pod.top], check=True, preexec_fn=lambda: os.umask(0o077))
    installed = shim_pod.top / "bin" / "shim"
    assert installed.read_bytes() == shim_pod.program.read_bytes()
    assert stat.S_IMODE(installed.stat().st_mode) == 0o755
    assert stat.S_IMODE(shim_pod.control.stat().st_mode) == 0o777
    assert [one.name for one in (shim_pod.top / "bin").iterdir()] == ["shim"]


def test_it_says_what_it_cannot_do(shim_program, tmp_path):
    said = subprocess.run([shim_program, "install", tmp_path / "none"], check=False, capture_output=True, text=True)
    assert said.returncode == 1
    assert "cannot make" in said.stderr
    assert subprocess.run([shim_program], check=False, capture_output=True).returncode == 2


def test_a_command_runs_once_it_is_staged_and_ends_with_its_code_once_it_is_published(shim_pod):
    shim_pod.start()
    shim_pod.stage("sh", "-c", "echo out; echo err >&2; exit 7")
    ended = shim_pod.ended()
    assert (ended.code, ended.signal, ended.failed) == (7, 0, "")
    assert 0 < ended.ready_ms <= ended.started_ms <= ended.ended_ms
    assert shim_pod.running.poll() is None  # nothing is published yet
    assert shim_pod.finish() == 7
    assert shim_pod.output == b"out\nerr\n"
    assert shim_pod.log() == b"out\nerr\n"


def test_what_was_staged_before_it_started_is_found(shim_pod):
    shim_pod.stage("true")
    shim_pod.start()
    assert shim_pod.ended().code == 0
    assert shim_pod.finish() == 0


def test_without_inotify_it_looks_itself(shim_pod):
    shim_pod.env["HEADRACE_SHIM_POLLS"] = "1"
    shim_pod.start()
    shim_pod.stage("sh", "-c", "sleep 60", grace_s=5)
    shim_pod.await_file("log")
    shim_pod.write("stop")
    assert shim_pod.ended().stopped
    assert shim_pod.finish() == 128 + signal.SIGTERM


def test_settings_of_the_environment(shim_pod):
    shim_pod.env |= {"LIST": "a", "EMPTY": "", "GONE": "x", "KEPT": "image's"}
    shim_pod.start()
    shim_pod.stage(
        "env",
        env={"FROM_IMAGE": "no", "NEW": "a=b\nc"},
        defaults={"KEPT": "ours", "OURS": "1"},
        lists={"LIST": "b", "EMPTY": "c", "NONE": "d"},
        removed=["GONE", "NEVER"],
    )
    shim_pod.ended()
    shim_pod.finish()
    lines = shim_pod.log().decode()
    assert "FROM_IMAGE=no\n" in lines
    assert "NEW=a=b\nc\n" in lines
    assert "KEPT=image's\n" in lines
    assert "OURS=1\n" in lines
    assert "LIST=a:b\n" in lines
    assert "EMPTY=c\n" in lines
    assert "NONE=d\n" in lines
    assert "GONE" not in lines


def test_a_folder_that_this_user_can_write_to(shim_pod, tmp_path):
    own, closed = tmp_path / "own", tmp_path / "closed"
    closed.mkdir(mode=0o555)
    given = {"HELD": str(tmp_path), "NOT_THERE": "/no/such/folder", "FILE": "/etc/passwd", "CLOSED": str(closed)}
    shim_pod.env |= given
    shim_pod.start(umask=0o077, preexec_fn=without_roots_rights_to_files)
    shim_pod.stage("env", folders=dict.fromkeys([*given, "NONE"], str(own)))
    shim_pod.ended()
    shim_pod.finish()
    lines = shim_pod.log().decode().splitlines()
    assert f"HELD={tmp_path}" in lines
    assert {f"{name}={own}" for name in ("NOT_THERE", "FILE", "CLOSED", "NONE")} <= set(lines)
    assert stat.S_IMODE(own.stat().st_mode) == 0o700


def without_roots_rights_to_files():
    """As in a Pod, whose containers have no capabilities."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


def test_arguments_pass_as_they_are_up_to_what_linux_takes(shim_pod):
    shim_pod.start()
    odd = ["", " ", "\n", "é\udce9"[:1], "$(x) `y`", "x" * (128 * 1024 - 1)]
    shim_pod.stage(sys.executable, "-c", "import sys; print([len(a) for a in sys.argv[1:]], sys.argv[5])", *odd)
    assert shim_pod.ended().code == 0
    shim_pod.finish()
    assert shim_pod.log().decode() == f"{[len(one) for one in odd]} {odd[4]}\n"


def test_what_linux_takes_nowhere_is_refused_before():
    with pytest.raises(NotRunnable, match=r"argument 1 of the command would be 131072 bytes long; .* as an artifact"):
        Command(("true", "x" * 128 * 1024)).encode()
    with pytest.raises(NotRunnable, match="variable 'A' holds a NUL"):
        Command(("true",), {"A": "\0"}).encode()


def test_the_working_folder(shim_pod, tmp_path):
    shim_pod.start()
    shim_pod.stage("pwd", folder=str(tmp_path))
    shim_pod.ended()
    shim_pod.finish()
    assert shim_pod.log().decode() == f"{tmp_path}\n"


@pytest.mark.parametrize(
    ("argv", "folder", "failed", "number", "code"),
    [
        (("no-such-program",), "", "program", errno.ENOENT, 127),
        (("/etc/passwd",), "", "program", errno.EACCES, 126),
        (("/",), "", "program", errno.EACCES, 126),
        (("",), "", "program", errno.ENOENT, 127),
        (("true",), "/no/such/folder", "folder", errno.ENOENT, 127),
    ],
)
def test_what_cannot_be_started_is_told(shim_pod, argv, folder, failed, number, code):
    shim_pod.start()
    shim_pod.stage(*argv, folder=folder)
    ended = shim_pod.ended()
    assert (ended.failed, ended.errno, ended.started_ms) == (failed, number, 0)
    assert shim_pod.finish() == code


@pytest.mark.parametrize("content", [b"", b"something else", b"headrace-command 1\0\0" + b"0\0" * 4 + b"end\0"])
def test_a_command_that_is_none_is_told(shim_pod, content):
    shim_pod.start()
    shim_pod.write("command", content)
    shim_pod.write("staged")
    assert shim_pod.ended().failed == "command"
    assert shim_pod.finish() == 126


def test_a_broken_command_never_runs(shim_pod):
    whole = Command(("touch", str(shim_pod.top / "ran")), {"A": "b"}, {"C": "d"}, folders={"E": "/tmp"}).encode()
    for size in range(len(whole)):
        assert_broken(shim_pod, whole[:size])
    assert not (shim_pod.top / "ran").exists()


def assert_broken(pod, content):
    pod.write("command", content)
    pod.write("staged")
    pod.write("published")
    (pod.control / "exit").unlink(missing_ok=True)
    pod.start()
    assert pod.end() == 126


def test_a_refusal_is_shown_and_ends_it(shim_pod):
    shim_pod.start()
    shim_pod.write("refused", b"input 'x' is missing")
    assert shim_pod.end() == 1
    assert shim_pod.output == b"input 'x' is missing\n"


def test_it_runs_no_command_twice(shim_pod):
    shim_pod.write("exit", b"{}")
    shim_pod.stage("true")
    shim_pod.start()
    assert shim_pod.end() == 1
    assert b"has run already" in shim_pod.output


def test_a_signal_ends_the_command_and_is_told(shim_pod):
    shim_pod.start()
    shim_pod.stage("sh", "-c", "kill -SEGV $$")
    assert shim_pod.ended().signal == signal.SIGSEGV
    assert shim_pod.finish() == 128 + signal.SIGSEGV


def test_sigterm_reaches_the_command_which_may_end_well(shim_pod):
    shim_pod.start()
    shim_pod.stage("sh", "-c", "trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 0.05; done")
    shim_pod.await_log(b"ready")
    shim_pod.running.send_signal(signal.SIGTERM)
    ended = shim_pod.ended()
    assert (ended.code, ended.terminated, ended.timed_out) == (0, True, False)
    shim_pod.running.send_signal(signal.SIGTERM)  # publishing has the rest of the Pod's grace
    assert shim_pod.finish() == 0
    assert shim_pod.log().endswith(b"asked\n")


def test_who_ignores_sigterm_is_killed_after_the_grace(shim_pod):
    shim_pod.start()
    shim_pod.stage("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done", grace_s=0.2)
    shim_pod.await_log(b"ready")
    shim_pod.running.send_signal(signal.SIGTERM)
    ended = shim_pod.ended()
    assert (ended.signal, ended.terminated) == (signal.SIGKILL, True)
    assert shim_pod.finish() == 128 + signal.SIGKILL


def test_sigterm_before_anything_is_staged(shim_pod):
    shim_pod.start()
    shim_pod.await_readiness()
    shim_pod.running.send_signal(signal.SIGTERM)
    assert shim_pod.end() == 128 + signal.SIGTERM
    assert shim_pod.ended().terminated
    assert shim_pod.ended().started_ms == 0


def test_other_signals_are_handed_on(shim_pod):
    shim_pod.start()
    shim_pod.stage("sh", "-c", "trap 'echo usr1; exit 3' USR1; echo ready; while :; do sleep 0.05; done")
    shim_pod.await_log(b"ready")
    shim_pod.running.send_signal(signal.SIGUSR1)
    assert shim_pod.ended().code == 3
    assert not shim_pod.ended().terminated
    shim_pod.finish()


def test_the_time_out(shim_pod):
    shim_pod.start()
    shim_pod.stage("sh", "-c", "trap '' TERM; sleep 60 & wait; wait; sleep 60", timeout_s=0.2, grace_s=0.2)
    ended = shim_pod.ended()
    assert ended.timed_out
    assert ended.signal == signal.SIGKILL
    assert ended.ended_ms - ended.started_ms >= 400
    shim_pod.finish()


def test_stop(shim_pod):
    shim_pod.start()
    shim_pod.stage("sleep", "60")
    shim_pod.await_file("log")
    shim_pod.write("stop")
    ended = shim_pod.ended()
    assert (ended.stopped, ended.signal) == (True, signal.SIGTERM)
    shim_pod.finish()


def test_what_the_command_leaves_behind_is_killed_and_the_log_ends(shim_pod):
    shim_pod.start()
    script = "(setsid sleep 777 & echo $! > pid1); (sleep 777 & echo $! > pid2); (setsid sh -c 'sleep 777 & wait' &) ; exit 0"
    shim_pod.stage("sh", "-c", script, folder=str(shim_pod.top))
    assert shim_pod.ended().code == 0
    for name in ("pid1", "pid2"):
        assert not Path(f"/proc/{(shim_pod.top / name).read_text().strip()}").exists()
    children = Path(f"/proc/{shim_pod.running.pid}/task/{shim_pod.running.pid}/children").read_text()
    assert children == ""
    shim_pod.finish()


def test_orphans_are_reaped_while_the_command_runs(shim_pod):
    shim_pod.start()
    script = "for i in 1 2 3; do (sh -c 'sleep 0.01' &) ; done; sleep 0.3; ps -o stat= --ppid $PPID; echo done; exit 0"
    shim_pod.stage("sh", "-c", script)
    assert shim_pod.ended().code == 0
    shim_pod.finish()
    assert b"Z" not in shim_pod.log()
    assert shim_pod.log().endswith(b"done\n")


def test_a_long_log_keeps_its_beginning_and_its_end(shim_pod):
    shim_pod.start()
    beyond = 3 << 20
    script = "import os\nfor _ in range(256 + 3): os.write(1, b'a' * (1 << 20))\nos.write(1, b'the end')"
    shim_pod.stage(sys.executable, "-c", script)
    drain = subprocess.Popen(["cat"], stdin=shim_pod.running.stdout, stdout=subprocess.DEVNULL)
    assert shim_pod.ended().code == 0
    shim_pod.write("published")
    assert shim_pod.running.wait(20) == 0
    drain.wait(20)
    line = f"\n... {beyond + 7 - (1 << 20)} bytes of this log were left out ...\n".encode()
    assert (shim_pod.control / "log").stat().st_size == (256 << 20) + len(line) + (1 << 20)
    with (shim_pod.control / "log").open("rb") as log:
        log.seek(256 << 20)
        rest = log.read()
    assert rest.startswith(line)
    assert rest.endswith(b"athe end")


def test_who_reads_no_output_holds_nothing_up(shim_pod):
    shim_pod.start()
    shim_pod.stage(sys.executable, "-c", "import os; os.write(1, b'x' * 300_000)")  # a pipe takes 64 KiB
    assert shim_pod.ended().code == 0
    assert len(shim_pod.log()) == 300_000
    shim_pod.write("published")
    shim_pod.end()


def test_a_full_disk_loses_the_log_and_not_the_task(shim_pod):
    limit = 10_000
    shim_pod.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    shim_pod.stage("sh", "-c", "head -c 50000 /dev/zero; exit 0")
    ended = shim_pod.ended()
    assert (ended.code, ended.log_errno) == (0, errno.EFBIG)
    assert len(shim_pod.log()) == limit
    shim_pod.finish()
    assert len(shim_pod.output) == 50_000


def test_what_was_written_is_readable_to_others_and_links_are_not_followed(shim_pod, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("mine")
    outside.chmod(0o600)
    work = shim_pod.top / "attempt"
    shim_pod.start(preexec_fn=lambda: os.umask(0o077))
    script = (
        "mkdir -p a/b; echo x > a/b/c; chmod 0 a/b/c; chmod 0 a; echo y > d; "
        "ln -s ../../outside link; ln -s / root; mkfifo pipe"
    )
    shim_pod.stage("sh", "-c", script, folder=str(work))
    assert shim_pod.ended().code == 0
    modes = {name: stat.S_IMODE((work / name).stat().st_mode) for name in ("a", "a/b", "a/b/c", "d")}
    assert modes["a"] == modes["a/b"] == 0o777
    assert modes["a/b/c"] & 0o444 == modes["d"] & 0o444 == 0o444
    assert stat.S_IMODE(outside.stat().st_mode) == 0o600
    assert stat.S_IMODE((shim_pod.control / "log").stat().st_mode) == 0o644
    assert stat.S_IMODE((shim_pod.control / "exit").stat().st_mode) == 0o644
    shim_pod.finish()


def test_what_lies_elsewhere_in_the_container_is_given(shim_pod, tmp_path):
    there = tmp_path / "model"
    (there / "deep").mkdir(parents=True)
    (there / "deep" / "weights").write_bytes(b"w" * 100_000)
    (there / "link").symlink_to("/etc/passwd")
    (tmp_path / "link").symlink_to(there)
    shim_pod.start()
    shim_pod.stage("true")
    shim_pod.ended()
    shim_pod.write("want", b"\0".join(str(tmp_path / one).encode() for one in ("model", "none", "link")) + b"\0")
    shim_pod.await_file("given")
    given = shim_pod.top / "attempt" / "elsewhere"
    assert (given / "0" / "deep" / "weights").read_bytes() == b"w" * 100_000
    assert sorted(one.name for one in given.iterdir()) == ["0"]
    assert not (given / "0" / "link").exists()
    assert shim_pod.finish() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a PID namespace everywhere; CI runs it as root too")
def test_it_is_the_first_process_of_a_container(shim_pod):
    """A PID namespace, where a process without handlers gets no signals and every orphan is its own."""
    unshare = ["unshare", "--pid", "--fork", "--mount-proc"]
    script = "setsid sleep 777 & trap 'exit 5' TERM; echo $$ ready; while :; do sleep 0.05; done"
    shim_pod.running = subprocess.Popen(
        [*unshare, shim_pod.top / "bin" / "shim", "run", shim_pod.top], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    shim_pod.stage("sh", "-c", script)
    shim_pod.await_log(b"2 ready")
    inner = Path(f"/proc/{shim_pod.running.pid}/task/{shim_pod.running.pid}/children").read_text().split()[0]
    os.kill(int(inner), signal.SIGTERM)
    assert shim_pod.ended().code == 5
    assert shim_pod.finish() == 5
