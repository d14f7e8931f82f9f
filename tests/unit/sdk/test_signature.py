"""From a function to its Interface, and from there to the IR and back.

- every form of annotation that KFP takes, also as text; defaults; descriptions in docstrings
- from random functions: the interface survives the IR
"""

# ruff: noqa: UP006, UP007, UP045  # the forms of annotations that users write are what is tested

import inspect
import typing
from typing import Any, Dict, List, Literal, NamedTuple, Optional, TypedDict  # noqa: UP035  # forms that users write

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace import dsl
from headrace.dsl.interface import (
    MISSING,
    ArtifactInput,
    ArtifactOutput,
    ArtifactType,
    Interface,
    ParameterInput,
    ParameterOutput,
    ParameterType,
    from_ir,
    input_definitions,
    output_definitions,
)
from headrace.dsl.signature import Kind, signature_of

STRING, INT, DOUBLE, BOOL, LIST, STRUCT = (
    ParameterType[each] for each in ("STRING", "NUMBER_INTEGER", "NUMBER_DOUBLE", "BOOLEAN", "LIST", "STRUCT")
)
DATASET = ArtifactType("system.Dataset", "0.0.1")


class Settings(pydantic.BaseModel):
    rate: float = 0.5


class Record(TypedDict):
    key: str


class GoogleModel:
    schema_title = "google.VertexModel"
    schema_version = "0.0.1"


def interface(function: Any, kind: Kind = Kind.COMPONENT) -> Interface:
    return signature_of(function, kind).interface


def type_of(annotation: Any) -> ParameterType:
    def f(x): ...

    f.__annotations__["x"] = annotation
    return interface(f).inputs["x"].type


@pytest.mark.parametrize(
    ("annotation", "type_"),
    [
        (str, STRING), (int, INT), (float, DOUBLE), (bool, BOOL), (list, LIST), (dict, STRUCT),
        (List, LIST), (List[int], LIST), (list[int], LIST), (List[Dict[str, int]], LIST), (list[list[str]], LIST),
        (Dict, STRUCT), (Dict[str, Any], STRUCT), (dict[str, Any], STRUCT),
        (Optional[int], INT), (int | None, INT), (typing.Union[None, str], STRING), (Optional[list[int]], LIST),
        (Literal["a", "b"], STRING), (Literal[1, 2], INT), (Literal[True], BOOL), (Optional[Literal["a"]], STRING),
        (Record, STRUCT), (Settings, STRUCT), (Optional[Settings], STRUCT), ("Settings", STRUCT),
        (dsl.InputPath(str), STRING), (dsl.InputPath("Integer"), INT),
        ("int", INT), ("List[str]", LIST), ("Optional[Record]", STRUCT), ("JsonObject", STRUCT), ("Float", DOUBLE),
        (List["Record"], LIST),
        (dsl.PipelineTaskFinalStatus, ParameterType.TASK_FINAL_STATUS), (dsl.TaskConfig, ParameterType.TASK_CONFIG),
    ],
)  # fmt: skip
def test_a_parameter_has_the_type_of_its_annotation(annotation: Any, type_: ParameterType) -> None:
    assert type_of(annotation) is type_


@pytest.mark.parametrize(
    ("annotation", "made"),
    [
        (dsl.Input[dsl.Dataset], ArtifactInput(DATASET)),
        (dsl.Dataset, ArtifactInput(DATASET)),
        (dsl.InputPath(dsl.Dataset), ArtifactInput(DATASET)),
        (dsl.InputPath("Dataset"), ArtifactInput(DATASET)),
        (dsl.InputPath("SomethingOld"), ArtifactInput(ArtifactType("system.Artifact", "0.0.1"))),
        (dsl.InputPath(), ArtifactInput(ArtifactType("system.Artifact", "0.0.1"))),
        (dsl.Input[list[dsl.Dataset]], ArtifactInput(DATASET, is_list=True)),
        (dsl.Input[List[dsl.Dataset]], ArtifactInput(DATASET, is_list=True)),
        (List[dsl.Dataset], ArtifactInput(DATASET, is_list=True)),
        (dsl.Input[GoogleModel], ArtifactInput(ArtifactType("google.VertexModel", "0.0.1"))),
        (Optional[dsl.Input[dsl.Dataset]], ArtifactInput(DATASET)),
        ("dsl.Input[dsl.Dataset]", ArtifactInput(DATASET)),
    ],
)
def test_an_artifact_has_its_class(annotation: Any, made: ArtifactInput) -> None:
    def f(x): ...

    f.__annotations__["x"] = annotation
    assert interface(f).inputs == {"x": made}


