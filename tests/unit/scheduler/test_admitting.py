"""Admission: first come first served, what does not fit lets smaller ones pass, but not for ever."""

from __future__ import annotations

from headrace_scheduler.admitting import PATIENCE_US, Admission
from headrace_scheduler.executors.port import Inventory, Request

GIB = 1024**3


def admission(cpu: float = 2.0, memory: int = 8 * GIB, accelerators: int = 0) -> Admission:
    return Admission([Inventory("here", cpu=cpu, memory=memory, accelerators=accelerators)], default_cpu=0.5)


def test_what_fits_is_granted_at_once():
    ledger = admission()
    assert ledger.ask(("r", "a"), Request(cpu=1.5), 0)
    assert not ledger.ask(("r", "b"), Request(cpu=1), 0)
    assert ledger.waiting == 1


def test_asking_again_changes_nothing():
    ledger = admission()
    assert ledger.ask(("r", "a"), Request(cpu=2), 0)
    assert ledger.ask(("r", "a"), Request(cpu=2), 1)
    assert not ledger.ask(("r", "b"), Request(cpu=2), 1)
    assert not ledger.ask(("r", "b"), Request(cpu=2), 2)
    assert ledger.waiting == 1


def test_an_end_frees_what_was_granted_and_the_next_in_line_gets_it():
    ledger = admission()
    ledger.ask(("r", "a"), Request(cpu=2), 0)
    ledger.ask(("r", "b"), Request(cpu=2), 1)
    ledger.ask(("r", "c"), Request(cpu=2), 2)
    ledger.free(("r", "a"))
    assert ledger.admit(3) == [("r", "b")]
    assert ledger.admit(4) == []


def test_a_task_that_asks_for_nothing_is_accounted_with_the_default():
    ledger = admission(cpu=1.0)
    assert ledger.ask(("r", "a"), Request(), 0)
    assert ledger.ask(("r", "b"), Request(), 0)
    assert not ledger.ask(("r", "c"), Request(), 0)


def test_smaller_ones_pass_a_big_one_until_its_patience_ends():
    ledger = admission()
    ledger.ask(("r", "running"), Request(cpu=1), 0)
    assert not ledger.ask(("r", "big"), Request(cpu=2), 0)
    assert ledger.ask(("r", "small"), Request(cpu=0.5), 1)
    ledger.free(("r", "small"))
    assert not ledger.ask(("r", "late"), Request(cpu=0.5), PATIENCE_US + 1)
    ledger.free(("r", "running"))
    assert ledger.admit(PATIENCE_US + 2) == [("r", "big")]


def test_memory_and_accelerators_count_too():
    ledger = admission(cpu=16, memory=4 * GIB, accelerators=1)
    assert ledger.ask(("r", "a"), Request(cpu=1, memory=3 * GIB), 0)
    assert not ledger.ask(("r", "b"), Request(cpu=1, memory=2 * GIB), 0)
    assert ledger.ask(("r", "c"), Request(cpu=1, accelerators=1), 0)
    assert not ledger.ask(("r", "d"), Request(cpu=1, accelerators=1), 0)


def test_who_waits_is_told_once_with_numbers():
    ledger = admission()
    ledger.ask(("r", "a"), Request(cpu=2), 0)
    ledger.ask(("r", "b"), Request(cpu=1, memory=GIB), 0)
    assert ledger.untold(999, 1000) == []
    told = ledger.untold(1000, 1000)
    sentence = "needs 1 cores, 0 of 2 free; needs 1024 MiB, 8192 of 8192 MiB free; number 1 in line"
    assert told == [(("r", "b"), sentence, "cpu")]
    assert ledger.untold(2000, 1000) == []


def test_who_waits_is_told_what_is_short():
    ledger = admission(cpu=4, memory=4 * GIB, accelerators=1)
    assert ledger.ask(("r", "a"), Request(cpu=1, memory=3 * GIB, accelerators=1), 0)
    ledger.ask(("r", "b"), Request(cpu=4, memory=2 * GIB, accelerators=1), 0)
    ledger.ask(("r", "c"), Request(cpu=4, memory=2 * GIB), 0)
    ledger.ask(("r", "d"), Request(cpu=4), 0)
    assert [short for *_, short in ledger.untold(1000, 0)] == ["accelerators", "memory", "cpu"]


def test_without_limits_everything_is_granted():
    ledger = Admission([Inventory("simulated")], default_cpu=0.5)
    assert all(ledger.ask(("r", str(i)), Request(cpu=100), 0) for i in range(1000))


def test_a_run_that_is_dropped_frees_all_of_its():
    ledger = admission()
    ledger.ask(("r", "a"), Request(cpu=2), 0)
    ledger.ask(("r", "b"), Request(cpu=2), 0)
    ledger.ask(("other", "a"), Request(cpu=2), 0)
    ledger.free_run("r")
    assert ledger.admit(1) == [("other", "a")]
    assert ledger.used.cpu == 2


def test_who_comes_later_is_told_later_with_the_place_in_the_whole_line():
    ledger = admission()
    ledger.ask(("r", "a"), Request(cpu=2), 0)
    ledger.ask(("r", "b"), Request(cpu=1), 0)
    ledger.ask(("r", "c"), Request(cpu=1), 500)
    assert [key for key, *_ in ledger.untold(1000, 1000)] == [("r", "b")]
    ledger.ask(("r", "d"), Request(cpu=1), 600)
    assert [sentence.split("; ")[-1] for _, sentence, _ in ledger.untold(2000, 1000)] == [
        "number 2 in line",
        "number 3 in line",
    ]
    ledger.free(("r", "c"))
    assert ledger.untold(3000, 1000) == []
