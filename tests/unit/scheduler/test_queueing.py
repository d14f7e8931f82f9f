"""What one append takes of the steps that wait: their order, the bounds, and runs that were left meanwhile."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from headrace_scheduler.queueing import BATCH_BYTES, Steps


def a_step(events, size=1):
    return SimpleNamespace(events=(None,) * events, size=size)


def everything(drive):
    return True


def queued(*steps):
    queue = Steps()
    for drive, step in steps:
        queue.add(drive, step)
    return queue


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 2 * BATCH_BYTES)), max_size=30),
    st.integers(1, 20),
    st.sets(st.sampled_from("abc")),
)
def test_batches_keep_the_order_and_the_bounds(given_steps, most, held):
    steps = [(drive, a_step(events, size)) for drive, events, size in given_steps]
    queue, taken = queued(*steps), []
    while queue:
        before = queue.events
        batch = queue.take(most, held.__contains__)
        # all but the last one leave room
        assert sum(len(step.events) for _, step in batch[:-1]) < most
        assert sum(step.size for _, step in batch[:-1]) < BATCH_BYTES
        assert before - queue.events >= sum(len(step.events) for _, step in batch)
        taken += batch
    assert taken == [one for one in steps if one[0] in held]
    assert queue.events == 0


def test_a_step_that_is_more_than_an_append_may_carry_goes_alone():
    big, small = ("a", a_step(50, 2 * BATCH_BYTES)), ("b", a_step(1))
    queue = queued(big, small)
    assert queue.take(10, everything) == [big]
    assert queue.take(10, everything) == [small]
    assert not queue


def test_forgetting_a_run_leaves_the_others():
    mine, other, again = ("a", a_step(2)), ("b", a_step(3)), ("a", a_step(4))
    queue = queued(mine, other, again)
    queue.forget("a")
    assert queue.events == 3
    assert queue.take(10, everything) == [other]
