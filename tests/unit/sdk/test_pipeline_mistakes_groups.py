"""Mistakes in branches, loops, exit handlers and the order of tasks."""

from __future__ import annotations

from typing import Any

import pytest

from builders.wrong_pipelines import Wrong, check, count, fit, greet, prepare, say, total
from headrace import dsl

wrong = Wrong()


# branches


@wrong("dsl.Elif follows no dsl.If or dsl.Elif at this level; begin with dsl.If.")
def an_elif_without_an_if():
    @dsl.pipeline
    def pipe(text: str):
        with dsl.Elif(text == "a"):  # !
            say(text="a")


@wrong("dsl.Else follows a dsl.Else, which ends the chain; begin a new one with dsl.If.")
def an_else_after_an_else():
    @dsl.pipeline
    def pipe(text: str):
        with dsl.If(text == "a"):
            say(text="a")
        with dsl.Else():
            say(text="b")
        with dsl.Else():  # !
            say(text="c")


@wrong(
    "dsl.If is given True: the comparison was made while the pipeline was defined; compare an output of a task "
    "or an input of the pipeline."
)
def a_constant_condition():
    @dsl.pipeline
    def pipe():
        with dsl.If("a" == "a"):  # !
            say(text="a")


@wrong("dsl.Else 'condition-3' has nothing inside; call a component in it, or remove it.")
def a_branch_with_nothing_inside():
    @dsl.pipeline
    def pipe(text: str):
        with dsl.If(text == "a"):
            say(text="a")
        with dsl.Else():  # !
            pass


@wrong("dsl.If is given the pipeline's input 'flag' alone; compare it: `dsl.If(... == True)`.")
def a_condition_that_compares_nothing():
    @dsl.pipeline
    def pipe(flag: bool):
        with dsl.If(flag):  # !
            say(text="a")


@wrong("dsl.If takes a comparison such as `task.output == 'yes'`, not 'a'.")
def a_condition_that_is_a_text():
    @dsl.pipeline
    def pipe():
        with dsl.If("a"):  # !
            say(text="a")


@wrong(
    "dsl.If compares strs, ints, floats and bools, but the pipeline's input 'names' is a list; compare it inside "
    "of a component."
)
def a_condition_on_a_list():
    @dsl.pipeline
    def pipe(names: list):
        with dsl.If(names == "a"):  # !
            say(text="a")


@wrong(
    "dsl.If compares strs, ints, floats and bools, but the output 'data' of the task 'prepare' is an artifact "
    "system.Dataset; "
    "compare it inside of a component."
)
def a_condition_on_an_artifact():
    @dsl.pipeline
    def pipe():
        with dsl.If(prepare().outputs["data"] == "a"):  # !
            say(text="a")


@wrong(
    "The task 'say-2' uses the output 'out' of the task 'say', which is inside of 'condition-1' (dsl.If, "
    "{here}); take one output of each branch with dsl.OneOf(...), or move it into that branch."
)
def a_task_used_outside_of_its_branch():
    @dsl.pipeline
    def pipe(text: str):
        with dsl.If(text == "a"):  # group
            task = say(text="a")
        say(text=task.output)  # !


@wrong(
    "The task 'say-3' uses the output 'out' of the task 'say-2', which is inside of 'condition-3' (dsl.Else, "
    "{here}); take one output of each branch with dsl.OneOf(...), or move it into that branch."
)
def a_task_used_outside_of_its_else():
    @dsl.pipeline
    def pipe(text: str):
        with dsl.If(text == "a"):
            say(text="a")
        with dsl.Else():  # group
            task = say(text="b")
        say(text=f"got {task.output}")  # !


@wrong(
    "dsl.OneOf is used on 'condition-branches-1', which has no dsl.Else, so no branch may run; add `with "
    "dsl.Else():` with a task."
)
def one_of_without_an_else():
    @dsl.pipeline
    def pipe(text: str):
        with dsl.If(text == "a"):
            first = say(text="a")
        with dsl.Elif(text == "b"):
            second = say(text="b")
        dsl.OneOf(first.output, second.output)  # !


