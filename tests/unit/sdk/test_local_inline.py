"""Which function is called inline: the author's own where this process has it, else the text's, loaded once for a run."""

from __future__ import annotations

import gc

from headrace import dsl, errors, local
from headrace.compiler.writing import package_of
from headrace.dsl.components import python_components
from headrace.local.inline import Inline, function_of
from headrace.local.rewriting import PythonExecutor, python_executors

SOURCE = "CALLS = []\n\ndef count() -> int:\n    CALLS.append(1)\n    return len(CALLS)\n"


@dsl.component
def double(number: int) -> int:
    return 2 * number


def test_the_authors_own_function_is_called():
    (executor,) = python_executors(package_of(double))
    assert function_of(executor) is double.python_func


def test_a_text_is_loaded_once_and_from_a_file_that_equal_texts_share(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADRACE_HOME", str(tmp_path))
    inline = Inline({"exec-count": PythonExecutor("exec-count", SOURCE, "count", (), False)}, frozenset())
    assert [inline._function("exec-count")() for _ in range(3)] == [1, 2, 3]
    again = Inline(inline.executors, frozenset())
    assert again._function("exec-count")() == 1
    assert len(list((tmp_path / "sources").glob("*.py"))) == 1


def test_components_that_nobody_holds_are_not_kept():
    @dsl.component
    def once() -> int:
        return 1

    assert once in python_components()
    name = once.name
    del once
    gc.collect()
    assert name not in [each.name for each in python_components()]


def test_a_failed_local_run_is_caught_as_any_failed_run():
    assert issubclass(local.RunFailed, errors.RunFailed)
