"""Mistakes in what tasks are given, and in what Python does with values that are not there yet."""

from __future__ import annotations

from typing import Any

import pytest

from builders.wrong_pipelines import Wrong, check, choose, count, fit, merge, prepare, say, total
from headrace import dsl

wrong = Wrong()


# what calls give


@wrong("The input 'number' of 'count' takes an int, but is given a str: '1'.")
def wrong_type_of_a_constant():
    @dsl.pipeline
    def pipe():
        count(number="1")  # !


@wrong(
    "The input 'number' of 'count' takes an int, but the output 'out' of the task 'say' is a str; change one of "
    "the two annotations."
)
def wrong_type_of_an_output():
    @dsl.pipeline
    def pipe():
        count(number=say(text="a").output)  # !


@wrong(
    "The input 'text' of 'say' takes a str, but the pipeline's input 'n' is an int; put it in an f-string: f\"{...}\"."
)
def a_number_for_a_text():
    @dsl.pipeline
    def pipe(n: int):
        say(text=n)  # !


@wrong(
    "The input 'data' of 'fit' takes an artifact system.Dataset, but the output 'text' of the task 'prepare' is a str; "
    "give it an artifact, or import one with dsl.importer(artifact_uri=...)."
)
def a_parameter_for_an_artifact():
    @dsl.pipeline
    def pipe():
        fit(data=prepare().outputs["text"])  # !


@wrong(
    "The input 'text' of 'say' takes a str, but the output 'data' of the task 'prepare' is an artifact system.Dataset; "
    "only an input annotated Input[...] can take an artifact."
)
def an_artifact_for_a_parameter():
    @dsl.pipeline
    def pipe():
        say(text=prepare().outputs["data"])  # !


@wrong(
    "The input 'data' of 'fit' takes an artifact system.Dataset, but the output 'model' of the task 'fit' is an "
    "artifact "
    "system.Model; give it one of its class."
)
def an_artifact_of_another_class():
    @dsl.pipeline
    def pipe():
        fit(data=fit(data=prepare().outputs["data"]).output)  # !


@wrong(
    "The input 'datasets' of 'merge' takes a list of artifacts system.Dataset, but the output 'data' of the task "
    "'prepare' is "
    "an artifact system.Dataset; give it an output that is a list, or dsl.Collected(...)."
)
def one_artifact_for_a_list():
    @dsl.pipeline
    def pipe():
        merge(datasets=prepare().outputs["data"])  # !


@wrong(
    "The input 'datasets' of 'merge' takes a list of artifacts system.Dataset, but a list that is written out "
    "cannot hold "
    "artifacts; give it an output that is a list, or dsl.Collected(...)."
)
def a_written_out_list_of_artifacts():
    @dsl.pipeline
    def pipe():
        merge(datasets=[prepare().outputs["data"]])  # !


@wrong(
    "The input 'data' of 'fit' takes an artifact system.Dataset, but is given the constant 's3://data'; "
    "import it with dsl.importer(artifact_uri=...)."
)
def a_uri_for_an_artifact():
    @dsl.pipeline
    def pipe():
        fit(data="s3://data")  # !


@wrong(
    "The input 'data' of 'fit' is given an object of Dataset, which only components have; "
    "import it with dsl.importer(artifact_uri=...)."
)
def an_artifact_object():
    @dsl.pipeline
    def pipe():
        fit(data=dsl.Dataset(uri="s3://data"))  # !


@wrong("The input 'text' of 'say' is given None, which the IR cannot hold; leave the argument out.")
def none_as_a_constant():
    @dsl.pipeline
    def pipe():
        say(text=None)  # !


@wrong("The input 'size' of 'choose' is given 'l'; it can be 's', 'm'.")
def none_of_the_literals():
    @dsl.pipeline
    def pipe():
        choose(size="l")  # !


@wrong(
    "The input 'options' of 'choose' is given a set at ['a'][0], which JSON cannot hold; a constant is a str, "
    "int, float, bool, list or dict."
)
def what_json_cannot_hold():
    @dsl.pipeline
    def pipe():
        choose(options={"a": [{1}]})  # !


@wrong(
    "The input 'options' of 'choose' is given the key 1, but keys are texts; a constant is a str, int, float, "
    "bool, list or dict."
)
def a_key_that_is_no_text():
    @dsl.pipeline
    def pipe():
        choose(options={1: 2})  # !


@wrong(
    "The input 'number' of 'count' takes an int, but is given a function; a constant is a str, int, float, bool, "
    "list or dict."
)
def a_function_as_a_constant():
    @dsl.pipeline
    def pipe():
        count(number=check)  # !


@wrong("The input 'text' of 'say' is given the task 'say' itself; give it its .output.")
def a_task_instead_of_its_output():
    @dsl.pipeline
    def pipe():
        say(text=say(text="a"))  # !