@wrong(
    "dsl.OneOf is given the output 'out' of the task 'say', which is a str, and the output 'out' of the task "
    "'count', which is an int; "
    "give it outputs of one type."
)
def one_of_different_types():
    @dsl.pipeline
    def pipe(text: str):
        with dsl.If(text == "a"):
            first = say(text="a")
        with dsl.Else():
            second = count(number=1)
        dsl.OneOf(first.output, second.output)  # !


@wrong("dsl.OneOf has no output of the branch 'condition-3' (dsl.Else, {here}); give one of each branch.")
def one_of_without_a_branch():
    @dsl.pipeline
    def pipe(text: str):
        with dsl.If(text == "a"):
            first = say(text="a")
        with dsl.Else():  # group
            say(text="b")
        dsl.OneOf(first.output)  # !


@wrong(
    "dsl.OneOf is given the output 'out' of the task 'say', which is not directly in a branch; "
    "give it outputs of tasks in dsl.If, dsl.Elif and dsl.Else of one chain."
)
def one_of_outside_of_branches():
    @dsl.pipeline
    def pipe():
        dsl.OneOf(say(text="a").output, say(text="b").output)  # !


@wrong("dsl.OneOf takes the output of a task of each branch, but is given nothing.")
def one_of_nothing():
    @dsl.pipeline
    def pipe():
        dsl.OneOf()  # !


@wrong("dsl.OneOf takes outputs of tasks, but is given the pipeline's input 'text'.")
def one_of_an_input():
    @dsl.pipeline
    def pipe(text: str):
        dsl.OneOf(text)  # !


# loops


@wrong("dsl.ParallelFor loops over a list or an output that is one, not over 'abc'; write a list.")
def a_loop_over_a_text():
    @dsl.pipeline
    def pipe():
        with dsl.ParallelFor("abc") as item:  # !
            say(text=item)


@wrong("dsl.ParallelFor is given items of different types (int, str); give it items of one type.")
def a_loop_over_mixed_items():
    @dsl.pipeline
    def pipe():
        with dsl.ParallelFor([1, "a"]) as item:  # !
            say(text=item)


@wrong("dsl.ParallelFor is given an empty list, so nothing inside would ever run; give it items.")
def a_loop_over_nothing():
    @dsl.pipeline
    def pipe():
        with dsl.ParallelFor([]) as item:  # !
            say(text=item)


@wrong("dsl.ParallelFor loops over a list, but the pipeline's input 'name' is a str; loop over a list.")
def a_loop_over_one_value():
    @dsl.pipeline
    def pipe(name: str):
        with dsl.ParallelFor(name) as item:  # !
            say(text=item)


@wrong(
    "dsl.ParallelFor loops over a list, but the output 'data' of the task 'prepare' is an artifact "
    "system.Dataset; loop over a list."
)
def a_loop_over_one_artifact():
    @dsl.pipeline
    def pipe():
        with dsl.ParallelFor(prepare().outputs["data"]) as item:  # !
            fit(data=item)


@wrong(
    "dsl.ParallelFor cannot loop over dsl.Collected of the output 'out' of the task 'say'; "
    "give it to a component that returns it as a list, and loop over that."
)
def a_loop_over_collected():
    @dsl.pipeline
    def pipe():
        with dsl.ParallelFor(["a"]) as item:
            task = say(text=item)
        with dsl.ParallelFor(dsl.Collected(task.output)) as item:  # !
            say(text=item)


@wrong("dsl.ParallelFor(parallelism=...) takes a whole number, 0 or more (0: all at once), not -1.")
def a_negative_parallelism():
    @dsl.pipeline
    def pipe():
        with dsl.ParallelFor([1], parallelism=-1):  # !
            say(text="a")


