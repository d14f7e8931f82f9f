"""What the platform's own checks say of a package, where the platform is installed beside. Called by the verbs about files.

They are the server's command `validate`, found by its entry point: the SDK imports no service.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.errors import Problem


@dataclass(frozen=True, slots=True)
class Verdict:
    """Problems, none of which a valid package has, and what it says without effect."""

    problems: Sequence[Problem] = ()
    warnings: Sequence[str] = ()

    def as_object(self) -> dict[str, Any]:
        """The object of `-o json`."""
        problems = [{"path": one.path, "message": one.message} for one in self.problems]
        return {"valid": not problems, "problems": problems, "warnings": list(self.warnings)}

    def lines(self, name: str) -> list[str]:
        """A line for each problem of NAME, or that there is none."""
        if not self.problems:
            return [f"{name} is valid"]
        if len(self.problems) == 1:
            return [f"{name}: {self.problems[0]}"]
        shown = [f"  {problem}" for problem in self.problems[:MOST_SHOWN]]
        more = len(self.problems) - MOST_SHOWN
        return [f"{len(self.problems)} problems in {name}:", *shown, *([f"  … and {more} more"] if more > 0 else [])]


MOST_SHOWN = 50


def judged(data: bytes, name: str) -> Verdict | None:
    """The verdict on a package's bytes, whose kind NAME's ending says; None where the platform is not installed."""
    from importlib.metadata import entry_points

    found = [entry for entry in entry_points(group="headrace.commands") if entry.name == "validate"]
    if not found:
        return None
    try:
        command = found[0].load()
    except ModuleNotFoundError:
        return None  # the server's distribution without its parts
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(said):
        file = Path(folder) / f"pipeline{''.join(Path(name).suffixes[-2:])}"
        file.write_bytes(data)
        command([str(file), "-o", "json"])
    told = json.loads(said.getvalue())
    return Verdict(tuple(Problem(one["path"], one["message"]) for one in told["problems"]), tuple(told["warnings"]))
