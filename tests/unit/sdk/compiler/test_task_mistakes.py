"""What shows to be wrong with a task only when its pipeline is compiled."""

from collections.abc import Callable

import pytest

from headrace import dsl
from headrace.dsl.mistakes import DefinitionError
from headrace.dsl.task_config import TaskConfigField, TaskConfigPassthrough


@dsl.component(base_image="python:3.11")
def say(text: str) -> str:
    return text


@dsl.component(base_image="python:3.11")
def ended(status: dsl.PipelineTaskFinalStatus) -> None:
    print(status)


@dsl.component(
    base_image="python:3.11",
    task_config_passthroughs=[TaskConfigPassthrough(field=TaskConfigField.RESOURCES, apply_to_task=True)],
)
def start(config: dsl.TaskConfig) -> None:
    print(config)


def refused(flow: Callable[[], None]) -> str:
    """What the mistake says, without the place, which is a line of the pipeline."""
    with pytest.raises(DefinitionError) as raised:
        dsl.pipeline(name="flow")(flow)
    where = raised.value.where
    first = flow.__code__.co_firstlineno
    assert where.file == __file__
    assert first < where.line <= first + 6
    return str(raised.value).partition(": ")[2]


def test_a_final_status_of_nothing():
    def flow():
        say(text="a")
        ended()

    assert refused(flow) == (
        "'status' of 'ended' is a PipelineTaskFinalStatus, but nothing says whose status; make 'ended' the exit task of a "
        "dsl.ExitHandler, or let it come after one task and call .ignore_upstream_failure()."
    )


def test_a_final_status_with_nothing_before_it():
    def flow():
        ended().ignore_upstream_failure()

    assert refused(flow) == (
        "'status' of 'ended' is the final status of one task before it in the same group, but there is none; let it come "
        ".after() exactly one."
    )


def test_a_final_status_of_several():
    def flow():
        ended().after(say(text="a"), say(text="b")).ignore_upstream_failure()

    assert refused(flow) == (
        "'status' of 'ended' is the final status of one task before it in the same group, but there are 2: say, say-2; let it "
        "come .after() exactly one."
    )


def test_a_final_status_of_one():
    @dsl.pipeline
    def flow():
        ended().after(say(text="a")).ignore_upstream_failure()

    task = flow.package.spec["root"]["dag"]["tasks"]["ended"]
    assert task["inputs"] == {"parameters": {"status": {"taskFinalStatus": {"producerTask": "say"}}}}
    assert task["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}


def test_settings_that_nothing_would_apply():
    def flow():
        start().set_cpu_limit("1").set_env_variable("A", "b")

    assert refused(flow) == (
        "'start' has settings of the kind ENV, which its component neither applies nor passes on; add ENV to the "
        "task_config_passthroughs of 'start', or remove the settings."
    )


def test_settings_of_kubernetes_that_nothing_would_apply():
    from headrace import kubernetes

    def flow():
        kubernetes.add_toleration(start(), key="gpu", operator="Exists", effect="NoSchedule")

    assert refused(flow) == (
        "'start' has settings of the kind KUBERNETES_TOLERATIONS, which its component neither applies nor passes on; add "
        "KUBERNETES_TOLERATIONS to the task_config_passthroughs of 'start', or remove the settings."
    )


def test_settings_that_are_passed_on():
    @dsl.pipeline
    def flow():
        start().set_cpu_limit("1")

    assert flow.package.spec["components"]["comp-start"]["taskConfigPassthroughs"] == [
        {"field": "RESOURCES", "applyToTask": True}
    ]


def test_settings_of_a_platform_on_a_whole_pipeline():
    @dsl.pipeline
    def inner():
        say(text="a")

    def flow():
        inner().platform_config["kubernetes"] = {"nodeSelector": {}}

    assert refused(flow) == (
        "'inner' is a whole pipeline, and kubernetes settings are for single containers; set them on the tasks inside it."
    )
