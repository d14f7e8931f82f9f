"""Retention on a real Postgres, a real cache and a real store: what goes, what stays because somebody uses it, in which order.

Each pass is compared with the plan before it (Keeping.run): a dry run says exactly what a run does.
"""

from __future__ import annotations

import pytest

from builders.runevents import create, new_run_id
from fixtures.fix_retention import Keeping, artifacts
from headrace_persistence.retention.looking import Looker
from headrace_persistence.retention.policies import declared
from headrace_persistence.retention.rules import Rules
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import retention_pb2 as pb
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database

LOG = "train/1/executor-logs"
REPORT = "train/1/attempt.json"


async def test_nothing_said_keeps_everything(keeping: Keeping) -> None:
    run_id = await keeping.ended("model")
    assert await keeping.run() == []
    assert keeping.files(run_id) == [REPORT, LOG, "train/1/model"]


async def test_runs_go_by_number_and_their_artifacts_by_their_own_policy(keeping: Keeping) -> None:
    old, new = [await keeping.ended("model") for _ in range(2)]
    await keeping.say(runs="1")
    assert await keeping.run() == [("runs", old)]
    assert keeping.files(old) == ["train/1/model"]  # nothing is said of artifacts
    assert keeping.files(new) == [REPORT, LOG, "train/1/model"]
    await keeping.say(artifacts="0s")
    assert await keeping.run() == [("artifacts", keeping.uri(old, "train/1/model"))]
    assert keeping.files(old) == []
    assert keeping.rows("SELECT count(*) FROM platform.remains") == [(0,)]
    assert keeping.files(new) == [REPORT, LOG, "train/1/model"]


async def test_runs_that_are_pinned_keep_no_others_out_of_a_plan(keeping: Keeping) -> None:
    pinned, *others = [await keeping.ended(pipeline=name) for name in ("a", "a", "b")]
    await keeping.calls.Pin(pb.PinRequest(run_id=pinned))
    async with Database(keeping.persistence.database_url, name="looking") as database:
        seen = [await Looker(database, keeping.neighbours, most).look(declared("runs=0s")) for most in (1, 2, 3)]
    all_of_them = [others[0], pinned, others[1]]
    assert [[one.run_id for one in each.world.runs] for each in seen] == [others[:1], all_of_them, all_of_them]
    assert [each.more for each in seen] == [True, True, False]


async def test_a_run_and_its_artifacts_go_in_one_pass(keeping: Keeping) -> None:
    run_id = await keeping.ended("model", "report")
    await keeping.say(runs="0s", artifacts="0s")
    assert await keeping.run() == [
        ("runs", run_id),
        ("artifacts", keeping.uri(run_id, "train/1/report")),
        ("artifacts", keeping.uri(run_id, "train/1/model")),
    ]
    assert keeping.files(run_id) == []
    for table in ("runs", "tasks", "attempts", "events", "links", "artifacts", "uses", "remains"):
        assert keeping.rows(f"SELECT count(*) FROM platform.{table}") == [(0,)], table


async def test_a_shared_artifact_goes_with_the_last_run_that_uses_it(keeping: Keeping) -> None:
    maker = await keeping.ended("model")
    uri = keeping.uri(maker, "train/1/model")
    user = await keeping.taking(maker, [uri])
    await keeping.say(runs="1", artifacts="0s")
    assert await keeping.run() == [("runs", maker)]
    answer = await keeping.calls.Plan(pb.PlanRequest())
    assert [(one.kind, one.name, one.why) for one in answer.kept] == [("artifacts", uri, f"run {user} uses it")]
    assert keeping.has(uri)
    await keeping.say(runs="0")
    assert await keeping.run() == [("runs", user), ("artifacts", uri)]
    assert not keeping.has(uri)


async def test_who_uses_a_part_of_an_artifact_keeps_it_whole(keeping: Keeping) -> None:
    maker = await keeping.begin()
    folder = keeping.uri(maker, "train/1/model")
    part = keeping.put(f"{folder}/weights")
    await keeping.end(maker, artifacts(maker, [folder]))
    user = await keeping.taking("0", [part])  # as an importer of that place, or a task that passes it on
    await keeping.say(runs="1", artifacts="0s")
    assert await keeping.run() == [("runs", maker)]
    assert keeping.has(part)
    await keeping.say(runs="0")
    assert await keeping.run() == [("runs", user), ("artifacts", folder)]
    assert not keeping.has(part)


