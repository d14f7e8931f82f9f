"""The syntax of the condition language: text to tree (kfp-semantics 5.4, a subset of CEL). Pure.

A hand-written lexer and precedence parser, bounded in length and depth. What a tree means is `conditions`, which is
what others import. Why not a CEL library: docs/adr/0003-condition-language.md.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final, TypeAlias

MAX_LENGTH: Final = 32 * 1024
MAX_DEPTH: Final = 100
INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1


class ConditionProblem(ValueError):  # noqa: N818 - "problem" is the project's word for what a user can cause
    """An expression that cannot be read or evaluated; `position` counts characters from 0."""

    def __init__(self, sentence: str, position: int) -> None:
        super().__init__(f"{sentence} (at character {position})")
        self.sentence = sentence
        self.position = position


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    at: int
    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """`of[key]`; `of.field` is the same with a literal key and `dotted`."""

    at: int
    of: Node
    key: Node
    dotted: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A function or macro call; a method call has its object as the first argument."""

    at: int
    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """`!x` or `-x`."""

    at: int
    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """Comparison, `in` or arithmetic."""

    at: int
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Logic:
    """A whole chain of `&&` or of `||`, flat so that long chains stay shallow."""

    at: int
    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """`test ? yes : no`."""

    at: int
    test: Node
    yes: Node
    no: Node


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list literal."""

    at: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map literal."""

    at: int
    entries: tuple[tuple[Node, Node], ...]


Node: TypeAlias = Literal | Name | Index | Call | Unary | Binary | Logic | Choice | ListOf | MapOf


# --- lexer ------------------------------------------------------------------------------------------------------------

