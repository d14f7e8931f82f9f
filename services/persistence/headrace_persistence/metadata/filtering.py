"""filter_query → a condition in SQL on a node `n`: parsed by the grammar in filter.lark, then compiled. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from headrace_persistence.metadata.compiling import Compiler, Conjunct, Join, words, wrong
from headrace_persistence.metadata.filter_columns import BOOLEAN, NULL
from headrace_persistence.metadata.kinds import Kind
from headrace_persistence.metadata.probing import Probe, probes

LONGEST: Final = 100_000  # characters of a filter
DEEPEST: Final = 200  # brackets in brackets


@cache
def parser() -> Any:
    """The parser, made once: that takes a tenth of a second, and most platforms never need it."""
    from lark import Lark

    text = (Path(__file__).parent / "filter.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", maybe_placeholders=False, propagate_positions=False)


@dataclass(frozen=True, slots=True)
class Condition:
    """What must all be true, in SQL with the words that each has; what that is joined with, by its word; parameters of all."""

    conjuncts: tuple[tuple[frozenset[str], str], ...] = ()
    joins: tuple[tuple[str, Join], ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    probes: tuple[Probe, ...] = ()

    def but(self, known: frozenset[str] = frozenset()) -> str:
        """SQL that begins with AND, without what is asked of the aliases KNOWN. It is true where something connected fits it;
        OFFSET 0 keeps the planner from turning it inside out.
        """
        asked = [sql for words, sql in self.conjuncts if not words & known]
        rows = [f"LATERAL ({one.source} OFFSET 0) AS {one.alias}" for name, one in self.joins if name not in known]
        if not rows:
            return "".join(f" AND ({sql})" for sql in asked)
        return f" AND EXISTS (SELECT FROM {', '.join(rows)} WHERE {' AND '.join(f'({sql})' for sql in asked)} OFFSET 0)"


@lru_cache(maxsize=32)
def condition(kind: Kind, query: str) -> Condition:
    """What QUERY demands of nodes of KIND; INVALID_ARGUMENT with a sentence where it is wrong. Kept for the next page."""
    if not query:
        return Condition()
    if len(query) > LONGEST:
        raise wrong(f"it has {len(query)} characters, at most {LONGEST} can be read")
    tree = _tree(query)
    if _depth(tree) > DEEPEST:
        raise wrong(f"it is more than {DEEPEST} levels deep")
    conjuncts = [Conjunct(one, words(one)) for one in _conjuncts(tree)]
    compiler = Compiler(kind, "f")
    made = tuple((one.words, _compiled(compiler, one.tree, whole=one.tree is tree)) for one in conjuncts)
    return Condition(made, tuple(compiler.joins.items()), compiler.params, probes(kind, conjuncts))


def _compiled(compiler: Compiler, tree: Any, *, whole: bool) -> str:
    if not whole:
        return compiler.boolean(tree).sql
    made = compiler.part(tree)
    if made.type not in (BOOLEAN, NULL):
        raise wrong(f"it is {made.type}, not a condition")
    return made.sql


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
