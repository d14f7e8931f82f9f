"""What users do with `headrace.local`: `local_calls.py SCENARIO` runs one; it ends non-zero at the first surprise.

Runs as a program of its own, as a user's would; test_local.py runs each `scenario_*` function as one test.
"""

# No postponed annotations here: they are read where the functions run.

import asyncio
import os
import sys
import threading
from pathlib import Path
from typing import NamedTuple

from headrace import dsl, local
from headrace.dsl import Artifact, Dataset, Input, Metrics, Model, Output
from headrace.errors import HeadraceError


@dsl.component
def add(a: int, b: int = 2) -> int:
    print(f"adding {a} and {b}")
    return a + b


@dsl.component
def write(text: str, data: Output[Dataset], metrics: Output[Metrics]) -> int:
    with open(data.path, "w") as file:
        file.write(text)
    data.metadata["letters"] = len(text)
    metrics.log_metric("letters", len(text))
    return len(text)


@dsl.component
def read(data: Input[Dataset]) -> str:
    with open(data.path) as file:
        return file.read()


@dsl.component
def divide(a: int, b: int) -> float:
    print("about to divide")
    return a / b


@dsl.component
def flip(side: str) -> str:
    return {"heads": "tails", "tails": "heads"}[side]


@dsl.component
def total(numbers: list[int]) -> int:
    return sum(numbers)


@dsl.component
def pair() -> NamedTuple("Pair", [("first", int), ("second", str)]):
    from collections import namedtuple

    return namedtuple("Pair", ["first", "second"])(1, "two")


@dsl.component
def stamp() -> str:
    import uuid

    return str(uuid.uuid4())


@dsl.component
def stop_on(number: int) -> str:
    if number:
        raise RuntimeError("stopped")
    return "went on"


@dsl.pipeline
def chain(start: int = 1) -> int:
    first = add(a=start)
    second = add(a=first.output, b=10)
    return second.output


@dsl.pipeline
def everything(side: str, numbers: list[int]) -> NamedTuple("Found", [("sum", int), ("text", str)]):
    with dsl.ParallelFor(numbers) as number:
        each = add(a=number)
    with dsl.If(side == "heads"):
        then = flip(side=side)
    with dsl.Else():
        otherwise = flip(side="heads")
    found = dsl.OneOf(then.output, otherwise.output)
    made = write(text=found)
    summed = total(numbers=dsl.Collected(each.output))
    Found = NamedTuple("Found", [("sum", int), ("text", str)])
    return Found(summed.output, read(data=made.outputs["data"]).output)


@dsl.pipeline
def tidied(number: int) -> None:
    done = flip(side="tails").set_display_name("tidy up")
    with dsl.ExitHandler(done):
        stop_on(number=number)


@dsl.pipeline
def stamped() -> str:
    return stamp().output


@dsl.container_component
def shout(word: str, said: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image="alpine", command=["sh", "-c", 'printf %s! "$0" > "$1"'], args=[word, said])


def scenario_component_alone() -> None:
    local.init()
    task = add(a=1)
    assert task.output == 3, task.outputs
    assert task.outputs == {"Output": 3}
    assert task.state == "SUCCEEDED"
    assert add(a=1, b=-1).output == 0
    assert pair().outputs == {"first": 1, "second": "two"}


def scenario_sequence() -> None:
    local.init()
    run = chain(start=5)
    assert run.output == 17
    assert list(run.tasks) == ["add", "add-2"]
    assert run.tasks["add"].output == 7
    assert run.tasks["add-2"].inputs == {"a": 7, "b": 10}
    assert "adding 7 and 10" in run.logs["add-2"]
    assert "add-2" in run._repr_html_()
    assert chain(start=None).output == 13


def scenario_control_flow() -> None:
    local.init()
    run = everything(side="heads", numbers=[1, 2, 3])
    assert run.outputs == {"sum": 12, "text": "tails"}, run.outputs
    states = {path: task.state for path, task in run.tasks.items()}
    assert states["for-loop-1[2]/add"] == "SUCCEEDED", states
    assert "SKIPPED" in states.values(), states
    assert everything(side="edge", numbers=[]).outputs == {"sum": 0, "text": "tails"}


