"""Pages, sort orders, filters and page tokens of the list calls (kfp-api 1.6)."""

from __future__ import annotations

import base64
import json

import pytest

from headrace_apiserver.listing import EXPERIMENTS, PIPELINES, RUNS, VERSIONS, page_of, token_of
from headrace_protos.kfp.v2beta1.run_pb2 import ListRunsRequest
from headrace_protos.v1.run_query_pb2 import EQUALS, NextPage, Predicate
from headrace_servicekit.errors import Reason, ServiceError


def asked(**fields):
    return ListRunsRequest(**fields)


def one(key, value, operation=1, kind="stringValue"):
    return json.dumps({"predicates": [{"operation": operation, "key": key, kind: value}]})


def refused(listed, **fields):
    with pytest.raises(ServiceError) as caught:
        page_of(asked(**fields), listed)
    return caught.value


def test_nothing_given_is_twenty_oldest_first():
    page = page_of(asked(), RUNS)
    assert (page.size, page.sort_field, page.descending, list(page.predicates)) == (20, "created_at", False, [])


@pytest.mark.parametrize(("given", "size"), [(0, 20), (1, 1), (200, 200), (5000, 200)])
def test_page_sizes(given, size):
    assert page_of(asked(page_size=given), RUNS).size == size


def test_a_negative_page_size_is_refused():
    assert "page_size is -1" in str(refused(RUNS, page_size=-1))


@pytest.mark.parametrize(
    ("text", "listed", "field", "descending"),
    [
        ("created_at desc", RUNS, "created_at", True),
        ("Created_At ASC", RUNS, "created_at", False),
        ("name", RUNS, "display_name", False),
        ("name", PIPELINES, "name", False),
        ("name desc", EXPERIMENTS, "display_name", True),
        ("id", VERSIONS, "pipeline_version_id", False),
        ("status", RUNS, "state", False),
    ],
)
def test_sort_orders(text, listed, field, descending):
    page = page_of(asked(sort_by=text), listed)
    assert (page.sort_field, page.descending) == (field, descending)


@pytest.mark.parametrize("text", ["colour", "name sideways", "name desc now"])
def test_a_wrong_sort_order_says_what_there_is(text):
    error = refused(RUNS, sort_by=text)
    assert error.reason == Reason.INVALID_INPUT
    assert "created_at" in str(error)


def test_metrics_are_to_come():
    assert refused(RUNS, sort_by="metric:loss").reason == Reason.NOT_IMPLEMENTED


@pytest.mark.parametrize("operation", [1, "EQUALS"])
@pytest.mark.parametrize("kind", ["stringValue", "string_value"])
def test_equals_on_a_name_in_every_spelling(operation, kind):
    page = page_of(asked(filter=one("display_name", "a+b %41", operation, kind)), RUNS)
    assert list(page.predicates) == [Predicate(operation=EQUALS, field="display_name", values=["a+b %41"])]


def test_a_filter_that_is_encoded_once_more_is_decoded():
    text = "%7B%22predicates%22%3A%5B%7B%22operation%22%3A1%2C%22key%22%3A%22name%22%2C%22string_value%22%3A%22a%2Bb%22%7D%5D%7D"
    assert page_of(asked(filter=text), RUNS).predicates[0].values == ["a+b"]


def test_an_empty_filter_is_none():
    assert not page_of(asked(filter="{}"), RUNS).predicates


@pytest.mark.parametrize(
    ("text", "reason", "says"),
    [
        (one("colour", "x"), Reason.INVALID_INPUT, 'no support for filtering on unrecognized field "colour"'),
        (one("", "x"), Reason.INVALID_INPUT, "has no key"),
        (json.dumps({"predicates": [{"operation": 1, "key": "name"}]}), Reason.INVALID_INPUT, "has no value"),
        (one("name", "x", 0), Reason.INVALID_INPUT, "no operation"),
        (one("name", "x", 4), Reason.INVALID_INPUT, "no operation"),
        (one("name", "x", 8), Reason.INVALID_INPUT, "cannot use IN operator with scalar type string"),
        (one("name", {"values": ["x"]}, 1, "stringValues"), Reason.INVALID_INPUT, "cannot use scalar operator"),
        (one("created_at", "2020-01-01T00:00:00Z", 9, "timestampValue"), Reason.INVALID_INPUT, "needs string_value"),
        (one("name", 3, 1, "intValue"), Reason.INVALID_INPUT, "give string_value"),
        (one("name", "a\0b"), Reason.INVALID_INPUT, "NUL"),
        ("not json", Reason.INVALID_INPUT, "filter is not a Filter message as JSON"),
        ("3", Reason.INVALID_INPUT, "filter is not a Filter message as JSON: proto: 3 is no JSON object"),
        ('{"predicate": []}', Reason.INVALID_INPUT, 'unknown field "predicate"'),
        (one("name", "x", 9), Reason.NOT_IMPLEMENTED, 'IS_SUBSTRING on "name" is not built yet'),
        (one("tags.team", "x"), Reason.NOT_IMPLEMENTED, "not built yet"),
    ],
)
def test_a_filter_that_cannot_be_answered_says_why(text, reason, says):
    error = refused(RUNS, filter=text)
    assert (error.reason, says in str(error)) == (reason, True), str(error)


def test_a_token_alone_continues_with_the_same_order_and_filter():
    page = page_of(asked(sort_by="name desc", filter=one("name", "x")), RUNS)
    token = token_of(page, NextPage(first_value="x", first_id="id-9"), RUNS)
    following = page_of(asked(page_token=token, page_size=5), RUNS)
    assert (following.first_value, following.first_id, following.size) == ("x", "id-9", 5)
    assert (following.sort_field, following.descending) == ("display_name", True)
    assert list(following.predicates) == list(page.predicates)
    same = page_of(asked(page_token=token, page_size=5, sort_by="display_name desc", filter=one("name", "x")), RUNS)
    assert same == following


def test_there_is_no_token_after_the_last_page():
    assert token_of(page_of(asked(), RUNS), NextPage(), RUNS) == ""


def test_a_token_with_another_order_filter_or_list_is_refused():
    token = token_of(page_of(asked(), RUNS), NextPage(first_value="1", first_id="i"), RUNS)
    for listed, fields in [(RUNS, {"sort_by": "name"}), (RUNS, {"filter": one("name", "x")}), (PIPELINES, {})]:
        assert "Invalid page token" in str(refused(listed, page_token=token, **fields))


def encoded(tree):
    return base64.b64encode(json.dumps(tree).encode()).decode()


@pytest.mark.parametrize(
    "token",
    [
        "%%%",
        "bm90IGpzb24=",
        encoded([1]),
        encoded({"k": "runs"}),
        encoded({"k": "runs", "s": "created_at; drop table", "d": False, "v": "", "i": "x", "f": []}),
        encoded({"k": "runs", "s": "created_at", "d": False, "v": "\0", "i": "x", "f": []}),
        encoded({"k": "runs", "s": "created_at", "d": False, "v": "", "i": "x", "f": [[1, "secret", ["x"]]]}),
        encoded({"k": "runs", "s": "created_at", "d": "yes", "v": 3, "i": "x", "f": "abc"}),
    ],
)
def test_a_damaged_token_is_refused(token):
    assert "Invalid page token" in str(refused(RUNS, page_token=token))
