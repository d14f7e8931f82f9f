"""The pure rules of ML Metadata: how types evolve, what a put changes, which pages there are, what an edge means."""

from __future__ import annotations

import pytest

from headrace_persistence.metadata import edges, evolving, listing, values
from headrace_persistence.metadata.changing import change, masked
from headrace_persistence.metadata.kinds import ARTIFACT, CONTEXT, EXECUTION, SIMPLE, base_name, base_number
from headrace_persistence.metadata.lineage import follows
from headrace_protos.ml_metadata import metadata_store_pb2 as ms
from headrace_protos.ml_metadata import metadata_store_service_pb2 as mss
from headrace_servicekit.errors import Reason, ServiceError

UP, DOWN, BOTH = (
    ms.LineageSubgraphQueryOptions.UPSTREAM,
    ms.LineageSubgraphQueryOptions.DOWNSTREAM,
    ms.LineageSubgraphQueryOptions.BIDIRECTIONAL,
)


def model(**properties: int) -> ms.ArtifactType:
    return ms.ArtifactType(name="Model", properties=properties)


@pytest.mark.parametrize(
    ("given", "add", "omit", "outcome"),
    [
        (model(a=ms.INT, b=ms.STRING), False, False, {"a", "b"}),
        (model(a=ms.INT), False, True, {"a", "b"}),
        (model(a=ms.INT, b=ms.STRING, c=ms.DOUBLE), True, False, {"a", "b", "c"}),
        (model(c=ms.DOUBLE), True, True, {"a", "b", "c"}),
        (model(a=ms.INT), True, False, "it has the property b; set can_omit_fields to leave them out"),
        (model(), True, False, "it has the properties a, b; set can_omit_fields to leave them out"),
        (
            model(a=ms.INT, b=ms.STRING, c=ms.INT),
            False,
            True,
            "it lacks the property c; set can_add_fields to add them",
        ),
        (model(a=ms.STRING, b=ms.STRING), True, True, "property a is INT there"),
    ],
)
def test_types_evolve(given, add, omit, outcome):
    stored = model(a=ms.INT, b=ms.STRING)
    if isinstance(outcome, set):
        assert set(evolving.evolved(ARTIFACT, stored, given, add=add, omit=omit).properties) == outcome
        assert set(stored.properties) == {"a", "b"}
        return
    with pytest.raises(ServiceError) as failed:
        evolving.evolved(ARTIFACT, stored, given, add=add, omit=omit)
    assert failed.value.reason == Reason.ALREADY_EXISTS
    assert failed.value.message == f"artifact type Model exists already: {outcome}"


@pytest.mark.parametrize(
    ("stored", "base", "outcome"),
    [
        ("", None, ""),
        ("", ms.ArtifactType.MODEL, "mlmd.Model"),
        ("mlmd.Model", None, "mlmd.Model"),
        ("mlmd.Model", ms.ArtifactType.MODEL, "mlmd.Model"),
        (
            "mlmd.Model",
            ms.ArtifactType.DATASET,
            "type T inherits from mlmd.Model: that cannot be changed to mlmd.Dataset",
        ),
        ("mlmd.Model", ms.ArtifactType.UNSET, "type T: a base type cannot be taken away"),
    ],
)
def test_base_types_stay(stored, base, outcome):
    given = ms.ArtifactType(name="T", base_type=base)
    if outcome.startswith("type "):
        with pytest.raises(ServiceError) as failed:
            evolving.inherited(ARTIFACT, stored, given)
        assert (failed.value.reason, failed.value.message) == (Reason.NOT_IMPLEMENTED, outcome)
    else:
        assert evolving.inherited(ARTIFACT, stored, given) == outcome


def test_base_types_have_names():
    assert base_name(EXECUTION, ms.ExecutionType.EVALUATE) == "mlmd.Evaluate"
    assert base_number(ARTIFACT, "mlmd.Statistics") == ms.ArtifactType.STATISTICS
    assert len(SIMPLE) == 9


@pytest.mark.parametrize(
    ("mask", "outcome"),
    [
        ((), None),
        (("properties",), None),
        (("uri",), frozenset()),
        (("properties.a", "properties.b", "custom_properties.c"), frozenset({"a", "b"})),
    ],
)
def test_masks_name_properties(mask, outcome):
    assert masked(mask, "properties") == outcome


