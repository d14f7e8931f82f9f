"""The Kubernetes executor over a cluster in memory: what it does when the cluster does not do as expected."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from builders.fake_cluster import IMAGE_DIGEST, FakeCluster, now
from builders.kubernetes_worlds import CLAIMS, PODS, World, world
from builders.launches import launch, succeeded
from builders.nodes import gpus
from builders.registries import Registry, serving
from fixtures.polling import until
from headrace_companion.results import AttemptResult, Failure, Reason
from headrace_protos.v1 import attempts_pb2
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.executors import port
from headrace_scheduler.executors.kubernetes import executor as under_test
from headrace_scheduler.executors.kubernetes.calling import ApiError
from headrace_scheduler.executors.task_settings import CREATE_CLAIM, DELETE_CLAIM, TaskSettings
from headrace_servicekit.errors import ServiceError

SUCCEEDED = attempts_pb2.AttemptResult(state=ev.ATTEMPT_SUCCEEDED)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(under_test, "REAP_EVERY_S", 0.01)


def seal(world: World, task: port.Launch) -> None:
    """The attempt has published everything."""
    result = AttemptResult("task#1", 0, None, None)
    world.store.put_bytes(world.store.key(f"{task.task_root}/attempt.json"), result.to_json().encode())


# ---- entry points


async def test_without_a_command_the_images_entry_point_is_told_to_the_companion(tmp_path):
    registry = Registry(login=("me", "word"))
    registry.add("x/y", "latest", {"config": {"Entrypoint": ["/app"], "Cmd": ["--help"]}})
    key = base64.b64encode(json.dumps({"auths": {"docker.io": {"username": "me", "password": "word"}}}).encode())
    secret = {"metadata": {"name": "hub"}, "data": {".dockerconfigjson": key.decode()}}
    async with serving(registry), world(tmp_path, registries={"*": registry.base}) as one:
        one.cluster.put(PODS.replace("pods", "secrets"), secret)
        task = launch(one.store, image="x/y", settings=TaskSettings(pull_secrets=("hub",)))
        path = await one.created(task)
        companion = (await one.cluster.get(path))["spec"]["initContainers"][0]
        assert companion["args"][4:] == ["/app", "--help"]
        denied = await one.watched.run(launch(one.store, image="x/y"))
        assert (denied.error.reason, denied.error.failure_class) == ("Environment", ev.USER)
        assert "'docker.io' asks for credentials" in denied.error.message


async def test_a_registry_that_stays_away_is_not_the_tasks_fault(tmp_path):
    away = Registry(status=503)
    async with serving(away), world(tmp_path, registries={"*": away.base}, unstartable_s=0.0) as one:
        result = await one.watched.run(launch(one.store, image="x/y"))
    assert result.error.failure_class == ev.INFRASTRUCTURE
    assert result.error.message == "the registry 'docker.io' of the image 'x/y' does not answer: HTTP 503"


# ---- creating


async def test_a_create_call_whose_answer_was_lost_makes_one_pod(tmp_path):
    async with world(tmp_path) as one:
        one.cluster.lost_answers = 1
        await one.created(launch(one.store, "true"))
        assert len(one.cluster.pods()) == 1
        assert one.cluster.creates == 2


async def test_a_pod_of_that_name_that_is_not_ours_makes_the_attempt_fail_for_the_platform(tmp_path):
    async with world(tmp_path) as one:
        task = launch(one.store, "true")
        path = await one.created(task)
        one.cluster.remove(path)
        one.cluster.put(PODS, {"metadata": {"name": path.rpartition("/")[2], "labels": {}}})
        other = await one.watched.finished(task.attempt)
        assert other.state == ev.ATTEMPT_LOST
    async with world(tmp_path, one.cluster) as two:
        result = await two.watched.run(task)
        assert result.error.failure_class == ev.INFRASTRUCTURE
        assert "is there already, and is not of this task" in result.error.message


async def test_a_pod_that_is_being_deleted_is_waited_for(tmp_path):
    async with world(tmp_path) as one:
        task = launch(one.store, "true")
        path = await one.created(task)
        before = (await one.watched.launched(task.attempt)).handle
    async with world(tmp_path, one.cluster) as two:
        two.cluster.change(path, lambda pod: pod["metadata"].update(deletionTimestamp=now()))
        await two.executor.launch(task)
        await until(lambda: two.cluster.creates >= 3)
        two.cluster.remove(path)
        assert (await two.watched.launched(task.attempt)).handle != before


async def test_a_full_quota_is_waited_for_and_said(tmp_path):
    quota = 'pods "task" is forbidden: exceeded quota: few, requested: pods=1, used: pods=4, limited: pods=4'
    async with world(tmp_path) as one:
        one.cluster.refusals = [ApiError(403, "Forbidden", quota)]
        task = launch(one.store, "true")
        await one.executor.launch(task)
        assert "few" in (await one.told(port.Held)).detail
        await one.watched.launched(task.attempt)


async def test_what_the_cluster_never_takes_fails_as_the_users(tmp_path):
    async with world(tmp_path) as one:
        one.cluster.refusals = [ApiError(422, "Invalid", 'Pod "task" is invalid: spec.priority: nonsense')]
        result = await one.watched.run(launch(one.store, "true"))
        assert (result.error.reason, result.error.failure_class) == ("Launch", ev.USER)
        assert "nonsense" in result.error.message


async def test_no_more_pods_than_allowed_are_in_flight(tmp_path):
    async with world(tmp_path, most_pods=1) as one:
        first, second = launch(one.store, "true"), launch(one.store, "true")
        await one.created(first)
        await one.executor.launch(second)
        assert "HEADRACE_MAX_PODS" in (await one.told(port.Held)).detail
        assert len(one.cluster.pods()) == 1
        one.executor.completed(first.attempt, SUCCEEDED)
        await one.watched.launched(second.attempt)


async def test_of_those_that_wait_for_room_the_first_begins_first_and_none_that_is_cancelled(tmp_path):
    async with world(tmp_path, most_pods=1) as one:
        tasks = [launch(one.store, "true", path=f"task-{number}") for number in range(4)]
        await one.created(tasks[0])
        for task in tasks[1:]:
            await one.executor.launch(task)
        await one.executor.cancel(tasks[1].attempt)
        assert (await one.watched.finished(tasks[1].attempt)).state == ev.ATTEMPT_CANCELED
        for before, after in ((tasks[0], tasks[2]), (tasks[2], tasks[3])):
            one.executor.completed(before.attempt, SUCCEEDED)
            await one.watched.launched(after.attempt)
        assert len(one.cluster.pods()) == 3


# ---- following


TOLD_TO_END = attempts_pb2.AttemptResult(
    state=ev.ATTEMPT_LOST, error=ev.Error(reason="Lost", message="told to end", failure_class=ev.INFRASTRUCTURE)
)
TOO_MUCH = {"reason": "Evicted", "message": 'Usage of EmptyDir volume "x" exceeds the limit "1Mi". '}


async def test_a_report_before_its_pod_is_seen_to_run_keeps_what_the_task_got(tmp_path):
    async with world(tmp_path) as one:
        one.cluster.put("/api/v1/nodes", gpus("h100", "NVIDIA-H100-80GB-HBM3", 4))
        await until(lambda: one.executor._stock.nodes)
        task = launch(one.store, "true", request=port.Request(accelerators=1, accelerator_type="H100"))
        path = await one.created(task)
        one.cluster.schedule(path, "h100")
        await until(lambda: one.executor._stock.held)
        one.executor.completed(task.attempt, SUCCEEDED)
        told = await one.told(port.Launched, lambda fact: fact.node)
        assert (told.node, told.accelerator) == ("h100", "NVIDIA-H100-80GB-HBM3")


async def test_a_companion_that_was_told_to_end_is_asked_again_until_its_node_says_why(tmp_path):
    async with world(tmp_path) as one:
        task = launch(one.store, "true")
        path = await one.created(task)
        one.cluster.schedule(path, "node-1")
        with pytest.raises(ServiceError, match="not known yet why"):
            one.executor.completed(task.attempt, TOLD_TO_END)
        one.clock.now += 11  # nobody says anything
        assert one.executor.completed(task.attempt, TOLD_TO_END).error.message == "told to end"


async def test_a_node_s_word_counts_where_the_companion_had_no_time_to_ask_again(tmp_path):
    async with world(tmp_path) as one:
        task = launch(one.store, "true")
        path = await one.created(task)
        result = AttemptResult("task#1", 143, None, Failure(Reason.LOST, "told to end", temporary=True))
        one.store.put_bytes(one.store.key(f"{task.task_root}/attempt.json"), result.to_json().encode())
        one.cluster.status(path, phase="Failed", **TOO_MUCH)
        found = await one.watched.finished(task.attempt)
        assert (found.state, found.error.failure_class) == (ev.ATTEMPT_FAILED, ev.USER)
        assert found.error.message.startswith("the empty folder 'x' wrote more than its limit of 1Mi")


async def test_a_deleted_pod_is_a_lost_attempt(tmp_path):
    async with world(tmp_path) as one:
        task = launch(one.store, "true")
        one.cluster.remove(await one.created(task))
        assert (await one.watched.finished(task.attempt)).state == ev.ATTEMPT_LOST


@pytest.mark.parametrize("how", ["drop_watches", "expire"])
async def test_what_happened_while_nobody_watched_is_seen(tmp_path, how):
    async with world(tmp_path) as one:
        task, other = launch(one.store, "true"), launch(one.store, "true")
        path = await one.created(task)
        one.cluster.away = "connection refused"
        getattr(one.cluster, how)()
        one.cluster.drop_watches()
        await asyncio.sleep(0)
        one.cluster.remove(path)
        one.cluster.expire()
        one.cluster.away = ""
        assert (await one.watched.finished(task.attempt)).state == ev.ATTEMPT_LOST
        await one.created(other)


async def test_a_lost_report_is_recovered_from_what_was_published(tmp_path):
    async with world(tmp_path) as one:
        task = launch(one.store, "true")
        path = await one.created(task)
        seal(one, task)
        one.cluster.remove(path)
        assert succeeded(await one.watched.finished(task.attempt))


async def test_an_exit_code_of_nought_without_a_report_is_no_success(tmp_path, quick):
    async with world(tmp_path) as one:
        task = launch(one.store, "true")
        path = await one.created(task)
        one.cluster.schedule(path)
        one.cluster.main(path, "Succeeded", terminated={"exitCode": 0})
        await until(lambda: one.executor._ending)
        assert not any(isinstance(fact, port.Finished) for fact in one.watched.facts)  # its report may be on the way
        one.clock.now += 10
        result = await one.watched.finished(task.attempt)
        assert result.state == ev.ATTEMPT_LOST
        assert "did not report" in result.error.message


async def test_user_code_that_runs_is_told_with_its_node_and_image(tmp_path, quick):
    async with world(tmp_path) as one:
        path = await one.created(launch(one.store, "true"))
        one.cluster.schedule(path, "node-7")
        one.cluster.main(path, "Running", running={"startedAt": now()})
        launched = await one.told(port.Launched, lambda fact: fact.node)
        assert (launched.node, launched.image_digest) == ("node-7", IMAGE_DIGEST)


async def test_the_image_of_a_task_that_reported_before_its_node_did_is_told_later(tmp_path):
    async with world(tmp_path) as one:
        task = launch(one.store, "true")
        path = await one.created(task)
        one.cluster.schedule(path)
        one.executor.completed(task.attempt, SUCCEEDED)
        await one.watched.finished(task.attempt)
        asked = asyncio.create_task(one.executor.image_ran(task.attempt))
        await asyncio.sleep(0)
        assert not asked.done()
        one.cluster.main(path, "Succeeded", terminated={"exitCode": 0})
        assert (await one.told(port.Ran)) == port.Ran(task.attempt, IMAGE_DIGEST)
        assert await asked == await one.executor.image_ran(task.attempt) == IMAGE_DIGEST


@pytest.mark.parametrize("how", ["seen before", "gone", "unknown"])
async def test_the_image_of_an_attempt_is_not_waited_for_where_nobody_will_say_more(tmp_path, how):
    async with world(tmp_path) as one:
        task = launch(one.store, "true")
        path = await one.created(task)
        if how == "seen before":
            one.cluster.schedule(path)
            one.cluster.main(path, "Running", running={"startedAt": now()})
            await until(lambda: one.executor._running)
        if how != "unknown":
            one.executor.completed(task.attempt, SUCCEEDED)
        if how == "gone":
            one.cluster.remove(path)
            one.cluster.drop_watches()
        assert await one.executor.image_ran(task.attempt) == (IMAGE_DIGEST if how == "seen before" else "")


async def test_an_attempt_is_followed_by_the_next_replica(tmp_path):
    async with world(tmp_path) as one:
        task = launch(one.store, "true")
        path = await one.created(task)
        handle = (await one.watched.launched(task.attempt)).handle
    assert one.cluster.pods(), "a Pod outlives the replica that made it"
    async with world(tmp_path, one.cluster, [(task.attempt, handle)]) as two:
        assert not two.watched.facts
        two.cluster.remove(path)
        assert (await two.watched.finished(task.attempt)).state == ev.ATTEMPT_LOST


async def test_a_pod_that_went_between_two_replicas_is_looked_for_in_the_store(tmp_path):
    async with world(tmp_path) as one:
        task = launch(one.store, "true")
        path = await one.created(task)
        handle = (await one.watched.launched(task.attempt)).handle
        seal(one, task)
    one.cluster.remove(path)
    async with world(tmp_path, one.cluster, [(task.attempt, handle)]) as two:
        assert succeeded(await two.watched.finished(task.attempt))


async def test_what_another_replica_drives_is_neither_followed_nor_ended(tmp_path):
    async with world(tmp_path) as one:
        task = launch(one.store, "true")
        await one.created(task)
        await one.executor.shards(frozenset())
        await one.executor.cancel(task.attempt)
        assert one.executor.completed(task.attempt, SUCCEEDED) is None
        assert len(one.cluster.pods()) == 1


async def test_a_node_that_is_lost_takes_its_pods_with_it(tmp_path, quick):
    async with world(tmp_path) as one:
        task = launch(one.store, "true")
        path = await one.created(task)
        one.cluster.schedule(path, "node-1")
        one.cluster.main(path, "Running", running={"startedAt": now()})
        status = {"conditions": [{"type": "Ready", "status": "Unknown"}]}
        one.cluster.put("/api/v1/nodes", {"metadata": {"name": "node-1"}, "status": status})
        await until(lambda: one.executor._nodes._bad_since)
        one.clock.now += 61
        result = await one.watched.finished(task.attempt)
        assert result.state == ev.ATTEMPT_LOST
        assert "node-1" in result.error.message
        await until(lambda: not one.cluster.pods())


# ---- waiting


async def test_a_pod_that_no_node_takes_says_so(tmp_path, quick):
    async with world(tmp_path) as one:
        task = launch(one.store, "true")
        path = await one.created(task)
        said = "0/2 nodes are available: 2 Insufficient cpu."
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}
        one.cluster.status(path, phase="Pending", conditions=[condition])
        await until(lambda: one.executor._register.get(task.attempt).wait is not None)
        one.clock.now += 4
        assert "2 have too little cpu free" in (await one.told(port.Held)).detail


async def test_a_pod_that_no_scheduler_looks_at_says_so(tmp_path, quick):
    async with world(tmp_path) as one:
        task = launch(one.store, "true")
        await one.created(task)
        await until(lambda: one.executor._register.get(task.attempt).pod is not None)
        one.clock.now += 4
        assert "waits for the scheduler 'default-scheduler'" in (await one.told(port.Held)).detail


async def test_what_only_a_person_can_help_fails_after_a_while(tmp_path, quick):
    async with world(tmp_path, unstartable_s=300) as one:
        task = launch(one.store, "true")
        path = await one.created(task)
        one.cluster.schedule(path)
        waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "nothere:1"'}
        one.cluster.main(path, "Pending", waiting=waiting)
        one.clock.now += 4
        await one.told(port.Held)
        one.clock.now += 301
        result = await one.watched.finished(task.attempt)
        assert result.state == ev.ATTEMPT_FAILED
        await until(lambda: not one.cluster.pods())


# ---- ending


async def test_a_running_attempt_that_is_cancelled_ends_when_its_pod_has(tmp_path):
    forever: asyncio.Event = asyncio.Event()

    async def work(pod: Any) -> int:
        await forever.wait()
        return 0

    async with world(tmp_path, FakeCluster(work)) as one:
        task = launch(one.store, "true")
        await one.created(task)
        await until(lambda: any(pod.get("status", {}).get("phase") == "Running" for pod in one.cluster.pods()))
        await one.executor.cancel(task.attempt)
        assert (await one.watched.finished(task.attempt)).state == ev.ATTEMPT_CANCELED
        assert not one.cluster.pods()


async def test_an_attempt_that_is_cancelled_while_it_is_created_leaves_no_pod(tmp_path):
    async with world(tmp_path) as one:
        task = launch(one.store, "true")
        await one.executor.launch(task)
        await one.executor.cancel(task.attempt)
        assert (await one.watched.finished(task.attempt)).state == ev.ATTEMPT_CANCELED
        for _ in range(20):
            await asyncio.sleep(0)
        assert not one.cluster.pods()


async def test_pods_go_a_while_after_their_attempts(tmp_path, quick):
    async with world(tmp_path, keep_pods_s=300.0) as one:
        task = launch(one.store, "true")
        path = await one.created(task)
        one.executor.completed(task.attempt, SUCCEEDED)
        one.cluster.main(path, "Succeeded", terminated={"exitCode": 0})
        await until(lambda: any(of.over for of in one.executor._reaper._strays.values()))
        one.clock.now += 299
        await one.executor._reaper.reap()
        assert one.cluster.pods()
        one.clock.now += 2
        await until(lambda: not one.cluster.pods())


async def test_a_pod_of_an_unknown_run_is_reported_and_goes_after_an_hour(tmp_path, quick, caplog):
    async with world(tmp_path) as one:
        task = launch(one.store, "true")
        await one.created(task)
    async with world(tmp_path, one.cluster) as two:
        await until(lambda: len(two.executor._reaper))
        two.clock.now += 61
        await two.executor._reaper.reap()
        assert "is of a run that this platform does not know" in caplog.text
        assert two.cluster.pods()
        two.clock.now += 3600
        await until(lambda: not two.cluster.pods())


async def test_a_pod_of_an_attempt_that_ended_elsewhere_goes(tmp_path, quick):
    async def known(wanted: frozenset[str]) -> dict[str, bool]:
        return dict.fromkeys(wanted, False)

    async with world(tmp_path) as one:
        await one.created(launch(one.store, "true"))
    async with world(tmp_path, one.cluster, runs=known) as two:
        await two.executor.shards(frozenset(range(256)))
        await until(lambda: len(two.executor._reaper))
        two.clock.now += 61
        await two.executor._reaper.reap()
        two.clock.now += 61
        await until(lambda: not two.cluster.pods())


# ---- claims


async def test_tasks_make_and_delete_claims_without_a_pod(tmp_path):
    async with world(tmp_path) as one:
        given = {"pvc_name": "mine", "access_modes": ["ReadWriteOnce"], "size": "1Gi", "storage_class_name": "standard"}
        made = await one.watched.run(launch(one.store, image=CREATE_CLAIM, parameters=given))
        assert succeeded(made)
        assert json.loads(made.outputs.parameters["name"].json) == "mine"
        assert f"{CLAIMS}/mine" in one.cluster.objects
        again = await one.watched.run(launch(one.store, image=CREATE_CLAIM, parameters=given))
        assert "give another pvc_name" in again.error.message
        away = launch(one.store, image=DELETE_CLAIM, parameters={"pvc_name": "mine"})
        assert succeeded(await one.watched.run(away))
        assert f"{CLAIMS}/mine" not in one.cluster.objects
        missing = launch(one.store, image=DELETE_CLAIM, parameters={"pvc_name": "mine"})
        assert "so it cannot be deleted" in (await one.watched.run(missing)).error.message
        assert not one.cluster.pods()


async def test_a_runs_workspace_is_made_once_and_goes_with_the_run(tmp_path):
    settings = TaskSettings(
        workspace_claim="run-1-kfp-workspace", workspace_spec={"resources": {"requests": {"storage": "1Gi"}}}
    )
    async with world(tmp_path) as one:
        first = launch(one.store, "true", settings=settings)
        second = launch(one.store, "true", path="other", run_id=first.attempt.run_id, settings=settings)
        await one.created(first)
        await one.created(second)
        assert f"{CLAIMS}/run-1-kfp-workspace" in one.cluster.objects
        await one.executor.end_run(first.attempt.run_id, first.namespace)
        assert f"{CLAIMS}/run-1-kfp-workspace" not in one.cluster.objects


async def test_a_scheduler_that_never_met_the_namespace_deletes_the_workspace_too(tmp_path):
    spec = {"resources": {"requests": {"storage": "1Gi"}}}
    settings = TaskSettings(workspace_claim="run-1-kfp-workspace", workspace_spec=spec)
    async with world(tmp_path) as one:
        first = launch(one.store, "true", settings=settings)
        await one.created(first)
        cluster = one.cluster
    assert f"{CLAIMS}/run-1-kfp-workspace" in cluster.objects
    async with world(tmp_path, cluster) as later:
        await later.executor.end_run(first.attempt.run_id, first.namespace)
        assert f"{CLAIMS}/run-1-kfp-workspace" not in cluster.objects


# ---- starting


async def test_a_missing_right_is_said_at_the_start(tmp_path):
    cluster = FakeCluster()
    cluster.denied = {"create pods", "list events"}
    with pytest.raises(ServiceError, match=r"may not do this in .* 'default': create pods, list events; bind a Role"):
        async with world(tmp_path, cluster):
            pass


async def test_a_restricted_namespace_is_obeyed(tmp_path):
    async with world(tmp_path) as one:
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        one.cluster.put("/api/v1/namespaces", {"metadata": {"name": "default", "labels": labels}})
        path = await one.created(launch(one.store, "true"))
        assert one.cluster.objects[path]["spec"]["securityContext"]["runAsNonRoot"]


async def test_tasks_that_begin_at_once_obey_it_all(tmp_path):
    async with world(tmp_path) as one:
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        one.cluster.put("/api/v1/namespaces", {"metadata": {"name": "default", "labels": labels}})
        paths = await asyncio.gather(*(one.created(launch(one.store, "true", path=f"t{n}")) for n in range(3)))
        specs = [one.cluster.objects[path]["spec"] for path in paths]
        assert [spec["securityContext"].get("runAsNonRoot") for spec in specs] == [True] * 3
