"""Facts of attempts are taken at once where few are in flight, and together where many are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from headrace_scheduler.engine.facts import AttemptHeld, Fact, TerminateRequested
from headrace_scheduler.gathering import ENOUGH, FEW, LONGEST_BUSY_S, LONGEST_S, REST, Gathering, between_ticks_s

HELD = AttemptHeld("task", 1, "it waits")


class Steps:
    """The runs that were to be stepped, and says when there are more."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.more = asyncio.Event()
        self.now = 100.0
        self.gathering = Gathering(self.step, lambda: self.now)

    def step(self, runs: Iterable[str]) -> None:
        self.runs += runs
        self.more.set()

    def came(self, run: str, in_flight: int, fact: Fact = HELD) -> list[str]:
        """What is stepped by now, in order."""
        self.gathering.came(run, fact, in_flight)
        return self.runs

    async def later(self) -> list[str]:
        self.more.clear()
        async with asyncio.timeout(10):
            await self.more.wait()
        return self.runs


@pytest.mark.parametrize(
    ("in_flight", "seconds"), [(1, 0), (FEW - 1, 0), (50, 0.01), (500, 0.1), (1_000, LONGEST_S), (20_000, LONGEST_S)]
)
def test_the_more_are_in_flight_the_longer_facts_wait_for_one_another(in_flight, seconds):
    assert between_ticks_s(in_flight, 0.002) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("in_flight", "append_s", "seconds"),
    [
        (FEW - 1, 1.0, 0),
        (50, 1.0, 0.1),
        (1_000, 0.05, REST * 0.05),
        (1_000, 1.0, LONGEST_BUSY_S),
        (1_000, 0.01, LONGEST_S),
    ],
)
def test_where_appends_take_long_there_are_fewer(in_flight, append_s, seconds):
    assert between_ticks_s(in_flight, append_s) == pytest.approx(seconds)


async def test_the_last_append_says_how_long_they_take():
    steps = Steps()

    async def append() -> str:
        steps.now += 0.1
        return "stored"

    assert await steps.gathering.timed(append()) == "stored"
    assert steps.came("a", 10_000) == ["a"]
    steps.now += REST * 0.1 - 0.01
    assert steps.came("b", 10_000) == ["a"]
    steps.now += 0.01
    assert steps.came("c", 10_000) == ["a", "b", "c"]


async def test_a_fact_of_few_waits_for_nothing():
    steps = Steps()
    for count in (1, 2, 3):
        assert steps.came("a", FEW - 1) == ["a"] * count


async def test_of_many_the_first_fact_is_taken_at_once_and_those_after_it_together():
    steps = Steps()
    assert steps.came("a", 100) == ["a"]
    for run in "bcbcd":
        assert steps.came(run, 100) == ["a"], "the last ones were taken just now"
    assert await steps.later() == ["a", "b", "c", "d"]


async def test_a_step_that_is_long_ago_delays_nothing():
    steps = Steps()
    steps.came("a", 10_000)
    steps.now += LONGEST_S
    assert steps.came("b", 10_000) == ["a", "b"]


async def test_enough_facts_wait_no_longer():
    steps = Steps()
    steps.came("a", 10_000)
    for _ in range(ENOUGH - 1):
        assert steps.came("b", 10_000) == ["a"]
    assert steps.came("c", 10_000) == ["a", "b", "c"]


async def test_where_all_in_flight_have_told_something_none_waits():
    steps = Steps()
    steps.came("a", 50)
    for _ in range(49):
        assert steps.came("b", 50) == ["a"]
    assert steps.came("c", 50) == ["a", "b", "c"]


async def test_those_that_were_taken_early_leave_no_timer_behind():
    steps = Steps()
    steps.came("a", 10_000)
    steps.came("b", 10_000)  # waits 200 ms
    steps.now += LONGEST_S
    assert steps.came("c", 10_000) == ["a", "b", "c"]
    steps.came("d", 10_000)  # waits as long from now on: the timer of "b" does not take it
    begun = asyncio.get_running_loop().time()
    assert await steps.later() == ["a", "b", "c", "d"]
    assert asyncio.get_running_loop().time() - begun > LONGEST_S / 2


async def test_what_people_ask_for_waits_for_nothing_and_is_no_reason_for_other_runs():
    steps = Steps()
    steps.came("a", 10_000)
    steps.came("b", 10_000)
    assert steps.came("c", 10_000, TerminateRequested()) == ["a", "c"]
    assert await steps.later() == ["a", "c", "b"]
