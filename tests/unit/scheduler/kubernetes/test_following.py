"""What follows from what is seen of a Pod: pure functions, as tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders.fake_cluster import FakeCluster
from builders.kubernetes_executors import no_runs
from headrace_scheduler.executors.kubernetes.following import REPORT_S, Following, Handle, Judgement, judge
from headrace_scheduler.executors.kubernetes.namespaces import selector
from headrace_scheduler.executors.kubernetes.reaping import LINGERS_S, SETTLED_S, UNKNOWN_S, Fate, Reaper, Stray, fate
from headrace_scheduler.executors.kubernetes.seen import Main, SeenPod, read, time_us
from headrace_scheduler.executors.port import AttemptId

ATTEMPT = AttemptId("01a1fec8-7da4-76a5-b402-c452ed582509", "task", 1)


def pod(main: Main = Main.WAITING, code: int | None = None, *, over: bool = False, deleting: bool = False) -> SeenPod:
    return SeenPod("ns", "task-1", "uid", ATTEMPT, 0, "node-1", over, deleting, main, code, 0, 0, 0, 0)


def following(seen: SeenPod | None, *, uid: str = "uid", gone: bool = False, ended_at: float = 0.0) -> Following:
    return Following(ATTEMPT, "ns", None, "task-1", uid, "s3://x", pod=seen, gone=gone, ended_at=ended_at)


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (following(None, uid=""), Judgement.NOTHING),
        (following(None), Judgement.WAITS),
        (following(pod()), Judgement.WAITS),
        (following(pod(Main.RUNNING)), Judgement.RUNS),
        (following(pod(Main.ENDED, 1)), Judgement.REPORT_DUE),
        (following(pod(Main.ENDED, 1), ended_at=100.0 - REPORT_S), Judgement.OVER),
        (following(pod(Main.ENDED, 1, deleting=True), ended_at=1.0), Judgement.NOTHING),
        (following(pod(Main.ENDED, 1, over=True)), Judgement.OVER),
        (following(pod(Main.WAITING, over=True)), Judgement.OVER),
        (following(pod(Main.ENDED, 0, over=True)), Judgement.REPORT_DUE),
        (following(pod(Main.ENDED, 0, over=True), ended_at=99.0), Judgement.REPORT_DUE),
        (following(pod(Main.ENDED, 0, over=True), ended_at=100.0 - REPORT_S), Judgement.OVER),
        (following(pod(Main.RUNNING), gone=True), Judgement.OVER),
        (following(None, gone=True), Judgement.OVER),
    ],
)
def test_what_is_seen_of_a_pod_is_judged(of, expected):
    assert judge(of, 100.0) is expected


def stray(*, ended: bool = False, over: bool = False, asked: bool = False, age_s: float = 0.0) -> Stray:
    return Stray("ns", "task-1", "uid", ATTEMPT, over, 0.0, ended=ended, age_s=age_s, asked=asked)


@pytest.mark.parametrize(
    ("of", "now", "expected"),
    [
        (stray(ended=True, over=True), 299.0, Fate.STAYS),
        (stray(ended=True, over=True), 300.0, Fate.GOES),
        (stray(ended=True), LINGERS_S - 1, Fate.STAYS),
        (stray(ended=True), LINGERS_S, Fate.GOES),
        (stray(), SETTLED_S - 1, Fate.STAYS),
        (stray(), SETTLED_S, Fate.ASK),
        (stray(asked=True), UNKNOWN_S - 1, Fate.STAYS),
        (stray(asked=True), UNKNOWN_S, Fate.GOES),
        (stray(asked=True, age_s=UNKNOWN_S), SETTLED_S, Fate.GOES),
    ],
)
def test_what_becomes_of_a_pod_that_nobody_follows(of, now, expected):
    assert fate(of, now, keep_s=300.0) is expected


def test_pods_that_nobody_follows_are_found_by_their_attempts():
    reaper = Reaper(FakeCluster(), 300.0, no_runs, lambda attempt: False, lambda: 0.0)
    nameless = replace(pod(), attempt=None)
    reaper.saw(nameless, 0)
    assert not reaper.find(ATTEMPT)
    reaper.ended("ns", "task-1", nameless.uid, ATTEMPT, over=False)
    reaper.saw(replace(nameless, uid="another", attempt=ATTEMPT), 0)
    assert [of.uid for of in reaper.find(ATTEMPT)] == [nameless.uid, "another"]
    assert reaper.present("ns") == {nameless.uid, "another"}
    for uid in (nameless.uid, "another", "another"):
        reaper.gone(uid)
    assert not reaper.find(ATTEMPT)
    assert not len(reaper)


def test_a_handle_says_where_the_pod_is_and_where_it_publishes():
    handle = Handle("ns", "task-1", "uid", "s3://bucket/pipeline/run/task/1")
    assert str(handle) == "ns/task-1/uid/s3://bucket/pipeline/run/task/1"
    assert Handle.parse(str(handle)) == handle
    assert Handle.parse("4711:123.4:file:///home/artifacts") is None
    assert Handle.parse("simulated:1") is None


def test_replicas_watch_their_own_shards():
    every = {"labelSelector": "headrace.io/installation=here"}
    assert selector("here", None) == every
    assert selector("here", frozenset(range(256))) == every
    chosen = "headrace.io/installation=here,headrace.io/shard in (3,20)"
    assert selector("here", frozenset({20, 3})) == {"labelSelector": chosen}


def test_a_pod_without_labels_of_ours_is_nobodys():
    seen = read({"metadata": {"namespace": "ns", "name": "x", "uid": "u"}})
    assert (seen.attempt, seen.shard, seen.main, seen.over) == (None, -1, Main.WAITING, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, 0),
        ("nonsense", 0),
        ("2026-11-21T15:00:00Z", 1795273200000000),
        ("2026-11-21T15:00:00.25Z", 1795273200250000),
    ],
)
def test_times_of_kubernetes(text, expected):
    assert time_us(text) == expected


@pytest.mark.parametrize(
    ("image_id", "digest"),
    [
        ("docker.io/library/python@sha256:12", "sha256:12"),
        ("docker-pullable://python@sha256:12", "sha256:12"),
        ("sha256:12", ""),  # of its configuration: no registry knows it by that
        ("", ""),
        (None, ""),
    ],
)
def test_the_image_that_runs_is_known_by_its_registrys_digest(image_id: str | None, digest: str) -> None:
    statuses = [{"name": "companion", "imageID": "x@sha256:0"}, {"name": "main", "imageID": image_id}]
    metadata = {"namespace": "ns", "name": "task-1", "uid": "uid"}
    assert read({"metadata": metadata, "status": {"containerStatuses": statuses}}).image_digest == digest
