"""Pipelines that KFP's compiler refuses, or compiles to something that cannot run: here they compile, and rightly."""

from typing import Any, Dict, List  # noqa: UP035  # as authors write them

from headrace import dsl
from headrace.dsl.pipelines import GraphComponent
from headrace_ir.reading import read_package
from headrace_ir.validating import validate


@dsl.component(base_image="python:3.11")
def say(text: str) -> str:
    return text


@dsl.component(base_image="python:3.11")
def rows(text: str) -> List[Dict[str, str]]:  # noqa: UP006
    return [{"a": text}]


@dsl.component(base_image="python:3.11")
def joined(texts: List[str]) -> str:  # noqa: UP006
    return "".join(texts)


def spec_of(flow: GraphComponent[Any]) -> dict[str, Any]:
    assert [str(one) for one in validate(read_package(flow.package.to_yaml().encode(), "flow.yaml"))] == []
    return dict(flow.package.spec)


def given(spec: dict[str, Any], component: str, task: str) -> Any:
    dag = spec["root"]["dag"] if component == "root" else spec["components"][component]["dag"]
    return dag["tasks"][task]["inputs"]["parameters"]


def taken(spec: dict[str, Any], component: str) -> set[str]:
    return set(spec["components"][component]["inputDefinitions"]["parameters"])


FIELD = {
    "componentInputParameter": "pipelinechannel--loop-item-param-1",
    "parameterExpressionSelector": 'parseJson(string_value)["a"]',
}


def test_a_field_of_a_written_out_item_in_a_condition():
    @dsl.pipeline
    def flow(x: str):
        with dsl.ParallelFor([{"a": "1", "b": "2"}]) as item, dsl.If(x == "a"):
            say(text=item.a)

    spec = spec_of(flow)
    assert given(spec, "comp-condition-3", "say") == {"text": FIELD}
    assert "pipelinechannel--loop-item-param-1" in taken(spec, "comp-condition-3")


def test_nothing_of_a_loop_is_asked_for_outside_of_it():
    @dsl.pipeline
    def flow(x: str):
        with dsl.If(x == "a"), dsl.ParallelFor([{"a": "1"}]) as item:
            say(text=item.a)

    assert taken(spec_of(flow), "comp-condition-1") == {"pipelinechannel--x"}


def test_a_condition_on_a_field_of_a_written_out_item():
    @dsl.pipeline
    def flow():
        with dsl.ParallelFor([{"a": "1"}]) as item:
            with dsl.If(item.a == "1"):
                say(text=item.a)
            with dsl.Else():
                say(text="other")

    spec = spec_of(flow)
    assert given(spec, "comp-condition-branches-3", "condition-4") == {
        "pipelinechannel--loop-item-param-1": {"componentInputParameter": "pipelinechannel--loop-item-param-1"},
        "pipelinechannel--loop-item-param-1-subvar-a": FIELD,
    }


def test_a_loop_in_a_group_over_what_nothing_in_it_uses():
    @dsl.pipeline
    def flow(items: List[str], x: str):  # noqa: UP006
        with dsl.If(x == "a"), dsl.ParallelFor(items):
            say(text="again")

    spec = spec_of(flow)
    assert taken(spec, "comp-condition-1") == {"pipelinechannel--x", "pipelinechannel--items"}


def test_a_field_of_an_item_in_a_text():
    @dsl.pipeline
    def flow(table: List[Dict[str, str]]):  # noqa: UP006
        with dsl.ParallelFor(table) as item:
            say(text=f"it is {item.a}")

    assert given(spec_of(flow), "comp-for-loop-1", "say") == {
        "text": {
            "runtimeValue": {
                "constant": "it is {{$.inputs.parameters['pipelinechannel--table-loop-item-subvar-a']}}",
            }
        },
        "pipelinechannel--table-loop-item-subvar-a": {
            "componentInputParameter": "pipelinechannel--table-loop-item",
            "parameterExpressionSelector": 'parseJson(string_value)["a"]',
        },
    }


