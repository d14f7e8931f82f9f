"""The condition language: every form of kfp-semantics 5.4, CEL's rules on JSON, selectors (2.3), bounds, sentences."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace_ir.expressions import MAX_DEPTH, MAX_LENGTH
from headrace_ir.values import ValueProblem, canonical
from headrace_scheduler.engine.conditions import ConditionProblem, decide, evaluate, parse, select, variables

PARAMETERS = {
    "X": "heads",
    "Y": "heads",
    "t": True,
    "n": 3,
    "m": 5.0,
    "d": 2.5,
    "digits": "123",
    "null": None,
    "list": [1, 2.0, "a"],
    "struct": {"a": {"b": [10, 20]}},
    "pipelinechannel--flip-coin-Output": "tails",
    "it's": "it's",
}
NAMES = variables(PARAMETERS, {"data": {"artifacts": [{"uri": "s3://x"}]}}, {"outputFile": "/o"})


def value(text):
    return evaluate(parse(text), NAMES)


def X(name):  # noqa: N802 - reads as the spec's forms
    return f"inputs.parameter_values['{name}']"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        # the table of 5.4, in its order
        (f"{X('X')} == 'heads'", True),
        (f"{X('pipelinechannel--flip-coin-Output')} == 'heads'", False),
        (f"{X('digits')} == '123'", True),
        (f"{X('X')} != 'no-such-result'", True),
        (f"{X('t')} == true", True),
        (f"{X('X')} == {X('Y')}", True),
        (f"int({X('n')}) == 3", True),
        (f"int({X('n')}) < 5000", True),
        (f"int({X('n')}) <= 2", False),
        (f"int({X('n')}) > -5", True),
        (f"int({X('n')}) >= 3", True),
        (f"int({X('n')}) != 15", True),
        (f"int({X('m')}) >= int({X('n')})", True),
        (f"!({X('X')} == 'heads')", False),
        (f"!({X('X')} == 'tails') && int({X('n')}) < 15", True),
        (f"!({X('X')} == 'tails') && !({X('t')} == true)", False),
        # other forms of the SDK
        (f"double({X('d')}) > 2.25", True),
        (f"'int({X('n')})' == 3", False),
        (f"'int({X('n')})' == 'x'", False),
        ("'int(inputs.parameter_values[\"n\"])' != 3", True),
        (f"{X('t')} == 'true'", False),
    ],
)
def test_forms_of_the_sdk(text, result):
    assert decide(parse(text), NAMES) is result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("null", None),
        ("true", True),
        ("12", 12),
        ("0x1F", 31),
        ("7u", 7),
        ("-9223372036854775808", -(2**63)),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        ("'single \\'quoted\\' \"x\"'", "single 'quoted' \"x\""),
        ('"double \\"quoted\\" \'x\'"', "double \"quoted\" 'x'"),
        (r"'\n\t\\\x41\u00e9\U0001F600\101\?'", "\n\t\\A\u00e9\U0001f600A?"),
        ("[1, 'a', [true],]", [1, "a", [True]]),
        ("{'a': 1, \"b\": {},}", {"a": 1, "b": {}}),
        ("[]", []),
        # access
        ("inputs.parameter_values.X", "heads"),
        ('inputs["parameter_values"]["n"]', 3),
        (f"{X('struct')}.a.b[1]", 20),
        (f"{X('struct')}['a']['b'][0.0]", 10),
        ("inputs.artifacts.data.artifacts[0].uri", "s3://x"),
        ("outputs.outputFile", "/o"),
        # precedence
        ("1 + 2 * 3 - 4", 3),
        ("(1 + 2) * 3", 9),
        ("10 - 2 - 3", 5),
        ("1 < 2 == true", True),
        ("!true || true", True),
        ("true || false && false", True),
        ("false ? 1 : true ? 2 : 3", 2),
        ("true || true ? 'y' : 'n'", "y"),
        ("- - 3", 3),
        ("!!true", True),
        ("-(2)", -2),
        ("1-1", 0),
        # arithmetic
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("7 % -3", 1),
        ("7.0 / 2", 3.5),
        ("1 + 0.5", 1.5),
        ("'a' + 'b'", "ab"),
        ("[1] + ['b']", [1, "b"]),
        # equality between kinds and orders within
        ("1 == 1.0", True),
        ("1 == '1'", False),
        ("1 != '1'", True),
        ("1 == true", False),
        ("null == false", False),
        ("null == null", True),
        ("[1, 2] == [1.0, 2]", True),
        ("{'a': 1} == {'a': 1.0}", True),
        ("9007199254740993 > 9007199254740992.0", True),
        ("'a' < 'b'", True),
        ("false < true", True),
        ("1 <= 1.0", True),
        # in
        ("'a' in ['b', 'a']", True),
        ("1.0 in [1]", True),
        ("true in [1]", False),
        ("'X' in inputs.parameter_values", True),
        ("1 in {'1': 2}", False),
        # functions
        ("int(2.9)", 2),
        ("int(-2.9)", -2),
        ("int('-12')", -12),
        ("double('1e3')", 1000.0),
        ("double(3)", 3.0),
        ("string(2.0)", "2"),
        ("string(true)", "true"),
        ("string('x')", "x"),
        ("bool('True')", True),
        ("bool('0')", False),
        ("size('a\u00e9')", 2),
        ("size([1, 2])", 2),
        ("{'a': 1}.size()", 1),
        ("parseJson('{\"a\": [1.0]}')['a'][0]", 1),
        ("'abc'.contains('b')", True),
        ("'abc'.startsWith('ab')", True),
        ("'abc'.endsWith('ab')", False),
        ("has(inputs.parameter_values.X)", True),
        ("has(inputs.parameter_values.missing)", False),
        # the deciding operand wins over an error, on either side
        ("false && 1 / 0 == 1", False),
        ("1 / 0 == 1 && false", False),
        ("1 / 0 == 1 || true", True),
        ("true || inputs.parameter_values.missing == 1", True),
        ("false ? 1 / 0 : 2", 2),
    ],
)
def test_values(text, result):
    got = value(text)
    assert got == result
    assert type(got) is type(result)


@pytest.mark.parametrize(
    ("text", "sentence", "position"),
    [
        ("", "expected a value, got the end", 0),
        ("1 +", "expected a value, got the end", 3),
        ("(1", "expected ')', got the end", 2),
        ("1 2", "expected an operator or the end, got '2'", 2),
        ("a ? b", "expected ':', got the end", 5),
        ("a ? b ? c : d : e", "expected ':', got '?'", 6),
        ("[1 2]", "expected ',', got '2'", 3),
        ("x.1", "expected an operator or the end, got '.1'", 1),
        ("x.'a'", "expected a field name after '.', got 'a'", 2),
        ("in", "expected a value, got 'in'", 0),
        ("1 & 2", "unexpected character '&'", 2),
        ("x == 'its", "a string is not closed; a quote inside a string is written \\' or \\\"", 5),
        ("x == 'a' and y == 'b'", "expected an operator or the end, got 'and'", 9),
        ('"\\q"', "unknown escape \\q in a string", 0),
        ('"\\ud800"', "an escape in a string is not a character", 0),
        ("x == é", "unexpected character 'é'", 5),
        ("9223372036854775808", "an integer is out of range (64 bits)", 0),
        ("9" * 5000, "an integer is out of range (64 bits)", 0),
        ("1e999", "a number is out of range", 0),
        ("x" * (MAX_LENGTH + 1), f"the expression is longer than {MAX_LENGTH} characters", MAX_LENGTH),
    ],
)
def test_texts_that_are_no_expression(text, sentence, position):
    with pytest.raises(ConditionProblem) as caught:
        parse(text)
    assert (caught.value.sentence, caught.value.position) == (sentence, position)
    assert str(caught.value) == f"{sentence} (at character {position})"


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("'it's'", "it's"),
        ("'o'clock, isn't it'", "o'clock, isn't it"),
        ("'two\nlines'", "two\nlines"),
        ("'C:\\quiet'", "C:\\quiet"),
        ("''quoted''", "'quoted'"),
    ],
)
def test_quotes_that_the_sdk_leaves_unescaped_are_text(literal, value):
    """A text that is CEL is read as CEL does; only what is none is read once more."""
    assert parse(f"{X('x')} == {literal}").repaired
    chain = parse(f"!({X('x')} == {literal}) && {X('y')} != 'b'")
    assert decide(chain, variables({"x": value, "y": "a"})) is False
    assert decide(chain, variables({"x": "other", "y": "a"})) is True
    assert not parse(f"{X('x')} == 'int({X('y')})'").repaired


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"{X('missing')} == 1", "input parameter 'missing' is not given"),
        ("outputs.nope", "there is no key 'nope'"),
        ("other == 1", "there is no variable 'other' here; known are inputs, outputs"),
        ("1 < 'a'", "'<' cannot compare NUMBER_INTEGER 1 with STRING \"a\""),
        ("true < 1", "'<' cannot compare BOOLEAN true with NUMBER_INTEGER 1"),
        ("null >= null", "'>=' cannot compare null with null"),
        ("1 + 'a'", "'+' cannot take NUMBER_INTEGER 1 and STRING \"a\""),
        ("'a' - 'b'", '\'-\' cannot take STRING "a" and STRING "b"'),
        ("1 / 0", "division by zero"),
        ("1.0 / 0", "division by zero"),
        ("1 % 0", "division by zero"),
        ("1.5 % 2", "'%' needs integers"),
        ("9223372036854775807 + 1", "an integer is out of range (64 bits)"),
        ("-(-9223372036854775808)", "an integer is out of range (64 bits)"),
        ("1e308 * 10.0", "a number is out of range"),
        ("!1", "'!' needs true or false, got NUMBER_INTEGER 1"),
        ("-'a'", "'-' needs a number, got STRING \"a\""),
        ("1 && true", "expected true or false, got NUMBER_INTEGER 1"),
        ("1 ? 2 : 3", "expected true or false, got NUMBER_INTEGER 1"),
        ("'a' in 'abc'", "'in' needs a LIST or STRUCT on its right, got STRING \"abc\""),
        ("[1][1]", "list index 1 is out of range: the list has 1 items"),
        ("[1][-1]", "list index -1 is out of range: the list has 1 items"),
        ("[1][0.5]", "a list index must be an integer, got NUMBER_DOUBLE 0.5"),
        ("[1][true]", "a list index must be an integer, got BOOLEAN true"),
        ("{'a': 1}[1]", "a key must be a STRING, got NUMBER_INTEGER 1"),
        ("'abc'.size", 'STRING has no field STRING "size"'),
        ("{1: 2}", "a map key must be a STRING, got NUMBER_INTEGER 1"),
        ("{'a': 1, 'a': 2}", "a map literal has the key 'a' twice"),
        ("int('1.5')", 'int() cannot take STRING "1.5"'),
        ("int(true)", "int() cannot take BOOLEAN true"),
        ("int(1e300)", "int() cannot take NUMBER_INTEGER 1e+300: out of range (64 bits)"),
        ("double('x')", 'double() cannot take STRING "x"'),
        ("double('1e999')", 'double() cannot take STRING "1e999": out of range'),
        ("string([1])", "string() cannot take LIST [1]"),
        ("bool('yes')", 'bool() cannot take STRING "yes"'),
        ("bool(1)", "bool() cannot take NUMBER_INTEGER 1"),
        ("size(1)", "size() cannot take NUMBER_INTEGER 1"),
        (
            "parseJson('{')",
            "parseJson(): the text is not JSON: Expecting property name enclosed in double quotes at character 1",
        ),
        ("parseJson(1)", "parseJson() cannot take NUMBER_INTEGER 1"),
        ("1.contains('a')", 'contains() cannot take NUMBER_INTEGER 1, STRING "a"'),
        ("size()", "size() takes 1 value(s), got 0"),
        ("has(1)", "has() takes one field, such as has(inputs.parameter_values.x)"),
        ("has([1][0])", "has() needs a STRUCT, got LIST [1]"),
    ],
)
def test_expressions_without_a_value(text, sentence):
    with pytest.raises(ConditionProblem) as caught:
        value(text)
    assert caught.value.sentence == sentence


def test_an_unknown_function_is_named_with_the_known_ones():
    with pytest.raises(ConditionProblem, match="unknown function 'matches'; known are bool, contains, double, "):
        value("'a'.matches('(a*)*')")


def test_a_condition_must_be_a_bool():
    with pytest.raises(ConditionProblem, match='a condition must give true or false, this gives STRING "heads"'):
        decide(parse(X("X")), NAMES)


# --- which inputs it needs (5.2) -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f"int({X('a')}) == 1 && !({X('b')} in [{X('c')}])", {"a", "b", "c"}),
        (
            "inputs.parameter_values.a ? {inputs.parameter_values['b']: -inputs['parameter_values'].c} : d[e]",
            {"a", "b", "c"},
        ),
        ("'a' in inputs.parameter_values || has(inputs.parameter_values.b)", {"a", "b"}),
        ("'inputs.parameter_values.x' == 'y'", set()),
        (f"'int({X('a')})' == 'y'", set()),
        (f"{X('a')}.inputs.parameter_values.b", {"a"}),
    ],
)
def test_which_parameters_are_mentioned(text, names):
    expression = parse(text)
    assert expression.inputs() == names
    assert not expression.all_parameters
    assert not expression.all_artifacts


@pytest.mark.parametrize(
    ("text", "parameters", "artifacts"),
    [
        ("inputs.parameter_values[inputs.parameter_values.a]", True, False),
        ("size(inputs.parameter_values)", True, False),
        ("size(inputs.artifacts)", False, True),
        ("inputs['artifacts']['a']", False, False),
        ("inputs == {}", True, True),
        ("inputs['art' + 'ifacts']", True, True),
    ],
)
def test_when_all_inputs_are_needed(text, parameters, artifacts):
    expression = parse(text)
    assert (expression.all_parameters, expression.all_artifacts) == (parameters, artifacts)


def test_mentioned_artifacts():
    assert parse("inputs.artifacts.a.artifacts[0] == inputs['artifacts']['b']").artifacts == {"a", "b"}


# --- selectors (2.3) -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "source", "result"),
    [
        ('parseJson(string_value)["A_a"]', {"A_a": 1, "B_b": 2}, 1),
        ('parseJson(string_value)["a"]', '{"a": [1.0, {"b": null}]}', [1, {"b": None}]),
        ("struct_value.a", {"a": "x"}, "x"),
        ("list_value[1]", [1, 2], 2),
        ("number_value * 2", 3, 6),
        ("number_value", 2.5, 2.5),
        ("bool_value", True, True),
        ("null_value", None, None),
        ("string_value", "as it is", "as it is"),
        ("string_value", 3.0, "3"),
        ("string_value", None, ""),
        ("string_value", [1.0], "[1]"),
    ],
)
def test_selectors(text, source, result):
    assert select(parse(text), source) == result


@pytest.mark.parametrize(
    ("text", "source", "sentence"),
    [
        ('parseJson(string_value)["b"]', {"a": 1}, "there is no key 'b'"),
        ('parseJson(string_value)["b"]', "text", "parseJson(): the text is not JSON: Expecting value at character 0"),
        ("struct_value.a", [1], "there is no variable 'struct_value' here; known are string_value, list_value"),
        ("bool_value", "x", "there is no variable 'bool_value' here; known are string_value"),
    ],
)
def test_selectors_that_select_nothing(text, source, sentence):
    with pytest.raises(ConditionProblem) as caught:
        select(parse(text), source)
    assert caught.value.sentence == sentence


# --- bounds and totality ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "(" * 20_000 + "1" + ")" * 10_000,
        "[" * 20_000,
        "{'a':" * 5_000,
        "!" * 30_000 + "true",
        "-" * 30_000 + "1.5",
        "1" + "+1" * 15_000,
        "a" + ".a" * 15_000,
        "a" + "[0]" * 10_000,
        "1 ? 2 : " * 4_000 + "1",
        "f(" * 15_000,
        "a.f()" + ".f()" * 8_000,
    ],
)
def test_deep_texts_are_refused_quickly(text):
    started = time.process_time()
    with pytest.raises(ConditionProblem, match=f"nested deeper than {MAX_DEPTH} levels"):
        parse(text)
    assert time.process_time() - started < 0.5


def test_long_chains_of_conditions_are_fine():
    assert value(" && ".join(["true"] * 3_000)) is True
    assert value(" || ".join(["false"] * 3_000)) is False


def test_the_deepest_expressions_that_parse_evaluate():
    for text in ("(" * 90 + "1" + ")" * 90, "!" * 90 + "true", "[" * 90 + "]" * 90, "1" + "+1" * 90):
        value(text)


TOKENS = st.sampled_from(
    [
        *"()[]{}.,:?!-+*/%<>",
        "==",
        "!=",
        "<=",
        ">=",
        "&&",
        "||",
        " in ",
        "true",
        "false",
        "null",
        "1",
        "2.5",
        "0",
        "'a'",
        '"b"',
        "inputs",
        ".parameter_values",
        "['X']",
        ".n",
        "int(",
        "double(",
        "string(",
        "bool(",
        "size(",
        "parseJson(",
        "has(",
        "'",
        X("X"),
        X("n"),
        X("d"),
        X("list"),
        X("struct"),
        X("null"),
        "9223372036854775807",
        "1e308",
        "\\",
        "é",
        " ",
    ]
)


@given(st.text() | st.lists(TOKENS, max_size=20).map("".join))
def test_nothing_but_a_condition_problem_ever_comes_out(text):
    try:
        result = evaluate(parse(text), NAMES)
    except ConditionProblem as problem:
        result = problem.position
        assert 0 <= problem.position <= len(text)  # noqa: PT017 - both ways out are asserted
    assert result is not Ellipsis


LEAVES = st.sampled_from(
    ["1", "0", "-3", "2.5", "true", "false", "null", "'a'", "'7'", "[1, 'a']", "{'a': 1}", "1e300", X("n"), X("X")]
)
BINARY = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "+", "-", "*", "/", "%", "&&", "||"])
UNARY = st.sampled_from(
    [
        "!({})",
        "-({})",
        "int({})",
        "double({})",
        "string({})",
        "bool({})",
        "size({})",
        "parseJson({})",
        "[{}]",
        "({})[0]",
    ]
)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: (
        st.tuples(inner, BINARY, inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})")
        | st.tuples(UNARY, inner).map(lambda t: t[0].format(t[1]))
        | st.tuples(inner, inner, inner).map(lambda t: f"({t[0]}) ? ({t[1]}) : ({t[2]})")
    ),
    max_leaves=12,
)


@given(EXPRESSIONS)
def test_every_expression_has_a_value_or_a_sentence(text):
    expression = parse(text)
    try:
        result = evaluate(expression, NAMES)
    except ConditionProblem as problem:
        result = problem.sentence
    try:
        canonical(result)
    except ValueProblem as problem:
        pytest.fail(f"{text} gives what is no value: {problem.sentence}")
