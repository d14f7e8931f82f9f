"""The engine's door to values and declared inputs. They live in headrace_ir because the apiserver and the companion
need the same rules (run parameters, output files) and may not import the scheduler; nothing is defined here.
"""

from __future__ import annotations

from headrace_ir.parameters import Declaration, check_run_parameters, declaration_of, resolve_input
from headrace_ir.references import Held, ValueRef, is_large, passes, reference_of, write_reference
from headrace_ir.values import (
    INLINE_BYTES,
    MAX_DEPTH,
    MAX_VALUE_BYTES,
    ParameterType,
    Value,
    ValueProblem,
    canonical,
    check_literals,
    coerce,
    conform,
    declared_type,
    decode,
    describe,
    encode,
    equal,
    kind_of,
    recorded,
    text_of,
)

__all__ = [
    "INLINE_BYTES",
    "MAX_DEPTH",
    "MAX_VALUE_BYTES",
    "Declaration",
    "Held",
    "ParameterType",
    "Value",
    "ValueProblem",
    "ValueRef",
    "canonical",
    "check_literals",
    "check_run_parameters",
    "coerce",
    "conform",
    "declaration_of",
    "declared_type",
    "decode",
    "describe",
    "encode",
    "equal",
    "is_large",
    "kind_of",
    "passes",
    "recorded",
    "reference_of",
    "resolve_input",
    "text_of",
    "write_reference",
]
