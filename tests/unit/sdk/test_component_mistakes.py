"""Every mistake in the definition of a component is one sentence with file, line and the way out; here is each one, whole.

- what a component is made of; annotations; defaults; outputs; what its container will not have
"""

# The functions are wrong on purpose; messages stand whole, on one line where they can.
# ruff: noqa: E501, F722, F821, UP035, UP006, UP045, PLW0603, RUF015, N803, B006

import collections
import json
import typing
import warnings
from pathlib import Path
from typing import Any, List, NamedTuple, Optional

import pytest

from builders.mistakes import said
from headrace import dsl, kfp_alias
from headrace.dsl.mistakes import DefinitionError

HERE = Path(__file__)
LIMIT = 3
TYPES = (
    "use str, int, float, bool, list, dict, Literal[...], a pydantic model, "
    "Input[...] or Output[...] of an artifact class, InputPath(...) or OutputPath(...)"
)


def helper() -> int:
    return 1


class Odd(dsl.Artifact):
    schema_title = "mine.Odd"


# what a component is made of


def test_a_lambda() -> None:
    assert said(lambda: dsl.component(lambda x: x)) == (
        "A component cannot be a lambda, which has no name and no annotations; write a `def`."
    )


def test_a_class() -> None:
    def define() -> None:
        @dsl.component
        class Train: ...

    assert said(define) == "A component is made of a function written with `def`, not of a class; write one."


def test_something_that_can_be_called() -> None:
    assert said(lambda: dsl.component(len)) == (
        "A component is made of a function written with `def`, not of <built-in function len>; write one."
    )


def test_an_async_function() -> None:
    def define() -> None:
        @dsl.component
        async def train(x: int): ...

    assert said(define) == (
        "train() is async, but a component is called without an event loop; write `def`, with asyncio.run(...) in it."
    )


def test_a_generator() -> None:
    def define() -> None:
        @dsl.component
        def train(x: int) -> int:
            yield x

    assert said(define) == "train() yields, but a component returns its outputs once; return a list."


def test_a_function_without_a_file() -> None:
    names: dict[str, Any] = {}
    exec("def train(x: int): ...", names)
    with pytest.raises(DefinitionError) as raised:
        dsl.component(names["train"])
    assert str(raised.value) == (
        "<string>:1: The source of train() cannot be read, so it cannot be sent to a container; define it in a file or a notebook's cell."
    )


# annotations


def test_a_parameter_without_annotation() -> None:
    def define() -> None:
        @dsl.component
        def train(x): ...

    assert said(define) == f"x of train() has no annotation, so its type is not known; {TYPES}."


@pytest.mark.parametrize(
    ("annotation", "shown"),
    [
        (set, "set"), (bytes, "bytes"), (tuple, "tuple"), (object, "object"), (typing.Any, "Any"), (int | str, "int | str"),
        (Optional[set], "set"), (typing.Literal[1, "a"], "Literal[1, 'a']"), (3, "3"), (collections.OrderedDict, "OrderedDict"),
        (typing.Callable[[], int], "Callable[[], int]"),
    ],
)  # fmt: skip
def test_a_type_that_no_input_can_be(annotation: Any, shown: str) -> None:
    def define() -> None:
        @dsl.component
        def train(x: annotation): ...

    assert said(define) == f"x of train() is annotated {shown}, which no input or output can be; {TYPES}."


def test_a_type_that_is_not_defined() -> None:
    def define() -> None:
        @dsl.component
        def train(x: "Unknown"): ...

    assert (
        said(define) == "x of train() is annotated 'Unknown', but 'Unknown' is not defined there; define or import it."
    )


def test_a_text_that_is_no_type() -> None:
    def define() -> None:
        @dsl.component
        def train(x: "not a type"): ...

    assert said(define).startswith("x of train() is annotated 'not a type', which is no type (")
    assert said(define).endswith(f"); {TYPES}.")


def test_any_number_of_inputs() -> None:
    def define() -> None:
        @dsl.component
        def train(*xs: int): ...

    def define_by_name() -> None:
        @dsl.component
        def train(**xs: int): ...

    assert said(define) == "train() takes *xs, but a component has named inputs only; name each one."
    assert said(define_by_name) == "train() takes **xs, but a component has named inputs only; name each one."


def test_an_input_by_position_only() -> None:
    def define() -> None:
        @dsl.component
        def train(x: int, /): ...

    assert said(define) == "x of train() can be given by position only, but inputs are given by name; drop the `/`."