@wrong(
    "The task 'say-2' uses the output 'out' of the task 'say', which is inside of 'for-loop-2' (dsl.ParallelFor, "
    "{here}); take all of them with dsl.Collected(...), or move it into that loop."
)
def a_task_used_outside_of_its_loop():
    @dsl.pipeline
    def pipe():
        with dsl.ParallelFor(["a"]) as item:  # group
            task = say(text=item)
        say(text=task.output)  # !


@wrong(
    "The task 'say-2' uses the item of the loop 'for-loop-2', which exists inside of that loop only; "
    "move it into the `with dsl.ParallelFor`."
)
def an_item_used_outside_of_its_loop():
    @dsl.pipeline
    def pipe():
        with dsl.ParallelFor(["a"]) as item:
            say(text=item)
        say(text=item)  # !


@wrong(
    "The item of the loop 'for-loop-2' is asked for 'my-key', but only keys that are names of Python can be taken; "
    "give the whole item to a component."
)
def a_key_that_is_no_name():
    @dsl.pipeline
    def pipe():
        with dsl.ParallelFor([{"my-key": "a"}]) as item:
            say(text=item["my-key"])  # !


@wrong(
    "The task 'total' uses dsl.Collected of the output 'out' of the task 'count', which is in no dsl.ParallelFor "
    "that the task 'total' "
    "is outside of; use the output itself."
)
def collected_outside_of_a_loop():
    @dsl.pipeline
    def pipe():
        total(numbers=dsl.Collected(count(number=1).output))  # !


@wrong(
    "The task 'total' uses dsl.Collected of the output 'out' of the task 'count', whose loop is inside of "
    "'condition-1' (dsl.If); "
    "collect it inside of that dsl.If."
)
def collected_outside_of_the_branch_of_its_loop():
    @dsl.pipeline
    def pipe(text: str):
        with dsl.If(text == "a"), dsl.ParallelFor([1]) as item:
            task = count(number=item)
        total(numbers=dsl.Collected(task.output))  # !


@wrong("dsl.Collected takes the output of a task in a dsl.ParallelFor, but was given the pipeline's input 'n'.")
def collected_of_an_input():
    @dsl.pipeline
    def pipe(n: int):
        dsl.Collected(n)  # !


# exit handlers


@wrong(
    "dsl.ExitHandler takes the exit task, which is made by calling a component before it, not the pipeline's input 'text'."
)
def an_input_as_exit_task():
    @dsl.pipeline
    def pipe(text: str):
        with dsl.ExitHandler(text):  # !
            say(text=text)


@wrong(
    "dsl.ExitHandler takes the exit task, which is made by calling a component before it, not <ContainerComponent say>."
)
def a_component_as_exit_task():
    @dsl.pipeline
    def pipe():
        with dsl.ExitHandler(say):  # !
            say(text="a")


@wrong(
    "The exit task 'say-2' takes the output 'out' of the task 'say', which may not be there when it runs; "
    "give it constants, inputs of the pipeline or a PipelineTaskFinalStatus."
)
def an_exit_task_with_upstream_data():
    @dsl.pipeline
    def pipe():
        end = say(text=say(text="a").output)
        with dsl.ExitHandler(end):  # !
            say(text="b")


@wrong("The exit task 'say-2' is to run after 'say', but it runs after its dsl.ExitHandler.")
def an_exit_task_after_a_task():
    @dsl.pipeline
    def pipe():
        first = say(text="a")
        end = say(text="b").after(first)
        with dsl.ExitHandler(end):  # !
            say(text="c")


@wrong("'say' is the exit task of another dsl.ExitHandler already; call its component once more for this one.")
def an_exit_task_of_two_handlers():
    @dsl.pipeline
    def pipe():
        end = say(text="end")
        with dsl.ExitHandler(end):
            say(text="a")
        with dsl.ExitHandler(end):  # !
            say(text="b")


@wrong(
    "'say' after 'exit-handler-1' after 'say' can never run: each waits for the next; remove one .after() or setting."
)
def an_exit_task_that_its_handler_waits_for():
    @dsl.pipeline
    def pipe():
        end = say(text="end")
        with dsl.ExitHandler(end):
            say(text="a").after(end)  # !


