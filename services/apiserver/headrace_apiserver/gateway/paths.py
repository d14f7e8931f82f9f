"""Path templates of google.api.http: compiled to patterns and matched against raw (still percent-encoded) paths.

Pure. The grammar is the annotation's: literals, `*`, `**`, `{field.path}`, `{field.path=segments}` and a `:verb` at the end.
Called by gateway.routes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

_TOKEN = re.compile(r"\{(?P<field>[A-Za-z0-9_.]+)(?:=(?P<inner>[^}]*))?\}|(?P<deep>\*\*)|(?P<one>\*)|(?P<text>[^{}*]+)")


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """One template. `rank` orders templates that match the same path: literal segments win over variables."""

    text: str
    pattern: re.Pattern[str]
    fields: tuple[str, ...]
    rank: tuple[int, ...]

    def match(self, raw_path: str) -> dict[str, str] | None:
        """The decoded value of each field, or None where the path is another."""
        found = self.pattern.fullmatch(raw_path)
        if found is None:
            return None
        return {name: unquote(value) for name, value in zip(self.fields, found.groups(), strict=True)}


def compile_template(template: str) -> PathTemplate:
    """Raises ValueError for a template outside the grammar, so that a wrong annotation fails at start-up."""
    pattern, fields, place = "", [], 0
    while place < len(template):
        token = _TOKEN.match(template, place)
        if token is None:
            raise ValueError(f"path template {template!r} is wrong at character {place}")
        if token["field"]:
            fields.append(token["field"])
            pattern += f"({_segments(token['inner'] or '*')})"
        else:
            pattern += _segments(token[0])
        place = token.end()
    rank = tuple(1 if "{" in part or "*" in part else 0 for part in template.split("/"))
    return PathTemplate(template, re.compile(pattern), tuple(fields), rank)


def _segments(text: str) -> str:
    parts = re.split(r"(\*\*|\*)", text)
    return "".join({"*": "[^/]+", "**": ".+"}.get(part) or re.escape(part) for part in parts)
