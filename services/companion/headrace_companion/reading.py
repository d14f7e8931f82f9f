"""Reading what a finished process put out: here, or in a process of its own where it is large, because Python holds its lock
while it parses, and the platform's loop would stand still. Blocking; called by publishing.

`main` is that process: what to read comes on stdin, what was found goes to stdout.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from headrace_companion.assignment import Assignment, Folders
from headrace_companion.outputs import ArtifactEntry, OutputRefused, collect_parameters, read_metadata_file
from headrace_companion.results import Reason
from headrace_companion.store import StoreError

LARGE: Final = 4 << 20
"""Bytes that are parsed in a few hundredths of a second; more than that is another process's work."""


@dataclass(frozen=True, slots=True)
class Said:
    """What user code said: its artifacts, and every output parameter as canonical JSON text."""

    artifacts: Mapping[str, tuple[ArtifactEntry, ...]]
    parameters: Mapping[str, str]


def read_outputs(assignment: Assignment, folders: Folders) -> Said:
    """Raises OutputRefused."""
    if _bytes(assignment, folders) <= LARGE:
        return _read(assignment, folders)
    needed = replace(assignment, argv=(), env={}, parameters={}, input_artifacts={}, references={})
    answer = subprocess.run(
        [sys.executable, "-P", "-c", f"from {__name__} import main; main()"],
        input=pickle.dumps((needed, folders)),
        stdout=subprocess.PIPE,
        check=False,
    )
    if answer.returncode:
        raise StoreError(f"the process that reads them ended with {answer.returncode}; is there enough memory?")
    found: Said | tuple[Reason, str] = pickle.loads(answer.stdout)  # noqa: S301 - written by the lines below
    if isinstance(found, Said):
        return found
    raise OutputRefused(*found)


def _read(assignment: Assignment, folders: Folders) -> Said:
    said = read_metadata_file(folders)
    return Said(said.artifacts, collect_parameters(assignment, folders, said.parameters))


def _bytes(assignment: Assignment, folders: Folders) -> int:
    """About how much there is to read; what is a link or not there is judged by who reads it."""
    files = (folders.metadata_file, *(folders.parameter(name) for name in assignment.output_parameters))
    sizes = []
    for file in files:
        try:
            sizes.append(file.lstat().st_size)
        except OSError:
            continue
    return sum(sizes)


def main() -> None:
    """The other process."""
    assignment, folders = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - written by read_outputs
    found: Said | tuple[Reason, str]
    try:
        found = _read(assignment, folders)
    except OutputRefused as refused:
        found = (refused.reason, str(refused))
    sys.stdout.buffer.write(pickle.dumps(found))
