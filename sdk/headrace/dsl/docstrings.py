"""What a function's docstring says of it and of its parameters, in the four common styles. Pure; called by `signature`.

Google (`Args:`), reST (`:param x:`), NumPy (a title over dashes) and Epydoc (`@param x:`); the style that finds the most wins. A
docstring that breaks its style's rules is all prose, so that nobody's text is cut off.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Docstring:
    """`found`: how many entries of any kind there are besides the prose."""

    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    found: int = 0


class _BrokenStyle(Exception):  # noqa: N818  # never seen by anybody else
    """The text is not of this style after all."""


def read_docstring(text: str | None) -> Docstring:
    """The prose, and the description of each parameter."""
    whole = inspect.cleandoc(text or "")
    best = Docstring(_prose(whole))
    for style in (_rest, _google, _numpy, _epydoc):
        try:
            read = style(whole)
        except _BrokenStyle:
            continue
        if read.found > best.found:
            best = read
    return best


def described_outputs(text: str | None) -> dict[str, str]:
    """What a section `Returns` says of each output by name; nothing where it has no names."""
    whole = inspect.cleandoc(text or "")
    if not re.search(r"Returns?:?\n", whole):
        return {}
    return read_docstring(re.sub(r"Returns?(:?)\n", r"Args\1\n", whole)).parameters


def _prose(text: str) -> str:
    """The first line and what follows, without the blank line between."""
    short, _, rest = text.strip().partition("\n")
    return "\n".join(each for each in (short, rest.strip()) if each).strip()


_GOOGLE_LISTS: Final = ("Arguments", "Args", "Parameters", "Params", "Raises", "Exceptions", "Except", "Attributes")
_GOOGLE_TITLE: Final = re.compile(
    rf"^({'|'.join((*_GOOGLE_LISTS, 'Examples?', 'Returns', 'Yields'))}):[ \t]*$", re.MULTILINE
)
_ABOUT_PARAMETERS: Final = ("Arguments", "Args", "Parameters", "Params", "Attributes")


def _google(text: str) -> Docstring:
    prose, sections = _split(text, _GOOGLE_TITLE)
    parameters: dict[str, str] = {}
    found = 0
    for title, body in sections.items():
        if title not in _GOOGLE_LISTS:
            found += 1
            continue
        for name, description in _google_entries(body):
            found += 1
            if title in _ABOUT_PARAMETERS:
                parameters[name] = description
    return Docstring(_prose(prose), parameters, found)


def _split(text: str, title: re.Pattern[str]) -> tuple[str, dict[str, str]]:
    """The text before the first title, and each section's own lines; the last of two sections of one title counts."""
    titles = list(title.finditer(text))
    ends = [each.start() for each in titles[1:]] + [len(text)]
    sections = {}
    for each, end in zip(titles, ends, strict=False):
        body = text[each.end() : end]
        unindented = re.search(r"\n\S", body)  # what is not indented is no part of the section
        sections[each.group(1)] = (body[: unindented.start()] if unindented else body).strip("\n")
    return (text[: titles[0].start()] if titles else text), sections


def _google_entries(body: str) -> Iterator[tuple[str, str]]:
    indent = re.match(r"\s*", body).group()  # type: ignore[union-attr]  # it matches everything
    starts = list(re.finditer(rf"^{indent}(?=\S)", body, re.MULTILINE))
    if not starts:
        raise _BrokenStyle
    ends = [each.start() for each in starts[1:]] + [len(body)]
    for start, end in zip(starts, ends, strict=True):
        name, colon, description = body[start.end() : end].strip("\n").partition(":")
        if not colon:
            raise _BrokenStyle
        typed = re.match(r"\s*(.+?)\s*\(\s*(.*\S+)\s*\)", name, re.DOTALL)
        yield (typed.group(1) if typed else name), _dedented(description)


def _dedented(description: str) -> str:
    first, newline, rest = description.removeprefix(" ").partition("\n")
    return (f"{first}\n{inspect.cleandoc(rest)}" if newline else first).strip("\n")


_NUMPY_TITLE: Final = re.compile(r"^([A-Z][A-Za-z ]*)\n-+[ \t]*$", re.MULTILINE)
_NUMPY_PARAMETERS: Final = ("Parameters", "Params", "Arguments", "Args", "Other Parameters", "Attributes")


def _numpy(text: str) -> Docstring:
    titles = list(_NUMPY_TITLE.finditer(text))
    ends = [each.start() for each in titles[1:]] + [len(text)]
    parameters: dict[str, str] = {}
    found = 0
    for each, end in zip(titles, ends, strict=False):
        body = text[each.end() : end].strip("\n")
        entries = list(re.finditer(r"^(\S[^\n]*)((?:\n(?:[ \t][^\n]*)?)*)", body, re.MULTILINE))
        found += len(entries)
        if each.group(1) in _NUMPY_PARAMETERS:
            for entry in entries:
                parameters[entry.group(1).split(":")[0].strip()] = inspect.cleandoc(entry.group(2)).strip()
    return Docstring(_prose(text[: titles[0].start()] if titles else text), parameters, found)


def _rest(text: str) -> Docstring:
    return _fields(text, ":")


def _epydoc(text: str) -> Docstring:
    return _fields(text, "@")


_PARAMETER_FIELDS: Final = ("param", "parameter", "arg", "argument", "attribute", "key", "keyword")


def _fields(text: str, mark: str) -> Docstring:
    begin = re.search(rf"^{mark}", text, re.MULTILINE)
    if begin is None:
        return Docstring(_prose(text))
    parameters: dict[str, str] = {}
    found = 0
    for chunk in re.findall(rf"^{mark}(.*?)(?=^{mark}|\Z)", text[begin.start() :], re.DOTALL | re.MULTILINE):
        parts = chunk.split(":", 1)
        if len(parts) < 2:
            raise _BrokenStyle
        words = parts[0].split()
        if words and words[0] in ("type", "rtype"):
            continue
        found += 1
        if len(words) > 1 and words[0] in _PARAMETER_FIELDS:
            parameters[words[-1]] = _dedented(parts[1].strip())
    return Docstring(_prose(text[: begin.start()]), parameters, found)
