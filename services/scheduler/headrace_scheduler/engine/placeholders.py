"""Placeholders: `{{$.inputs.parameters['lr']}}` and its kin, IfPresent and Concat (kfp-semantics, section 3). Pure.

Every template is scanned once, from left to right; what was put in is never scanned again. What only the place of
execution knows (local paths, the ExecutorInput) stays a reference of the template form in
`headrace_companion.templates`, which the companion joins. Called by the engine for argv, env, image, resources,
constants and importer metadata.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from headrace_companion.templates import (
    EXECUTOR_INPUT,
    PLACEHOLDER,
    Part,
    Parts,
    Reference,
    Resolve,
    Source,
    artifact_text,
    join,
    json_part,
    late_part,
    merge,
    parse_reference,
    text_part,
)
from headrace_ir.checks.placeholders import PLATFORM
from headrace_ir.references import Held, ValueRef
from headrace_ir.values import Value, encode, text_of

_STRUCTURE: Final = re.compile(r'\s*\{\s*"(?:IfPresent|Concat)"\s*:')
_MAX_DEPTH: Final = 50


class PlaceholderProblem(ValueError):  # noqa: N818 - "problem" is the project's word for what a user can cause
    """A template that cannot be filled; `sentence` says which placeholder and why."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Scope:
    """What a task's templates can see.

    `parameters` are the resolved inputs with defaults applied; optional ones that were not given map to None (empty
    text), and a name that is missing is an error. `artifacts` are lists of RuntimeArtifact structs, likewise empty
    where not given. `platform` maps names of PLATFORM to texts.
    Output names are the component's declared ones. `late_parameters` are inputs whose constant holds references (see
    `constant_parts`). With `late`, references are resolved at once: one phase.
    """

    parameters: Mapping[str, Held]
    artifacts: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    platform: Mapping[str, str] = field(default_factory=dict)
    output_parameters: frozenset[str] = frozenset()
    output_artifacts: frozenset[str] = frozenset()
    late_parameters: Mapping[str, Parts] = field(default_factory=dict)
    late: Resolve | None = None


def template(text: str, scope: Scope) -> Parts:
    """The parts of one text (env value, flat argv element): known placeholders filled, late ones kept as references."""
    if "{{$" not in text:
        return [text_part(text)] if text else []
    parts: Parts = []
    end = 0
    for match in PLACEHOLDER.finditer(text):
        parts.append(text_part(text[end : match.start()]))
        parts += _fill(match, scope)
        end = match.end()
    parts.append(text_part(text[end:]))
    return merge(parts)


def substitute(text: str, scope: Scope) -> str:
    """The text with every placeholder filled, for places that the engine itself must know (image, resources,
    importer).
    """
    return join(template(text, scope), scope.late or _refuse)


def substitute_value(value: Value, scope: Scope, *, keep_type: bool = False) -> Value:
    """`substitute` in every string of a value, keys included.

    `keep_type`: a string that is one parameter placeholder and nothing else becomes the parameter's value instead of
    its text (resources and importer metadata, where numbers must stay numbers).
    """
    if isinstance(value, str):
        if keep_type and (name := _only_parameter(value)) is not None and name in scope.parameters:
            found = scope.parameters[name]
            return found if not isinstance(found, ValueRef) else _refuse(f"inputs.parameters['{name}']")
        return substitute(value, scope)
    if isinstance(value, list):
        return [substitute_value(item, scope, keep_type=keep_type) for item in value]
    if isinstance(value, dict):
        return {
            substitute(key, scope): substitute_value(item, scope, keep_type=keep_type) for key, item in value.items()
        }
    return value


def constant(value: Value, scope: Scope) -> Value:
    """A constant of the IR with the task's own inputs and run names put in (3.3); other placeholders stay as they
    are.
    """
    if isinstance(value, str):
        return join(constant_parts(value, scope), _literal)
    if isinstance(value, list):
        return [constant(item, scope) for item in value]
    if isinstance(value, dict):
        return {str(constant(key, scope)): constant(item, scope) for key, item in value.items()}
    return value