def scenario_artifacts() -> None:
    local.init()
    made = write(text="seven up")
    data, metrics = made.outputs["data"], made.outputs["metrics"]
    assert isinstance(data, Dataset), data
    assert Path(data.path).read_text() == "seven up"
    assert data.metadata == {"letters": 8}, data.metadata
    assert isinstance(metrics, Metrics)
    assert metrics.metadata == {"letters": 8.0}
    assert set(made.artifacts) == {"data", "metrics"}
    assert made.outputs["Output"] == 8
    assert read(data=data).output == "seven up"
    own = Path("own.txt").absolute()
    own.write_text("of my own")
    assert read(data=Artifact(uri=str(own))).output == "of my own"


def failure_of(call) -> local.RunFailed:
    try:
        call()
    except local.RunFailed as failed:
        return failed
    raise AssertionError("it did not fail")


def scenario_failure() -> None:
    local.init()
    failed = failure_of(lambda: divide(a=1, b=0))
    assert failed.task is not None
    assert failed.task.path == "divide"
    assert failed.run.state == "FAILED"
    text = str(failed)
    expected = "divide failed in the task 'divide': exit code 1: ZeroDivisionError: division by zero (run "
    assert text.startswith(expected), text
    assert "the end of its log:\n  | about to divide\n  | Traceback (most recent call last):" in text, text
    assert "ZeroDivisionError: division by zero" in failed.log_tail


def scenario_failure_without_an_exception() -> None:
    local.init(raise_on_error=False)
    run = tidied(number=1)
    assert run.state == "FAILED"
    assert run.tasks["exit-handler-1/stop-on"].state == "FAILED", run.tasks
    assert run.tasks["flip"].state == "SUCCEEDED"
    assert run.tasks["flip"].name == "tidy up"
    assert tidied(number=0).state == "SUCCEEDED"


def scenario_caching() -> None:
    local.init()
    assert stamped().output != stamped().output
    local.init(enable_caching=True)
    first, second = stamped(), stamped()
    assert first.output == second.output
    assert second.tasks["stamp"].cached


def scenario_container_component() -> None:
    local.init()
    assert shout(word="hello").outputs == {"said": "hello!"}


def scenario_pipeline_root() -> None:
    local.init(pipeline_root="./here")
    data = write(text="x").outputs["data"]
    assert Path(data.path).is_relative_to(Path("here").absolute()), data.path
    assert Path(data.path).read_text() == "x"


def scenario_this_environment() -> None:
    @dsl.component
    def interpreter() -> str:
        import sys

        return sys.executable

    local.init(runner=local.SubprocessRunner(use_venv=False))
    assert interpreter().output == sys.executable
    assert everything(side="heads", numbers=[4]).outputs == {"sum": 6, "text": "tails"}
    local.init()
    assert interpreter().output != sys.executable


def scenario_running_loop() -> None:
    """As in a notebook, where a loop is running in the thread that calls."""

    async def cell() -> None:
        assert add(a=1).output == 3
        local.init(inline=True)
        assert add(a=1).output == 3

    local.init()
    asyncio.run(cell())


def scenario_threads() -> None:
    local.init()
    found: dict[int, int] = {}

    def one(number: int) -> None:
        found[number] = chain(start=number).output

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: number + 12 for number in range(4)}, found


def scenario_another_pipeline_is_being_defined() -> None:
    """Inside of a pipeline a call makes a task, whatever `init` said."""
    local.init()

    @dsl.pipeline
    def defined() -> int:
        task = add(a=1)
        assert isinstance(task, dsl.PipelineTask)
        return task.output

    assert defined().output == 3


def scenario_large_values() -> None:
    @dsl.component
    def repeat(text: str, times: int) -> str:
        return text * times

    for inline in (False, True):
        local.init(inline=inline)
        long = repeat(text="x", times=300_000).output
        assert len(long) == 300_000
        assert repeat(text=long, times=1).output == long


def scenario_inline() -> None:
    """The functions run in this thread of this process, on objects of this module."""
    local.init(inline=True)

    @dsl.component
    def look(model: Output[Model]) -> int:
        import os
        import threading

        with open(model.path, "w") as file:
            file.write("m")
        print("seen from inside")
        return os.getpid() if threading.current_thread() is threading.main_thread() else 0

    run = look()
    assert run.outputs["Output"] == os.getpid(), run.outputs
    assert Path(run.outputs["model"].path).read_text() == "m"
    assert run.tasks["look"].log == "seen from inside\n", run.tasks["look"].log
    assert everything(side="heads", numbers=[1, 2, 3]).outputs == {"sum": 12, "text": "tails"}


