"""`headrace validate`: reads and checks a file without any platform. Called by commands.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def validate_file(path: Path, *, as_json: bool) -> int:
    """Print every problem of the file; 0 where there is none, 2 otherwise."""
    from headrace_ir.checking import check_package

    try:
        data = path.read_bytes()
    except OSError as failed:
        print(f"headrace: cannot read {path}: {failed.strerror}", file=sys.stderr)
        return 2
    problems = check_package(data, path.name)
    if as_json:
        print(
            json.dumps({"valid": not problems, "problems": [{"path": p.path, "message": p.message} for p in problems]})
        )
    elif problems:
        for problem in problems:
            print(f"{problem.path}: {problem.message}" if problem.path else problem.message)
        print(f"{path}: {len(problems)} problem{'s' if len(problems) > 1 else ''}", file=sys.stderr)
    else:
        print(f"{path} is valid")
    return 2 if problems else 0
