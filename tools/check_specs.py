"""Reads, validates and compiles every pipeline of a corpus folder (`valid/`, `invalid/`), without starting anything.

`python tools/check_specs.py FOLDER` prints what is wrong and the slowest file; ends 1 if a valid one is refused or an
invalid one is not. `make conformance` runs them too; this takes seconds.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from headrace_ir.plan import compile_plan
from headrace_ir.problems import SpecError, format_problems
from headrace_ir.reading import read_package


def refusal(path: Path) -> str:
    """Why a package is refused; empty if it is not."""
    try:
        compile_plan(read_package(path.read_bytes(), path.name))
    except SpecError as error:
        return format_problems(error.problems, path.name)
    return ""


def main(corpus: Path) -> int:
    wrong, slowest, count = 0, (0.0, ""), 0
    for path in sorted(file for file in corpus.rglob("*") if file.is_file() and file.parent != corpus):
        expected = path.relative_to(corpus).parts[0] == "valid"
        started = time.perf_counter()
        reason = refusal(path)
        slowest = max(slowest, (time.perf_counter() - started, path.name))
        count += 1
        if bool(reason) == expected:
            wrong += 1
            print(f"WRONG {path.relative_to(corpus)}: {reason or 'was accepted'}")
        elif reason:
            print(f"refused, as it should be: {reason}")
    print(f"{count} packages, {wrong} wrong; slowest {slowest[1]} in {slowest[0] * 1000:.0f} ms")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