def test_outputs_are_parameters_of_the_function_or_returned() -> None:
    def f(text: dsl.OutputPath(str), model: dsl.Output[dsl.Model], data: dsl.OutputPath("Dataset")) -> int: ...

    assert interface(f).outputs == {
        "text": ParameterOutput(STRING),
        "model": ArtifactOutput(ArtifactType("system.Model", "0.0.1")),
        "data": ArtifactOutput(DATASET),
        "Output": ParameterOutput(INT),
    }


def test_a_named_tuple_is_several_outputs() -> None:
    class Outputs(NamedTuple):
        count: int
        data: dsl.Dataset

    def f() -> Outputs: ...
    def g() -> NamedTuple("Outputs", [("count", int), ("data", dsl.Dataset)]): ...

    for each in (f, g):
        assert interface(each).outputs == {"count": ParameterOutput(INT), "data": ArtifactOutput(DATASET)}


@pytest.mark.parametrize("annotation", [None, "None", type(None)])
def test_nothing_is_no_output(annotation: Any) -> None:
    def f(): ...

    f.__annotations__["return"] = annotation
    assert interface(f).outputs == {}


def test_a_pipeline_may_put_out_a_list_of_artifacts() -> None:
    def f() -> List[dsl.Dataset]: ...

    assert interface(f, Kind.PIPELINE).outputs == {"Output": ArtifactOutput(DATASET, is_list=True)}


def test_a_default_makes_an_input_optional_and_none_is_no_value() -> None:
    def f(a: int, b: int = 3, c: Optional[str] = None, d: dsl.Input[dsl.Dataset] = None, e: Optional[str] = "x"): ...

    inputs = interface(f).inputs
    assert [each.optional for each in inputs.values()] == [False, True, True, True, True]
    assert [inputs[name].default for name in "abce"] == [MISSING, 3, MISSING, "x"]


def test_defaults_are_json_whatever_python_calls_them() -> None:
    def f(a: float = 1, b: int = 2.0, c: list = [{"x": 1}]): ...  # noqa: B006

    def g(d: Settings = Settings(rate=1.5)): ...  # noqa: B008

    inputs = interface(f).inputs
    assert [inputs[name].default for name in "abc"] == [1, 2, [{"x": 1}]]
    assert isinstance(inputs["b"].default, int)
    assert interface(g).inputs["d"].default == {"rate": 1.5}


def test_a_default_is_taken_as_it_was_at_the_definition() -> None:
    held = [1]

    def f(a: list = held): ...

    made = interface(f)
    held.append(2)
    assert made.inputs["a"].default == [1]


def test_literals_are_kept() -> None:
    def f(a: Literal["x", "y"] = "y"): ...

    assert interface(f).inputs["a"] == ParameterInput(STRING, "y", True, literals=("x", "y"))


def test_what_is_inside_a_list_is_known() -> None:
    def f(a: List[Dict[str, int]], b: dict[str, list[str]]) -> list[float]: ...

    made = interface(f)
    assert (made.inputs["a"].inside, made.inputs["b"].inside) == ((STRUCT, INT), (LIST, STRING))
    assert made.outputs["Output"].inside == (DOUBLE,)


def test_what_the_platform_gives_is_optional_and_no_call_gives_it() -> None:
    def f(
        a: int,
        status: dsl.PipelineTaskFinalStatus,
        model: dsl.Output[dsl.Model] = dsl.OUTPUT,
        *,
        c: dsl.TaskConfig = None,
    ): ...

    made = signature_of(f, Kind.COMPONENT).interface
    assert list(made.outputs) == ["model"]
    assert [name for name, each in made.inputs.items() if not each.optional] == ["a"]
    assert made.inputs["status"] == ParameterInput(ParameterType.TASK_FINAL_STATUS, optional=True)


def test_what_a_component_brings_along_is_no_input() -> None:
    def f(files: dsl.EmbeddedInput[dsl.Dataset]): ...

    assert interface(f) == Interface({}, {})


def test_docstrings_describe() -> None:
    def f(a: int, b: str, model: dsl.Output[dsl.Model]) -> NamedTuple("Outputs", [("count", int)]):
        """Does it.

        And more.

        Args:
            a: the first,
                over two lines
            b (str): the second

        Returns:
            count: how many
        """

    signature = signature_of(f, Kind.COMPONENT)
    assert signature.description == "Does it.\nAnd more."
    assert {name: each.description for name, each in signature.interface.inputs.items()} == {
        "a": "the first,\nover two lines", "b": "the second",
    }  # fmt: skip
    assert {name: each.description for name, each in signature.interface.outputs.items()} == {
        "model": "",
        "count": "how many",
    }