def test_an_input_named_as_the_returned_output() -> None:
    def define() -> None:
        @dsl.component
        def train(Output: int): ...

    assert (
        said(define) == "train() has a parameter 'Output', the name of what a function returns; call it something else."
    )


def test_input_or_output_without_a_class() -> None:
    def define() -> None:
        @dsl.component
        def train(x: dsl.Output): ...

    assert (
        said(define)
        == "x of train() says that it is an artifact but not of which class; write Input[Dataset] or the like."
    )


def test_a_path_without_a_type() -> None:
    def define() -> None:
        @dsl.component
        def train(x: dsl.OutputPath): ...

    assert said(define) == "x of train() is annotated OutputPath without a type; write OutputPath(str) or the like."


def test_input_and_output_of_a_parameter() -> None:
    def define() -> None:
        @dsl.component
        def train(x: dsl.Input[str]): ...

    def define_output() -> None:
        @dsl.component
        def train(x: dsl.Output[int]): ...

    assert said(define) == "x of train() is Input[str], but Input is for artifact classes; annotate it str."
    assert said(define_output) == (
        "x of train() is Output[int], but Output is for artifact classes; use OutputPath(...) or return the value."
    )


def test_an_artifact_class_with_a_schema_of_its_own() -> None:
    def define() -> None:
        @dsl.component
        def train(x: dsl.Input[Odd]): ...

    assert said(define) == (
        "x of train() is of the artifact class Odd, whose schema is 'mine.Odd' of version '0.0.1'; "
        "give it a schema_title `system.<Name>` or `google.<Name>` and a schema_version such as '0.0.1'."
    )


# defaults


def test_a_default_of_another_type() -> None:
    def define() -> None:
        @dsl.component
        def train(x: int = "3"): ...

    def define_number() -> None:
        @dsl.component
        def train(x: int = 3.5): ...

    def define_true() -> None:
        @dsl.component
        def train(x: int = True): ...

    assert said(define) == "The default of x of train() is '3', which is no int; change the default or the annotation."
    assert (
        said(define_number)
        == "The default of x of train() is 3.5, which is no int; change the default or the annotation."
    )
    assert (
        said(define_true)
        == "The default of x of train() is True, which is no int; change the default or the annotation."
    )


def test_a_default_that_json_cannot_hold() -> None:
    def define() -> None:
        @dsl.component
        def train(x: list = [{1}]): ...

    def define_number() -> None:
        @dsl.component
        def train(x: float = float("nan")): ...

    def define_keys() -> None:
        @dsl.component
        def train(x: dict = {1: 2}): ...

    assert said(define) == "The default of x of train() is [{1}], which JSON cannot hold; use a value that it can."
    assert said(define_number) == "The default of x of train() is nan, which JSON cannot hold; use a value that it can."
    assert (
        said(define_keys) == "The default of x of train() is {1: 2}, which JSON cannot hold; use a value that it can."
    )


def test_a_default_that_is_none_of_the_literals() -> None:
    def define() -> None:
        @dsl.component
        def train(x: typing.Literal["a", "b"] = "c"): ...

    assert said(define) == "The default of x of train() is 'c', which is none of its literals; use one of ['a', 'b']."


def test_an_artifact_with_a_default() -> None:
    def define() -> None:
        @dsl.component
        def train(x: dsl.InputPath("Dataset") = "/data"): ...

    assert said(define) == "x of train() is an artifact, so its default can only be None, not '/data'."


def test_an_output_with_a_default() -> None:
    def define() -> None:
        @dsl.component
        def train(x: dsl.Output[dsl.Model] = None): ...

    assert (
        said(define)
        == "x of train() is an output, which has no default; remove it, or write `= dsl.OUTPUT` for type checkers."
    )


def test_an_input_that_the_platform_would_give() -> None:
    def define() -> None:
        @dsl.component
        def train(x: dsl.Input[dsl.Model] = dsl.OUTPUT): ...

    assert (
        said(define)
        == "x of train() is an input, but its default is dsl.OUTPUT; annotate it Output[...] or remove the default."
    )


# outputs


def test_a_list_of_artifacts_put_out() -> None:
    def define() -> None:
        @dsl.component
        def train() -> List[dsl.Model]: ...

    def define_parameter() -> None:
        @dsl.component
        def train(x: dsl.Output[List[dsl.Model]]): ...

    way = "is a list of artifacts, which only a pipeline can put out; put out one artifact, a folder."
    assert said(define) == f"What train() returns {way}"
    assert said(define_parameter) == f"x of train() {way}"