async def test_a_cached_result_keeps_its_artifacts_and_values_until_it_goes_itself(keeping: Keeping) -> None:
    run_id = await keeping.begin()
    uri, value = keeping.uri(run_id, "train/1/model"), keeping.uri(run_id, "train/1/values/abc")
    for place in (uri, value, keeping.uri(run_id, "train/1/partial/x")):
        keeping.put(place)
    outputs = artifacts(run_id, [uri])
    outputs.parameters["big"].CopyFrom(ev.Value(uri=value, size=7, digest="sha256:v"))
    await keeping.end(run_id, outputs)
    key = await keeping.cached(run_id, outputs)
    await keeping.say(runs="0s", artifacts="0s")
    assert await keeping.run() == [("runs", run_id)]
    assert keeping.files(run_id) == ["train/1/model", "train/1/values/abc"]
    answer = await keeping.calls.Plan(pb.PlanRequest())
    assert [one.why for one in answer.kept] == [f"a cached result uses it, that of {run_id}/train"]
    user = await keeping.taking(run_id, [uri], [value])  # a hit on the result of a run that is gone
    await keeping.say(runs="keep", cache="0s")
    assert await keeping.run() == [("cache", key)]
    assert not await keeping.hit(run_id)
    assert keeping.files(run_id) == ["train/1/model", "train/1/values/abc"]
    await keeping.say(runs="0s")
    assert await keeping.run() == [("runs", user), ("artifacts", uri)]
    assert keeping.files(run_id) == []
    assert keeping.rows("SELECT count(*) FROM platform.remains") == [(0,)]


async def test_a_run_that_a_user_deletes_leaves_its_artifacts_and_no_cached_results(keeping: Keeping) -> None:
    run_id = await keeping.ended("model")
    uri = keeping.uri(run_id, "train/1/model")
    await keeping.cached(run_id, artifacts(run_id, [uri]))
    await keeping.persistence.store.Deliver(rs.DeliverRequest(key="d", run_id=run_id, delete=rs.Delete()))
    while keeping.rows("SELECT 1 FROM platform.runs"):
        await keeping.plan()
    assert await keeping.run() == []
    assert not await keeping.hit(run_id)
    assert keeping.files(run_id) == ["train/1/model"]


async def test_pinned_running_and_resumed_runs_stay(keeping: Keeping) -> None:
    running = await keeping.begin()
    pinned, origin, other = [await keeping.ended("model") for _ in range(3)]
    await keeping.calls.Pin(pb.PinRequest(run_id=pinned))
    resuming = new_run_id()
    await keeping.persistence.store.Deliver(create(resuming, resume=rs.Resume(run_id=origin)))
    await keeping.say(runs="0s", artifacts="0s", logs="0s", traces="0s")
    assert await keeping.run() == [
        ("runs", other),
        ("logs", origin),
        ("traces", origin),
        ("artifacts", keeping.uri(other, "train/1/model")),
    ]
    assert keeping.files(pinned) == [REPORT, LOG, "train/1/model"]
    assert LOG in keeping.files(running)
    answer = await keeping.calls.Plan(pb.PlanRequest())
    assert {(one.name, one.why) for one in answer.kept} == {
        (pinned, "it is pinned"),
        (origin, f"run {resuming}, which has not ended, goes on from it"),
    }
    await keeping.calls.Pin(pb.PinRequest(run_id=pinned, unpin=True))
    assert ("runs", pinned) in await keeping.run()


async def test_archived_runs_have_a_policy_of_their_own(keeping: Keeping) -> None:
    here, archived = [await keeping.ended() for _ in range(2)]
    request = rs.SetStorageStateRequest(run_id=archived, storage_state=rs.ARCHIVED)
    await keeping.persistence.store.SetStorageState(request)
    await keeping.say(archived="0s")
    assert await keeping.run() == [("archived", archived)]
    await keeping.say(runs="0s")
    assert await keeping.run() == [("runs", here)]


