"""`headrace validate`: reads and checks a file without any platform. Called by commands.py."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from headrace_ir.problems import Problem, SpecError, format_problems
from headrace_ir.reading import read_package
from headrace_ir.validating import validate

VALID, INVALID = 0, 2


def validate_file(path: Path, *, as_json: bool) -> int:
    """Print every problem of the file; the exit code says whether there is one."""
    try:
        data = path.read_bytes()
    except OSError as failed:
        print(f"headrace: cannot read {path}: {failed.strerror}", file=sys.stderr)
        return INVALID
    problems = problems_of(data, path.name)
    if as_json:
        found = [{"path": problem.path, "message": problem.message} for problem in problems]
        print(json.dumps({"valid": not problems, "problems": found}))
    elif problems:
        print(format_problems(problems, str(path)))
    else:
        print(f"{path} is valid")
    return INVALID if problems else VALID


def problems_of(data: bytes, name: str) -> Sequence[Problem]:
    """What reading found, or what validation finds."""
    try:
        return validate(read_package(data, name))
    except SpecError as unreadable:
        return unreadable.problems
