"""Static validation: everything that can be known to be wrong before anything is stored, reported at once.

`validate` is what upload, create run and `headrace validate` call. The checks live in `checks/`, one module for each
subject; each yields problems and none depends on another having passed.
"""

from __future__ import annotations

from itertools import chain, islice

from headrace_ir.checks import (
    conditions,
    executors,
    graphs,
    headers,
    placeholders,
    platforms,
    policies,
    sizes,
    tasks,
    volumes,
)
from headrace_ir.problems import MAX_PROBLEMS, Problem, SpecError
from headrace_ir.reading import Package

_CHECKS = (
    headers.check,
    tasks.check,
    graphs.check,
    conditions.check,
    policies.check,
    executors.check,
    placeholders.check,
    platforms.check,
    sizes.check,
    volumes.check,
)


def validate(package: Package) -> list[Problem]:
    """Every problem of a pipeline (at most 500), each once: what reading found, then the checks by subject."""
    checks = chain.from_iterable(check(package.spec) for check in _CHECKS)
    return list(islice(dict.fromkeys(islice(chain(package.problems, checks), 2 * MAX_PROBLEMS)), MAX_PROBLEMS))


def ensure_valid(package: Package) -> None:
    """Raise `SpecError` with every problem, if there is one."""
    problems = validate(package)
    if problems:
        raise SpecError(problems)