def constant_parts(text: str, scope: Scope) -> Parts:
    """The parts of a constant string. Where any is a reference (such as `{{$.outputs.output_file}}`), the engine
    gives the parts in `Scope.late_parameters`, so that argv gets the path without a second scan.
    """
    parts: Parts = []
    end = 0
    for match in PLACEHOLDER.finditer(text):
        reference = parse_reference(match[1] or "")
        parts.append(text_part(text[end : match.start()]))
        if reference and reference.source in (Source.INPUT_PARAMETER, Source.PLATFORM):
            parts += _fill(match, scope)
        elif reference and reference.source in (Source.EXECUTOR_INPUT, Source.OUTPUT_METADATA_FILE):
            parts.append(late_part(match[1] or EXECUTOR_INPUT))
        else:
            parts.append(text_part(match[0]))
        end = match.end()
    parts.append(text_part(text[end:]))
    return merge(parts)


def late_constants(
    inputs: Mapping[str, Held], constants: Mapping[str, Value], platform: Mapping[str, str]
) -> dict[str, Parts]:
    """Those of a task's constants, as the pipeline has them, that hold references: the parts of their JSON texts. (The
    resolved inputs hold users' texts, which are never scanned.) A constant that became another type is left out.
    """
    scope = Scope(parameters=inputs, platform=platform)
    late: dict[str, Parts] = {}
    for name, value in constants.items():
        parts = merge(_json_parts(value, scope))
        if any("p" in part for part in parts) and isinstance(inputs.get(name), type(value)):
            late[name] = parts
    return late


def late_texts(late: Mapping[str, Parts], constants: Mapping[str, Value], scope: Scope) -> dict[str, Parts]:
    """`Scope.late_parameters` of a task: the text forms of what `late_constants` gives."""
    texts = {name: constants[name] for name in late}
    return {
        name: constant_parts(value, scope) if isinstance(value, str) else late[name] for name, value in texts.items()
    }


def _json_parts(value: Value, scope: Scope) -> Iterator[Part]:
    """The JSON text of a constant, with references inside its strings."""
    if isinstance(value, str):
        yield text_part('"')
        for part in constant_parts(value, scope):
            yield json_part(part["p"]) if "p" in part else text_part(encode(part["t"])[1:-1])
        yield text_part('"')
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield text_part("," if number else "[")
            yield from _json_parts(item, scope)
        yield text_part("]" if value else "[]")
    elif isinstance(value, dict):
        for number, (key, item) in enumerate(value.items()):
            yield text_part("," if number else "{")
            yield from _json_parts(key, scope)
            yield text_part(":")
            yield from _json_parts(item, scope)
        yield text_part("}" if value else "{}")
    else:
        yield text_part(encode(value))


def expand_argv(elements: Iterable[str], scope: Scope) -> list[Parts]:
    """Command or args as templates: structures resolved first (lists splice elements), then flat placeholders."""
    argv: list[Parts] = []
    for element in elements:
        argv += _expand(element, scope, 0)
    return argv


# --- flat placeholders ------------------------------------------------------------------------------------------------


def _fill(match: re.Match[str], scope: Scope) -> Parts:
    inner = match[1] or ""
    reference = parse_reference(inner)
    if reference is None:
        return [text_part(match[0])]
    if reference.source is Source.INPUT_PARAMETER:
        return _parameter(reference.name, scope)
    if reference.source is Source.PLATFORM:
        return [text_part(scope.platform.get(reference.name, match[0]) if reference.name in PLATFORM else match[0])]
    if reference.source is Source.INPUT_ARTIFACT:
        return _input_artifact(inner, reference, scope)
    declared = {Source.OUTPUT_PARAMETER: scope.output_parameters, Source.OUTPUT_ARTIFACT: scope.output_artifacts}
    names = declared.get(reference.source)
    if names is not None and reference.name not in names:
        raise _unknown(reference, names)
    return [late_part(inner or EXECUTOR_INPUT)]


def _parameter(name: str, scope: Scope) -> Parts:
    if name in scope.late_parameters:
        return list(scope.late_parameters[name])
    if name not in scope.parameters:
        raise _unknown(Reference(Source.INPUT_PARAMETER, name), scope.parameters)
    value = scope.parameters[name]
    if isinstance(value, ValueRef):
        quote = '"' if "'" in name else "'"
        return [late_part(f"inputs.parameters[{quote}{name}{quote}]")]
    return [text_part(text_of(value))]


