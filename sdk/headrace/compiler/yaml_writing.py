"""A package's documents as YAML: deterministic, sorted, sources of programs as blocks that can be read. Pure; needs no library.

What it writes reads back as the same values in YAML 1.1 and 1.2. The lists and maps that tasks share (a component's command) are
written once and reused. Called by `package`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

# A text that begins so, and holds neither ": " nor " #", is itself without quotes, unless it is one of the words.
_PLAIN: Final = re.compile(r"[A-Za-z_/](?:[!-~]|\x20(?=[!-~]))*")
_NOT_PLAIN: Final = re.compile(r":(?: |$)| #")
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null", "none", "nan", "inf"})
_SIGNS: Final = r"\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010fffd"
_PRINTABLE: Final = re.compile(rf"[\t{_SIGNS}]*")
_ESCAPED: Final = re.compile(rf'["\\]|[^{_SIGNS}]')
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
_LONG_KEY: Final = 120


class YamlWriter:
    """Writes documents; one writer for the documents of one package."""

    def __init__(self) -> None:
        self._inline: dict[str, str] = {}
        self._literal: dict[tuple[str, str], str] = {}
        self._lists: dict[tuple[int, str], tuple[Any, str]] = {}
        self._out: list[str] = []

    def document(self, value: Mapping[str, Any]) -> str:
        """VALUE as a document, without the line that parts documents."""
        if not value:
            return "{}\n"
        self._out = []
        self._map(value, "", "")
        return "".join(self._out)

    def _map(self, value: Mapping[str, Any], lead: str, pad: str) -> None:
        """VALUE's lines, indented by PAD; LEAD stands before the first."""
        for key in sorted(value):
            one = value[key]
            if len(key) > _LONG_KEY:
                self._out.append(f"{lead}? {_double(key)}\n{pad}: {_flow(one)}\n")
            elif isinstance(one, str):
                self._out.append(f"{lead}{self._key(key)}: {self._text(one, pad)}\n")
            else:
                self._after(one, f"{lead}{self._key(key)}:", pad, pad + "  ")
            lead = pad

    def _after(self, value: Any, head: str, pad: str, deeper: str) -> None:
        """What follows HEAD, where VALUE is no text: a list's lines are indented by PAD, a map's DEEPER."""
        if isinstance(value, dict | Mapping):  # dict first: it is what there is, and asking an ABC takes time
            self._out.append(f"{head}\n" if value else f"{head} {{}}\n")
            self._map(value, deeper, deeper)
        elif isinstance(value, list | tuple):
            self._out.append(f"{head}\n" if value else f"{head} []\n")
            self._list(value, pad, pad)
        else:
            self._out.append(f"{head} {_scalar(value)}\n")

    def _list(self, value: Sequence[Any], lead: str, pad: str) -> None:
        known = self._lists.get((id(value), pad))
        if known is not None and lead == pad:
            self._out.append(known[1])
            return
        begin, first, inner = len(self._out), lead, pad + "  "
        for one in value:
            if isinstance(one, str):
                self._out.append(f"{lead}- {self._text(one, pad)}\n")
            elif isinstance(one, dict | Mapping) and one:
                self._map(one, f"{lead}- ", inner)
            elif isinstance(one, list | tuple) and one:
                self._list(one, f"{lead}- ", inner)
            else:
                self._after(one, f"{lead}-", pad, inner)
            lead = pad
        if first == pad:
            self._lists[id(value), pad] = (value, "".join(self._out[begin:]))

    def _key(self, text: str) -> str:
        known = self._inline.get(text)
        if known is None:
            known = self._inline[text] = _inline(text)
        return known

    def _text(self, text: str, pad: str) -> str:
        if "\n" not in text:
            return self._key(text)
        known = self._literal.get((text, pad))
        if known is None:
            known = self._literal[text, pad] = _literal(text, pad + "  ") or _double(text)
        return known


def _inline(text: str) -> str:
    """TEXT on one line."""
    if "\n" in text:
        return _double(text)
    if _PLAIN.fullmatch(text) and not _NOT_PLAIN.search(text) and text.lower() not in _WORDS:
        return text
    if _VERSION.fullmatch(text):
        return text
    if _PRINTABLE.fullmatch(text) and "\t" not in text:
        return "'" + text.replace("'", "''") + "'"
    return _double(text)


def _literal(text: str, pad: str) -> str:
    """TEXT, of several lines, as a block that keeps them; "" where none can hold it."""
    lines = text.split("\n")
    if not text.strip("\n") or not all(map(_PRINTABLE.fullmatch, lines)):
        return ""
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    head = "|" + ("2" if text[0] in " \t\n" else "") + ("-" if ends == 0 else "+" if ends > 1 else "")
    block = "\n".join(pad + line if line else "" for line in body.split("\n"))
    return f"{head}\n{block}" + "\n" * max(0, ends - 1)


def _double(text: str) -> str:
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    sign = found[0]
    if sign in '"\\':
        return "\\" + sign
    if sign in "\n\t\r":
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}[sign]
    return f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}"


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _float(value)
    raise TypeError(f"a package holds {value!r}, of type {type(value).__name__}, which JSON does not know")


def _float(value: float) -> str:
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    text = repr(float(value))
    if "e" in text:
        digits, _, power = text.partition("e")
        text = f"{digits if '.' in digits else digits + '.0'}e{power if power[0] in '+-' else '+' + power}"
    return text


def _flow(value: Any) -> str:
    """VALUE on one line, after a key that is too long for a line of its own."""
    if isinstance(value, str):
        return _double(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"? {_double(key)} : {_flow(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def as_json(value: Mapping[str, Any]) -> str:
    """VALUE as JSON for people: sorted, indented."""
    return json.dumps(value, indent=2, sort_keys=True) + "\n"
