"""The outputs of a reported attempt, checked against what its component declares. Pure.

Called by the engine when a report comes: a problem here is that task's failure, with the sentence as its reason. What
is uploaded and how artifacts are registered is elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from headrace_ir.outputs import decode_output
from headrace_ir.references import Held, ValueRef, passes
from headrace_ir.values import Declared, ValueProblem, declared_type


def check_parameters(
    declared: Mapping[str, Declared], reported: Mapping[str, str | ValueRef], *, optional: Collection[str] = ()
) -> dict[str, Held]:
    """The values of all output parameters from their JSON texts; extra outputs are kept unchecked, as KFP does.

    A reference is checked by the kind that it says: its content was checked by the companion that stored it.
    Every declared output must be there, except those in `optional` (they become null). All problems come in one
    sentence.
    """
    values: dict[str, Held] = {}
    problems: list[str] = []
    for name, text in reported.items():
        try:
            if isinstance(text, ValueRef):
                passes(f"output '{name}'", declared.get(name), text, text=False)
                values[name] = text
            else:
                values[name] = decode_output(name, declared.get(name), text)
        except ValueProblem as problem:
            problems.append(problem.sentence)
    for name, kind in declared.items():
        if name not in reported:
            if name in optional:
                values[name] = None
            else:
                problems.append(f"output '{name}' ({declared_type(kind) or 'any type'}) was not written")
    if problems:
        raise ValueProblem("; ".join(problems))
    return values
