"""What was compiled is remembered: within a capacity, once for all who ask together, and errors are not kept."""

from __future__ import annotations

import threading

import pytest

from headrace_apiserver.compiling import Compilations, Compiled
from headrace_protos.v1 import plan_pb2


def compiled(text: str) -> Compiled:
    return Compiled(text, plan_pb2.Plan(pipeline_name=text[:3]))


def never() -> Compiled:
    raise AssertionError("this should have been remembered")


def test_what_was_used_last_is_kept():
    memory = Compilations(capacity=30)
    first = memory.get("text", b"aaaaaaaaaa", lambda: compiled("a" * 10))
    memory.get("text", b"bbbbbbbbbb", lambda: compiled("b" * 10))
    assert memory.get("text", b"aaaaaaaaaa", never) is first
    memory.get("text", b"cccccccccc", lambda: compiled("c" * 10))
    memory.get("text", b"dddddddddd", lambda: compiled("d" * 10))
    assert memory.get("text", b"aaaaaaaaaa", never) is first
    with pytest.raises(AssertionError):
        memory.get("text", b"bbbbbbbbbb", never)


def test_a_file_is_also_known_by_the_text_that_is_stored():
    memory = Compilations()
    made = memory.get("file p.yaml", b"a: 1", lambda: compiled('{"a":1}'))
    assert memory.get("text", b'{"a":1}', never) is made
    assert memory.get("file p.yaml", b"a: 1", never) is made


def test_equal_specs_that_come_together_are_compiled_once():
    memory, started, go_on = Compilations(), threading.Event(), threading.Event()
    made: list[int] = []

    def make() -> Compiled:
        made.append(1)
        started.set()
        assert go_on.wait(10)
        return compiled("x")

    answers: list[Compiled] = []
    threads = [threading.Thread(target=lambda: answers.append(memory.get("text", b"x", make))) for _ in range(4)]
    threads[0].start()
    assert started.wait(10)
    for thread in threads[1:]:
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert len(made) == 1
    assert len(answers) == 4
    assert all(answer is answers[0] for answer in answers)


def test_an_error_is_not_kept():
    memory = Compilations()

    def fail() -> Compiled:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            memory.get("text", b"x", fail)
    assert memory.get("text", b"x", lambda: compiled("x")).spec_json == "x"
