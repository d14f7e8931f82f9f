"""Names that Kubernetes or an operating system will see: of objects, labels, volumes and environment variables.

Each function answers why a name is not one, or None. A text that holds a placeholder is judged when it has a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from headrace_ir.problems import Problem
from headrace_ir.schema import describe

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PART: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_MAX_SUBDOMAIN: Final = 253


def name_problem(text: Any, what: str, *, label: bool = False) -> str | None:
    """Of an object (`label`: of a container or volume, without dots and at most 63 characters)."""
    if isinstance(text, str) and "{{$" in text:
        return None
    if isinstance(text, str) and (_LABEL.fullmatch(text) if label else _is_subdomain(text)):
        return None
    dots = "" if label else ", '.'"
    return f"expected {what} (lower-case letters, digits, '-'{dots}), got {describe(text)}"


def volume_problem(text: str) -> str | None:
    """Of a volume of the Pod."""
    return name_problem(text, "the name of a volume", label=True) if text else "required: the name of the volume"


def env_problem(text: str) -> str | None:
    """Of an environment variable: whatever an operating system can hold."""
    if text and "=" not in text and "\0" not in text:
        return None
    return f"expected the name of a variable, got {describe(text)}"


def label_map_problems(labels: Mapping[str, Any], path: str, *, values: bool = True) -> Iterator[Problem]:
    """Of labels (`values` false: of annotations, whose values are free)."""
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        if "{{$" not in key and not (_QUALIFIED.fullmatch(name) and (not slash or _is_subdomain(prefix))):
            expected = "a name such as 'team' or 'example.com/team', at most 63 characters after the '/'"
            yield Problem(f"{path}.{key}", f"expected {expected}, got {describe(key)}")
        if not isinstance(value, str):
            yield Problem(f"{path}.{key}", f"expected text, got {describe(value)}")
        elif values and value and "{{$" not in value and not _QUALIFIED.fullmatch(value):
            expected = "at most 63 letters, digits, '-', '_' and '.'"
            yield Problem(f"{path}.{key}", f"a label's value is {expected}, got {describe(value)}")


def _is_subdomain(text: str) -> bool:
    return 0 < len(text) <= _MAX_SUBDOMAIN and all(_PART.fullmatch(part) for part in text.split("."))