def test_loops_over_the_same_list_have_items_of_their_own():
    @dsl.pipeline
    def flow(items: List[str]):  # noqa: UP006
        with dsl.ParallelFor(items) as outer, dsl.ParallelFor(items) as inner:
            say(text=f"{outer} {inner}")

    spec = spec_of(flow)
    assert (
        spec["root"]["dag"]["tasks"]["for-loop-1"]["parameterIterator"]["itemInput"]
        == "pipelinechannel--items-loop-item"
    )
    assert given(spec, "comp-for-loop-2", "say") == {
        "text": {
            "runtimeValue": {
                "constant": "{{$.inputs.parameters['pipelinechannel--items-loop-item']}} "
                "{{$.inputs.parameters['pipelinechannel--items-loop-item-2']}}"
            }
        },
        "pipelinechannel--items-loop-item": {"componentInputParameter": "pipelinechannel--items-loop-item"},
        "pipelinechannel--items-loop-item-2": {"componentInputParameter": "pipelinechannel--items-loop-item-2"},
    }


def test_loops_over_the_same_list_beside_each_other_keep_the_names_of_kfp():
    @dsl.pipeline
    def flow(items: List[str]):  # noqa: UP006
        with dsl.ParallelFor(items) as one:
            say(text=one)
        with dsl.ParallelFor(items) as other:
            say(text=other)

    spec = spec_of(flow)
    for name in ("comp-for-loop-1", "comp-for-loop-2"):
        assert taken(spec, name) == {"pipelinechannel--items", "pipelinechannel--items-loop-item"}


@dsl.pipeline
def with_a_loop() -> str:
    with dsl.ParallelFor(["a"]) as item:
        each = say(text=item)
    return joined(texts=dsl.Collected(each.output)).output


def test_a_group_that_is_named_as_one_of_a_pipeline_used_beside_it():
    @dsl.pipeline
    def flow(x: str):
        with dsl.If(x == "a"), dsl.ParallelFor(["b"]) as item:
            say(text=item)
        with_a_loop()

    spec = spec_of(flow)
    names = {name: sorted(one["dag"]["tasks"]) for name, one in spec["components"].items() if "dag" in one}
    assert names == {
        "comp-condition-1": ["for-loop-3"],
        "comp-for-loop-2": ["say"],
        "comp-for-loop-3": ["say"],
        "comp-with-a-loop": ["for-loop-2", "joined"],
    }


def test_what_was_collected_is_used_twice():
    @dsl.pipeline
    def flow() -> str:
        with dsl.ParallelFor(["a"]) as item:
            each = say(text=item)
        all_ = dsl.Collected(each.output)
        return joined(texts=[joined(texts=all_).output, f"{joined(texts=all_).output}"]).output

    spec = spec_of(flow)
    source = {
        "taskOutputParameter": {"producerTask": "for-loop-2", "outputParameterKey": "pipelinechannel--say-Output"}
    }
    assert given(spec, "root", "joined") == given(spec, "root", "joined-2") == {"texts": source}


def test_a_short_name_that_is_part_of_another():
    @dsl.pipeline
    def flow(i: str, items: List[str]):  # noqa: UP006
        with dsl.ParallelFor(items) as item, dsl.If(item == "a"):
            say(text=i)

    assert given(spec_of(flow), "comp-condition-2", "say") == {
        "text": {"componentInputParameter": "pipelinechannel--i"}
    }


def test_a_variable_of_the_environment_from_a_task():
    @dsl.pipeline
    def flow():
        say(text="b").set_env_variable("A", say(text="a").output)

    spec = spec_of(flow)
    container = spec["deploymentSpec"]["executors"]["exec-say"]["container"]
    assert container["env"] == [{"name": "A", "value": "{{$.inputs.parameters['pipelinechannel--say-2-Output']}}"}]
    assert spec["root"]["dag"]["tasks"]["say"]["dependentTasks"] == ["say-2"]
