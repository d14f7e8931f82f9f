"""Declared input parameters: what a task's input or a run's parameter becomes. Pure.

Rules of kfp-semantics 2.5 to 2.8: an input that is absent or null takes its default, else null if it is optional,
else it is a problem. The apiserver calls `check_run_parameters` once at submission; the engine calls `resolve_input`
for every task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from headrace_ir.problems import nearest
from headrace_ir.references import Held, ValueRef, passes
from headrace_ir.values import (
    ParameterType,
    Value,
    ValueProblem,
    check_literals,
    coerce,
    conform,
    declared_type,
    decode,
)
from headrace_protos.v1 import plan_pb2


@dataclass(frozen=True, slots=True)
class Declaration:
    """One input parameter of a component; `default` None means that there is none (a null default says the same)."""

    name: str
    type: ParameterType | None = None
    default: Value = None
    optional: bool = False
    literals: tuple[Value, ...] = ()


def declaration_of(definition: plan_pb2.ParameterDef) -> Declaration:
    """The declaration that a Plan holds."""
    return Declaration(
        definition.name,
        declared_type(definition.type),
        decode(definition.default_json) if definition.HasField("default_json") else None,
        definition.optional,
        tuple(decode(text) for text in definition.literals_json),
    )


_ROOT_REFUSED: Final = frozenset({ParameterType.TASK_FINAL_STATUS})


def resolve_input(declaration: Declaration, given: Value, *, null_is_value: bool = False) -> Value:
    """What the input becomes, given the resolved value (None: absent or null) of its source.

    `null_is_value`: the null was given as an item of a loop, so that a STRING input takes it as "" instead of missing
    it.
    """
    subject = f"input '{declaration.name}'"
    if given is None and null_is_value and declaration.type == ParameterType.STRING:
        given = ""
    if given is None:
        given = declaration.default
    if given is None:
        if declaration.optional:
            return None
        wanted = f" ({declaration.type})" if declaration.type else ""
        raise ValueProblem(f"{subject}{wanted} has no value: its source gave none and it has no default")
    value = coerce(subject, declaration.type, given)
    check_literals(subject, value, declaration.literals)
    return value


def check_parameters(plan: plan_pb2.Plan, given: Mapping[str, Held]) -> tuple[dict[str, Held], list[str]]:
    """`check_run_parameters` for the inputs that a Plan's root declares."""
    return check_run_parameters({entry.name: declaration_of(entry) for entry in plan.dags[0].parameters}, given)


def check_run_parameters(
    declarations: Mapping[str, Declaration], given: Mapping[str, Held]
) -> tuple[dict[str, Held], list[str]]:
    """The run's parameters with defaults applied, and every problem as a sentence (then nothing may be created).

    Those of an earlier run may come by reference.
    """
    problems: list[str] = []
    for name in given:
        if name not in declarations:
            meant = nearest(name, declarations)
            end = f"did you mean '{meant}'?" if meant else f"the pipeline has {', '.join(declarations) or 'none'}"
            problems.append(f"parameter '{name}' is unknown: {end}")
    values: dict[str, Held] = {}
    for name, declaration in declarations.items():
        try:
            values[name] = _run_parameter(declaration, name in given, given.get(name))
        except ValueProblem as problem:
            problems.append(problem.sentence)
    return values, problems


def _run_parameter(declaration: Declaration, is_given: bool, given: Held) -> Held:
    subject = f"parameter '{declaration.name}'"
    if declaration.type in _ROOT_REFUSED and (given is not None or not declaration.optional):
        raise ValueProblem(f"{subject} is declared {declaration.type}, which only a task's input can be")
    missing = not is_given or (given is None and declaration.optional)
    if missing and declaration.default is None:
        if declaration.optional:
            return None
        wanted = f" ({declaration.type})" if declaration.type else ""
        raise ValueProblem(f"{subject}{wanted} is missing: give it a value")
    if isinstance(given, ValueRef):
        # Where its content would have to tell, it told when the earlier run was given it.
        passes(subject, declaration.type, given, declaration.literals, text=False)
        return given
    value = conform(subject, declaration.type, declaration.default if missing else given)
    check_literals(subject, value, declaration.literals)
    return value
