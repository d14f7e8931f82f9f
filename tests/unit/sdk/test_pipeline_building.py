"""What a pipeline's function builds: names of tasks and groups, the tree, what tasks are given, what is returned."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from headrace import dsl
from headrace.dsl.channels import LoopItem, LoopItemField, OneOf
from headrace.dsl.groups import Group
from headrace.dsl.interface import ParameterType
from headrace.dsl.marks import filled, marks_in
from headrace.dsl.pipelines import define
from headrace.dsl.tasks import PipelineTask


@dsl.container_component
def say(text: str, out: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image="alpine", command=["echo", text, out])


@dsl.container_component
def count(number: int, out: dsl.OutputPath(int)):
    return dsl.ContainerSpec(image="alpine", command=["echo", number, out])


@dsl.container_component
def measure(number: float):
    return dsl.ContainerSpec(image="alpine", command=["echo", number])


@dsl.container_component
def numbers(out: dsl.OutputPath(list[int])):
    return dsl.ContainerSpec(image="alpine", command=["echo", out])


@dsl.container_component
def records(out: dsl.OutputPath(list[dict[str, list[int]]])):
    return dsl.ContainerSpec(image="alpine", command=["echo", out])


@dsl.container_component
def total(numbers: list[int], out: dsl.OutputPath(int)):
    return dsl.ContainerSpec(image="alpine", command=["echo", numbers, out])


@dsl.container_component
def train(data: dsl.Input[dsl.Dataset], model: dsl.Output[dsl.Model]):
    return dsl.ContainerSpec(image="alpine", command=["echo", data.path, model.path])


def tree(group: Group) -> dict[str, Any]:
    """The names of what stands in GROUP, as nested dicts."""
    return {each.name: tree(each) if isinstance(each, Group) else None for each in group.children}


def test_tasks_are_numbered_for_each_component():
    def chain():
        for _ in range(3):
            say(text="a")
        count(number=1)

    assert list(define(chain).tasks) == ["say", "say-2", "say-3", "count"]


def test_a_name_that_a_number_would_give_twice_is_given_once():
    @dsl.container_component
    def say_2():
        return dsl.ContainerSpec(image="alpine")

    def chain():
        say(text="a")
        say_2()
        say(text="a")

    assert list(define(chain).tasks) == ["say", "say-2", "say-3"]


def test_groups_are_counted_together_and_a_chain_of_branches_from_its_beginning():
    def choosing(text: str):
        with dsl.If(text == "a", "first"), dsl.ParallelFor([1, 2]):
            say(text="a")
        with dsl.Elif(text == "b"):
            say(text="b")
        with dsl.Else():
            say(text="c")
        say(text="after")
        with dsl.If(text == "d"):
            say(text="d")

    assert tree(define(choosing).root) == {
        "condition-branches-1": {
            "condition-4": {"for-loop-3": {"say": None}},
            "condition-5": {"say-2": None},
            "condition-6": {"say-3": None},
        },
        "say-4": None,
        "condition-7": {"say-5": None},
    }


def test_what_follows_branches_without_an_else_stands_outside_of_them():
    def choosing(text: str):
        with dsl.If(text == "a"):
            say(text="a")
        with dsl.Elif(text == "b"):
            say(text="b")
        say(text="after")

    assert tree(define(choosing).root) == {
        "condition-branches-1": {"condition-2": {"say": None}, "condition-3": {"say-2": None}},
        "say-3": None,
    }


def test_each_branch_excludes_those_before_it():
    seen = {}

    def choosing(text: str):
        with dsl.If(text == "a"):
            say(text="a")
        with dsl.Elif(text == "b") as second:
            say(text="b")
        with dsl.Else() as third:
            say(text="c")
        seen.update(second=second, third=third)

    define(choosing)
    assert [each.right for each in seen["second"].negated] == ["a"]
    assert seen["second"].condition.right == "b"
    assert [each.right for each in seen["third"].negated] == ["a", "b"]
    assert seen["third"].condition is None


def test_the_exit_task_stands_beside_its_handler():
    def handled(text: str):
        with dsl.If(text == "a"):
            end = say(text="end")
            with dsl.ExitHandler(end, "all of it"):
                say(text="work")

    definition = define(handled)
    assert tree(definition.root) == {"condition-1": {"say": None, "exit-handler-2": {"say-2": None}}}
    assert definition.root.children[0].children[1].display_name == "all of it"


def test_items_of_written_out_lists_have_the_type_of_all_items():
    types = {}

    def looping():
        for name, items in {
            "ints": [1, 2],
            "mixed": [1, 2.5],
            "texts": ["a"],
            "dicts": [{"name": "a", "n": 1}],
        }.items():
            with dsl.ParallelFor(items) as item:
                types[name] = object.__getattribute__(item, "type")
                measure(number=1)
        types["name"], types["n"] = item.name.type, item["n"].type

    define(looping)
    assert types == {
        "ints": ParameterType.NUMBER_INTEGER,
        "mixed": ParameterType.NUMBER_DOUBLE,
        "texts": ParameterType.STRING,
        "dicts": ParameterType.STRUCT,
        "name": ParameterType.STRING,
        "n": ParameterType.NUMBER_INTEGER,
    }


def test_items_of_lists_of_the_run_have_the_type_that_the_annotation_says():
    kept = []

    def looping(anything: list):
        with dsl.ParallelFor(numbers().output) as item:
            count(number=item)
            kept.append(item)
        with dsl.ParallelFor(records().output) as item, dsl.ParallelFor(item.values) as inner:
            count(number=inner)
            kept.append(inner)
        with dsl.ParallelFor(anything) as item:
            count(number=item)
            say(text=item.key)
            kept.append(item)

    define(looping)
    names = [(object.__getattribute__(each, "full_name"), object.__getattribute__(each, "type")) for each in kept]
    assert names == [
        ("numbers-out-loop-item", ParameterType.NUMBER_INTEGER),
        ("records-out-loop-item-subvar-values-loop-item", ParameterType.NUMBER_INTEGER),
        ("anything-loop-item", ParameterType.STRING),
    ]


def test_an_int_is_a_fine_float():
    def measuring(whole: int):
        measure(number=1)
        measure(number=whole)
        measure(number=count(number=1).output)

    assert list(define(measuring).tasks) == ["measure", "measure-2", "count", "measure-3"]


def test_channels_in_texts_lists_and_dicts_are_found_again():
    found = {}

    def marking(text: str):
        first = say(text="a").output
        value = {f"key {text}": [first, f"{first} and {text}"], "plain": "{{$.inputs}}"}
        found["value"] = value
        found["marks"] = marks = marks_in(value)
        found["filled"] = filled(value, {mark: channel.full_name for mark, channel in marks.items()})
        assert next(iter(marks.values())) is text
        assert list(marks.values())[1] is first

    define(marking)
    assert found["filled"] == {"key text": ["say-out", "say-out and text"], "plain": "{{$.inputs}}"}


def test_lists_are_taken_as_they_are_at_the_call():
    def listing():
        items = [1, 2]
        total(numbers=items)
        items.append(3)
        total(numbers=(4, 5))

    definition = define(listing)
    assert [each.inputs["numbers"] for each in definition.tasks.values()] == [[1, 2], [4, 5]]


def test_what_is_returned_is_known_by_name():
    class Both(NamedTuple):
        text: str
        number: int

    def returning(name: str) -> Both:
        return Both(say(text=name).output, count(number=1).output)

    definition = define(returning)
    assert {name: each.full_name for name, each in definition.outputs.items()} == {
        "text": "say-out",
        "number": "count-out",
    }


def test_one_of_is_named_after_its_branches():
    def choosing(text: str) -> str:
        with dsl.If(text == "a"):
            first = say(text="a")
        with dsl.Else():
            second = say(text="b")
        return dsl.OneOf(first.output, second.output)

    returned = define(choosing).outputs["Output"]
    assert isinstance(returned, OneOf)
    assert returned.name == "pipelinechannel--condition-branches-1-oneof-1"
    assert returned.task_name == "condition-branches-1"


def test_descriptions_names_and_roots():
    def My_Pipeline__of_mine():  # noqa: N802  # what names are made of
        """Says it.

        At length.
        """
        say(text="a")

    definition = define(My_Pipeline__of_mine, pipeline_root="s3://x", display_name="Mine")
    assert (definition.name, definition.display_name, definition.pipeline_root) == (
        "my-pipeline-of-mine",
        "Mine",
        "s3://x",
    )
    assert definition.description == "Says it.\nAt length."


def test_a_pipeline_is_a_component_of_another():
    @dsl.pipeline
    def inner(text: str) -> str:
        return say(text=text).output

    @dsl.pipeline(name="Outer", description="Around it.")
    def outer() -> str:
        return inner(text="a").output

    assert isinstance(outer.definition.tasks["inner"], PipelineTask)
    assert outer.name == "outer"
    assert outer.pipeline_spec["pipelineInfo"] == {"name": "outer", "description": "Around it."}


def test_a_pipeline_can_be_defined_while_another_is_built():
    def outer():
        @dsl.pipeline
        def inner():
            say(text="inner")

        inner()
        say(text="outer")

    assert list(define(outer).tasks) == ["inner", "say"]


def test_importers_take_constants_channels_and_texts():
    def importing(bucket: str):
        dsl.importer("s3://b/data", dsl.Dataset, reimport=True)
        dsl.importer(bucket, dsl.Model, metadata={"from": bucket, "as": [f"{bucket}!", 1]}, download_to_workspace=True)

    first, second = define(importing).tasks.values()
    assert first.component.implementation.importer == {
        "artifactUri": {"constant": "s3://b/data"},
        "typeSchema": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"},
        "reimport": True,
    }
    assert second.component.implementation.importer == {
        "artifactUri": {"runtimeParameter": "uri"},
        "typeSchema": {"schemaTitle": "system.Model", "schemaVersion": "0.0.1"},
        "metadata": {"from": "{{$.inputs.parameters['metadata']}}", "as": ["{{$.inputs.parameters['metadata']}}!", 1]},
        "downloadToWorkspace": True,
    }
    assert list(second.inputs) == ["uri", "metadata"]
    assert list(first.outputs) == ["artifact"]


def test_setters_keep_what_they_are_given():
    def setting(cpus: str):
        task = say(text="a")
        task.set_cpu_limit("2").set_cpu_request(0.5).set_memory_limit("4G").set_memory_request("512Mi")
        task.set_accelerator_type("nvidia.com/gpu").set_env_variable("A", "").set_env_variable("B", f"<{cpus}>")
        task.set_retry(3, "1 minute", 1.5).set_caching_options(False, "key").set_display_name("Say it")
        task.set_container_image(f"python:{cpus}").set_debug_pause(before=True, on_error=True)

    (task,) = define(setting).tasks.values()
    settings = task.settings
    assert (settings.cpu_limit, settings.cpu_request, settings.memory_limit, settings.memory_request) == (
        "2",
        "0.5",
        "4G",
        "512Mi",
    )
    assert (settings.accelerator_type, settings.accelerator_limit) == ("nvidia.com/gpu", "1")
    assert list(settings.env) == ["A", "B", "ARGO_DEBUG_PAUSE_BEFORE", "ARGO_DEBUG_PAUSE_ON_ERROR"]
    assert (settings.retry.max_retry_count, settings.retry.backoff_duration, settings.retry.backoff_factor) == (
        3,
        "60s",
        1.5,
    )
    assert settings.retry.backoff_max_duration == "3600s"
    assert (settings.caching, settings.cache_key, settings.display_name) == (False, "key", "Say it")
    assert len(marks_in(settings.image)) == len(marks_in(settings.env["B"])) == 1


@pytest.mark.parametrize("old", ["set_gpu_limit", "add_node_selector_constraint"])
def test_old_names_say_the_new_one(old: str):
    def setting():
        with pytest.warns(DeprecationWarning, match=f"{old}\\(\\) is the old name of set_accelerator"):
            getattr(say(text="a"), old)("2")

    define(setting)


def test_condition_is_the_old_name_of_if():
    def choosing(text: str):
        with (
            pytest.warns(DeprecationWarning, match=r"dsl\.Condition is the old name of dsl\.If"),
            dsl.Condition(text == "a"),
        ):
            say(text="a")

    assert tree(define(choosing).root) == {"condition-1": {"say": None}}


def test_a_task_may_wait_for_groups():
    def waiting(text: str):
        with dsl.If(text == "a") as group:
            say(text="a")
        with dsl.ParallelFor([1]):
            looped = say(text="b")
        say(text="c").after(group, looped)

    (last,) = [each for each in define(waiting).tasks.values() if each.after_]
    assert last.dependent_tasks == ["condition-1", "say-2"]


def test_keys_named_as_the_data_of_items_are_keys():
    def looping():
        with dsl.ParallelFor([{"name": "a", "type": "b", "items": "c", "loop": "d", "field": "e"}]) as item:
            for key in ("name", "type", "items", "loop", "field"):
                assert getattr(item, key).field == key
                say(text=getattr(item, key))
            assert isinstance(item, LoopItem)
            assert isinstance(item.other, LoopItemField)

    define(looping)


def test_what_an_extension_registers_is_waited_for_and_handed_in():
    @dsl.pipeline
    def pipe(text: str):
        first = say(text="a").output
        with dsl.If(text == "a"):
            say(text="b").register_pipeline_channels([first, first])

    condition = pipe.pipeline_spec["root"]["dag"]["tasks"]["condition-1"]
    assert condition["dependentTasks"] == ["say"]
    assert condition["inputs"]["parameters"]["pipelinechannel--say-out"]["taskOutputParameter"]["producerTask"] == "say"
    assert pipe.definition.tasks["say-2"].registered == (pipe.definition.tasks["say"].output,)
