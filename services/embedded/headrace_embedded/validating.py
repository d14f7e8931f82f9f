"""`headrace validate`: reads and checks a file without any platform. Called by commands.py."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from headrace_ir.advice import advice
from headrace_ir.problems import Problem, SpecError, format_problems
from headrace_ir.reading import read_package
from headrace_ir.validating import validate

VALID, INVALID = 0, 2


def validate_file(path: Path, *, as_json: bool) -> int:
    """Print every problem of the file, and what has no effect; the exit code says whether there is a problem."""
    try:
        data = path.read_bytes()
    except OSError as failed:
        print(f"headrace: cannot read {path}: {failed.strerror}", file=sys.stderr)
        return INVALID
    problems, warnings = judge(data, path.name)
    if as_json:
        found = [{"path": problem.path, "message": problem.message} for problem in problems]
        print(json.dumps({"valid": not problems, "problems": found, "warnings": warnings}))
        return INVALID if problems else VALID
    print(format_problems(problems, str(path)) if problems else f"{path} is valid")
    for warning in warnings:
        print(f"  warning: {warning}")
    return INVALID if problems else VALID


def judge(data: bytes, name: str) -> tuple[Sequence[Problem], Sequence[str]]:
    """The problems of a file, and what a valid one says without effect."""
    try:
        package = read_package(data, name)
        problems = validate(package)
    except SpecError as unreadable:
        return unreadable.problems, []
    return problems, [] if problems else advice(package.spec)
