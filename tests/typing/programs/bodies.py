"""What a component's function works with: artifacts, paths, and what the decorators take."""

# fmt: off
# ruff: noqa: E501, SIM115, UP045

from typing import Annotated, NamedTuple, Optional

from headrace import dsl
from headrace.dsl import ClassificationMetrics, Input, InputPath, Metrics, Model, Output, OutputPath, component


class Outputs(NamedTuple):
    total: int
    model: Model


@component
def measure(
    model: Input[Model],
    metrics: Output[Metrics],
    curve: Output[ClassificationMetrics],
    models: Input[list[Model]],
    text: OutputPath[str],
    other: Annotated[str, dsl.InputPath(str)],
    note: Optional[str] = None,
) -> Outputs:
    metrics.log_metric("accuracy", 0.5)
    metrics.log_metrics("accuracy", 0.5)  # wrong: mypy[attr-defined] plugin[attr-defined] pyright[reportAttributeAccessIssue]
    curve.log_roc_curve([0.1], [0.2], ["0.3"])  # wrong: mypy[list-item] plugin[list-item] pyright[reportArgumentType]
    open(text, "w").write(model.framework + other)
    print([each.path for each in models], note.upper())  # wrong: mypy[union-attr] plugin[union-attr] pyright[reportOptionalMemberAccess]
    return Outputs(total=1, model=Model(uri=dsl.get_uri()))


@component(base_image=3)  # wrong: mypy[call-overload,untyped-decorator] plugin[call-overload,untyped-decorator] pyright[reportArgumentType]
def wrong_image(x: int) -> int:
    return x


@component
def no_wrong_type(x: int) -> str:
    return x  # wrong: mypy[return-value] plugin[return-value] pyright[reportReturnType]


PATH: InputPath[str] = InputPath[str]("a")