@wrong("The input 'text' of 'say' is given the component 'say'; call it and give the task's .output.")
def a_component_instead_of_an_output():
    @dsl.pipeline
    def pipe():
        say(text=say)  # !


@wrong("The task 'prepare' has no output 'model'; there are 'data', 'text'.")
def an_output_that_does_not_exist():
    @dsl.pipeline
    def pipe():
        prepare().outputs["model"]  # !


@wrong("The task 'prepare' has no output 'dat'; did you mean 'data'?")
def an_output_that_is_misspelt():
    @dsl.pipeline
    def pipe():
        prepare().outputs["dat"]  # !


@wrong("The task 'prepare' has several outputs ('data', 'text'); take one with .outputs[...].")
def the_output_of_several():
    @dsl.pipeline
    def pipe():
        prepare().output  # !  # noqa: B018


@wrong("The task 'total' has no output; order others after it with .after(...).")
def the_output_of_none():
    @dsl.pipeline
    def pipe():
        total(numbers=[1]).output  # !  # noqa: B018


@wrong("The output 'out' of the task 'say' belongs to another pipeline; hand it in as an input of this pipeline.")
def an_output_of_another_pipeline():
    @dsl.pipeline
    def outer():
        task = say(text="a")

        @dsl.pipeline
        def pipe():
            say(text=task.output)  # !


@wrong("The output 'out' of the task 'say' belongs to another pipeline; hand it in as an input of this pipeline.")
def a_text_of_another_pipeline():
    @dsl.pipeline
    def outer():
        text = f"<{say(text='a').output}>"

        @dsl.pipeline
        def pipe():
            say(text=text)  # !


@wrong(
    "'say' is called outside of a pipeline; call it in a function that is decorated with @dsl.pipeline, "
    "or call headrace.local.init() first, to run it here and now."
)
def a_component_outside_of_a_pipeline():
    say(text="a")  # !


# values that are not there yet


@wrong(
    "A comparison with a value of the running pipeline is neither true nor false yet, so Python's `if`, `and`, "
    "`or` and `not` "
    "cannot use it; write `with dsl.If(...)`, and one inside the other for `and`."
)
def a_python_if():
    @dsl.pipeline
    def pipe(text: str):
        if text == "a":  # !
            say(text="a")


@wrong(
    "A comparison with a value of the running pipeline is neither true nor false yet, so Python's `if`, `and`, "
    "`or` and `not` "
    "cannot use it; write `with dsl.If(...)`, and one inside the other for `and`."
)
def a_python_and():
    @dsl.pipeline
    def pipe(text: str, n: int):
        with dsl.If(text == "a" and n > 1):  # !
            say(text="a")


@wrong(
    "The pipeline's input 'flag' is known only when the pipeline runs, so Python cannot test it now; compare it "
    "in `with dsl.If(...)`."
)
def a_python_if_on_a_channel():
    @dsl.pipeline
    def pipe(flag: bool):
        say(text="a" if flag else "b")  # !


@wrong(
    "The pipeline's input 'names' is known only when the pipeline runs, so Python cannot iterate over it; use "
    "`with dsl.ParallelFor(...)`."
)
def a_python_for():
    @dsl.pipeline
    def pipe(names: list):
        for name in names:  # !
            say(text=name)


@wrong(
    "The pipeline's input 'names' is known only when the pipeline runs, so [0] cannot be taken from it; take it "
    "inside of a component."
)
def an_index():
    @dsl.pipeline
    def pipe(names: list):
        say(text=names[0])  # !


@wrong(
    "The output 'out' of the task 'count' is known only when the pipeline runs, so Python cannot calculate with it; "
    "do that inside of a component."
)
def a_sum():
    @dsl.pipeline
    def pipe():
        count(number=count(number=1).output + 1)  # !


@wrong(
    "The pipeline's input 'n' is known only when the pipeline runs, so '>5' cannot format it; format it inside "
    "of a component."
)
def a_format():
    @dsl.pipeline
    def pipe(n: int):
        say(text=f"{n:>5}")  # !


@wrong(
    "The pipeline's input 'names' is known only when the pipeline runs, so Python's `in` cannot look into it; do "
    "it inside of a component."
)
def a_python_in():
    @dsl.pipeline
    def pipe(names: list):
        say(text=str("a" in names))  # !


@wrong(
    "A text that holds a value of the running pipeline was cut or changed, so the value cannot be filled in; "
    "change such texts inside of a component."
)
def a_text_that_was_changed():
    @dsl.pipeline
    def pipe(name: str):
        say(text=f"hello {name}".upper())  # !


@wrong(
    "The output 'data' of the task 'prepare' is an artifact, which a text cannot hold; give it to an input of an "
    "artifact type."
)
def an_artifact_in_a_text():
    @dsl.pipeline
    def pipe():
        say(text=f"{prepare().outputs['data']}")  # !


@pytest.mark.parametrize(("function", "message"), wrong.cases)
def test_the_mistake_is_named(function: Any, message: str):
    check(function, message)