def test_a_put_replaces_and_a_mask_chooses():
    stored = ms.Artifact(id=1, name="kept", uri="old", state=ms.Artifact.LIVE)
    stored.properties["a"].int_value = 1
    given = ms.Artifact(id=1, name="not taken", uri="new")
    given.properties["b"].int_value = 2
    whole = change(ARTIFACT, stored, given, (), force=False)
    assert whole.columns == {"name": "kept", "external_id": None, "uri": "new", "state": None}
    assert whole.properties == {(False, "a"): None, (False, "b"): ms.Value(int_value=2)}
    some = change(ARTIFACT, stored, given, ("uri",), force=False)
    assert some.columns == {"name": "kept", "external_id": None, "uri": "new", "state": ms.Artifact.LIVE}
    assert some.properties == {}
    nothing = change(ARTIFACT, stored, stored, (), force=False)
    assert not nothing.touched
    assert change(ARTIFACT, stored, stored, (), force=True).touched


def test_a_context_keeps_a_name():
    with pytest.raises(ServiceError, match="a context needs a name"):
        change(CONTEXT, ms.Context(id=1, name="it"), ms.Context(id=1), (), force=False)


def test_pages_follow_each_other():
    options = ms.ListOperationOptions(max_result_size=500)
    first = listing.asked(ARTIFACT, options)
    assert (first.size, first.params["limit"]) == (100, 101)
    following = ms.ListOperationOptions(max_result_size=10, next_page_token=listing.token(options, 41, 41))
    assert listing.asked(ARTIFACT, following).params["after_id"] == 41


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_result_size": 0}, "max_result_size is 0; it must be from 1 to 100"),
        ({"order_by_field": {"field": 0}}, "order_by_field is unspecified: use CREATE_TIME, LAST_UPDATE_TIME or ID"),
        ({"next_page_token": "%%%"}, "next_page_token is none of ours; begin with the first page"),
        ({"next_page_token": "AAAA"}, "next_page_token is none of ours; begin with the first page"),
        (
            {"next_page_token": listing.token(ms.ListOperationOptions(filter_query="id = 1"), 1, 1)},
            "next_page_token comes from a list with another order or filter; give the same ones for every page",
        ),
    ],
)
def test_wrong_options(options, said):
    with pytest.raises(ServiceError) as failed:
        listing.asked(ARTIFACT, ms.ListOperationOptions(**options))
    assert (failed.value.reason, failed.value.message) == (Reason.INVALID_INPUT, said)


@pytest.mark.parametrize(
    ("event", "direction", "from_artifacts", "outcome"),
    [
        (ms.Event.OUTPUT, UP, True, True), (ms.Event.INPUT, UP, True, False), (ms.Event.INPUT, UP, False, True),
        (ms.Event.OUTPUT, UP, False, False), (ms.Event.INPUT, DOWN, True, True), (ms.Event.PENDING_OUTPUT, DOWN, False, True),
        (ms.Event.DECLARED_INPUT, DOWN, False, False), (ms.Event.INPUT, BOTH, True, True), (ms.Event.OUTPUT, 0, False, True),
    ],
)  # fmt: skip
def test_directions(event, direction, from_artifacts, outcome):
    assert follows(event, direction, from_artifacts=from_artifacts) is outcome


@pytest.mark.parametrize(
    ("edge", "reason", "said"),
    [
        ({}, Reason.INVALID_INPUT, "an event edge has no event"),
        (
            {"event": {}},
            Reason.INVALID_INPUT,
            "an event edge names no execution: it needs an execution_index or an event with an execution_id",
        ),
        (
            {"event": {}, "execution_index": 1},
            Reason.OUT_OF_RANGE,
            "an event edge has the execution_index 1; the request has 1 executions",
        ),
        (
            {"event": {"execution_id": 9}, "execution_index": 0},
            Reason.INVALID_INPUT,
            "an event edge names the execution 9, but executions[0] is not that one",
        ),
    ],
)
def test_edges(edge, reason, said):
    with pytest.raises(ServiceError) as failed:
        edges.check(mss.PutLineageSubgraphRequest(executions=[ms.Execution(id=3)], event_edges=[edge]))
    assert (failed.value.reason, failed.value.message) == (reason, said)


@pytest.mark.parametrize(
    "held",
    [
        ms.Value(int_value=-1), ms.Value(double_value=0.5), ms.Value(string_value=""), ms.Value(bool_value=False),
        ms.Value(struct_value={"a": [1]}),
    ],
)  # fmt: skip
def test_values_survive_their_columns(held):
    assert values.value(values.columns("x", held)) == held


def test_a_value_must_be_there():
    with pytest.raises(ServiceError, match="property x holds no value; leave it out or give it one"):
        values.columns("x", ms.Value())