async def test_logs_and_traces_go_before_their_run(keeping: Keeping) -> None:
    run_id = await keeping.ended("model")
    await keeping.say(logs="0s", traces="0s")
    assert await keeping.run() == [("logs", run_id), ("traces", run_id)]
    assert keeping.files(run_id) == [REPORT, "train/1/model"]
    assert keeping.rows("SELECT count(*) FROM platform.events") == [(0,)]
    run = await keeping.persistence.query.GetRun(rq.GetRunRequest(run_id=run_id))
    assert run.logs_deleted_at_us > run.finished_at_us
    assert run.traces_deleted_at_us > run.finished_at_us
    assert await keeping.run() == []
    (snapshot,) = await keeping.scheduler.load(run_id)  # its rows say all that a retry needs
    assert snapshot.tasks[0].state == ev.TASK_SUCCEEDED


async def test_policies_of_a_pipeline_and_a_namespace(keeping: Keeping) -> None:
    mine = await keeping.ended(namespace="a", pipeline="x")
    other = await keeping.ended(namespace="a", pipeline="y")
    elsewhere = await keeping.ended(namespace="b", pipeline="x")
    await keeping.say(runs="0s")
    for policy in (
        pb.RetentionPolicy(namespace="a", kind="runs"),
        pb.RetentionPolicy(namespace="a", pipeline_name="x", kind="runs", max_count=0),
    ):
        await keeping.calls.SetPolicy(pb.SetPolicyRequest(policy=policy))
    assert await keeping.run() == [("runs", mine), ("runs", elsewhere)]
    assert keeping.rows("SELECT run_id FROM platform.runs") == [(other,)]


async def test_a_folder_that_a_run_named_elsewhere_is_left(keeping: Keeping, tmp_path: object) -> None:
    """Its owner's: only what lies in the platform's stores is deleted."""
    run_id = await keeping.begin()
    uri = f"file://{tmp_path}/demo/{run_id}/train/1/model"
    keeping.put(uri)
    await keeping.end(run_id, artifacts(run_id, [uri]))
    await keeping.say(runs="0s", artifacts="0s")
    assert await keeping.run() == [("runs", run_id), ("artifacts", uri)]
    assert keeping.has(uri)


async def test_what_an_importer_names_is_nobodys_to_delete(keeping: Keeping, tmp_path: object) -> None:
    uri = f"file://{tmp_path}/data"
    keeping.put(uri)
    in_store = keeping.put(f"{keeping.store.root}/uploaded/data")
    run_id = await keeping.begin()
    await keeping.end(run_id, artifacts(run_id, [uri, in_store]))
    await keeping.say(runs="0s", artifacts="0s")
    assert await keeping.run() == [("runs", run_id)]
    assert keeping.has(uri)
    assert keeping.has(in_store)


async def test_what_people_noted_in_ml_metadata_stays(keeping: Keeping) -> None:
    run_id = await keeping.ended("model")
    uri = keeping.uri(run_id, "train/1/model")
    keeping.rows(
        "INSERT INTO platform.metadata_nodes (kind, type, uri, created_ms, updated_ms)"
        " SELECT 1, id, %s, 1, 1 FROM platform.metadata_types WHERE kind = 1 AND name = 'system.Model' RETURNING id",
        uri,
    )
    await keeping.say(runs="0s", artifacts="0s")
    assert await keeping.run() == [("runs", run_id)]
    assert keeping.has(uri)


async def test_packages_go_by_age(keeping: Keeping) -> None:
    await keeping.ended()
    uri = f"{keeping.store.root}/packages/abc"
    keeping.put(f"{uri}/tree.tar")
    assert await keeping.run() == []
    await keeping.say(packages="0s")
    assert await keeping.run() == [("packages", uri)]
    assert not keeping.has(uri)


# ── a hit on what is going ──


async def test_a_hit_that_was_stored_first_keeps_the_artifact(keeping: Keeping) -> None:
    maker = await keeping.ended("model")
    uri = keeping.uri(maker, "train/1/model")
    await keeping.say(runs="0s")
    assert await keeping.run() == [("runs", maker)]
    await keeping.say(runs="keep", artifacts="0s")
    assert await keeping.plan() == [("artifacts", uri)]
    await keeping.taking(maker, [uri])
    assert await keeping.run() == []
    assert keeping.has(uri)


