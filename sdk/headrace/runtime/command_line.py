"""The arguments of the runtime, and how a task ends: outputs written, one sentence, or the user's own traceback.

Called by `__main__`, and by whoever runs a component in a process that has the runtime imported already.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from types import TracebackType

from headrace.runtime.executing import execute
from headrace.runtime.loading import find_module, load
from headrace.runtime.mistakes import TaskMistake
from headrace.runtime.task_input import read_executor_input

HERE = os.path.dirname(os.path.abspath(__file__))
OPTIONS = ("component_module_path", "executor_input", "function_to_execute")
AS_KFP = "--as_kfp"


def main(words: Sequence[str]) -> int:
    """Runs the component that WORDS name; the exit code."""
    try:
        _run(words)
    except TaskMistake as mistake:
        sys.stderr.write(f"headrace: {mistake}\n")
        return 1
    except Exception as error:  # noqa: BLE001 - user code may raise anything; it is shown as the interpreter shows it
        trace = in_user_code(error.__traceback__)
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        return 1
    return 0


def _run(words: Sequence[str]) -> None:
    given = options(words)
    function = given.get("function_to_execute")
    if not function or "executor_input" not in given:
        raise TaskMistake("--function_to_execute and --executor_input must be given; this command lacks one of them")
    task = read_executor_input(given["executor_input"])
    _log_to_stdout()
    path = given.get("component_module_path")
    if path:
        # KFP's own package, where user code imports it, then loads its runtime alone.
        os.environ["_KFP_RUNTIME"] = "true"
    if AS_KFP in words:
        _answer_for_kfp()
    execute(load(path or find_module(function), function, bare=path is not None), task)


def options(words: Sequence[str]) -> dict[str, str]:
    """`--name value` and `--name=value` by name; words that mean nothing here are another runtime's."""
    given: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if name[:2] == "--" and name[2:] in OPTIONS:
            given[name[2:]] = value if equals else next(rest, "")
    return given


def in_user_code(trace: TracebackType | None) -> TracebackType | None:
    """TRACE from the first line that is the user's; all of it where none is."""
    found = trace
    while found is not None and found.tb_frame.f_code.co_filename.startswith(HERE):
        found = found.tb_next
    return found or trace


def _log_to_stdout() -> None:
    """`logging.info(…)` of a component is seen in its log, as with KFP."""
    import logging

    if not logging.getLogger().handlers:
        logging.basicConfig(stream=sys.stdout, format="[%(asctime)s %(levelname)s] %(message)s", level=logging.INFO)


def _answer_for_kfp() -> None:
    """`import kfp` is answered by Headrace, unless KFP's SDK is installed here."""
    from importlib.util import find_spec

    try:
        if find_spec("kfp.dsl") is not None:
            return
    except ModuleNotFoundError:  # not even the namespace
        pass
    from headrace import kfp_alias

    kfp_alias.install()
