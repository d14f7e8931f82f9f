"""Templates: the form in which argv and env travel from the engine to the companion, and how they become text.

The engine substitutes what it knows (parameters, run names) once; what only the place of execution knows (local
paths, the ExecutorInput with its files) stays a reference. So a text is a list of parts, `{"t": text}` or `{"p":
reference}` (with `"in": "json"` inside a string of a JSON text), and joining never scans a text again: a user's value
that looks like a placeholder stays as it is.
Deciding what is substituted when is the engine's `placeholders`; this module has no dependency, so that both sides
can import it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any, Final, TypeAlias

Part: TypeAlias = dict[str, str]
Parts: TypeAlias = list[Part]
Resolve: TypeAlias = Callable[[str], str]

# One placeholder in a text; group 1 is the reference ("" for the whole ExecutorInput). Quoted names hold anything but
# a quote.
PLACEHOLDER: Final = re.compile(r"""\{\{\$(?:\.([A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\['[^']*'\]|\["[^"]*"\])*))?\}\}""")
EXECUTOR_INPUT: Final = "$"

_NAMED: Final = re.compile(
    r"""(inputs|outputs)\.(parameters|artifacts)\[(?:'([^']*)'|"([^"]*)")\](?:\.(\w+)(?:\[(?:'([^']*)'|"([^"]*)")\])?)?"""
)
_ARTIFACT_FIELDS: Final = frozenset({"", "uri", "path", "metadata"})


class Source(Enum):
    """What a reference points at."""

    EXECUTOR_INPUT = "executor_input"
    INPUT_PARAMETER = "input_parameter"
    INPUT_ARTIFACT = "input_artifact"
    OUTPUT_PARAMETER = "output_parameter"
    OUTPUT_ARTIFACT = "output_artifact"
    OUTPUT_METADATA_FILE = "output_metadata_file"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference: `field` is uri, path, metadata or output_file ("" is the whole), `key` a metadata key or
    None.
    """

    source: Source
    name: str = ""
    field: str = ""
    key: str | None = None


@lru_cache(maxsize=4096)
def parse_reference(text: str) -> Reference | None:
    """The reference that a placeholder's inner text (or a part's "p") means; None if it is none of ours."""
    if text in ("", EXECUTOR_INPUT):
        return Reference(Source.EXECUTOR_INPUT)
    if text in ("outputs.output_file", "outputMetadataUri"):
        return Reference(Source.OUTPUT_METADATA_FILE)
    if text.isidentifier():
        return Reference(Source.PLATFORM, text)
    match = _NAMED.fullmatch(text)
    if match is None:
        return None
    side, kind = match[1], match[2]
    name, field, key = match[3] or match[4] or "", match[5] or "", match[6] if match[6] is not None else match[7]
    if kind == "parameters":
        if side == "inputs" and not field:
            return Reference(Source.INPUT_PARAMETER, name)
        if side == "outputs" and field == "output_file" and key is None:
            return Reference(Source.OUTPUT_PARAMETER, name, field)
        return None
    if field not in _ARTIFACT_FIELDS or (key is not None and field != "metadata"):
        return None
    return Reference(Source.INPUT_ARTIFACT if side == "inputs" else Source.OUTPUT_ARTIFACT, name, field, key)


def text_part(text: str) -> Part:
    """A part that is text."""
    return {"t": text}


def late_part(reference: str) -> Part:
    """A part that is known only where the task runs."""
    return {"p": reference}


def json_part(reference: str) -> Part:
    """The same inside a string of a JSON text."""
    return {"p": reference, "in": "json"}


def merge(parts: Iterable[Part]) -> Parts:
    """The same parts with neighbouring texts joined and empty ones left out."""
    merged: Parts = []
    for part in parts:
        if "p" in part:
            merged.append(part)
        elif part["t"]:
            if merged and "t" in merged[-1]:
                merged[-1] = text_part(merged[-1]["t"] + part["t"])
            else:
                merged.append(part)
    return merged


def join(parts: Iterable[Part | str], resolve: Resolve) -> str:
    """The text of a template; `resolve` gives the text of each reference. A str, also as the whole template, is literal."""
    return "".join(_part_text(part, resolve) for part in parts)


def _part_text(part: Part | str, resolve: Resolve) -> str:
    if isinstance(part, str):
        return part
    if "t" in part:
        return part["t"]
    return _json(resolve(part["p"]))[1:-1] if "in" in part else resolve(part["p"])


def join_all(elements: Iterable[Iterable[Part | str]], resolve: Resolve) -> list[str]:
    """The argv of a list of templates."""
    return [join(parts, resolve) for parts in elements]


class UnknownReference(LookupError):  # noqa: N818 - it is what the template asked for, not an error of the program
    """A reference to something that the task does not have; the message names it."""


@dataclass(frozen=True, slots=True)
class LocalResolver:
    """Resolves references from the final ExecutorInput (protojson form, with its local files), as `join` wants it.

    `local_path` maps an artifact entry to its path here.
    """

    executor_input: Mapping[str, Any]
    local_path: Callable[[Mapping[str, Any]], str]
    large: Mapping[str, str] = field(default_factory=dict)  # texts that stand in for large values → their JSON texts

    def __call__(self, text: str) -> str:
        """The text of one reference."""
        reference = parse_reference(text)
        if reference is None:
            raise UnknownReference(f"unknown placeholder {{{{$.{text}}}}}")
        if reference.source is Source.EXECUTOR_INPUT:
            text = _json(self.executor_input)
            for stand_in, value in self.large.items():
                text = text.replace(_json(stand_in), value, 1)
            return text
        if reference.source is Source.INPUT_PARAMETER:
            found = self.executor_input.get("inputs", {}).get("parameterValues", {}).get(reference.name)
            text = self.large.get(found, "") if isinstance(found, str) else ""
            return (json.loads(text) if text.startswith('"') else text) if text else _text(found)
        outputs = self.executor_input.get("outputs", {})
        if reference.source is Source.OUTPUT_METADATA_FILE:
            return str(outputs.get("outputFile", ""))
        if reference.source is Source.OUTPUT_PARAMETER and reference.name in outputs.get("parameters", {}):
            return str(outputs["parameters"][reference.name]["outputFile"])
        if reference.source in (Source.INPUT_ARTIFACT, Source.OUTPUT_ARTIFACT):
            side = "inputs" if reference.source is Source.INPUT_ARTIFACT else "outputs"
            artifacts = self.executor_input.get(side, {}).get("artifacts", {})
            if reference.name in artifacts or side == "inputs":
                # An optional input that was not given is not in the ExecutorInput; it reads as empty text.
                entries = artifacts.get(reference.name, {}).get("artifacts", [])
                if not reference.field:
                    return _json(entries) if reference.name in artifacts else ""
                return artifact_text(reference, entries, self.local_path)
        raise UnknownReference(f"{{{{$.{text}}}}} names nothing that this task has")


def artifact_text(
    reference: Reference, entries: Sequence[Mapping[str, Any]], local_path: Callable[[Mapping[str, Any]], str] | None
) -> str:
    """The text of a field of an artifact reference, which speaks of the first artifact."""
    if not entries:
        return ""
    first = entries[0]
    if reference.field == "uri":
        return str(first.get("uri", ""))
    if reference.field == "path":
        if local_path is None:
            raise UnknownReference(f"the path of artifact '{reference.name}' is known only where the task runs")
        return local_path(first)
    metadata = first.get("metadata", {})
    return _json(metadata) if reference.key is None else _text(metadata.get(reference.key))


def _text(value: Any) -> str:
    """Text form (kfp-semantics 2.5) of a metadata value; the engine's own is not importable from here."""
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
