"""What may be a name, a tag, an id; and the ids that are made here."""

from __future__ import annotations

import uuid

import pytest

from headrace_apiserver.identity import delivery_key, new_run_id, uuid7
from headrace_apiserver.names import check_id, check_name, check_tags, check_text
from headrace_servicekit.errors import Reason, ServiceError


def test_names_are_free_text_within_bytes():
    assert check_name("Pipeline.Name", "Training – täglich", 128) == "Training – täglich"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "Pipeline.Name is empty"),
        ("  ", "Pipeline.Name is empty"),
        ("x" * 129, "Pipeline.Name length cannot exceed 128"),
        ("ä" * 65, "it has 130 bytes"),
        ("a\0b", "Pipeline.Name contains a NUL character"),
    ],
)
def test_a_wrong_name_is_named(name, says):
    with pytest.raises(ServiceError, match=says) as caught:
        check_name("Pipeline.Name", name, 128)
    assert caught.value.reason == Reason.INVALID_INPUT


def test_a_long_description_is_refused():
    with pytest.raises(ServiceError, match="length cannot exceed"):
        check_text("Run.Description", "x" * 100_000)


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ({"": "x"}, "empty key"),
        ({"a.b": "x"}, '"a.b" contains a dot'),
        ({"a": "x" * 64}, "63 characters at most"),
        ({"k" * 64: "x"}, "63 characters at most"),
        ({str(n): "" for n in range(21)}, "21 tags; at most 20"),
        ({"a": "\0"}, "NUL"),
    ],
)
def test_wrong_tags_are_named(tags, says):
    with pytest.raises(ServiceError, match=says):
        check_tags(tags)


@pytest.mark.parametrize("text", ["nope", "", "a" * 500, "\0", "../../etc"])
def test_what_cannot_be_an_id_is_not_found(text):
    with pytest.raises(ServiceError, match=r"^Run .* not found$") as caught:
        check_id("Run", text)
    assert caught.value.reason == Reason.NOT_FOUND
    assert len(str(caught.value)) < 120


def test_an_id_is_taken_in_any_case_of_letters():
    assert check_id("Run", "019325E0-AAAA-7BBB-8CCC-0123456789AB") == "019325e0-aaaa-7bbb-8ccc-0123456789ab"


def test_run_ids_are_version_7_and_sort_by_time():
    made = uuid.UUID(uuid7(0x0123456789AB, b"\xff" * 10))
    assert str(made) == "01234567-89ab-7fff-bfff-ffffffffffff"
    assert uuid.UUID(uuid7(1, bytes(10))).version == 7
    assert uuid7(1000, b"\xff" * 10) < uuid7(1001, bytes(10))
    assert uuid.UUID(new_run_id()).variant == uuid.RFC_4122
    assert new_run_id() != new_run_id()


def test_keys_are_bounded_and_kinds_apart():
    assert delivery_key("create", "x" * 10_000) != delivery_key("retry", "x" * 10_000)
    assert len(delivery_key("create", "x" * 10_000)) < 80
