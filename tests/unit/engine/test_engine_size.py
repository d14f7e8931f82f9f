"""Big runs: a step stays as large as one append may be, whatever comes; what is too much is left for the next one."""

from __future__ import annotations

import json

from builders.specs import container, dag, dag_input, pipeline
from builders.worlds import RUN_ID, START_US, World, succeeded
from headrace_scheduler.drives import Drive, advance
from headrace_scheduler.engine import commands as c
from headrace_scheduler.engine import facts as f
from headrace_scheduler.engine.agenda import Agenda
from headrace_scheduler.engine.drafting import BUDGET

WIDE = 1500


def wide(count: int = WIDE) -> World:
    work = container(inputs={"x": "NUMBER_INTEGER"}, outputs={"Output": "STRING"})
    body = dag({"item": "NUMBER_INTEGER"}).task("work", work, {"x": dag_input("item")}).returns("Output", "work")
    flow = pipeline("wide").task("loop", body, items=json.dumps(list(range(count))))
    return World(flow)


class Driven:
    """A run driven as the shell does, with executions that end as soon as they start."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.drive = Drive(world.plan, world.state)
        self.sizes: list[int] = []

    def tick(self) -> list[c.Command]:
        taken = advance(self.drive, START_US, lambda _, asked: [f.Admitted(one.path) for one in asked])
        self.world.rows.append(taken.events)
        self.drive.state = taken.state.settle()
        self.sizes.append(len(taken.events))
        return list(taken.commands)

    def run(self) -> None:
        while not self.drive.state.is_terminal:
            for command in self.tick():
                if isinstance(command, c.StartAttempt):
                    self.drive.facts.append(f.AttemptLaunched(command.path, 1, "pid"))
                    self.drive.facts.append(f.AttemptEnded(command.path, 1, succeeded({"Output": command.path})))


def test_a_wide_loop_ends_with_exact_counts_and_no_step_is_larger_than_an_append_may_be():
    driven = Driven(wide())
    driven.run()
    tasks = driven.world.rows.tasks
    assert len(tasks) == 2 * WIDE + 1
    assert set(driven.world.states.values()) == {"SUCCEEDED"}
    assert max(driven.sizes) < 2 * BUDGET


def test_the_first_items_start_while_others_are_still_being_made():
    driven = Driven(wide(10_000))
    while not any(isinstance(command, c.StartAttempt) for command in driven.tick()):
        pass
    assert len(driven.world.rows.tasks) < 10_000


def test_facts_that_are_too_many_for_one_step_are_left_for_the_next_and_their_inbox_items_with_them():
    driven = Driven(wide())
    launched = [one for _ in range(20) for one in driven.tick() if isinstance(one, c.StartAttempt)]
    drive = driven.drive
    for number, command in enumerate(launched):
        drive.deliver(number, f.AttemptEnded(command.path, 1, succeeded({"Output": "x"})))
    assert len(launched) > BUDGET // 4
    assert drive.claim() == ()
    consumed: list[int] = []
    while drive.waits:
        taken = advance(drive, START_US, lambda _, asked: [f.Admitted(one.path) for one in asked])
        ended = [event.path for event in taken.events if event.HasField("attempt_finished")]
        assert [launched[number].path for number in taken.consumed] == ended
        driven.world.rows.append(taken.events)
        drive.commit(taken)
        consumed += taken.consumed
    assert drive.inbox == []
    assert consumed == list(range(len(launched)))
    assert drive.run_id == RUN_ID


def test_copies_of_an_agenda_go_their_own_ways():
    first = Agenda()
    for path in "abc":
        first.push(path)
    second = first.copy()
    assert first.pop() == "a"
    first.push("d")
    second.push("e")
    assert [first.pop() for _ in range(3)] == ["b", "c", "d"]
    assert [second.pop() for _ in range(4)] == ["a", "b", "c", "e"]
    assert not first
    assert not second


def test_a_run_steps_on_from_what_is_not_durable_yet_and_comes_to_the_same_end():
    driven, ahead = Driven(wide(300)), []
    drive = driven.drive
    while not drive.newest.is_terminal:
        taken = advance(drive, START_US, lambda _, asked: [f.Admitted(one.path) for one in asked])
        drive.ahead = taken.state
        ahead.append(taken)
        driven.world.rows.append(taken.events)
        for command in taken.commands:
            if isinstance(command, c.StartAttempt):
                drive.facts.append(f.AttemptEnded(command.path, 1, succeeded({"Output": command.path})))
        if len(ahead) == 3:  # two steps are taken while the first is being appended
            drive.commit(ahead.pop(0))
    for taken in ahead:
        drive.commit(taken)
    assert drive.ahead is None
    assert drive.state.is_terminal
    assert set(driven.world.states.values()) == {"SUCCEEDED"}
    assert len(driven.world.rows.tasks) == 601
