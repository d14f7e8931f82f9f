"""filter_query → a condition in SQL on a node `n`, every value a parameter. Pure.

Parsed by the grammar in filter.lark, checked for types as it is compiled, so that a mistake is a sentence and never reaches
Postgres. Text compares by bytes; LIKE does not tell upper from lower case, as in the official in-process store.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from headrace_persistence.metadata import filter_columns as fc
from headrace_persistence.metadata.filter_columns import BOOLEAN, DOUBLE, INTEGER, NULL, STRING, Column
from headrace_persistence.metadata.kinds import Kind
from headrace_servicekit.errors import Reason, ServiceError

LONGEST: Final = 100_000  # characters of a filter
DEEPEST: Final = 200  # brackets in brackets
LARGEST: Final = 2**63 - 1


@cache
def parser() -> Any:
    """The parser, made once: that takes a tenth of a second, and most platforms never need it."""
    from lark import Lark

    text = (Path(__file__).parent / "filter.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", maybe_placeholders=False, propagate_positions=False)


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL that begins with AND, and its parameters."""

    text: str
    params: dict[str, Any]
    probes: tuple[Probe, ...] = ()


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


@dataclass(frozen=True, slots=True)
class _Part:
    """An expression: SQL, its type, and what names an enum's numbers where it is a column of one."""

    sql: str
    type: str
    enum: Any = None


@lru_cache(maxsize=32)
def condition(kind: Kind, query: str, prefix: str = "f", known: frozenset[str] = frozenset()) -> Condition:
    """What QUERY demands of nodes of KIND, but of the aliases KNOWN; INVALID_ARGUMENT with a sentence where it is wrong. Kept for
    the next page.
    """
    if not query:
        return Condition("", {})
    if len(query) > LONGEST:
        raise wrong(f"it has {len(query)} characters, at most {LONGEST} can be read")
    tree = _tree(query)
    if _depth(tree) > DEEPEST:
        raise wrong(f"it is more than {DEEPEST} levels deep")
    conjuncts = _conjuncts(tree)
    compiler = _Compiler(kind, prefix)
    if known:
        parts = [compiler.part(one).sql for one in conjuncts if not _words(one) & known]
        return Condition(f" AND {compiler.joined(_all(parts))}" if parts else "", compiler.params)
    made = compiler.part(tree)
    if made.type not in (BOOLEAN, NULL):
        raise wrong(f"it is {made.type}, not a condition")
    return Condition(f" AND {compiler.joined(made.sql)}", compiler.params, tuple(_probes(kind, conjuncts, prefix)))


def wrong(why: str) -> ServiceError:
    """What every mistake in a filter is answered with."""
    return ServiceError(Reason.INVALID_INPUT, f"filter_query: {why}")


def _tree(query: str) -> Any:
    from lark.exceptions import UnexpectedInput, UnexpectedToken

    try:
        return parser().parse(query)
    except UnexpectedInput as unexpected:
        at = unexpected.pos_in_stream
        ended = isinstance(unexpected, UnexpectedToken) and unexpected.token.type == "$END"
        if ended or at is None or not 0 <= at < len(query):
            raise wrong("it ends where more is needed") from None
        raise wrong(f"cannot be read from {query[at : at + 40]!r} on") from None


def _depth(tree: Any) -> int:
    deepest, level = 0, [tree]
    while level:
        deepest += 1
        level = [child for one in level for child in getattr(one, "children", ())]
    return deepest


def _conjuncts(tree: Any) -> list[Any]:
    """What must all be true."""
    return [one for child in tree.children for one in _conjuncts(child)] if tree.data == "both" else [tree]


def _words(tree: Any) -> frozenset[str]:
    """What the names of columns in it begin with: an alias, an attribute of the node, an enum's word."""
    return frozenset(_path(one.children[0])[0] for one in tree.iter_subtrees() if one.data == "column")


def _all(parts: Sequence[str]) -> str:
    return " AND ".join(f"({part})" for part in parts)


