"""Expressions of a filter, parsed → SQL on a node `n`, every value a parameter. Pure; called by filtering.py and probing.py.

Types are checked on the way, so that a mistake is a sentence and never reaches Postgres. Text compares by bytes; LIKE does not
tell upper from lower case, as in the official in-process store.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from headrace_persistence.metadata import filter_columns as fc
from headrace_persistence.metadata.filter_columns import BOOLEAN, DOUBLE, INTEGER, NULL, STRING, Column
from headrace_persistence.metadata.kinds import Kind
from headrace_servicekit.errors import Reason, ServiceError

LARGEST: Final = 2**63 - 1
MOST_JOINS: Final = 60  # of one filter: planning takes a second; the official stores join no more either


@dataclass(frozen=True, slots=True)
class Part:
    """An expression: SQL, its type, and what names an enum's numbers where it is a column of one."""

    sql: str
    type: str
    enum: Any = None


@dataclass(frozen=True, slots=True)
class Join:
    """Rows that are connected with the node: their alias in SQL, and SQL for them."""

    alias: str
    source: str


@dataclass(frozen=True, slots=True)
class Conjunct:
    """A condition that must be true, as it was parsed, with its words."""

    tree: Any
    words: frozenset[str]


def wrong(why: str) -> ServiceError:
    """What every mistake in a filter is answered with."""
    return ServiceError(Reason.INVALID_INPUT, f"filter_query: {why}")


