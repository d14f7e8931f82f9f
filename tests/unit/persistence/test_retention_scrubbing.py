"""Taking content out of messages: what goes, and that the shape stays."""

from __future__ import annotations

import pytest

from headrace_persistence.retention.scrubbing import (
    Doomed,
    Task,
    groups_above,
    scrub,
    scrubbed_event,
    silenced_bytes,
    tombstone,
)
from headrace_protos.v1 import events_pb2 as ev

DOOMED = Doomed(frozenset({"a1"}), frozenset({"s3://b/r/t/model"}))


def artifact(artifact_id: str, uri: str) -> ev.Artifact:
    return ev.Artifact(
        artifact_id=artifact_id,
        name="secret",
        schema_title="system.Model",
        schema_version="0.0.1",
        uri=uri,
        metadata_json='{"secret":1}',
        digest="sha256:secret",
        size=7,
    )


@pytest.mark.parametrize(
    ("one", "erased"),
    [
        (artifact("a1", "gs://elsewhere"), True),
        (artifact("other", "s3://b/r/t/model"), True),
        (artifact("other", "s3://b/r/t/model/"), True),
        (artifact("other", "s3://b/r/t/model/part/deep"), True),
        (artifact("other", "s3://b/r/t/models"), False),
        (artifact("other", "s3://b/r/t"), False),
    ],
)
def test_what_is_among_the_erased(one: ev.Artifact, erased: bool):
    assert DOOMED.has(one) is erased


def test_a_tombstone_has_the_type_alone():
    made = tombstone(artifact("a1", "s3://b/r/t/model"))
    assert made == ev.Artifact(artifact_id="a1", schema_title="system.Model", schema_version="0.0.1")


def values() -> ev.Values:
    made = ev.Values(parameters={"n": ev.Value(json="1"), "big": ev.Value(uri="s3://b/r/values/x", size=40_000)})
    made.artifacts["model"].artifacts.append(artifact("a1", "s3://b/r/t/model"))
    made.artifacts["other"].artifacts.append(artifact("b2", "s3://b/r/t/other"))
    return made


def test_parameters_go_only_where_that_is_asked():
    made = values()
    assert scrub(made, DOOMED) == []
    assert made.parameters == values().parameters
    assert made.artifacts["model"].artifacts[0].uri == ""
    assert made.artifacts["other"] == values().artifacts["other"]
    assert scrub(made, DOOMED, parameters=True) == ["s3://b/r/values/x"]
    assert {name: value.json for name, value in made.parameters.items()} == {"n": "null", "big": "null"}


def test_what_failed_stays_and_what_it_said_goes():
    error = ev.Error(reason="UserCode", message="secret", log_tail="secret", exit_code=3, failure_class=ev.USER)
    made = ev.Error.FromString(silenced_bytes(error.SerializeToString()))
    assert made == ev.Error(reason="UserCode", message="erased", exit_code=3, failure_class=ev.USER)
    assert silenced_bytes(b"") == b""


@pytest.mark.parametrize(
    "event",
    [
        ev.Event(run_started=ev.RunStarted(inputs=values())),
        ev.Event(run_finished=ev.RunFinished(outputs=values(), error=ev.Error(message="secret"))),
        ev.Event(path="t", task_started=ev.TaskStarted(inputs=values())),
        ev.Event(
            path="t", task_finished=ev.TaskFinished(inputs=values(), outputs=values(), error=ev.Error(message="secret"))
        ),
        ev.Event(path="t", attempt=1, attempt_launched=ev.AttemptLaunched(warnings=["secret"])),
        ev.Event(path="t", attempt=1, attempt_finished=ev.AttemptFinished(error=ev.Error(log_tail="secret"))),
    ],
)
def test_no_event_keeps_the_content(event: ev.Event):
    doomed = Doomed(frozenset({"a1", "b2"}), frozenset())
    made = scrubbed_event(event.SerializeToString(), doomed, Task(outputs=True, words=True))
    assert b"secret" not in made
    assert ev.Event.FromString(made).WhichOneof("kind") == event.WhichOneof("kind")


def test_events_of_others_stay_as_they_are():
    for event in (ev.Event(seq=3, path="x", task_waiting=ev.TaskWaiting()), ev.Event(task_created=ev.TaskCreated())):
        assert scrubbed_event(event.SerializeToString(), DOOMED, Task(True, True)) == event.SerializeToString()


def test_groups_above():
    assert groups_above(["loop[3]/group/train", "top"]) == {"", "loop", "loop[3]", "loop[3]/group"}