def _probes(kind: Kind, conjuncts: Sequence[Any], prefix: str) -> Iterator[Probe]:
    """For comparisons with literals: all that is asked of a property together, or of what something connected is known by."""
    properties: dict[tuple[str, ...], list[tuple[str, Any]]] = {}
    aliases: set[str] = set()
    for number, one in enumerate(conjuncts):
        bounds = list(_bounds(one))
        words = _path(one.children[0].children[0]) if bounds else [""]
        if words[0] in fc.PREFIXES:
            properties.setdefault(tuple(words), []).extend(bounds)
        elif words[1:] and words[1] in fc.KNOWN_BY and bounds[0][0] == "=" and words[0] not in aliases:
            aliases.add(words[0])
            if (near := fc.neighbour(kind, words[0])) is not None:
                yield _probe_neighbour(kind, near, words[0], conjuncts, f"{prefix}p{number}_")
    for number, (path, bounds) in enumerate(properties.items()):
        if probe := _probe_property(_Compiler(kind, f"{prefix}q{number}_"), path, bounds):
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


def _probe_neighbour(kind: Kind, near: fc.Neighbour, alias: str, conjuncts: Sequence[Any], prefix: str) -> Probe:
    """All that is asked of the alias alone; the whole answer where nothing is asked of it together with something else."""
    compiler = _Alone(kind, prefix)
    own = [one for one in conjuncts if _words(one) == {alias}]
    text = near.ids.format(fits=_all([compiler.part(one).sql for one in own]))
    whole = all(_words(one) == {alias} for one in conjuncts if alias in _words(one))
    return Probe(text, compiler.params, frozenset({alias} if whole else ()))


def _probe_property(compiler: _Compiler, words: Sequence[str], bounds: Sequence[tuple[str, Any]]) -> Probe | None:
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


