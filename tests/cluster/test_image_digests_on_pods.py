"""Which image a Pod ran is known of each task, however short, and a cached result stands for that image alone."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from builders.specs import Pipeline, container, pipeline
from cluster import pods
from cluster.bringup import images, packing
from cluster.bringup.kube import Kube
from cluster.installation import Installation
from corpus import driving

MODEL = "{{$.outputs.artifacts['model'].path}}"
RELEASE = 'printf %s "$RELEASE" > "$0"'


def push(name: str, release: str) -> str:
    """An image of this name whose content names its release; its digest."""
    return packing.image([name], [images.busybox()], ["sh"], environ={"RELEASE": release})


@pytest.fixture
def tag() -> str:
    """A name that no node has seen and no scheduler has asked about."""
    return f"headrace.test/moving:{secrets.token_hex(4)}"


def flow(image: str, node: str) -> Pipeline:
    """One task, as short as a task can be, on this node."""
    step = container(["sh", "-c", RELEASE, MODEL], image=image)
    step.output_artifact("model", "system.Model")
    step.kubernetes = {"nodeSelector": {"labels": {"kubernetes.io/hostname": node}}}
    return pipeline("released").task("train", step, cache=True)


def ran(platform: Installation, made: Pipeline) -> tuple[str, bool]:
    """A run of it, and whether its task's result was there already."""
    run_id = platform.submit(made.build(), made.platform(), "--cache")
    assert platform.ended(run_id) == "SUCCEEDED"
    return run_id, not platform.pods.of(run_id)


def lineage(platform: Installation, run_id: str, *options: str) -> str:
    asked = ("artifacts", "lineage", run_id, "train/model", "--up", *options, "--endpoint", platform.platform.url)
    said = driving.command(*asked)
    assert said.code == 0, said.stderr
    return said.stdout


def digest_shown(platform: Installation, run_id: str) -> str:
    told: Any = json.loads(lineage(platform, run_id, "-o", "json"))
    return next(str(one["image_digest"]) for one in told["tasks"] if one["run_id"] == run_id)


def test_the_image_of_the_shortest_task_is_in_its_lineage(on_pods: Installation, tag: str) -> None:
    digest = push(tag, "1")
    first, cached = ran(on_pods, flow(tag, "node-2"))
    assert not cached
    on_pods.until("the image's digest in the lineage", lambda: digest_shown(on_pods, first) == digest, 15)
    assert f"image {tag}@{digest[:19]}" in lineage(on_pods, first)
    _, cached = ran(on_pods, flow(tag, "node-2"))
    assert cached


def test_a_result_of_a_nodes_old_image_is_not_kept_for_the_new_one(on_pods: Installation, tag: str, kube: Kube) -> None:
    """A tag was moved, and the node, which asks for it IfNotPresent, still has what it stood for."""
    old = push(tag, "1")
    pods.run(kube, pods.pod(f"holds-{tag[-8:]}", on_pods.namespace, tag, ["true"], node="node-1"))
    assert push(tag, "2") != old
    first, _ = ran(on_pods, flow(tag, "node-1"))
    on_pods.until("the image's digest in the lineage", lambda: digest_shown(on_pods, first) == old, 15)
    second, cached = ran(on_pods, flow(tag, "node-2"))
    assert not cached, "it is the old image's"
    on_pods.until("the image's digest in the lineage", lambda: digest_shown(on_pods, second) not in ("", old), 15)
