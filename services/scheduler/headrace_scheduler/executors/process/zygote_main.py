"""The program of a fork server: a single-threaded process that starts attempts and buries everything they leave behind.

Run by path with an environment's own interpreter, so standard library only, and Python 3.8's. With a runtime
imported it forks lightweight components (`python` requests); without, it starts literal commands (`exec` requests). It is
a child subreaper: whatever an attempt's processes leave behind becomes its child and is killed, also what left the process
group. It dies with its parent (end of the control socket, or the kernel's signal), after its attempts.

Messages are JSON with a 4-byte length; `zygotes.py` is the other end and describes them.
"""

from __future__ import annotations

import builtins
import ctypes
import gc
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
import time
import traceback
import types
from typing import Any

LINUX = sys.platform.startswith("linux")
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
MARK = "HEADRACE_ATTEMPT"
BURIAL_SECONDS = 2.0


LIBC = ctypes.CDLL(None) if LINUX else None


def prctl(option: int, value: int) -> None:
    if LIBC is not None:
        LIBC.prctl(option, value, 0, 0, 0)


def start_time(pid: int) -> int:
    """The kernel's start time of a process in clock ticks since boot; with the pid it names a process for ever."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


class Attempt:
    """One attempt's main process, which leads its own session and group."""

    def __init__(self, name: str, pid: int) -> None:
        self.name = name
        self.pid = pid
        self.outcome: dict[str, Any] = {}
        self.buried_by = 0.0

    def group_is_empty(self) -> bool:
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


