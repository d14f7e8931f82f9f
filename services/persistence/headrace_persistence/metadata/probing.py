"""Probes of a filter: queries by an index for what can fit it, which are asked before the list. Pure; called by filtering.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from headrace_persistence.metadata import filter_columns as fc
from headrace_persistence.metadata.compiling import Compiler, Conjunct, Part, path
from headrace_persistence.metadata.filter_columns import STRING, Column
from headrace_persistence.metadata.kinds import Kind

MOST: Final = 8  # of one filter: each is a query, and the list asks for the rest


@dataclass(frozen=True, slots=True)
class Probe:
    """A query for the ids of all nodes that can fit, by an index: where it finds few, only those need to be looked at. `answers`:
    the alias of which it says all that the filter asks. `walk`: the same as a condition on the property's rows `w`, for where it
    finds many.
    """

    text: str
    params: dict[str, Any]
    answers: frozenset[str] = frozenset()
    walk: str = ""


def probes(kind: Kind, conjuncts: Sequence[Conjunct]) -> tuple[Probe, ...]:
    """For comparisons with literals: all that is asked of a property together, or of what something connected is known by."""
    return tuple(islice(_probes(kind, conjuncts), MOST))


def _probes(kind: Kind, conjuncts: Sequence[Conjunct]) -> Iterator[Probe]:
    properties: dict[tuple[str, ...], list[tuple[str, Any]]] = {}
    aliases: set[str] = set()
    for number, one in enumerate(conjuncts):
        bounds = list(_bounds(one.tree))
        words = path(one.tree.children[0].children[0]) if bounds else [""]
        if words[0] in fc.PREFIXES:
            properties.setdefault(tuple(words), []).extend(bounds)
        elif words[1:] and words[1] in fc.KNOWN_BY and bounds[0][0] == "=" and words[0] not in aliases:
            aliases.add(words[0])
            if (near := fc.neighbour(kind, words[0])) is not None:
                yield _of_neighbour(kind, near, words[0], conjuncts, f"fp{number}_")
    for number, (named, bounds) in enumerate(properties.items()):
        if probe := _of_property(Compiler(kind, f"fq{number}_"), named, bounds):
            yield probe


def _bounds(tree: Any) -> Iterator[tuple[str, Any]]:
    """The operators and literals that a condition compares a column with; nothing where it does something else."""
    if tree.data == "compared":
        left, operator, right = tree.children
        bounds = [(str(operator), right)]
    elif tree.data == "between":
        left, low, high = tree.children
        bounds = [(">=", low), ("<=", high)]
    else:
        return
    literals = [one.children[1] if one.data == "signed" else one for _, one in bounds]
    if left.data == "column" and all(one.data in ("integer", "float", "string") for one in literals):
        yield from bounds


def _of_neighbour(kind: Kind, near: fc.Neighbour, alias: str, conjuncts: Sequence[Conjunct], prefix: str) -> Probe:
    """All that is asked of the alias alone; the whole answer where nothing is asked of it together with something else."""
    compiler = _Alone(kind, prefix)
    asked = [one for one in conjuncts if alias in one.words]
    own = [one for one in asked if one.words == {alias}]
    fits = " AND ".join(f"({compiler.part(one.tree).sql})" for one in own)
    return Probe(near.ids.format(fits=fits), compiler.params, frozenset({alias} if len(own) == len(asked) else ()))


def _of_property(compiler: Compiler, words: Sequence[str], bounds: Sequence[tuple[str, Any]]) -> Probe | None:
    """Numbers are read in the order of their index, whatever is estimated; what `walk` says no index of values has."""
    custom, name, column = str(words[0] == "custom_properties").lower(), words[1], words[2]
    operators, unchanged = fc.INDEXED.get(column, ((), ""))
    found = [(operator, compiler.part(value).sql) for operator, value in bounds if operator in operators]
    if not found or name in fc.MADE[compiler.kind.number]:
        return None
    named = compiler.parameter(name, STRING).sql
    text = fc.PROBED.format(kind=compiler.kind.number, custom=custom, name=named)
    if column == "string_value":
        text += "".join(
            f" AND p.string_value = {value} AND left(p.string_value, {fc.LED}) = left({value}, {fc.LED})"
            for _, value in found
        )
    else:  # with = there would be no order
        ranges = [(one, value) for operator, value in found for one in fc.RANGES.get(operator, (operator,))]
        text += "".join(f" AND p.{column} {one} {value}" for one, value in ranges) + f" ORDER BY p.{column}"
    walk = "".join(f" AND (w.{column} {unchanged} {operator} {value}) IS TRUE" for operator, value in found)
    return Probe(text, compiler.params, walk=f" AND w.custom = {custom} AND w.name = {named}{walk}")


class _Alone(Compiler):
    """Of conditions on one alias, whose rows are `s`."""

    def of(self, name: str, source: str, column: Column) -> Part:
        return Part(f"s.{column.sql}", column.type, column.enum)