# A quoted cast is what KFP's SDK writes when it compares mixed types; its inner quotes are not escaped (gap G59).
_QUOTED_CAST: Final = re.compile(r"'((?:int|double)\(inputs\.parameter_values\['[^'\\]*'\]\))'")
_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\r\n\f]+)
    |(?P<float>(?:[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?))
    |(?P<int>0[xX][0-9a-fA-F]+|[0-9]+)[uU]?
    |(?P<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>&&|\|\||[<>=!]=|[-+*/%!<>?:.,()\[\]{}])""",
    re.VERBOSE,
)
# The SDK does not escape quotes and line ends in texts that are compared (gap G59). A text that cannot be read otherwise
# is read with a quote closing a string only where an operator, a bracket or the end follows. A text with quotes that
# looks like a piece of expression is more likely a mistake (`x == 'a' and y == 'b'`).
_UNESCAPED: Final = re.compile(r"'(.*?)'(?=\s*(?:$|[)\],:?]|&&|\|\||[=!<>]=|[<>]))", re.DOTALL)
_EXPRESSION: Final = re.compile(r"==|!=|<=|>=|&&|\|\||inputs\.")
_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv\\'\"`?])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL
)
_SIMPLE: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `text` of a string is its value."""

    kind: str
    text: str
    at: int


def tokenize(text: str, *, unescaped: bool = False) -> list[Token]:
    """All tokens, with an "end" token last. `unescaped`: single-quoted strings hold whatever is written in them."""
    if len(text) > MAX_LENGTH:
        raise ConditionProblem(f"the expression is longer than {MAX_LENGTH} characters", MAX_LENGTH)
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        cast = _QUOTED_CAST.match(text, at) if text[at] == "'" else None
        if cast:
            tokens.append(Token("string", cast[1], at))
            at = cast.end()
            continue
        raw = _UNESCAPED.match(text, at) if unescaped and text[at] == "'" else None
        if raw and not ("'" in raw[1] and _EXPRESSION.search(raw[1])):
            tokens.append(Token("string", raw[1], at))
            at = raw.end()
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise ConditionProblem(_unreadable(text[at]), at)
        kind = match.lastgroup or ""
        if kind == "string":
            tokens.append(Token(kind, _unescape(match[0][1:-1], at), at))
        elif kind != "space":
            tokens.append(Token(kind, match[kind], at))
        at = match.end()
    tokens.append(Token("end", "", len(text)))
    return tokens


def _unreadable(character: str) -> str:
    if character in "'\"":
        return "a string is not closed; a quote inside a string is written \\' or \\\""
    return f"unexpected character {character!r}"


def _unescape(body: str, at: int) -> str:
    if "\\" not in body:
        return body

    def replace(match: re.Match[str]) -> str:
        simple, code = match[1], match[2] or match[3] or match[4]
        if simple:
            return _SIMPLE.get(simple, simple)
        if match[6]:
            raise ConditionProblem(f"unknown escape \\{match[6]} in a string", at)
        number = int(code, 16) if code else int(match[5], 8)
        if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
            raise ConditionProblem("an escape in a string is not a character", at)
        return chr(number)

    return _ESCAPE.sub(replace, body)


# --- parser -----------------------------------------------------------------------------------------------------------

_LEVELS: Final = {"<": 3, "<=": 3, ">": 3, ">=": 3, "==": 3, "!=": 3, "in": 3, "+": 4, "-": 4, "*": 5, "/": 5, "%": 5}
_CONSTANTS: Final = {"true": True, "false": False, "null": None}


def parse_tree(text: str) -> tuple[Node, bool]:
    """The tree of an expression, and whether it can be read only with quotes unescaped; ConditionProblem where it is
    none.
    """
    try:
        return _parsed(tokenize(text)), False
    except ConditionProblem as problem:
        if "'" not in text or len(text) > MAX_LENGTH:
            raise
        try:
            return _parsed(tokenize(text, unescaped=True)), True
        except ConditionProblem:
            raise problem from None


def _parsed(tokens: list[Token]) -> Node:
    parser = _Parser(tokens)
    tree, _ = parser.choice(0)
    parser.expect("end")
    return tree


class _Parser:
    """Recursive descent; every method returns a node with its height, and refuses heights and nestings above
    MAX_DEPTH.
    """

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._next = 0

    @property
    def token(self) -> Token:
        return self._tokens[self._next]

    def accept(self, sign: str) -> bool:
        if self.token.kind in ("sign", "name") and self.token.text == sign:
            self._next += 1
            return True
        return False

    def expect(self, sign: str) -> None:
        if sign == "end" and self.token.kind == "end":
            return
        if not self.accept(sign):
            wanted = "an operator or the end" if sign == "end" else f"'{sign}'"
            raise ConditionProblem(f"expected {wanted}, got {self.shown()}", self.token.at)

    def shown(self) -> str:
        return "the end" if self.token.kind == "end" else f"'{self.token.text[:40]}'"

    def height(self, *heights: int) -> int:
        height = 1 + max(heights, default=0)
        if height > MAX_DEPTH:
            raise ConditionProblem(f"the expression is nested deeper than {MAX_DEPTH} levels", self.token.at)
        return height

    def choice(self, depth: int) -> tuple[Node, int]:
        if depth > MAX_DEPTH:
            raise ConditionProblem(f"the expression is nested deeper than {MAX_DEPTH} levels", self.token.at)
        test, test_height = self.logic("||", depth)
        at = self.token.at
        if not self.accept("?"):
            return test, test_height
        yes, yes_height = self.logic("||", depth + 1)
        self.expect(":")
        no, no_height = self.choice(depth + 1)
        return Choice(at, test, yes, no), self.height(test_height, yes_height, no_height)

    def logic(self, operator: str, depth: int) -> tuple[Node, int]:
        at = self.token.at
        operands: list[Node] = []
        heights: list[int] = []
        while True:
            node, height = self.logic("&&", depth) if operator == "||" else self.binary(3, depth)
            operands.append(node)
            heights.append(height)
            if not self.accept(operator):
                break
        if len(operands) == 1:
            return operands[0], heights[0]
        return Logic(at, operator, tuple(operands)), self.height(*heights)

    def binary(self, level: int, depth: int) -> tuple[Node, int]:
        left, left_height = self.unary(depth)
        while self.token.kind in ("sign", "name") and _LEVELS.get(self.token.text, 0) >= level:
            token = self.token
            self._next += 1
            right, right_height = self.binary(_LEVELS[token.text] + 1, depth)
            left = Binary(token.at, token.text, left, right)
            left_height = self.height(left_height, right_height)
        return left, left_height

    def unary(self, depth: int) -> tuple[Node, int]:
        signs: list[Token] = []
        while self.token.kind == "sign" and self.token.text in "!-":
            signs.append(self.token)
            self._next += 1
        # The minus belongs to the literal, so that the smallest integer can be written.
        minus = bool(signs) and signs[-1].text == "-" and self.token.kind == "int"
        if minus:
            signs.pop()
        node, height = self.member(depth, minus=minus)
        for sign in reversed(signs):
            node, height = Unary(sign.at, sign.text, node), self.height(height)
        return node, height

    def member(self, depth: int, *, minus: bool) -> tuple[Node, int]:
        node, height = self.primary(depth, minus=minus)
        while self.token.kind == "sign" and self.token.text in ".[":
            at = self.token.at
            if self.accept("["):
                key, key_height = self.choice(depth + 1)
                self.expect("]")
                node, height = Index(at, node, key), self.height(height, key_height)
                continue
            self._next += 1
            field = self.token
            if field.kind != "name":
                raise ConditionProblem(f"expected a field name after '.', got {self.shown()}", field.at)
            self._next += 1
            if self.accept("("):
                arguments, heights = self.items(")", depth)
                node, height = Call(field.at, field.text, (node, *arguments)), self.height(height, *heights)
            else:
                node, height = Index(at, node, Literal(field.at, field.text), dotted=True), self.height(height)
        return node, height

    def primary(self, depth: int, *, minus: bool) -> tuple[Node, int]:
        token = self.token
        self._next += token.kind != "end"
        if token.kind == "string":
            return Literal(token.at, token.text), 1
        if token.kind in ("int", "float"):
            return Literal(token.at, _number(token, minus=minus)), 1
        if token.kind == "name" and token.text != "in":
            return self.named(token, depth)
        if token.text == "(" and token.kind == "sign":
            inner = self.choice(depth + 1)
            self.expect(")")
            return inner
        if token.text == "[" and token.kind == "sign":
            items, heights = self.items("]", depth)
            return ListOf(token.at, tuple(items)), self.height(*heights)
        if token.text == "{" and token.kind == "sign":
            return self.map(token, depth)
        got = "the end" if token.kind == "end" else f"'{token.text[:40]}'"
        raise ConditionProblem(f"expected a value, got {got}", token.at)

    def named(self, token: Token, depth: int) -> tuple[Node, int]:
        if token.text in _CONSTANTS:
            return Literal(token.at, _CONSTANTS[token.text]), 1
        if not self.accept("("):
            return Name(token.at, token.text), 1
        arguments, heights = self.items(")", depth)
        return Call(token.at, token.text, tuple(arguments)), self.height(*heights)

    def items(self, closing: str, depth: int) -> tuple[list[Node], list[int]]:
        nodes: list[Node] = []
        heights: list[int] = []
        while not self.accept(closing):
            if nodes:
                self.expect(",")
                if closing != ")" and self.accept(closing):
                    break
            node, height = self.choice(depth + 1)
            nodes.append(node)
            heights.append(height)
        return nodes, heights

    def map(self, token: Token, depth: int) -> tuple[Node, int]:
        entries: list[tuple[Node, Node]] = []
        heights: list[int] = []
        while not self.accept("}"):
            if entries:
                self.expect(",")
                if self.accept("}"):
                    break
            key, key_height = self.choice(depth + 1)
            self.expect(":")
            value, value_height = self.choice(depth + 1)
            entries.append((key, value))
            heights += [key_height, value_height]
        return MapOf(token.at, tuple(entries)), self.height(*heights)


def _number(token: Token, *, minus: bool) -> int | float:
    if token.kind == "float":
        number = float(token.text)
        if math.isinf(number):
            raise ConditionProblem("a number is out of range", token.at)
        return number
    # Before conversion: Python takes quadratic time for long digit strings, and refuses the longest.
    if len(token.text) > 100:
        raise ConditionProblem("an integer is out of range (64 bits)", token.at)
    whole = int(token.text, 16) if token.text[:2] in ("0x", "0X") else int(token.text)
    whole = -whole if minus else whole
    if not INT_MIN <= whole <= INT_MAX:
        raise ConditionProblem("an integer is out of range (64 bits)", token.at)
    return whole
