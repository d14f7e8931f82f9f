"""filter_query to SQL: what is asked becomes parameters, what is joined is joined once, every mistake is a sentence.

That the SQL finds what the official store finds is tests/peers/test_ml_metadata.py's to show.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace_persistence.metadata.filtering import condition
from headrace_persistence.metadata.kinds import ARTIFACT, CONTEXT, EXECUTION
from headrace_persistence.metadata.probing import MOST
from headrace_servicekit.errors import Reason, ServiceError

STATES = ("UNKNOWN", "PENDING", "LIVE", "MARKED_FOR_DELETION", "DELETED")
WORDS = [
    "id", "name", "=", "(", ")", "AND", "OR", "NOT", "'x'", "1", "1.5", "properties.a.int_value", "contexts_a.id", "IN",
    ",", "LIKE", "state", "LIVE", "events_0.type", "INPUT", "IS", "NULL", "BETWEEN", "-", "*", "/", "`q`", ".",
]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "text", "params"),
    [
        ("", "", {}),
        ("id = 7", " AND ((n.id) = (%(f0)s::bigint))", {"f0": 7}),
        ("name != 'x'", " AND ((n.name) <> (%(f0)s::text))", {"f0": "x"}),
        ("id = 0x1F -- why", " AND ((n.id) = (%(f0)s::bigint))", {"f0": 31}),
        ("uri IS NOT NULL", " AND ((n.uri) IS NOT NULL)", {}),
        ("state = LIVE", " AND (n.state = 2)", {}),
        ("state != LIVE", " AND ((n.state <> 2 OR n.state IS NULL))", {}),
        ("state NOT IN (LIVE, DELETED)", " AND ((n.state NOT IN (2, 4) OR n.state IS NULL))", {}),
        ("TRUE and not (id = 1)", " AND (TRUE) AND (NOT ((n.id) = (%(f0)s::bigint)))", {"f0": 1}),
    ],
)
def test_attributes(query, text, params):
    made = condition(ARTIFACT, query)
    assert (made.but(), made.params) == (text, params)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("'it\\'s'", "it's"), ('"a \\"b\\""', 'a "b"'), ("'\\n\\t\\\\'", "\n\t\\"), ("'\\x41\\u00e4\\101'", "AäA"),
        ("'%_'", "%_"),
        ("\"it's\"", "it's"), ("'; DROP TABLE platform.runs; --'", "; DROP TABLE platform.runs; --"),
    ],
)  # fmt: skip
def test_strings_are_parameters(written, meant):
    made = condition(ARTIFACT, f"name = {written}")
    assert made.params == {"f0": meant}
    assert meant not in made.but()


def test_a_neighbour_that_is_named_twice_is_joined_once():
    made = condition(ARTIFACT, "contexts_a.name = 'x' AND contexts_a.id = 1 AND contexts_b.id = 2")
    assert made.but().count("platform.seen_attributions") == 2
    assert made.but().startswith(" AND EXISTS (SELECT FROM LATERAL (")


def test_names_of_properties_are_parameters_too():
    made = condition(EXECUTION, "custom_properties.`a'b` .int_value = 1 OR properties.c.int_value = 2")
    assert made.params == {"f0": "a'b", "f1": 1, "f2": "c", "f3": 2}
    assert "p.custom = true" in made.but()
    assert "p.custom = false" in made.but()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("id", "it is an integer, not a condition"),
        ("id = 1 AND", "it ends where more is needed"),
        ("id = 1 oops", "cannot be read from 'oops' on"),
        ("name = 1", "a string and an integer cannot be compared"),
        ("nonsense = 1", "artifacts have no nonsense"),
        ("contexts_a.uri.x = 1", "artifacts have no contexts_a.uri.x"),
        ("executions_a.id = 1", "artifacts have no executions_a.id"),
        (
            " OR ".join(f"contexts_a{n}.id = 1" for n in range(61)),
            "it names more than 60 properties, contexts and the like; ask for them in several lists",
        ),
        ("name = NULL", "nothing equals NULL: ask IS NULL or IS NOT NULL"),
        ("name LIKE 5", "LIKE compares strings"),
        ("id AND name", "an integer stands where a condition is needed"),
        ("name + 1 = 2", "a string stands where a number is needed"),
        ("id = 99999999999999999999", "99999999999999999999 is too large for an integer"),
        ("state = 'LIVE'", f"a state or an event's type is compared with one of {', '.join(STATES)}"),
        ("properties.x.y = 1", "a property has no y; use one of int_value, double_value, string_value, bool_value"),
        ("name = '\\d'", "a string holds \\d, which means nothing; write \\\\ for a backslash"),
        ("name = '\\ud800'", "\\ud800 is no character"),
        ("name = '\\x00'", "a string holds a NUL character"),
        (f"name = '{'x' * 100_001}'", "it has 100010 characters, at most 100000 can be read"),
        (f"{'NOT ' * 300}TRUE", "it is more than 200 levels deep"),
    ],
)
def test_mistakes_are_sentences(query, said):
    with pytest.raises(ServiceError) as failed:
        condition(ARTIFACT, query)
    assert failed.value.reason == Reason.INVALID_INPUT
    assert failed.value.message == f"filter_query: {said}"


def test_many_brackets_and_many_conditions_are_fine():
    assert condition(CONTEXT, f"{'(' * 2000}id = 1{')' * 2000}").params == {"f0": 1}
    assert len(condition(CONTEXT, " OR ".join(f"id = {n}" for n in range(2000))).params) == 2000


def test_what_is_known_of_something_connected_is_not_asked_again():
    made = condition(ARTIFACT, "contexts_a.name = 'x' AND id = 1 AND contexts_b.id = 2 AND contexts_a.type = 'y'")
    assert made.but(frozenset({"contexts_a", "contexts_b"})) == " AND ((n.id) = (%(f1)s::bigint))"
    assert made.but(frozenset({"contexts_a"})).count("platform.seen_attributions") == 1
    assert condition(ARTIFACT, "contexts_a.id = 1").but(frozenset({"contexts_a"})) == ""


def test_many_conditions_have_few_probes():
    made = condition(
        ARTIFACT, " AND ".join(f"contexts_a{n}.id = {n} AND custom_properties.p.int_value = {n}" for n in range(50))
    )
    assert len(made.probes) == MOST


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join))
def test_whatever_is_asked_is_compiled_or_refused(query):
    try:
        made = condition(ARTIFACT, query)
    except ServiceError as refused:
        reason = refused.reason
    else:
        reason = Reason.INVALID_INPUT if made.but().startswith(" AND ") or not query else Reason.INTERNAL
    assert reason == Reason.INVALID_INPUT


@pytest.mark.parametrize(
    ("query", "probes"),
    [
        ("custom_properties.accuracy.double_value > 0.9", 1),
        ("properties.n.int_value = 1 AND (custom_properties.s.string_value = 'x' AND id > 3)", 2),
        ("contexts_a.name = 'x' AND contexts_a.type = 'y'", 1),
        ("events_0.execution_id = 5", 1),
        ("properties.n.int_value = -1", 1),
        ("properties.n.int_value > 1 AND (id > 3 AND properties.n.int_value <= 9)", 1),
        ("properties.n.int_value > 1 AND custom_properties.n.int_value > 1", 2),
        ("properties.n.int_value BETWEEN -1 AND 9 AND properties.n.double_value > 0", 2),
        ("properties.n.int_value BETWEEN 1 AND id", 0),
        ("properties.n.int_value NOT BETWEEN 1 AND 9", 0),
        ("properties.n.int_value = 1 OR id = 1", 0),
        ("NOT properties.n.int_value = 1", 0),
        ("properties.n.int_value != 1", 0),
        ("properties.n.int_value = properties.m.int_value", 0),
        ("custom_properties.display_name.string_value = 'x'", 0),
        ("custom_properties.s.string_value > 'x'", 0),
        ("contexts_a.type = 'y'", 0),
        ("name = 'x'", 0),
    ],
)
def test_what_must_be_true_and_has_an_index_is_probed(query, probes):
    made = condition(ARTIFACT, query)
    assert len(made.probes) == probes
    names = [set(made.params), *(set(probe.params) for probe in made.probes)]
    assert sum(map(len, names)) == len(set().union(*names))


def test_what_is_asked_of_a_number_is_one_part_of_its_index_and_one_walk():
    (probe,) = condition(ARTIFACT, "properties.n.int_value = 1 AND properties.n.int_value < 9").probes
    assert probe.params == {"fq0_0": 1, "fq0_1": 9, "fq0_2": "n"}
    one, nine = "%(fq0_0)s::bigint", "%(fq0_1)s::bigint"
    ordered = f"p.int_value >= {one} AND p.int_value <= {one} AND p.int_value < {nine} ORDER BY p.int_value"
    assert probe.text.endswith(f" AND p.custom = false AND p.name = %(fq0_2)s::text AND {ordered}")
    assert probe.walk == (
        " AND w.custom = false AND w.name = %(fq0_2)s::text"
        f" AND (w.int_value + 0 = {one}) IS TRUE AND (w.int_value + 0 < {nine}) IS TRUE"
    )
    (probe,) = condition(ARTIFACT, "custom_properties.s.string_value = 'x'").probes
    assert probe.walk.endswith(" AND w.name = %(fq0_1)s::text AND (w.string_value || '' = %(fq0_0)s::text) IS TRUE")
    (probe,) = condition(ARTIFACT, "contexts_a.name = 'x'").probes
    assert probe.walk == ""
