"""Mistakes in setters, importers, what a pipeline returns, and the pipeline itself."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from builders.wrong_pipelines import Wrong, check, count, inner, say
from headrace import dsl

wrong = Wrong()


# setters


@wrong(
    "set_cpu_limit() of 'say' takes a number of CPUs such as '2', '0.5' or '500m', or an output or input of the "
    "pipeline, not '2 cores'."
)
def a_wrong_cpu_limit():
    @dsl.pipeline
    def pipe():
        say(text="a").set_cpu_limit("2 cores")  # !


@wrong(
    "set_memory_limit() of 'say' takes a whole number with a unit such as '512Mi' or '4G' (E, P, T, G, M, K, or "
    "with an i), "
    "or an output or input of the pipeline, not '4GB'."
)
def a_wrong_memory_limit():
    @dsl.pipeline
    def pipe():
        say(text="a").set_memory_limit("4GB")  # !


@wrong(
    "set_accelerator_limit() of 'say' takes a whole number of accelerators such as 1, or an output or input of "
    "the pipeline, not -1."
)
def a_wrong_accelerator_limit():
    @dsl.pipeline
    def pipe():
        say(text="a").set_accelerator_limit(-1)  # !


@wrong(
    "set_accelerator_type() of 'say' takes the name of an accelerator such as 'nvidia.com/gpu', or an output or "
    "input of the pipeline, "
    "not 1."
)
def a_wrong_accelerator_type():
    @dsl.pipeline
    def pipe():
        say(text="a").set_accelerator_type(1)  # !


@wrong("set_retry() of 'say' takes a number of retries, 0 or more, not '3'.")
def a_wrong_number_of_retries():
    @dsl.pipeline
    def pipe():
        say(text="a").set_retry("3")  # !


@wrong("set_retry(backoff_duration=...) of 'say' takes a duration such as '30s', '5m' or '1h', not '1 fortnight'.")
def a_wrong_duration():
    @dsl.pipeline
    def pipe():
        say(text="a").set_retry(3, backoff_duration="1 fortnight")  # !


@wrong("set_retry(backoff_factor=...) of 'say' takes a number, 0 or more, not '2'.")
def a_wrong_factor():
    @dsl.pipeline
    def pipe():
        say(text="a").set_retry(3, backoff_factor="2")  # !


@wrong(
    "set_env_variable() of 'say' takes a text (write str(...) for a number), or an output or input of the "
    "pipeline, not 1."
)
def a_number_in_the_environment():
    @dsl.pipeline
    def pipe():
        say(text="a").set_env_variable("A", 1)  # !


@wrong("set_display_name() of 'say' takes a text that is known when the pipeline is compiled, not a value of the run.")
def a_dynamic_display_name():
    @dsl.pipeline
    def pipe(name: str):
        say(text="a").set_display_name(name)  # !


@wrong("set_cache_max_age() of 'say' takes a duration such as '30s', '5m' or '1h', not 'soon'.")
def a_wrong_age_of_results():
    @dsl.pipeline
    def pipe():
        say(text="a").set_cache_max_age("soon")  # !


@wrong("set_caching_options() of 'say' takes True or False, not 'no'.")
def a_wrong_caching_option():
    @dsl.pipeline
    def pipe():
        say(text="a").set_caching_options("no")  # !


@wrong(
    "set_cpu_limit() is for tasks that run a container, but 'inner' is a whole pipeline; call it on the tasks "
    "inside of it."
)
def a_setter_on_a_pipeline():
    @dsl.pipeline
    def pipe():
        inner().set_cpu_limit("1")  # !


@wrong("set_env_variable() is for tasks that run a container, but 'importer' is an importer; remove it.")
def a_setter_on_an_importer():
    @dsl.pipeline
    def pipe():
        dsl.importer("s3://data", dsl.Dataset).set_env_variable("A", "1")  # !


@wrong("set_debug_pause() of 'say' is to pause neither before nor after the task; remove it.")
def a_pause_at_no_time():
    @dsl.pipeline
    def pipe():
        say(text="a").set_debug_pause(before=False, after=False)  # !


# importers


@wrong("dsl.importer(artifact_class=...) takes an artifact class such as dsl.Dataset, not 'Dataset'.")
def an_importer_without_a_class():
    @dsl.pipeline
    def pipe():
        dsl.importer("s3://data", "Dataset")  # !


@wrong("dsl.importer(artifact_uri=...) takes a URI such as 's3://bucket/data.csv', not 1.")
def an_importer_without_a_uri():
    @dsl.pipeline
    def pipe():
        dsl.importer(1, dsl.Dataset)  # !


# the pipeline itself


@wrong("The pipeline 'pipe' has no task; call a component in it.")
def a_pipeline_without_tasks():
    @dsl.pipeline  # !
    def pipe():
        pass


@wrong(
    "A pipeline cannot be named 'é'; name it with @dsl.pipeline(name=...), up to 128 lower-case letters, digits "
    "and dashes."
)
def a_wrong_name():
    @dsl.pipeline(name="é")  # !
    def pipe():
        say(text="a")


@wrong(
    "The pipeline 'pipe' returns the output 'out' of the task 'say', but its function has no return annotation; "
    "add one."
)
def a_return_without_annotation():
    @dsl.pipeline  # !
    def pipe():
        return say(text="a").output


@wrong("The pipeline 'pipe' declares the output 'Output', but does not return it.")
def an_annotation_without_return():
    @dsl.pipeline  # !
    def pipe() -> str:
        say(text="a")


@wrong(
    "The pipeline 'pipe' declares its output 'Output' as an int, but returns the output 'out' of the task 'say', "
    "which is a str; "
    "change the annotation or what is returned."
)
def a_return_of_another_type():
    @dsl.pipeline  # !
    def pipe() -> int:
        return say(text="a").output


@wrong("The pipeline 'pipe' returns the task 'say' itself; return its .output.")
def a_task_returned():
    @dsl.pipeline  # !
    def pipe() -> str:
        return say(text="a")


@wrong(
    "The pipeline 'pipe' returns 'a' as 'Output', but it can return outputs of tasks only; return the output of "
    "a component that returns it."
)
def a_constant_returned():
    @dsl.pipeline  # !
    def pipe() -> str:
        say(text="a")
        return "a"


@wrong(
    "The pipeline returns the pipeline's input 'text' as 'Output', but it can return outputs of tasks only; "
    "return the output of a component that returns it."
)
def an_input_returned():
    @dsl.pipeline  # !
    def pipe(text: str) -> str:
        say(text="a")
        return text


class Named(NamedTuple):
    first: str
    second: str


@wrong("The pipeline 'pipe' returns 'secnd', which it does not declare; did you mean 'second'?")
def another_name_returned():
    @dsl.pipeline  # !
    def pipe() -> Named:
        return {"first": say(text="a").output, "secnd": say(text="a").output}


@wrong("The pipeline 'pipe' returns a list, whose parts have no names; return a NamedTuple.")
def a_list_returned():
    @dsl.pipeline  # !
    def pipe() -> Named:
        return [say(text="a").output]


@wrong(
    "The pipeline returns the output 'out' of the task 'say' as 'Output', which is inside of 'condition-1' "
    "(dsl.If, {here}); "
    "return dsl.OneOf(...) of all branches."
)
def an_output_in_a_branch_returned():
    @dsl.pipeline  # !
    def pipe(text: str) -> str:
        with dsl.If(text == "a"):  # group
            task = say(text="a")
        return task.output


@wrong(
    "The pipeline uses dsl.Collected of the output 'out' of the task 'count', which is in no dsl.ParallelFor "
    "that the pipeline "
    "is outside of; use the output itself."
)
def collected_without_a_loop_returned():
    @dsl.pipeline  # !
    def pipe() -> list[int]:
        return dsl.Collected(count(number=1).output)


@wrong("dsl.ParallelFor is used outside of a pipeline; use it in a function that is decorated with @dsl.pipeline.")
def a_loop_outside_of_a_pipeline():
    with dsl.ParallelFor([1]):  # !
        pass


@wrong(
    "The input 'text' of 'say' is in the workspace, but the pipeline 'pipe' has none; "
    "write @dsl.pipeline(pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size='10Gi')))."
)
def a_workspace_that_is_not_there():
    @dsl.pipeline
    def pipe():
        say(text=f"{dsl.WORKSPACE_PATH_PLACEHOLDER}/data")  # !


@wrong("The size of a workspace is a number with a unit such as '10Gi' or '500Mi', not '10 GB'.")
def a_wrong_size():
    dsl.WorkspaceConfig(size="10 GB")  # !


@wrong("PipelineConfig(ttl_seconds_after_finished=...) takes a whole number of seconds from 0 to 2147483647, not '60'.")
def a_wrong_time_to_live():
    dsl.PipelineConfig(ttl_seconds_after_finished="60")  # !


@pytest.mark.parametrize(("function", "message"), wrong.cases)
def test_the_mistake_is_named(function: Any, message: str):
    check(function, message)
