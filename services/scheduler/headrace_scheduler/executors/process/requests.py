"""What a fork server is asked to run: environment variables, command, and the files that go with it. No processes here.

The request file lies in the attempt's folder; the forked child reads it, so that large ExecutorInputs pass neither argv
nor the control socket. Called by attempts.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from headrace_companion.assignment import Folders
from headrace_companion.lightweight import PythonComponent
from headrace_scheduler.executors.process.environments import Environment
from headrace_scheduler.executors.process.runtimes import KFP, Runtime, flags_of
from headrace_scheduler.executors.process.task_hosting import Bind
from headrace_scheduler.executors.process.zygotes import PROGRAM

REQUEST: Final = "request.json"
POINTER: Final = 8  # bytes that the system counts for each argument and variable, besides its text
HERE: Final = "this system"
INSTEAD: Final = "let the task take the value as an artifact, or in a Python component"
COMPONENT: Final = "component.json"
SCRATCH: Final = "scratch"
SOURCE: Final = "ephemeral_component.py"
# Read when an interpreter or a library starts, so a fork would not see them.
START_UP: Final = re.compile(
    r"PYTHON|LD_|DYLD_|MALLOC_|OMP_|OPENBLAS_|MKL_|NUMEXPR_|BLIS_|VECLIB_|CUDA_|NVIDIA_|LC_|LANG$"
)
PIP: Final = re.compile(r"\bpip3?\b")
PYTHON: Final = re.compile(r"(?<![\w./-])python3?(?![\w./-])")
# Ours, or the platform's own keys to artifact stores (AWS_*): components bring their own.
NOT_INHERITED: Final = re.compile(
    r"HEADRACE_|AWS_|_KFP_RUNTIME$|VIRTUAL_ENV|PYTHONHOME$|PYTHONPATH$|PYTHONSAFEPATH$|__PYVENV_LAUNCHER__$|GRPC_FORK|GRPC_ENABLE_FORK"
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What user code is told about where it is."""

    mark: str
    run_id: str
    task: str
    number: int
    traceparent: str
    accelerators: tuple[str, ...] | None  # None: this machine has none, so nothing is hidden


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """The platform's environment without what is ours."""
    return {name: value for name, value in environ.items() if not NOT_INHERITED.match(name)}


def variables(
    base: Mapping[str, str], declared: Mapping[str, str], surroundings: Surroundings, path_first: Sequence[Path]
) -> dict[str, str]:
    """The environment of one attempt, made from nothing but these."""
    made = dict(base)
    made["PYTHONUNBUFFERED"] = "1"
    made["KFP_POD_NAME"] = pod_name(surroundings.run_id, surroundings.task)
    made["KFP_POD_UID"] = surroundings.run_id
    made["KFP_RUN_ID"] = surroundings.run_id
    if surroundings.traceparent:
        made["TRACEPARENT"] = surroundings.traceparent
    if surroundings.accelerators is not None:
        made["CUDA_VISIBLE_DEVICES"] = ",".join(surroundings.accelerators)
    made.update(declared)
    made["PATH"] = os.pathsep.join([*(str(folder) for folder in path_first), made.get("PATH", os.defpath)])
    # Last, so that nothing can take it away: it is how a process is found again.
    made["HEADRACE_ATTEMPT"] = surroundings.mark
    return made


def pod_name(run_id: str, task: str) -> str:
    """What a task is told that its Pod is called."""
    return f"headrace-{run_id[:8]}-{re.sub('[^a-z0-9]+', '-', task.lower())}"


def can_fork(declared: Mapping[str, str], surroundings: Surroundings) -> bool:
    """Whether a forked interpreter is as good as a fresh one here."""
    if not sys.platform.startswith("linux") or surroundings.accelerators:
        return False
    return not any(START_UP.match(name) for name in declared)


def write_python(
    folders: Folders,
    component: PythonComponent,
    runtime: Runtime,
    environment: Environment,
    env: dict[str, str],
    binds: Sequence[Bind],
    *,
    forked: bool,
) -> Path:
    """The request for a lightweight component, forked or in a fresh interpreter."""
    source = folders.top / SOURCE
    source.write_text(component.source, encoding="utf-8", errors="surrogatepass")
    if runtime.module == KFP.module:
        env["_KFP_RUNTIME"] = "true"
    env["VIRTUAL_ENV"] = str(environment.folder)
    argv = [
        runtime.module,
        "--component_module_path",
        str(source),
        "--executor_input",
        component.executor_input,
        "--function_to_execute",
        component.function,
        *flags_of(component),
    ]
    if forked:
        return _request(folders, {"kind": "python", "argv": argv, "env": env}, binds)
    inner = folders.top / COMPONENT
    _write(inner, {"argv": argv, "path": runtime.path})
    return write_exec(folders, (environment.python, str(PROGRAM), "once", str(inner)), env, binds)


def write_exec(folders: Folders, argv: Sequence[str], env: Mapping[str, str], binds: Sequence[Bind]) -> Path:
    """The request for a literal command. `binds`: folders that it finds at other paths."""
    return _request(folders, {"kind": "exec", "argv": list(argv), "env": dict(env)}, binds)


def _request(folders: Folders, held: dict[str, Any], binds: Sequence[Bind]) -> Path:
    held["cwd"] = str(folders.work)
    if binds:
        scratch = folders.top / SCRATCH
        scratch.mkdir(exist_ok=True)
        held |= {"binds": list(binds), "scratch": str(scratch)}
    return _write(folders.top / REQUEST, held)


def too_long(argv: Sequence[str], env: Mapping[str, str]) -> str:
    """What the system would refuse to start, as a sentence; "" where it takes it."""
    one = 32 * os.sysconf("SC_PAGE_SIZE") if sys.platform.startswith("linux") else 0
    everything = os.sysconf("SC_ARG_MAX")
    total = 0
    for number, text in enumerate(argv):
        size = _bytes(text) + 1
        total += size + POINTER
        if one and size > one:
            return f"argument {number} of the command would be {size - 1} bytes long; {HERE} takes at most {one - 1}: {INSTEAD}"
    total += sum(_bytes(name) + _bytes(text) + 2 + POINTER for name, text in env.items())
    if total > everything:
        return f"the command with its environment would be {total} bytes long; {HERE} takes at most {everything}: {INSTEAD}"
    return ""


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def forget(folders: Folders) -> None:
    """Delete the request: its environment may hold secrets, and nobody reads it any more."""
    (folders.top / REQUEST).unlink(missing_ok=True)


def _write(path: Path, held: Mapping[str, Any]) -> Path:
    """For nobody but the owner: the environment may hold secrets."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(held, file)
    return path


def mentions_python(argv: Sequence[str]) -> bool:
    """Whether a literal command looks for Python on the PATH."""
    return any(PYTHON.search(word) for word in argv)


def mentions_pip(argv: Sequence[str]) -> bool:
    """Whether a literal command may install packages, so that it must not do that to the host."""
    return any(PIP.search(word) for word in argv)
