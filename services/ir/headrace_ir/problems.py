"""What can be wrong with a pipeline: a problem has a place in the IR and a sentence; nearest names for misspelt ones.

Every other module of this package reports through these; the CLI, the apiserver's 400 answers and `headrace validate`
print them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

MAX_PROBLEMS = 500
"""More are not looked for: finding the nearest name for each of a million would hold a server up."""
MAX_SHOWN = 50
"""A broken file can have thousands of problems; a person reads the first fifty."""


_COMPARED = 50


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong: its IR path (empty where it concerns the whole file) and what was expected."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class SpecError(ValueError):
    """A pipeline cannot be used; carries every problem that was found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(format_problems(self.problems))

    @classmethod
    def of(cls, message: str, path: str = "") -> SpecError:
        return cls([Problem(path, message)])


def format_problems(problems: Sequence[Problem], name: str = "") -> str:
    """The text people see: a count where there are several, then one line for each problem, in IR order."""
    lines = [str(problem) for problem in problems[:MAX_SHOWN]]
    if len(problems) > MAX_SHOWN:
        lines.append(f"… and {len(problems) - MAX_SHOWN} more")
    subject = name or "this pipeline"
    if len(problems) == 1:
        return f"{name}: {lines[0]}" if name else lines[0]
    return "\n".join([f"{len(problems)} problems in {subject}:", *(f"  {line}" for line in lines)])


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The valid name that was probably meant, or None."""
    choices = list(candidates)
    folded = {_folded(choice): choice for choice in reversed(choices)}
    if _folded(name) in folded:
        return folded[_folded(name)]
    if len(choices) > _COMPARED:  # comparing is slow: keep those that begin or end alike
        alike = [choice for choice in choices if abs(len(choice) - len(name)) <= 3 and choice[-3:] == name[-3:]]
        choices = (alike + [choice for choice in choices if choice[:3] == name[:3]])[:_COMPARED]
    matches = get_close_matches(name, choices, n=1, cutoff=0.7) if len(name) <= 200 else []
    return matches[0] if matches else None


def hint(name: str, candidates: Iterable[str], *, kind: str = "names") -> str:
    """The end of a sentence about an unknown name: the nearest one, or what there is."""
    choices = list(candidates)
    meant = nearest(name, choices)
    if meant is not None:
        return f"did you mean '{meant}'?"
    if not choices:
        return f"there are no {kind} here"
    shown = ", ".join(f"'{choice}'" for choice in choices[:8])
    return f"the {kind} here are {shown}" + (f" and {len(choices) - 8} more" if len(choices) > 8 else "")


def _folded(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