@dataclass(slots=True)
class Compiler:
    """Of one filter: the parts that it is compiled to share parameters, and what is connected with the node."""

    kind: Kind
    prefix: str
    params: dict[str, Any] = field(default_factory=dict)
    joins: dict[str, Join] = field(default_factory=dict)  # by alias in the filter, or property

    def part(self, tree: Any) -> Part:
        """Any expression."""
        compiled: Callable[[Sequence[Any]], Part] = getattr(self, f"_{tree.data}")
        return compiled(tree.children)

    # ── what combines conditions ──

    def _either(self, children: Sequence[Any]) -> Part:
        return self._combined(children, "OR")

    def _both(self, children: Sequence[Any]) -> Part:
        return self._combined(children, "AND")

    def _combined(self, children: Sequence[Any], word: str) -> Part:
        return Part(f" {word} ".join(f"({self.boolean(child).sql})" for child in children), BOOLEAN)

    def _negated(self, children: Sequence[Any]) -> Part:
        return Part(f"NOT ({self.boolean(children[0]).sql})", BOOLEAN)

    def boolean(self, tree: Any) -> Part:
        """A part that is true or false."""
        part = self.part(tree)
        if part.type not in (BOOLEAN, NULL):
            raise wrong(f"{part.type} stands where a condition is needed")
        return part

    # ── comparisons ──

    def _compared(self, children: Sequence[Any]) -> Part:
        left, operator, right = children
        column = self._enum(left)
        if column is not None and operator in ("=", "!=", "<>"):
            number = self._number_of(column, right)
            if operator == "=":
                return Part(f"{column.sql} = {number}", BOOLEAN)
            return Part(f"({column.sql} <> {number} OR {column.sql} IS NULL)", BOOLEAN)
        parts = self.part(left), self.part(right)
        if NULL in (parts[0].type, parts[1].type):
            raise wrong("nothing equals NULL: ask IS NULL or IS NOT NULL")
        one, other = self._alike(*parts)
        sign = "<>" if operator == "!=" else str(operator)
        return Part(f"{one} {sign} {other}", BOOLEAN)

    def _within(self, children: Sequence[Any], *, negated: bool = False) -> Part:
        word = "NOT IN" if negated else "IN"
        column = self._enum(children[0])
        if column is not None:
            numbers = ", ".join(str(self._number_of(column, one)) for one in children[1:])
            made = f"{column.sql} {word} ({numbers})"
            return Part(f"({made} OR {column.sql} IS NULL)" if negated else made, BOOLEAN)
        left = self.part(children[0])
        others = [self.part(one) for one in children[1:]]
        pairs = [self._alike(left, other) for other in others]
        return Part(f"{pairs[0][0]} {word} ({', '.join(other for _, other in pairs)})", BOOLEAN)

    def _not_within(self, children: Sequence[Any]) -> Part:
        return self._within(children, negated=True)

    def _like(self, children: Sequence[Any], *, negated: bool = False) -> Part:
        left, right = self.part(children[0]), self.part(children[1])
        if {left.type, right.type} != {STRING}:
            raise wrong("LIKE compares strings")
        word = "NOT ILIKE" if negated else "ILIKE"
        return Part(f"({left.sql}) COLLATE \"C\" {word} ({right.sql}) ESCAPE ''", BOOLEAN)

    def _not_like(self, children: Sequence[Any]) -> Part:
        return self._like(children, negated=True)

    def _between(self, children: Sequence[Any], *, negated: bool = False) -> Part:
        middle, low, high = (self.part(child) for child in children)
        one, least = self._alike(middle, low)
        _, most = self._alike(middle, high)
        return Part(f"{one} {'NOT ' if negated else ''}BETWEEN {least} AND {most}", BOOLEAN)

    def _not_between(self, children: Sequence[Any]) -> Part:
        return self._between(children, negated=True)

    def _is_null(self, children: Sequence[Any]) -> Part:
        return Part(f"({self.part(children[0]).sql}) IS NULL", BOOLEAN)

    def _is_not_null(self, children: Sequence[Any]) -> Part:
        return Part(f"({self.part(children[0]).sql}) IS NOT NULL", BOOLEAN)

    def _is_truth(self, children: Sequence[Any]) -> Part:
        return Part(f"({self.boolean(children[0]).sql}) IS {self.part(children[1]).sql}", BOOLEAN)

    def _is_not_truth(self, children: Sequence[Any]) -> Part:
        return Part(f"({self.boolean(children[0]).sql}) IS NOT {self.part(children[1]).sql}", BOOLEAN)

    def _alike(self, left: Part, right: Part) -> tuple[str, str]:
        numbers = {INTEGER, DOUBLE}
        fits = NULL in (left.type, right.type) or left.type == right.type or {left.type, right.type} <= numbers
        if not fits:
            raise wrong(f"{left.type} and {right.type} cannot be compared")
        return f"({left.sql})", f"({right.sql})"

    # ── enums: bare words beside the columns that hold them ──

    def _enum(self, tree: Any) -> Part | None:
        if tree.data != "column":
            return None
        part = self.part(tree)
        return part if part.enum is not None else None

    def _number_of(self, column: Part, tree: Any) -> int:
        words = path(tree.children[0]) if tree.data == "column" else []
        if len(words) != 1 or words[0] not in column.enum:
            raise wrong(f"a state or an event's type is compared with one of {', '.join(column.enum)}")
        return int(column.enum[words[0]])

    # ── numbers, texts, columns ──

    def _sum(self, children: Sequence[Any]) -> Part:
        return self._calculated(children)

    def _product(self, children: Sequence[Any]) -> Part:
        return self._calculated(children)

    def _calculated(self, children: Sequence[Any]) -> Part:
        parts = [self._number(child) for child in children[::2]]
        signs = [str(sign) for sign in children[1::2]]
        type_ = DOUBLE if "/" in signs or any(part.type == DOUBLE for part in parts) else INTEGER
        sql = f"({parts[0].sql})" + (f"::{_SQL_TYPES[DOUBLE]}" if type_ == DOUBLE else "")
        for sign, part in zip(signs, parts[1:], strict=True):
            divisor = f"nullif(({part.sql}), 0)" if sign == "/" else f"({part.sql})"
            sql = f"({sql} {sign} {divisor})"
        return Part(sql, type_)

    def _signed(self, children: Sequence[Any]) -> Part:
        sign, tree = children
        part = self._number(tree)
        return Part(f"{sign}({part.sql})", part.type)

    def _number(self, tree: Any) -> Part:
        part = self.part(tree)
        if part.type not in (INTEGER, DOUBLE, NULL):
            raise wrong(f"{part.type} stands where a number is needed")
        return part

    def _truth(self, children: Sequence[Any]) -> Part:
        return Part(str(children[0]).upper(), BOOLEAN)

    def _null(self, children: Sequence[Any]) -> Part:
        return Part("NULL", NULL)

    def _integer(self, children: Sequence[Any]) -> Part:
        number = int(children[0], 16 if children[0][:2] in ("0x", "0X") else 10)
        if number > LARGEST:
            raise wrong(f"{children[0]} is too large for an integer")
        return self.parameter(number, INTEGER)

    def _float(self, children: Sequence[Any]) -> Part:
        return self.parameter(float(children[0]), DOUBLE)

    def _string(self, children: Sequence[Any]) -> Part:
        text = _ESCAPE.sub(_unescaped, str(children[0])[1:-1])
        if "\0" in text:
            raise wrong("a string holds a NUL character")
        return self.parameter(text, STRING)

    def parameter(self, value: Any, type_: str) -> Part:
        """A value of a caller's."""
        name = f"{self.prefix}{len(self.params)}"
        self.params[name] = value
        return Part(f"%({name})s::{_SQL_TYPES[type_]}", type_)

    def _column(self, children: Sequence[Any]) -> Part:
        words = path(children[0])
        if words[0] in fc.PREFIXES and len(words) == 3:
            return self._property(words[0] == "custom_properties", words[1], words[2])
        near = fc.neighbour(self.kind, words[0])
        if near is not None and len(words) == 2 and words[1] in near.columns:
            return self.of(words[0], near.source, near.columns[words[1]])
        own = fc.ATTRIBUTES[self.kind.number].get(words[0])
        if own is None or len(words) > 1:
            raise wrong(f"{self.kind.word}s have no {'.'.join(words)}")
        return Part(f"n.{own.sql}", own.type, own.enum)

    def _property(self, custom: bool, name: str, column: str) -> Part:
        found = fc.PROPERTY.get(column)
        if found is None:
            raise wrong(f"a property has no {column}; use one of {', '.join(fc.PROPERTY)}")
        key = f"{'custom' if custom else 'declared'}:{name}"
        known = self.joins.get(key)
        if known is not None:
            return self.of(key, known.source, found)
        wanted = self.parameter(name, STRING).sql
        source = fc.PROPERTIES.format(kind=self.kind.number, custom=str(custom).lower(), name=wanted)
        return self.of(key, source, found)

    def of(self, name: str, source: str, column: Column) -> Part:
        """A column of what is connected, joined once."""
        if name not in self.joins and len(self.joins) == MOST_JOINS:
            raise wrong(
                f"it names more than {MOST_JOINS} properties, contexts and the like; ask for them in several lists"
            )
        join = self.joins.setdefault(name, Join(f"{self.prefix}_{len(self.joins)}", source))
        return Part(f"{join.alias}.{column.sql}", column.type, column.enum)


def path(tree: Any) -> list[str]:
    """The words of a column's name."""
    return [_word(name.children[0]) for name in tree.children]


def words(tree: Any) -> frozenset[str]:
    """What the names of columns in it begin with: an alias, an attribute of the node, an enum's word."""
    return frozenset(path(one.children[0])[0] for one in tree.iter_subtrees() if one.data == "column")


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
