"""Reads the one sentence of a mistake, and checks that it names the line that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from headrace.dsl.mistakes import DefinitionError


def said(define: Callable[[], Any]) -> str:
    """What DEFINE's mistake says; it must name DEFINE's file and a line of what DEFINE holds."""
    with pytest.raises(DefinitionError) as raised:
        define()
    place, _, sentence = str(raised.value).partition(": ")
    file, _, line = place.rpartition(":")
    first = define.__code__.co_firstlineno
    last = max(end for *_, end in define.__code__.co_lines() if end)
    assert file == define.__code__.co_filename
    assert first <= int(line) <= last + 5, f"{line} is not in {first}–{last}"
    return sentence