class Server:
    """The loop. `serve` returns a request in a forked child, and None in the server when it is to end."""

    def __init__(self, control: socket.socket) -> None:
        self.pid = os.getpid()
        self.control = control
        self.buffer = b""
        self.descriptors: list[int] = []
        self.attempts: dict[int, Attempt] = {}
        self.dead: dict[int, Attempt] = {}
        self.killed_for_memory = memory_kills()
        self.wake_read, self.wake_write = os.pipe()
        for end in (self.wake_read, self.wake_write):
            os.set_blocking(end, False)
            os.set_inheritable(end, False)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def send(self, **message: object) -> None:
        data = json.dumps(message).encode()
        try:
            self.control.sendall(struct.pack("!I", len(data)) + data)
        except (BrokenPipeError, ConnectionResetError):
            raise SystemExit(0) from None

    def serve(self) -> dict[str, Any] | None:
        try:
            while True:
                pause = 0.05 if self.dead else None
                ready, _, _ = select.select([self.control.fileno(), self.wake_read], [], [], pause)
                if self.wake_read in ready:
                    os.read(self.wake_read, 4096)
                self.reap()
                if self.control.fileno() in ready and not self.receive():
                    break
                request = self.handle_all()
                if request is not None:
                    return request
        finally:
            if os.getpid() == self.pid:
                self.kill_everything()
        return None

    def receive(self) -> bool:
        """Take what has arrived; False at the end of the socket, which is the end of the parent."""
        space = socket.CMSG_SPACE(16 * struct.calcsize("i"))
        data, ancillary, _, _ = self.control.recvmsg(65536, space)
        for level, kind, held in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                count = len(held) // struct.calcsize("i")
                self.descriptors.extend(struct.unpack(f"{count}i", held[: count * struct.calcsize("i")]))
        self.buffer += data
        return bool(data)

    def handle_all(self) -> dict[str, Any] | None:
        while len(self.buffer) >= 4:
            size = struct.unpack("!I", self.buffer[:4])[0]
            if len(self.buffer) < 4 + size:
                return None
            message = json.loads(self.buffer[4 : 4 + size].decode())
            self.buffer = self.buffer[4 + size :]
            if message["op"] == "run":
                request = self.run(message)
                if request is not None:
                    return request
            elif message["op"] == "signal":
                self.signal(message["id"], message["signal"])
            elif message["op"] == "stop":
                raise SystemExit(0)
        return None

    def run(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Fork; the child returns its request and its descriptor of the log."""
        output = self.descriptors.pop(0)
        try:
            pid = os.fork()
        except OSError as error:
            os.close(output)
            self.send(event="failed", id=message["id"], message=f"cannot fork: {error.strerror}")
            return None
        if pid == 0:
            os.setsid()
            self.forget()
            return {"output": output, **message}
        os.close(output)
        self.attempts[pid] = Attempt(message["id"], pid)
        self.send(event="started", id=message["id"], pid=pid, start_time=start_time(pid))
        return None

    def forget(self) -> None:
        """In a child: nothing of the server is left, so that user code finds what a fresh interpreter has."""
        signal.set_wakeup_fd(-1)
        for number, action in (
            (signal.SIGCHLD, signal.SIG_DFL),
            (signal.SIGTERM, signal.SIG_DFL),
            (signal.SIGINT, signal.default_int_handler),
        ):
            signal.signal(number, action)
        self.control.close()
        for descriptor in [self.wake_read, self.wake_write, *self.descriptors]:
            os.close(descriptor)

    def signal(self, name: str, number: int) -> None:
        for attempt in self.attempts.values():
            if attempt.name == name:
                try:
                    os.killpg(attempt.pid, number)
                except (ProcessLookupError, PermissionError):
                    # Between fork and setsid the group does not exist yet.
                    try:
                        os.kill(attempt.pid, number)
                    except ProcessLookupError:
                        continue

    def reap(self) -> None:
        """Collect what has ended. An attempt has ended when nothing of it is left, or after BURIAL_SECONDS."""
        while True:
            found = self.reap_one()
            if found is None:
                break
            pid, status, max_rss = found
            attempt = self.attempts.pop(pid, None)
            if attempt is not None:
                code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
                number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
                attempt.outcome = {"code": code, "signal": number, "max_rss": max_rss}
                attempt.outcome["out_of_memory"] = number == signal.SIGKILL and self.memory_killed()
                attempt.buried_by = time.monotonic() + BURIAL_SECONDS
                self.dead[pid] = attempt
        if self.dead:
            self.bury()

    def reap_one(self) -> tuple[int, int, int] | None:
        """One child that has ended: pid, status, memory. Its group is killed while its number is still its own."""
        try:
            if hasattr(os, "waitid"):
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if ended is None:
                    return None
                if ended.si_pid in self.attempts:
                    kill_group(ended.si_pid)
                pid, status, usage = os.wait4(ended.si_pid, 0)
            else:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if pid in self.attempts:
                    kill_group(pid)
        except ChildProcessError:
            return None
        return (pid, status, usage.ru_maxrss) if pid else None

    def memory_killed(self) -> bool:
        """Whether the kernel has killed for memory since this was last asked."""
        before, self.killed_for_memory = self.killed_for_memory, memory_kills()
        return self.killed_for_memory > before

    def bury(self) -> None:
        strays = self.strays()
        for pid, attempt in list(self.dead.items()):
            mine = [stray for stray in strays if belongs(stray, attempt.name, alone=not self.attempts)]
            for stray in mine:
                kill(stray)
            if (attempt.group_is_empty() and not mine) or time.monotonic() > attempt.buried_by:
                del self.dead[pid]
                self.send(event="exited", id=attempt.name, **attempt.outcome)

    def strays(self) -> list[int]:
        """Children that are no attempt's main process: the subreaper's inheritance."""
        try:
            with open(f"/proc/self/task/{os.getpid()}/children") as file:
                return [int(pid) for pid in file.read().split() if int(pid) not in self.attempts]
        except OSError:
            return []

    def kill_everything(self) -> None:
        for pid in [*self.attempts, *self.dead]:
            kill_group(pid)
        for pid in self.attempts:
            kill(pid)  # it may not have its group yet
        give_up = time.monotonic() + BURIAL_SECONDS
        while time.monotonic() < give_up:
            for stray in self.strays():
                kill(stray)
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                time.sleep(0.005)


def memory_kills() -> int:
    """How many processes the kernel has killed for memory since it started."""
    try:
        with open("/proc/vmstat") as file:
            return int(next((line.split()[1] for line in file if line.startswith("oom_kill ")), 0))
    except OSError:
        return 0


def kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def belongs(pid: int, name: str, *, alone: bool) -> bool:
    """Whether a stray process comes from an attempt: by its mark, or because no other attempt is left."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            held = file.read().split(b"\0")
    except OSError:
        return alone
    wanted = f"{MARK}={name}".encode()
    return wanted in held or (alone and not any(entry.startswith(MARK.encode() + b"=") for entry in held))


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def become(request: dict[str, Any]) -> None:
    """In a forked child: own files, folder and environment, and a record by which a new platform finds this process."""
    parent = os.getppid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent or parent == 1:
        os._exit(1)
    with open(request["record"], "w") as file:
        file.write(f"{os.getpid()} {start_time(os.getpid())}\n")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(request["output"], 1)
    os.dup2(request["output"], 2)
    for descriptor in {nothing, request["output"]} - {0, 1, 2}:
        os.close(descriptor)
    with open(request["request"], encoding="utf-8") as file:
        request.update(json.load(file))
    if request.get("binds"):
        show_folders(request)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()


def show_folders(request: dict[str, Any]) -> None:
    """Show the task's volumes at the paths where its code looks for them."""
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mounts_main.py")
    try:
        runpy.run_path(program)["show"](request["binds"], request["scratch"])
    except OSError as error:
        os.write(2, f"headrace: the task's volumes cannot be mounted: {error.strerror}\n".encode())
        os._exit(125)


def execute(request: dict[str, Any]) -> None:
    """Replace this process by a literal command."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execvpe(request["argv"][0], request["argv"], os.environ)  # noqa: S606 - a literal command, never a shell line
    except (OSError, ValueError) as error:  # ValueError: an empty name, which a placeholder may have left
        said = error.strerror if isinstance(error, OSError) else "the command's first word is empty"
        os.write(2, f"headrace: cannot run {request['argv'][0]!r}: {said}\n".encode())
        os._exit(126 if isinstance(error, PermissionError) else 127)


def reseed() -> None:
    """Two children of one server must not draw the same numbers. (`random` reseeds itself after a fork.)"""
    if "random" in sys.modules:
        sys.modules["random"].seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()


def run_module(request: dict[str, Any]) -> None:
    """Run the runtime as `python -m` would, with a fresh `__main__`; returning ends the interpreter as usual."""
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding=sys.stdout.encoding, errors=sys.stdout.errors, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace", closefd=False)
    sys.stdin = os.fdopen(0, "r", closefd=False)
    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, f"__{name}__", getattr(sys, name))
    reseed()
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = main
    sys.path.insert(0, os.getcwd())
    sys.argv = ["-m", *request["argv"][1:]]
    try:
        runpy._run_module_as_main(request["argv"][0])  # type: ignore[attr-defined] # what `python -m` itself calls
    except Exception as error:  # noqa: BLE001 - the interpreter's own last resort, without our frames in the traceback
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        sys.exit(1)


def child(request: dict[str, Any]) -> None:
    become(request)
    if request["kind"] == "exec":
        execute(request)
    run_module(request)


def rehearse() -> None:
    """Do once what every attempt does before user code is entered, so that its imports and caches are inherited."""
    import argparse
    import inspect
    import logging
    import random  # noqa: F401 - reseeds itself in every child

    parser = argparse.ArgumentParser(description="rehearsal")
    parser.add_argument("--name", type=str, required=True, help="a text")
    parser.parse_known_args(["--name", "value", "--other", "value"])
    logging.Formatter("%(asctime)s").format(logging.makeLogRecord({"msg": "rehearsal"}))
    inspect.getfullargspec(rehearse)


def see(folder: str) -> None:
    """Let modules be found in FOLDER, after all others."""
    if folder and folder not in sys.path:
        sys.path.append(folder)


def serve(descriptor: int, runtime: dict[str, Any] | None) -> dict[str, Any] | None:
    """Announce readiness, then serve. Returns in forked children only."""
    control = socket.socket(fileno=descriptor)
    parent = os.getppid()
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != parent:
        sys.exit(0)
    server = Server(control)
    problem = ""
    if runtime:
        os.environ["_KFP_RUNTIME"] = "true"
        see(runtime["path"])
        try:
            for name in runtime["imports"]:
                __import__(name)
            rehearse()
        except Exception:  # noqa: BLE001 - whatever an environment's packages raise is told to the platform
            problem = traceback.format_exc()
    gc.collect()
    gc.freeze()
    server.send(event="ready", problem=problem, version=list(sys.version_info[:3]))
    return server.serve()


def main() -> None:
    del sys.path[0]  # this file's folder, which is nobody's import path
    if sys.argv[1] == "once":
        with open(sys.argv[2], encoding="utf-8") as file:
            component = json.load(file)
        see(component["path"])
        run_module(component)
        return
    request = serve(int(sys.argv[2]), json.loads(sys.argv[3]) if sys.argv[1] == "warm" else None)
    if request is not None:
        child(request)


if __name__ == "__main__":
    main()
