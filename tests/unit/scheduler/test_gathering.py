"""Facts of attempts are taken at once where few are in flight, and together where many are."""

from __future__ import annotations

import asyncio

import pytest

from headrace_scheduler.engine.facts import AttemptHeld, TerminateRequested
from headrace_scheduler.gathering import ENOUGH, FEW, LONGEST_BUSY_S, LONGEST_S, REST, Gathering, between_ticks_s

HELD = AttemptHeld("task", 1, "it waits")


class Ticks:
    """Counts, and says when there is one more."""

    def __init__(self) -> None:
        self.count = 0
        self.one = asyncio.Event()
        self.now = 100.0
        self.gathering = Gathering(self.tick, lambda: self.now)

    def tick(self) -> None:
        self.count += 1
        self.one.set()


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
    ticks = Ticks()

    async def append() -> str:
        ticks.now += 0.1
        return "stored"

    assert await ticks.gathering.timed(append()) == "stored"
    ticks.gathering.came(HELD, 10_000)
    ticks.gathering.ticked()
    ticks.now += REST * 0.1 - 0.01
    ticks.gathering.came(HELD, 10_000)
    assert ticks.count == 1
    ticks.now += 0.01
    ticks.gathering.came(HELD, 10_000)
    assert ticks.count == 2


async def test_a_fact_of_few_waits_for_nothing():
    ticks = Ticks()
    for count in (1, 2, 3):
        ticks.gathering.came(HELD, FEW - 1)
        assert ticks.count == count
        ticks.gathering.ticked()


async def test_of_many_the_first_fact_is_taken_at_once_and_those_after_it_together():
    ticks = Ticks()
    ticks.gathering.came(HELD, 100)
    assert ticks.count == 1
    ticks.gathering.ticked()
    ticks.one.clear()
    for _ in range(5):
        ticks.gathering.came(HELD, 100)
    assert ticks.count == 1, "the last tick was just now"
    async with asyncio.timeout(10):
        await ticks.one.wait()
    assert ticks.count == 2


async def test_a_tick_that_is_long_ago_delays_nothing():
    ticks = Ticks()
    ticks.gathering.came(HELD, 10_000)
    ticks.gathering.ticked()
    ticks.now += LONGEST_S
    ticks.gathering.came(HELD, 10_000)
    assert ticks.count == 2


async def test_ticks_for_other_reasons_take_what_has_come_and_count_as_no_tick_where_nothing_has():
    ticks = Ticks()
    ticks.gathering.ticked()
    ticks.gathering.came(HELD, 10_000)
    assert ticks.count == 1, "the tick before it had no facts of attempts"


async def test_enough_facts_wait_no_longer():
    ticks = Ticks()
    ticks.gathering.came(HELD, 10_000)
    ticks.gathering.ticked()
    for _ in range(ENOUGH - 1):
        ticks.gathering.came(HELD, 10_000)
    assert ticks.count == 1
    ticks.gathering.came(HELD, 10_000)
    assert ticks.count == 2


async def test_what_people_ask_for_waits_for_nothing():
    ticks = Ticks()
    ticks.gathering.came(HELD, 10_000)
    ticks.gathering.ticked()
    ticks.gathering.came(TerminateRequested(), 10_000)
    assert ticks.count == 2
