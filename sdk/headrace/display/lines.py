"""What is said of a run where nothing can be redrawn: a line for each change, until a loop has had its share. Pure.

From then on a loop has its failures in full, up to a number, and a line each time that another twentieth of its iterations has
ended, so that the lines of a run do not grow with its iterations. Called by screen.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from headrace.display.texts import one_line
from headrace.display.tree import describe
from headrace.models import Progress, Task

SHARE: Final = 100  # lines of what is in a loop's iterations, each change of each task
FAILURES: Final = 20  # said in full after that
SUMMARIES: Final = 20  # lines in which a loop's iterations are counted
QUIET: Final = 1_000  # tasks that end in loops within a loop between two counts, at least


def change_line(task: Task) -> str:
    """`train  RUNNING  attempt 2`."""
    words = describe(task, task.created_at or datetime.now(UTC)) if task.ended or task.waiting_on else ""
    attempt = f"attempt {task.attempts[-1].number}" if len(task.attempts) > 1 and not task.ended else ""
    state = "" if words.startswith(task.state.lower()) else task.state.lower()
    return "  ".join(one_line(part) for part in (task.path, state, attempt, words) if part)


@dataclass(slots=True)
class _Loop:
    """What was said of an outermost loop, and what has ended in it."""

    path: str
    total: int = 0  # iterations; 0 = not known yet
    said: int = 0
    failures: int = 0
    nested: bool = False
    iterations: dict[str, str] = field(default_factory=dict)  # those that have ended → state
    failed: int = 0  # of them
    tasks: int = 0  # in all depths, times that one ended
    counted: tuple[int, int] = (0, 0)  # iterations and tasks in the last summary

    def note(self, task: Task) -> None:
        """Count TASK if it has ended; one that runs again has not."""
        inside = task.path[len(self.path) :]
        if inside.count("[") > 1:
            self.nested = True
        if not inside.endswith("]") or "/" in inside:
            self.tasks += task.ended
            return
        if self.iterations.pop(task.path, "") == "FAILED":
            self.failed -= 1
        if task.ended:
            self.iterations[task.path] = task.state
            self.failed += task.state == "FAILED"

    @property
    def behind(self) -> bool:
        """Whether it has had its share of lines, and something has ended since the last summary."""
        return self.said >= SHARE and self.counted != (len(self.iterations), self.tasks)

    @property
    def due(self) -> bool:
        """Whether enough has ended since the last summary."""
        if not self.behind:
            return False
        iterations, tasks = self.counted
        step = max(self.total // SUMMARIES, 1)
        if len(self.iterations) // step > iterations // step:
            return True
        return self.nested and self.tasks - tasks >= max(QUIET, tasks // 5)

    def summary(self) -> str:
        """`loop  2,000 of 10,000 iterations ended (3 failed)`."""
        self.counted = (len(self.iterations), self.tasks)
        of = f" of {self.total:,}" if self.total else ""
        failed = f" ({self.failed:,} failed)" if self.failed else ""
        tasks = f", {self.tasks:,} tasks in them" if self.nested else ""
        return f"{one_line(self.path)}  {len(self.iterations):,}{of} iterations ended{failed}{tasks}"


class Digest:
    """One run's lines; fed with its progress."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}
        self._loops: dict[str, _Loop] = {}

    def lines(self, progress: Progress) -> list[str]:
        """What is to be said of the last events."""
        lines: list[str] = []
        touched: dict[str, _Loop] = {}
        for task in progress.changed:
            loop = self._loop(task, progress)
            if loop is not None:
                loop.note(task)
                touched[loop.path] = loop
            if task.ended and (over := self._loops.get(task.path)) is not None and over.behind:
                lines.append(over.summary())  # before the loop's own end
            if loop is None or loop.said < SHARE:
                lines += self._change(task, loop)
            elif task.state == "FAILED" and task.error is not None and task.error.reason != "TaskFailed":
                lines += self._failure(task, loop)
        lines += [loop.summary() for loop in touched.values() if loop.due]
        return lines

    def _loop(self, task: Task, progress: Progress) -> _Loop | None:
        """The outermost loop that TASK is in an iteration of."""
        path, bracket, _ = task.path.partition("[")
        above = progress.tasks.get(path) if bracket else None
        if above is None:
            return None
        loop = self._loops.setdefault(path, _Loop(path))
        loop.total = above.iteration_count
        return loop

    def _change(self, task: Task, loop: _Loop | None) -> list[str]:
        line = change_line(task)
        if self._said.get(task.path) == line:
            return []
        self._said[task.path] = line
        if loop is None:
            return [line]
        loop.said += 1
        if loop.said < SHARE:
            return [line]
        return [line, f"{one_line(loop.path)}  from here on only what fails, and how many iterations have ended"]

    def _failure(self, task: Task, loop: _Loop) -> list[str]:
        line = change_line(task)
        if loop.failures >= FAILURES or self._said.get(task.path) == line:
            return []
        self._said[task.path] = line
        loop.failures += 1
        if loop.failures < FAILURES:
            return [line]
        return [line, f"{one_line(loop.path)}  further failures are only counted"]