@wrong(
    "'say' after 'exit-handler-1' after 'say' can never run: each waits for the next; remove one .after() or setting."
)
def an_exit_task_that_its_handler_takes_data_of():
    @dsl.pipeline
    def pipe():
        end = say(text="end")
        with dsl.ExitHandler(end):
            say(text=end.output)  # !


@wrong(
    "The task 'say-2' uses the output 'out' of the task 'say', which is inside of 'exit-handler-1' (dsl.ExitHandler, "
    "{here}); move it into that dsl.ExitHandler."
)
def a_task_used_outside_of_its_exit_handler():
    @dsl.pipeline
    def pipe():
        end = greet()
        with dsl.ExitHandler(end):  # group
            task = say(text="a")
        say(text=task.output)  # !


# order


@wrong("The task 'say' is to run after itself; remove that .after().")
def after_itself():
    @dsl.pipeline
    def pipe():
        task = say(text="a")
        task.after(task)  # !


@wrong("'say' after 'say-2' after 'say' can never run: each waits for the next; remove one .after() or setting.")
def a_circle():
    @dsl.pipeline
    def pipe():
        first = say(text="a")
        second = say(text="b").after(first)  # !
        first.after(second)


@wrong(
    "'for-loop-2' after 'for-loop-4' after 'for-loop-2' can never run: each waits for the next; remove one .after() or setting."
)
def a_circle_of_groups():
    @dsl.pipeline
    def pipe():
        with dsl.ParallelFor([1]):
            first, other = say(text="a"), say(text="b")
        with dsl.ParallelFor([1]):
            say(text="c").after(first)  # !
            second = say(text="d")
        other.after(second)


@wrong("'say' after 'count' after 'say' can never run: each waits for the next; remove one .after() or setting.")
def a_circle_by_a_setting():
    @dsl.pipeline
    def pipe():
        first = say(text="a")
        first.set_memory_limit(f"{count(number=1).after(first).output}Gi")  # !


@wrong("The task 'say' uses the output 'out' of the task 'say', which is its own; use the output of another task.")
def a_setting_by_its_own_output():
    @dsl.pipeline
    def pipe():
        task = say(text="a")  # !
        task.set_container_image(task.output)


@wrong("The task 'say' is to run after 'condition-1' (dsl.If), which it is inside of; move it out of there.")
def after_the_group_around():
    @dsl.pipeline
    def pipe(text: str):
        with dsl.If(text == "a") as group:
            say(text="a").after(group)  # !


@wrong(
    "The task 'say-2' is to run after 'say', which is inside of 'condition-1' (dsl.If, {here}); "
    "write .after(group) with the group of `with dsl.If(...) as group:`."
)
def after_a_task_in_a_branch():
    @dsl.pipeline
    def pipe(text: str):
        with dsl.If(text == "a"):  # group
            first = say(text="a")
        say(text="b").after(first)  # !


@wrong(".after() of 'say' takes tasks and groups, but is given 'a'.")
def after_a_text():
    @dsl.pipeline
    def pipe():
        say(text="a").after("a")  # !


@wrong(
    ".after() of 'say-2' takes tasks, but is given the output 'out' of the task 'say'; an input orders them already."
)
def after_an_output():
    @dsl.pipeline
    def pipe():
        first = say(text="a")
        say(text="b").after(first.output)  # !


@wrong(
    "The task 'say-2' is to ignore failures, but its input 'text' comes from 'say' and has no default for the "
    "case that it fails; "
    "give 'text' of 'say' a default."
)
def ignoring_failures_without_a_default():
    @dsl.pipeline
    def pipe():
        say(text=say(text="a").output).ignore_upstream_failure()  # !


@pytest.mark.parametrize(("function", "message"), wrong.cases)
def test_the_mistake_is_named(function: Any, message: str):
    check(function, message)
