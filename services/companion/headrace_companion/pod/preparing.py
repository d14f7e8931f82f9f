"""From an assignment to a command that the shim can run: inputs staged, files written, environment made. Blocking.

Everything that is written here is for another user too: user code runs as the image says.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from headrace_companion import pod_layout
from headrace_companion.assignment import Assignment
from headrace_companion.lightweight import recognise, runs_our_runtime
from headrace_companion.pod.command import Command, NotRunnable
from headrace_companion.pod.places import Places
from headrace_companion.pod.rewriting import by_file
from headrace_companion.results import Reason
from headrace_companion.staging import Staged, StagingFailed, stage
from headrace_companion.store import ArtifactStore
from headrace_protos.v1 import assignments_pb2


@dataclass(frozen=True, slots=True)
class Prepared:
    """An attempt that is ready to run."""

    staged: Staged
    command: bytes
    warnings: tuple[str, ...] = ()
    fetched: Mapping[str, str] = field(default_factory=dict)


def prepare(
    message: assignments_pb2.Assignment,
    assignment: Assignment,
    places: Places,
    store: Callable[[Assignment], ArtifactStore],
    environ: Mapping[str, str],
    entry_point: Sequence[str] = (),
) -> Prepared:
    """Raises StagingFailed, and what the store and the disk raise. ENTRY_POINT: the image's words, which come first where the
    component has no command; whoever made the Pod has asked for them.
    """
    assignment = replace(assignment, argv=(*([word] for word in entry_point), *assignment.argv))
    folders = places.attempt
    names = {one.uri: name for name, artifacts in assignment.input_artifacts.items() for one in artifacts}
    values = [ref.uri for ref in assignment.references.values()]
    if not names and not values:
        return _prepared(message, stage(assignment, folders, None), places)  # no store is asked
    opened = store(assignment)
    outside = _outside(opened, names, values)
    if not outside:
        return _prepared(message, stage(assignment, folders, opened), places)
    # Imported late: most tasks fetch nothing.
    from headrace_companion.pod.fetching import fetch, fetcher

    through = fetcher(folders.top / "imports", environ)
    fetched = fetch(outside, names, through)
    try:
        staged = stage(assignment, folders, opened, fetched.places)
    finally:
        fetched.release(through)
    return _prepared(message, staged, places, fetched.digests)


def _outside(store: ArtifactStore, inputs: Iterable[str], values: Iterable[str]) -> list[str]:
    """Inputs that the store has not got; ways to all the others are asked for at once where that needs asking."""
    inputs = list(inputs)
    ask: Any = getattr(store, "prepare", None)
    if ask is not None:
        wanted = [*inputs, *values]
        return sorted(ask(wanted)) if wanted else []
    return [uri for uri in inputs if store.key(uri) is None]


def _prepared(
    message: assignments_pb2.Assignment, staged: Staged, places: Places, fetched: Mapping[str, str] | None = None
) -> Prepared:
    if not staged.argv:
        raise StagingFailed(
            f"the component has no command, and the entry point of its image {message.image} is not known here: "
            "give it a command",
            Reason.ENVIRONMENT,
        )
    argv = staged.argv
    if message.packages and (component := recognise(argv)) is not None:
        from headrace_companion.pod.packages import sharing  # late, as above

        argv = sharing(component, argv, places.at(pod_layout.PACKAGES))
    rewritten = by_file(staged.argv, argv, staged.folders.top)
    for path, text in rewritten.files.items():
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
    lists = {}
    if runs_our_runtime(staged.argv):
        lists = _runtime(places)
    traced = {"TRACEPARENT": message.traceparent} if message.traceparent else {}
    command = Command(
        rewritten.argv,
        env={**traced, **staged.env},
        lists=lists,
        folders={} if message.own_home else {"HOME": str(places.at(pod_layout.HOME))},
        timeout_s=message.timeout_s,
        grace_s=message.grace_s,
    )
    try:
        encoded = command.encode()
    except NotRunnable as problem:
        raise StagingFailed(str(problem), Reason.INPUT_RESOLUTION) from problem
    open_up(staged.folders.inputs)
    return Prepared(staged, encoded, staged.warnings, fetched or {})


def _runtime(places: Places) -> dict[str, str]:
    """Our package, with which the component's bootstrap needs to install none: at the end of the path, so its own wins."""
    import shutil
    from importlib.util import find_spec

    found = find_spec("headrace")
    if found is None or found.origin is None:
        return {}
    target = places.at(pod_layout.RUNTIME)
    if not (target / "headrace").exists():
        beside = target / "headrace.new"
        shutil.rmtree(beside, ignore_errors=True)
        unneeded = shutil.ignore_patterns("__pycache__")  # of another Python than the image's
        shutil.copytree(Path(found.origin).parent, beside, ignore=unneeded, copy_function=shutil.copyfile)
        beside.rename(target / "headrace")
    return {"PYTHONPATH": str(target)}


def open_up(folder: Path) -> None:
    """Private copies of inputs are user code's to change, whoever it runs as."""
    for at, _, files in os.walk(folder):
        _allow(at, 0o777)
        for name in files:
            _allow(os.path.join(at, name), 0o666)


def _allow(path: str, mode: int) -> None:
    status = os.lstat(path)
    if status.st_mode & mode != mode:
        os.chmod(path, status.st_mode & 0o777 | mode)