def _input_artifact(inner: str, reference: Reference, scope: Scope) -> Parts:
    if reference.name not in scope.artifacts:
        raise _unknown(reference, scope.artifacts)
    entries = scope.artifacts[reference.name]
    if reference.field == "" or (reference.field == "path" and entries):
        return [late_part(inner)]  # the whole names local paths, as the ExecutorInput does
    if reference.key is not None and entries:
        return [text_part(text_of(entries[0].get("metadata", {}).get(reference.key)))]
    if reference.field == "metadata" and entries:
        return [text_part(encode(dict(entries[0].get("metadata", {}))))]
    return [text_part(artifact_text(reference, entries, None))]


def _only_parameter(text: str) -> str | None:
    match = PLACEHOLDER.fullmatch(text)
    reference = parse_reference(match[1] or "") if match else None
    return reference.name if reference and reference.source is Source.INPUT_PARAMETER else None


def _unknown(reference: Reference, names: Iterable[str]) -> PlaceholderProblem:
    kind = reference.source.value.replace("_", " ")
    listed = sorted(names)
    known = ", ".join(listed[:10]) + (", …" if len(listed) > 10 else "") if listed else "none"
    return PlaceholderProblem(f"a placeholder names the {kind} '{reference.name}', but the task has {known}")


def _literal(reference: str) -> str:
    return "{{$}}" if reference == EXECUTOR_INPUT else f"{{{{$.{reference}}}}}"


def _refuse(reference: str) -> str:
    named = parse_reference(reference)
    if named is not None and named.source is Source.INPUT_PARAMETER:
        raise PlaceholderProblem(f"the value of input '{named.name}' is too large to be used here: it is above 32 KiB")
    raise PlaceholderProblem(f"{_literal(reference)} is known only where the task runs and cannot be used here")


# --- structures -------------------------------------------------------------------------------------------------------


def _expand(element: str, scope: Scope, depth: int) -> list[Parts]:
    if not _STRUCTURE.match(element):
        return [template(element, scope)]
    try:
        structure = json.loads(element)
    except (json.JSONDecodeError, RecursionError) as error:
        raise PlaceholderProblem(f"an argument begins like IfPresent or Concat but is not JSON: {error}") from None
    return _structure(structure, scope, depth)


def _structure(item: object, scope: Scope, depth: int) -> list[Parts]:
    """The argv elements of a string or structure; none where an IfPresent without Else is not met."""
    if depth > _MAX_DEPTH:
        raise PlaceholderProblem(f"IfPresent and Concat are nested deeper than {_MAX_DEPTH} levels")
    if isinstance(item, str):
        return _expand(item, scope, depth + 1)
    if isinstance(item, dict) and item.keys() == {"Concat"} and isinstance(item["Concat"], list):
        return [_concat(item["Concat"], scope, depth)]
    if isinstance(item, dict) and item.keys() == {"IfPresent"} and isinstance(item["IfPresent"], dict):
        branch = _branch(item["IfPresent"], scope)
        items = branch if isinstance(branch, list) else [] if branch is None else [branch]
        return [parts for entry in items for parts in _structure(entry, scope, depth + 1)]
    raise PlaceholderProblem(f"an argument must be text, IfPresent or Concat, got {json.dumps(item)[:80]}")


def _concat(items: list[object], scope: Scope, depth: int) -> Parts:
    joined: list[Part] = []
    for item in items:
        resolved = _structure(item, scope, depth + 1)
        if len(resolved) > 1:
            raise PlaceholderProblem("an IfPresent inside Concat gives a list; write one text there")
        joined += resolved[0] if resolved else []
    return merge(joined)


def _branch(condition: dict[str, object], scope: Scope) -> object:
    name = condition.get("InputName")
    unknown = condition.keys() - {"InputName", "Then", "Else"}
    if not isinstance(name, str) or "Then" not in condition or unknown:
        raise PlaceholderProblem("IfPresent needs InputName and Then, and may have Else; nothing more")
    present = scope.parameters.get(name) is not None or bool(scope.artifacts.get(name)) or name in scope.late_parameters
    return condition["Then"] if present else condition.get("Else")
