"""G41: tasks that make and delete volume claims do it each time, and what is skipped makes nothing."""

from __future__ import annotations

from builders.specs import Component, container, output, pipeline
from gaps.gap import Gap

GAP = Gap(
    "G41",
    "Volume claims as tasks",
    kfp="deleting never caches, generated names never hit, a cached create is not checked, a skipped one succeeds",
    here="never from the cache: a claim that is named in a result exists; skipped, they and what needs them are skipped",
)
SIZE = {"access_modes": ["ReadWriteOnce"], "size": "1Gi"}


def create() -> Component:
    made = container([], image="argostub/createpvc", outputs={"name": "STRING"})
    del made.executor["container"]["command"]
    for name, kind in (("access_modes", "LIST"), ("size", "STRING"), ("pvc_name", "STRING")):
        made.input(name, kind, optional=True)
    return made


def delete() -> Component:
    made = container([], image="argostub/deletepvc", inputs={"pvc_name": "STRING"})
    del made.executor["container"]["command"]
    return made


def test_claims_are_made_and_deleted_again_in_every_run(gaps):
    flow = pipeline("g41").task("create", create(), {**SIZE, "pvc_name": "g41-data"}, cache=True)
    flow.task("delete", delete(), {"pvc_name": output("create", "name")}, cache=True)
    for _ in range(2):
        view = gaps.run(flow)
        assert view.state == "SUCCEEDED"
        assert {task.state for task in view.tasks.values()} == {"SUCCEEDED"}
        assert view.tasks["create"].outputs["name"] == "g41-data"


def test_a_claim_that_is_not_made_is_not_used(gaps):
    flow = pipeline("g41-skipped").task("create", create(), SIZE, when="'a' == 'b'")
    flow.task("delete", delete(), {"pvc_name": output("create", "name")})
    view = gaps.run(flow)
    assert {path: task.state for path, task in view.tasks.items()} == {"create": "SKIPPED", "delete": "SKIPPED"}


def test_a_claim_that_is_not_there_cannot_be_deleted(gaps):
    view = gaps.run(pipeline("g41-gone").task("delete", delete(), {"pvc_name": "g41-nothing"}))
    assert view.state == "FAILED"
    assert "'g41-nothing' is not on this machine, so it cannot be deleted" in view.tasks["delete"].error