def test_a_marker_on_what_is_returned() -> None:
    def define() -> None:
        @dsl.component
        def train() -> dsl.Output[dsl.Model]: ...

    assert said(define).startswith("What train() returns is annotated Annotated[")
    assert said(define).endswith("]; return the class itself, or make it a parameter Output[...].")


def test_what_the_platform_gives_cannot_be_returned() -> None:
    def define() -> None:
        @dsl.component
        def train() -> dsl.PipelineTaskFinalStatus: ...

    assert (
        said(define)
        == "What train() returns is a PipelineTaskFinalStatus, which the platform gives; it cannot be an output."
    )


def test_a_dict_of_outputs() -> None:
    def define() -> None:
        @dsl.component
        def train() -> {"a": int}: ...

    assert (
        said(define) == "What train() returns is annotated with a dict; name several outputs with a typing.NamedTuple."
    )


def test_a_tuple_without_types() -> None:
    def define() -> None:
        @dsl.component
        def train() -> collections.namedtuple("Outputs", ["a", "b"]): ...

    assert (
        said(define)
        == "What train() returns is a namedtuple whose field a has no type; make it a typing.NamedTuple with types."
    )


def test_two_outputs_of_one_name() -> None:
    def define() -> None:
        @dsl.component
        def train(model: dsl.Output[dsl.Model]) -> NamedTuple("Outputs", [("model", str)]): ...

    assert said(define) == "train() has two outputs named 'model'; rename the parameter or the field of the NamedTuple."


# what the container will not have


def test_a_module_of_the_file() -> None:
    def define() -> None:
        @dsl.component
        def train(x: str) -> dict:
            return json.loads(x)

    assert said(define) == "train() uses 'json', which its container will not have; import it inside train()."


def test_a_function_of_the_file() -> None:
    def define() -> None:
        @dsl.component
        def train() -> int:
            return [helper() for _ in range(3)][0]

    assert said(define) == (
        "train() uses 'helper', which its container will not have; define it inside, or give it with additional_funcs=[...]."
    )


def test_a_value_of_the_file() -> None:
    def define() -> None:
        @dsl.component
        def train(x: int) -> int:
            def inner() -> int:
                return x * LIMIT

            return inner()

    assert (
        said(define)
        == "train() uses 'LIMIT', which its container will not have; give it as an input, or define it inside."
    )


def test_a_value_of_the_function_around() -> None:
    def define() -> None:
        outer = len("abc")

        @dsl.component
        def train(x: int) -> int:
            return x * outer

    assert (
        said(define)
        == "train() uses 'outer', which its container will not have; give it as an input, or define it inside."
    )


def test_a_name_that_nothing_defines() -> None:
    def define() -> None:
        @dsl.component
        def train(x: int) -> int:
            return x * unknown

    assert (
        said(define)
        == "train() uses 'unknown', which its container will not have; nothing defines it; import or define it inside."
    )


def test_a_name_that_a_helper_lacks() -> None:
    def inner() -> int:
        return LIMIT

    def define() -> None:
        @dsl.component(additional_funcs=[inner])
        def train() -> int:
            return inner()

    with pytest.raises(DefinitionError) as raised:
        define()
    line = inner.__code__.co_firstlineno
    assert str(raised.value) == (
        f"{HERE}:{line}: inner() uses 'LIMIT', which its container will not have; give it as an input, or define it inside."
    )


def test_in_a_file_of_kfp_a_missing_name_is_a_warning() -> None:
    with kfp_alias.installed(), pytest.warns(UserWarning, match="train") as warned:

        @dsl.component
        def train(x: str) -> dict:
            return json.loads(x)

    assert [str(each.message).partition(": ")[2] for each in warned] == [
        "train() uses 'json', which its container will not have; import it inside train()."
    ]


def test_what_a_container_has_is_no_mistake() -> None:
    """Python's own names, the DSL's, typing's, the function itself, helpers, and what the function defines."""

    def other(x: int) -> int:
        return x

    with warnings.catch_warnings():
        warnings.simplefilter("error")

        @dsl.component(additional_funcs=[other])
        def train(x: int, model: dsl.Output[dsl.Model]) -> Optional[int]:
            import os

            class Inner:
                size = 3
                double = size * 2

            global made
            made = os.sep
            seen: List[Any] = [len(made), Inner, Dataset(), dsl.get_uri, other(x)]
            return train(x - 1, model) if x else len(seen)

    assert train.name == "train"