@dataclass(slots=True)
class _Compiler:
    kind: Kind
    prefix: str
    params: dict[str, Any] = field(default_factory=dict)
    joins: dict[str, str] = field(default_factory=dict)  # alias in the filter → SQL of its rows

    def joined(self, sql: str) -> str:
        """SQL where something connected fits it; OFFSET 0 keeps the planner from turning it inside out."""
        if not self.joins:
            return f"({sql})"
        rows = ", ".join(f"LATERAL ({source} OFFSET 0) AS {self._alias(name)}" for name, source in self.joins.items())
        return f"EXISTS (SELECT FROM {rows} WHERE ({sql}) OFFSET 0)"

    def part(self, tree: Any) -> _Part:
        compiled: Callable[[Sequence[Any]], _Part] = getattr(self, f"_{tree.data}")
        return compiled(tree.children)

    # ── what combines conditions ──

    def _either(self, children: Sequence[Any]) -> _Part:
        return self._combined(children, "OR")

    def _both(self, children: Sequence[Any]) -> _Part:
        return self._combined(children, "AND")

    def _combined(self, children: Sequence[Any], word: str) -> _Part:
        return _Part(f" {word} ".join(f"({self._boolean(child).sql})" for child in children), BOOLEAN)

    def _negated(self, children: Sequence[Any]) -> _Part:
        return _Part(f"NOT ({self._boolean(children[0]).sql})", BOOLEAN)

    def _boolean(self, tree: Any) -> _Part:
        part = self.part(tree)
        if part.type not in (BOOLEAN, NULL):
            raise wrong(f"{part.type} stands where a condition is needed")
        return part

    # ── comparisons ──

    def _compared(self, children: Sequence[Any]) -> _Part:
        left, operator, right = children
        column = self._enum(left)
        if column is not None and operator in ("=", "!=", "<>"):
            number = self._number_of(column, right)
            if operator == "=":
                return _Part(f"{column.sql} = {number}", BOOLEAN)
            return _Part(f"({column.sql} <> {number} OR {column.sql} IS NULL)", BOOLEAN)
        parts = self.part(left), self.part(right)
        if NULL in (parts[0].type, parts[1].type):
            raise wrong("nothing equals NULL: ask IS NULL or IS NOT NULL")
        one, other = self._alike(*parts)
        sign = "<>" if operator == "!=" else str(operator)
        return _Part(f"{one} {sign} {other}", BOOLEAN)

    def _within(self, children: Sequence[Any], *, negated: bool = False) -> _Part:
        word = "NOT IN" if negated else "IN"
        column = self._enum(children[0])
        if column is not None:
            numbers = ", ".join(str(self._number_of(column, one)) for one in children[1:])
            made = f"{column.sql} {word} ({numbers})"
            return _Part(f"({made} OR {column.sql} IS NULL)" if negated else made, BOOLEAN)
        left = self.part(children[0])
        others = [self.part(one) for one in children[1:]]
        pairs = [self._alike(left, other) for other in others]
        return _Part(f"{pairs[0][0]} {word} ({', '.join(other for _, other in pairs)})", BOOLEAN)

    def _not_within(self, children: Sequence[Any]) -> _Part:
        return self._within(children, negated=True)

    def _like(self, children: Sequence[Any], *, negated: bool = False) -> _Part:
        left, right = self.part(children[0]), self.part(children[1])
        if {left.type, right.type} != {STRING}:
            raise wrong("LIKE compares strings")
        word = "NOT ILIKE" if negated else "ILIKE"
        return _Part(f"({left.sql}) COLLATE \"C\" {word} ({right.sql}) ESCAPE ''", BOOLEAN)

    def _not_like(self, children: Sequence[Any]) -> _Part:
        return self._like(children, negated=True)

    def _between(self, children: Sequence[Any], *, negated: bool = False) -> _Part:
        middle, low, high = (self.part(child) for child in children)
        one, least = self._alike(middle, low)
        _, most = self._alike(middle, high)
        return _Part(f"{one} {'NOT ' if negated else ''}BETWEEN {least} AND {most}", BOOLEAN)

    def _not_between(self, children: Sequence[Any]) -> _Part:
        return self._between(children, negated=True)

    def _is_null(self, children: Sequence[Any]) -> _Part:
        return _Part(f"({self.part(children[0]).sql}) IS NULL", BOOLEAN)

    def _is_not_null(self, children: Sequence[Any]) -> _Part:
        return _Part(f"({self.part(children[0]).sql}) IS NOT NULL", BOOLEAN)

    def _is_truth(self, children: Sequence[Any]) -> _Part:
        return _Part(f"({self._boolean(children[0]).sql}) IS {self.part(children[1]).sql}", BOOLEAN)

    def _is_not_truth(self, children: Sequence[Any]) -> _Part:
        return _Part(f"({self._boolean(children[0]).sql}) IS NOT {self.part(children[1]).sql}", BOOLEAN)

    def _alike(self, left: _Part, right: _Part) -> tuple[str, str]:
        numbers = {INTEGER, DOUBLE}
        fits = NULL in (left.type, right.type) or left.type == right.type or {left.type, right.type} <= numbers
        if not fits:
            raise wrong(f"{left.type} and {right.type} cannot be compared")
        return f"({left.sql})", f"({right.sql})"

    # ── enums: bare words beside the columns that hold them ──

    def _enum(self, tree: Any) -> _Part | None:
        if tree.data != "column":
            return None
        part = self.part(tree)
        return part if part.enum is not None else None

    def _number_of(self, column: _Part, tree: Any) -> int:
        words = _path(tree.children[0]) if tree.data == "column" else []
        if len(words) != 1 or words[0] not in column.enum:
            raise wrong(f"a state or an event's type is compared with one of {', '.join(column.enum)}")
        return int(column.enum[words[0]])

    # ── numbers, texts, columns ──

    def _sum(self, children: Sequence[Any]) -> _Part:
        return self._calculated(children)

    def _product(self, children: Sequence[Any]) -> _Part:
        return self._calculated(children)

    def _calculated(self, children: Sequence[Any]) -> _Part:
        parts = [self._number(child) for child in children[::2]]
        signs = [str(sign) for sign in children[1::2]]
        type_ = DOUBLE if "/" in signs or any(part.type == DOUBLE for part in parts) else INTEGER
        sql = f"({parts[0].sql})" + (f"::{_SQL_TYPES[DOUBLE]}" if type_ == DOUBLE else "")
        for sign, part in zip(signs, parts[1:], strict=True):
            divisor = f"nullif(({part.sql}), 0)" if sign == "/" else f"({part.sql})"
            sql = f"({sql} {sign} {divisor})"
        return _Part(sql, type_)

    def _signed(self, children: Sequence[Any]) -> _Part:
        sign, tree = children
        part = self._number(tree)
        return _Part(f"{sign}({part.sql})", part.type)

    def _number(self, tree: Any) -> _Part:
        part = self.part(tree)
        if part.type not in (INTEGER, DOUBLE, NULL):
            raise wrong(f"{part.type} stands where a number is needed")
        return part

    def _truth(self, children: Sequence[Any]) -> _Part:
        return _Part(str(children[0]).upper(), BOOLEAN)

    def _null(self, children: Sequence[Any]) -> _Part:
        return _Part("NULL", NULL)

    def _integer(self, children: Sequence[Any]) -> _Part:
        number = int(children[0], 16 if children[0][:2] in ("0x", "0X") else 10)
        if number > LARGEST:
            raise wrong(f"{children[0]} is too large for an integer")
        return self.parameter(number, INTEGER)

    def _float(self, children: Sequence[Any]) -> _Part:
        return self.parameter(float(children[0]), DOUBLE)

    def _string(self, children: Sequence[Any]) -> _Part:
        text = _ESCAPE.sub(_unescaped, str(children[0])[1:-1])
        if "\0" in text:
            raise wrong("a string holds a NUL character")
        return self.parameter(text, STRING)

    def parameter(self, value: Any, type_: str) -> _Part:
        name = f"{self.prefix}{len(self.params)}"
        self.params[name] = value
        return _Part(f"%({name})s::{_SQL_TYPES[type_]}", type_)

    def _column(self, children: Sequence[Any]) -> _Part:
        words = _path(children[0])
        if words[0] in fc.PREFIXES and len(words) == 3:
            return self._property(words[0] == "custom_properties", words[1], words[2])
        near = fc.neighbour(self.kind, words[0])
        if near is not None and len(words) == 2 and words[1] in near.columns:
            return self._of(words[0], near.source, near.columns[words[1]])
        own = fc.ATTRIBUTES[self.kind.number].get(words[0])
        if own is None or len(words) > 1:
            raise wrong(f"{self.kind.word}s have no {'.'.join(words)}")
        return _Part(f"n.{own.sql}", own.type, own.enum)

    def _property(self, custom: bool, name: str, column: str) -> _Part:
        found = fc.PROPERTY.get(column)
        if found is None:
            raise wrong(f"a property has no {column}; use one of {', '.join(fc.PROPERTY)}")
        key = f"{'custom' if custom else 'declared'}:{name}"
        source = self.joins.get(key)
        if source is None:
            wanted = self.parameter(name, STRING).sql
            source = fc.PROPERTIES.format(kind=self.kind.number, custom=str(custom).lower(), name=wanted)
        return self._of(key, source, found)

    def _of(self, name: str, source: str, column: Column) -> _Part:
        self.joins.setdefault(name, source)
        return _Part(f"{self._alias(name)}.{column.sql}", column.type, column.enum)

    def _alias(self, name: str) -> str:
        return f"{self.prefix}_{list(self.joins).index(name)}"


