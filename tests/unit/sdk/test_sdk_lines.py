"""The lines of a run where nothing can be redrawn.

- a small run has a line for each change; a big loop has its share of them, then failures and counts
- failures are said in full up to a number; loops within a loop are counted by their tasks too
- the loop's own lines and those of other tasks are never left out
"""

from __future__ import annotations

from headrace.display.lines import FAILURES, SHARE, Digest, change_line
from headrace.models import Failure, Progress, Task


class Told:
    """A run told to a digest, a task's change at a time."""

    def __init__(self, **loops: int) -> None:
        self.digest = Digest()
        self.tasks = {path: Task(path, "RUNNING", kind="LOOP", iteration_count=n) for path, n in loops.items()}
        self.lines: list[str] = []

    def tell(self, path: str, state: str, error: Failure | None = None) -> None:
        task = Task(path, state, parent=path.rpartition("/")[0], error=error)
        self.tasks[path] = task
        self.lines += self.digest.lines(Progress("r", "RUNNING", self.tasks, (task,)))

    def iterate(self, loop: str, index: int, failed: bool = False) -> None:
        here = f"{loop}[{index}]"
        for state in ("PENDING", "RUNNING"):
            self.tell(here, state)
            self.tell(f"{here}/t", state)
        self.tell(f"{here}/t", *(("FAILED", Failure("UserError", "exit 1")) if failed else ("SUCCEEDED",)))
        self.tell(here, *(("FAILED", Failure("TaskFailed", "t")) if failed else ("SUCCEEDED",)))


def test_a_small_loop_has_a_line_for_each_change():
    told = Told(each=16)
    for index in range(16):
        told.iterate("each", index)
    assert len(told.lines) == 16 * 6
    assert told.lines[:6] == [
        "each[0]  pending",
        "each[0]/t  pending",
        "each[0]  running",
        "each[0]/t  running",
        "each[0]/t  succeeded",
        "each[0]  succeeded",
    ]


def test_a_big_loop_is_counted_and_its_failures_are_said():
    told = Told(each=10_000)
    for index in range(10_000):
        told.iterate("each", index, failed=index in (2_100, 3_100, 4_100))
    assert told.lines[SHARE] == "each  from here on only what fails, and how many iterations have ended"
    rest = told.lines[SHARE + 1 :]
    assert rest[0] == "each  500 of 10,000 iterations ended"
    assert rest[-1] == "each  10,000 of 10,000 iterations ended (3 failed)"
    assert "each  2,500 of 10,000 iterations ended (1 failed)" in rest
    assert "each[2100]/t  failed UserError: exit 1" in rest
    assert len(rest) == 20 + 3


def test_very_many_failures_are_counted():
    told = Told(each=1_000)
    for index in range(1_000):
        told.iterate("each", index, failed=True)
    rest = told.lines[SHARE + 1 :]
    assert sum("UserError" in line for line in rest) == FAILURES
    assert rest.count("each  further failures are only counted") == 1
    assert rest[-1] == "each  1,000 of 1,000 iterations ended (1,000 failed)"


def test_a_long_loop_within_a_loop_is_not_silent():
    told = Told(out=2)
    told.tell("out[0]", "RUNNING")
    told.tell("out[0]/in", "RUNNING")
    for index in range(5_000):
        told.iterate("out[0]/in", index)
    counts = [line for line in told.lines if line.startswith("out  0 of 2 iterations ended, ")]
    assert 5 <= len(counts) <= 20
    assert len(told.lines) <= SHARE + 1 + len(counts)


def test_what_is_in_no_iteration_is_always_said():
    told = Told(each=1_009)
    for index in range(1_009):
        told.iterate("each", index)
    told.tell("each", "SUCCEEDED")
    told.tell("after", "RUNNING")
    told.tell("odd[name", "RUNNING")
    assert told.lines[-4] == "each  1,009 of 1,009 iterations ended"
    assert told.lines[-3:] == ["each  succeeded", "after  running", "odd[name  running"]


def test_one_batch_of_events_has_one_count():
    digest = Digest()
    loop = Task("each", "SUCCEEDED", kind="LOOP", iteration_count=1_000)
    changed = tuple(Task(f"each[{index}]", "SUCCEEDED", parent="each") for index in range(1_000))
    tasks = {task.path: task for task in (loop, *changed)}
    lines = digest.lines(Progress("r", "RUNNING", tasks, (*changed, loop)))
    assert lines[SHARE + 1 :] == ["each  1,000 of 1,000 iterations ended", "each  succeeded  1000 iterations"]


def test_an_iteration_that_runs_again_has_not_ended():
    told = Told(each=100)
    for index in range(99):
        told.iterate("each", index, failed=index == 98)
    told.tell("each[98]", "RUNNING")
    told.tell("each[98]", "SUCCEEDED")
    told.tell("each[99]", "SUCCEEDED")
    assert told.lines[-1] == "each  100 of 100 iterations ended"
    assert change_line(told.tasks["each[99]"]) not in told.lines
