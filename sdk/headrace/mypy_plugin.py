"""For mypy: what the platform gives a component is no parameter of its call, and the others are given by name.

In mypy's configuration: `plugins = headrace.mypy_plugin`. A parameter `model: Output[Model]` (or an OutputPath, an EmbeddedInput,
a PipelineTaskFinalStatus, a TaskConfig) then needs no `= dsl.OUTPUT`. Imported by mypy alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mypy.nodes import ARG_NAMED, ARG_NAMED_OPT, Decorator, FuncDef, MypyFile, SymbolTableNode
from mypy.plugin import CheckerPluginInterface, FunctionContext, MethodContext, Plugin
from mypy.types import CallableType, Instance, Parameters, Type, UnboundType, UnionType

DECORATORS: Final = frozenset({"headrace.dsl.decorators.component", "headrace.dsl.decorators.container_component"})
APPLIED: Final = "headrace.dsl.decorators.ComponentDecorator.__call__"
GIVEN: Final = frozenset(
    {
        "headrace.dsl.annotations.Output",
        "headrace.dsl.annotations.EmbeddedInput",
        "headrace.dsl.path_types.OutputPath",
        "headrace.dsl.final_status.PipelineTaskFinalStatus",
        "headrace.dsl.task_config.TaskConfig",
    }
)
"""What annotations of parameters that the platform gives mean, by whole names."""


class HeadracePlugin(Plugin):
    """Changes the types of components."""

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """`@component` without options."""
        return _component if fullname in DECORATORS else None

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        """`@component(...)`, applied to the function."""
        return _component if fullname == APPLIED else None


def plugin(version: str) -> type[Plugin]:
    """What mypy asks for."""
    return HeadracePlugin


def _component(context: FunctionContext | MethodContext) -> Type:
    made, where = context.default_return_type, context.context
    function = where.func if isinstance(where, Decorator) else where
    if not isinstance(function, FuncDef) or not isinstance(function.unanalyzed_type, CallableType):
        return made
    if not isinstance(made, Instance) or len(made.args) != 1 or not isinstance(made.args[0], Parameters):
        return made
    written = dict(zip(function.unanalyzed_type.arg_names, function.unanalyzed_type.arg_types, strict=True))
    return made.copy_modified(args=[_called_with(made.args[0], written, context.api)])


def _called_with(parameters: Parameters, written: dict[str | None, Type], api: CheckerPluginInterface) -> Parameters:
    """PARAMETERS without those that the platform gives, as WRITTEN says; all of them by name."""
    taken = [
        at for at, name in enumerate(parameters.arg_names) if not (name in written and _is_given(written[name], api))
    ]
    return parameters.copy_modified(
        arg_types=[parameters.arg_types[at] for at in taken],
        arg_kinds=[ARG_NAMED_OPT if parameters.arg_kinds[at].is_optional() else ARG_NAMED for at in taken],
        arg_names=[parameters.arg_names[at] for at in taken],
    )


def _is_given(written: Type, api: CheckerPluginInterface) -> bool:
    if isinstance(written, UnionType):
        return any(_is_given(each, api) for each in written.items)
    if not isinstance(written, UnboundType):
        return False
    if written.name.rpartition(".")[2] == "Optional":
        return any(_is_given(each, api) for each in written.args)
    return _whole_name(written.name, api) in GIVEN


def _whole_name(name: str, api: CheckerPluginInterface) -> str:
    """What NAME (`Output`, `dsl.Output`) means in the file that is checked; "" for a name of the function around."""
    first, *rest = name.split(".")
    try:
        symbol: SymbolTableNode | None = api.lookup(first)  # type: ignore[attr-defined]  # of the checker, not of its interface
    except KeyError:
        return ""
    for part in rest:
        if symbol is None or not isinstance(symbol.node, MypyFile):
            return ""
        symbol = symbol.node.names.get(part)
    return (symbol.fullname if symbol is not None else "") or ""