def scenario_inline_failure() -> None:
    local.init(inline=True)
    failed = failure_of(lambda: divide(a=1, b=0))
    assert isinstance(failed.__cause__, ZeroDivisionError)
    assert failed.__cause__.__traceback__.tb_frame.f_code.co_filename == __file__
    assert failed.task.path == "divide"
    assert "about to divide" in failed.log_tail
    assert divide(a=1, b=2).output == 0.5


def scenario_inline_retries() -> None:
    tries: list[int] = TRIES

    @dsl.component
    def third_time() -> int:
        from __main__ import TRIES

        TRIES.append(1)
        if len(TRIES) < 3:
            raise RuntimeError("not yet")
        return len(TRIES)

    @dsl.pipeline
    def persistent() -> int:
        return third_time().set_retry(3).output

    local.init(inline=True)
    assert persistent().output == 3
    assert len(tries) == 3


def scenario_inline_variables() -> None:
    @dsl.component
    def told() -> str:
        import os

        return os.environ.get("WORD", "")

    @dsl.pipeline
    def telling() -> str:
        return told().set_env_variable("WORD", "mum").output

    local.init(inline=True)
    assert telling().output == "mum"
    assert told().output == ""


def scenario_inline_interruption() -> None:
    """Ctrl-C while a component is being called ends the run too."""

    @dsl.component
    def interrupted() -> None:
        raise KeyboardInterrupt

    local.init(inline=True)
    try:
        interrupted()
    except KeyboardInterrupt:
        pass
    else:
        raise AssertionError("it was not raised")
    assert add(a=1).output == 3


def scenario_inline_exit() -> None:
    @dsl.component
    def leave(code: int) -> None:
        import sys

        sys.exit(code)

    local.init(inline=True)
    assert leave(code=0).state == "SUCCEEDED"
    failed = failure_of(lambda: leave(code=3))
    assert failed.task.error.exit_code == 3, failed.task.error


def scenario_inline_refuses_containers() -> None:
    local.init(inline=True)
    try:
        shout(word="hello")
    except ValueError as refused:
        text = str(refused)
    assert text.endswith(
        ": inline=True calls Python functions in this process, and 'shout' runs a container's command; leave inline out of "
        "local.init() for this pipeline"
    ), text
    assert text.startswith(__file__), text


def scenario_as_kfp() -> None:
    """A file that imports KFP, with our modules answering for it."""
    from headrace import kfp_alias

    kfp_alias.install()
    from kfp import dsl as kfp_dsl
    from kfp import local as kfp_local

    @kfp_dsl.component
    def sizes(words: list[str], told: kfp_dsl.Output[kfp_dsl.Metrics]) -> int:
        told.log_metric("words", len(words))
        return len(words)

    @kfp_dsl.pipeline
    def counting(words: list[str]) -> int:
        return sizes(words=words).outputs["Output"]

    for runner in (kfp_local.SubprocessRunner(use_venv=False), kfp_local.SubprocessRunner()):
        kfp_local.init(runner=runner, raise_on_error=True)
        task = counting(words=["a", "b"])
        assert task.output == 2
        assert sizes(words=[]).outputs["told"].metadata == {"words": 0.0}
    local.init(inline=True)
    assert counting(words=["a"]).output == 1


def scenario_fork() -> None:
    """A process that was forked from one that has called is told why it cannot."""
    local.init()
    assert add(a=1).output == 3
    child = os.fork()
    if child == 0:
        try:
            add(a=2)
        except HeadraceError as refused:
            os._exit(4 if str(refused).startswith("this process was forked from one that has called") else 5)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4
    assert add(a=3).output == 5


def scenario_inline_nested() -> None:
    """A component that is called inline may call others."""

    @dsl.component
    def outer() -> int:
        from __main__ import add

        return add(a=40).output

    local.init(inline=True)
    assert outer().output == 42


def scenario_inline_breakpoint() -> None:
    """A tracer, which is what every debugger is, sees the lines of this very file."""
    lines: list[int] = []
    first = divide.python_func.__code__.co_firstlineno

    def trace(frame, event, argument):
        if frame.f_code.co_filename != __file__:
            return None
        if frame.f_code.co_name == "divide" and event == "line":
            lines.append(frame.f_lineno - first)
            assert frame.f_locals == {"a": 6, "b": 3}
        return trace

    local.init(inline=True)
    sys.settrace(trace)
    try:
        assert divide(a=6, b=3).output == 2.0
    finally:
        sys.settrace(None)
    assert lines == [2, 3], lines


TRIES: list[int] = []

if __name__ == "__main__":
    globals()[f"scenario_{sys.argv[1]}"]()