@pytest.mark.parametrize(
    "docstring",
    [
        "Does it.\n\n:param a: the first\n:param int b: the second,\n    long\n:returns: nothing",
        "Does it.\n\nParameters\n----------\na : int\n    the first\nb\n    the second,\n    long\n\nReturns\n-------\nint",
        "Does it.\n\n@param a: the first\n@param b: the second,\n    long",
        "Does it.\n\nArguments:\n  a: the first\n  b: the second,\n    long\n\nRaises:\n  ValueError: never",
    ],
)
def test_docstrings_of_every_style(docstring: str) -> None:
    def f(a: int, b: int): ...

    f.__doc__ = docstring
    signature = signature_of(f, Kind.COMPONENT)
    assert [each.description for each in signature.interface.inputs.values()] == ["the first", "the second,\nlong"]
    assert signature.description == "Does it."


def test_a_docstring_that_breaks_the_style_is_all_prose() -> None:
    def f(a: int):
        """Does it.

        Args:
            whatever comes
        """

    signature = signature_of(f, Kind.COMPONENT)
    assert signature.description == "Does it.\nArgs:\n    whatever comes"
    assert signature.interface.inputs["a"].description == ""


def test_old_specs_have_other_fields() -> None:
    old = {
        "inputDefinitions": {"parameters": {"a": {"type": "INT"}, "b": {"parameterType": "STRING", "defaultValue": ""}}}
    }
    assert from_ir(old).inputs == {"a": ParameterInput(INT), "b": ParameterInput(STRING, "", True)}


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: not __import__("keyword").iskeyword(name)
)
JSON = st.recursive(
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
DEFAULTS = {
    str: st.text(max_size=5), int: st.integers(-(2**53), 2**53), bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False) | st.integers(-100, 100),
    list: st.lists(JSON, max_size=3), dict: st.dictionaries(st.text(max_size=3), JSON, max_size=3),
}  # fmt: skip
FORMS = {list: (list, List, list[int], List[str]), dict: (dict, Dict, dict[str, int])}
CLASSES = st.sampled_from([dsl.Artifact, dsl.Model, dsl.Dataset, dsl.HTML, GoogleModel])


@st.composite
def parameters(draw: st.DrawFn) -> tuple[Any, Any]:
    """An annotation and a default, or no default (MISSING)."""
    if draw(st.booleans()):
        class_ = draw(CLASSES)
        form = draw(
            st.sampled_from(
                [dsl.Input[class_], class_, dsl.Input[list[class_]], dsl.InputPath(class_), dsl.Output[class_]]
            )
        )
        can_be_left_out = form != dsl.Output[class_] and draw(st.booleans())
        return form, (None if can_be_left_out else MISSING)
    base = draw(st.sampled_from(list(DEFAULTS)))
    form = draw(st.sampled_from(FORMS.get(base, (base,))))
    form = draw(st.sampled_from([form, Optional[form], dsl.OutputPath(base)]))
    if isinstance(form, dsl.OutputPath):
        return form, MISSING
    return form, draw(st.one_of(st.just(MISSING), st.none(), DEFAULTS[base]))


@given(st.dictionaries(NAMES, parameters(), max_size=6), st.sampled_from([None, int, List[str], dsl.Model]))
def test_an_interface_survives_the_ir(drawn: dict[str, tuple[Any, Any]], returned: Any) -> None:
    def f(): ...

    f.__signature__ = inspect.Signature(
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
            if default is MISSING
            else inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
            for name, (annotation, default) in drawn.items()
        ],
        return_annotation=returned,
    )
    made = interface(f)
    assert set(made.inputs) | set(made.outputs) - {"Output"} == set(drawn)
    again = from_ir({"inputDefinitions": input_definitions(made), "outputDefinitions": output_definitions(made)})
    assert again == made


def test_paths_in_the_form_that_type_checkers_take() -> None:
    def f(a: dsl.InputPath[dsl.Dataset], b: dsl.OutputPath[str], c: typing.Annotated[str, dsl.InputPath(int)]): ...

    made = interface(f)
    assert made.inputs == {"a": ArtifactInput(DATASET), "c": ParameterInput(INT)}
    assert made.outputs == {"b": ParameterOutput(STRING)}
