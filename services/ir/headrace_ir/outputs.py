"""Output parameters of user code: from an output file's bytes, or from JSON text, to a checked value. Pure.

Called by the companion (files that a container wrote, kfp-semantics 4.7 step 10) and by the engine (the texts of a
report). Reading the files, with their size limit, is the companion's.
"""

from __future__ import annotations

import re
from typing import Final

from headrace_ir.values import (
    MAX_VALUE_BYTES,
    Declared,
    ParameterType,
    Value,
    ValueProblem,
    conform,
    conformed,
    declared_type,
    decode,
)

_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_DOUBLE: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def check_output(name: str, declared: Declared, value: Value) -> Value:
    """An output value that user code said, as `decode` gave it, checked against its declared type.

    The IR has no word for an optional output, so a null that was said is taken from any task: it is for the consumer to
    have a default, or to be optional (G47).
    """
    return None if value is None else conformed(f"output '{name}'", declared, value)


def decode_output(name: str, declared: Declared, text: str | bytes, *, limit: int = MAX_VALUE_BYTES) -> Value:
    """The same from JSON text, as a report carries it."""
    try:
        value = decode(text, limit)
    except ValueProblem as problem:
        raise ValueProblem(f"output '{name}' {problem.sentence}") from None
    return check_output(name, declared, value)


def read_output_file(name: str, declared: Declared, content: bytes, limit: int = MAX_VALUE_BYTES) -> Value:
    """The value that a container wrote to its output file: raw text for STRING, parsed by the declared type else."""
    subject = f"output '{name}'"
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueProblem(f"{subject} is not UTF-8 text (byte {error.start})") from None
    kind = declared_type(declared)
    if kind in (None, ParameterType.STRING):
        return conform(subject, ParameterType.STRING, _sized(subject, text, len(content), limit))
    if kind is ParameterType.BOOLEAN:
        return _boolean(subject, text)
    if kind in (ParameterType.NUMBER_INTEGER, ParameterType.NUMBER_DOUBLE):
        return conform(subject, kind, _number(subject, kind, text))
    value = decode_output(name, kind, text, limit=limit)
    return conformed(subject, kind, value)  # a file that says null is no list


def _sized(subject: str, text: str, size: int, limit: int) -> str:
    if size > limit:
        raise ValueProblem(f"{subject} is {size} bytes long, above the limit of {limit}: write an artifact")
    return text


def _boolean(subject: str, text: str) -> bool:
    word = text.strip()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueProblem(f"{subject} expects BOOLEAN, got the text {_shown(text)}: write true or false")


def _number(subject: str, declared: str, text: str) -> int | float:
    digits = text.strip()
    pattern = _INTEGER if declared == ParameterType.NUMBER_INTEGER else _DOUBLE
    # The length first: neither the pattern nor the conversion should see megabytes of digits.
    if len(digits) > 400 and digits.lstrip("+-").isdigit():
        raise ValueProblem(f"{subject} holds a number beyond the range of a double")
    if len(digits) > 400 or not pattern.fullmatch(digits):
        raise ValueProblem(f"{subject} expects {declared}, got the text {_shown(text)}")
    return int(digits) if _INTEGER.fullmatch(digits) else float(digits)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