class _Alone(_Compiler):
    """Of conditions on one alias, whose rows are `s`."""

    def _of(self, name: str, source: str, column: Column) -> _Part:
        return _Part(f"s.{column.sql}", column.type, column.enum)


def _path(path: Any) -> list[str]:
    return [_word(name.children[0]) for name in path.children]


def _word(token: Any) -> str:
    return str(token)[1:-1] if token.type == "QUOTED" else str(token)


def _unescaped(found: re.Match[str]) -> str:
    escaped = found[0][1:]
    if len(escaped) > 1:
        number = int(escaped, 8) if escaped[0].isdigit() else int(escaped[1:], 16)
        if 0xD800 <= number < 0xE000 or number > 0x10FFFF:
            raise wrong(f"\\{escaped} is no character")
        return chr(number)
    if escaped not in _PLAIN_ESCAPES:
        raise wrong(f"a string holds \\{escaped}, which means nothing; write \\\\ for a backslash")
    return _PLAIN_ESCAPES[escaped]


_ESCAPE: Final = re.compile(r"\\(?:[0-3][0-7]{2}|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")
_PLAIN_ESCAPES: Final = dict(zip("abfnrtv\\?\"'`", "\a\b\f\n\r\t\v\\?\"'`", strict=True))
_SQL_TYPES: Final = {INTEGER: "bigint", DOUBLE: "double precision", STRING: "text"}