async def test_a_hit_on_what_is_doomed_is_refused_and_the_run_loaded_again(keeping: Keeping) -> None:
    maker = await keeping.ended("model")
    uri = keeping.uri(maker, "train/1/model")
    await keeping.say(runs="0s")
    assert await keeping.run() == [("runs", maker)]
    keeping.rows("UPDATE platform.remains SET doomed_at_us = 1 WHERE kind = 2 RETURNING 1")
    refused = await keeping.taking(maker, [uri], refused=True)
    await keeping.taking(maker, [f"{uri}/part"], refused=True)
    await keeping.taking("0", ["gs://elsewhere/model"])  # others go on
    (snapshot,) = await keeping.scheduler.load(refused)
    assert snapshot.revision == keeping.revisions[refused]
    await keeping.taking(maker, [uri], refused=True)


# ── policies ──


async def test_policies_have_versions(keeping: Keeping) -> None:
    policy = pb.RetentionPolicy(namespace="a", kind="runs", max_age_s=60)
    first = await keeping.calls.SetPolicy(pb.SetPolicyRequest(policy=policy, expected_version=0))
    assert first.policy.version == 1
    second = await keeping.calls.SetPolicy(pb.SetPolicyRequest(policy=policy, expected_version=1))
    assert second.policy.version == 2
    for expected, sentence in (
        (1, "the policy for runs of a has version 2, not version 1: look at it and set it again"),
        (0, "the policy for runs of a has version 2, not version 0: look at it and set it again"),
    ):
        with pytest.raises(ServiceError) as refused:
            await keeping.calls.SetPolicy(pb.SetPolicyRequest(policy=policy, expected_version=expected))
        assert (refused.value.reason, refused.value.message) == (Reason.WRONG_STATE, sentence)
    assert not (await keeping.calls.SetPolicy(pb.SetPolicyRequest(policy=policy, remove=True))).HasField("policy")
    assert not (await keeping.calls.ListPolicies(pb.ListPoliciesRequest())).policies
    with pytest.raises(ServiceError) as refused:
        await keeping.calls.SetPolicy(pb.SetPolicyRequest(policy=policy, expected_version=2))
    assert refused.value.message == "the policy for runs of a is not there, not version 2: look at it and set it again"
    again = await keeping.calls.SetPolicy(pb.SetPolicyRequest(policy=policy, expected_version=0))
    assert again.policy.version == 4
    with pytest.raises(ServiceError) as refused:
        await keeping.calls.SetPolicy(pb.SetPolicyRequest(policy=pb.RetentionPolicy(kind="models")))
    assert refused.value.reason == Reason.INVALID_INPUT
    with pytest.raises(ServiceError) as refused:
        await keeping.calls.Pin(pb.PinRequest(run_id="nobody"))
    assert refused.value.message == "Run nobody not found"


async def test_declared_policies_go_before_those_of_calls_and_are_not_changed_by_them(keeping: Keeping) -> None:
    async with Database(keeping.persistence.database_url, name="declared") as database:
        await keeping.say(runs="0s", logs="5")
        rules = Rules(database, declared("runs=9d team-a/x:logs=keep"))
        shown = [(one.namespace, one.kind, one.max_age_s, one.declared) for one in await rules.listed("")]
        assert shown == [("", "logs", 0.0, False), ("", "runs", 9 * 86400.0, True), ("team-a", "logs", 0.0, True)]
        assert (await rules.said()).of("runs", "b", "y").max_age_s == 9 * 86400
        assert [one.kind for one in await rules.listed("team-b")] == ["logs", "runs"]
        for policy, named in (
            (pb.RetentionPolicy(kind="runs"), "the policy for runs"),
            (pb.RetentionPolicy(kind="logs", namespace="team-a", pipeline_name="x"), "the policy for logs of team-a/x"),
        ):
            with pytest.raises(ServiceError) as refused:
                await rules.set(pb.SetPolicyRequest(policy=policy))
            sentence = f"{named} is declared by HEADRACE_RETENTION: change it there"
            assert (refused.value.reason, refused.value.message) == (Reason.WRONG_STATE, sentence)
