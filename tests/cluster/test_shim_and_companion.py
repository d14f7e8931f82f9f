"""Shim and companion in real Pods: late, told to end, under another profile, and with packages that were there before."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

import pytest

from builders.launches import lightweight
from builders.specs import container, pipeline
from cluster.bringup import images, packing
from cluster.installation import Installation
from corpus import driving

OUTPUT = "{{$.outputs.parameters['Output'].output_file}}"
LATE = "docker.io/headrace/companion:late"
SLOW_HOOK = '#!/bin/sh\nsleep 3\nexec /usr/lib/headrace/shim-itself "$@"\n'
SLOW_START = '#!/bin/sh\nsleep 3\nexec python3 -m headrace_companion.pod "$@"\n'
KFP = ("kfp==2.14.6", "--no-deps", 'typing-extensions>=3.7.4,<5; python_version<"3.9"')


def speaking(script: str, image: str = "alpine"):
    return container(["sh", "-c", script, OUTPUT], image=image, outputs={"Output": "STRING"})


def said(platform: Installation, run_id: str, task: str) -> str:
    return json.loads(platform.task(run_id, task)["outputs"]["parameters"]["Output"]["json"])


@pytest.fixture(scope="module")
def late_companion(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The companion, whose hook and whose program begin three seconds late."""
    folder = tmp_path_factory.mktemp("late")
    (folder / "shim").write_text(SLOW_HOOK)
    (folder / "start").write_text(SLOW_START)
    root = images.ROOT
    places = {f"{images.SITE}/{one}": root / "services" / part / one for one, part in SERVER_PARTS.items()}
    places[f"{images.SITE}/headrace_protos"] = root / "protos/headrace_protos"
    places["/usr/lib/headrace/shim-itself"] = images.shim(root)
    places |= {"/usr/lib/headrace/shim": folder / "shim", "/usr/lib/headrace/start": folder / "start"}
    mode = dict.fromkeys((place for place in places if place.startswith("/usr/lib/headrace")), 0o755)
    layers = [images.debian(), images.pins(), packing.layer(places, mode=mode)]
    packing.image([LATE], layers, entrypoint=["/usr/lib/headrace/start"], user="65532")
    return LATE


SERVER_PARTS = {"headrace_ir": "ir", "headrace_servicekit": "servicekit", "headrace_companion": "companion"}


def test_a_companion_that_starts_late_delays_main_and_breaks_nothing(
    install: Callable[..., contextlib.AbstractContextManager[Installation]], late_companion: str
) -> None:
    with install(HEADRACE_COMPANION_IMAGE=late_companion) as platform:
        run_id = platform.submit(pipeline("late").task("one", speaking('printf x > "$0"')).build())
        assert platform.ended(run_id) == "SUCCEEDED"
        assert said(platform, run_id, "one") == "x"


def test_main_that_ignores_sigterm_is_killed_after_its_grace(on_pods: Installation) -> None:
    script = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.1; done"
    run_id = on_pods.submit(pipeline("deaf").task("one", speaking(script)).build())
    on_pods.pod_at_work(run_id)
    on_pods.until("it is ready", lambda: "ready" in on_pods.log(run_id, "one"))
    told = driving.command("runs", "terminate", run_id, "--endpoint", on_pods.platform.url)
    assert told.code == 0, told.stderr
    assert on_pods.ended(run_id) == "CANCELED"
    on_pods.until("its Pod is gone", lambda: not on_pods.living_pods(run_id))
    assert "asked" in on_pods.log(run_id, "one")


def test_a_time_out_is_the_tasks_own(on_pods: Installation) -> None:
    slow = container(["sh", "-c", "trap '' TERM; sleep 600"], image="alpine", kubernetes={"activeDeadlineSeconds": 1})
    flow = pipeline("slow").task("one", slow)
    run_id = on_pods.submit(flow.build(), flow.platform())
    assert on_pods.ended(run_id) == "FAILED"
    assert "time-out of 1 s" in json.dumps(on_pods.task(run_id, "one"))


def test_a_namespace_that_is_restricted(
    install: Callable[..., contextlib.AbstractContextManager[Installation]], namespaces: Callable[..., str]
) -> None:
    name = namespaces(restricted=True)
    with install(name) as platform:
        flow = pipeline("restricted")
        flow.task("one", speaking('umask 077; id -u; printf ok > "$0"'))
        flow.task("two", speaking('printf ok > "$0"', "python:3.11"))
        run_id = platform.submit(flow.build())
        assert platform.ended(run_id) == "SUCCEEDED", [task.get("error") for task in platform.tasks(run_id)]
        assert platform.log(run_id, "one") == "65532\n"


def test_what_a_bootstrap_installs_is_there_for_the_next_pod(on_pods: Installation) -> None:
    source = "def where() -> str:\n    import dill\n    return dill.__file__\n"
    argv = lightweight(source, "where", KFP, ("dill",))

    def installing(**env: str):
        return container(argv, image="python:3.11", outputs={"Output": "STRING"}, env=env)

    first = on_pods.submit(pipeline("first").task("one", installing()).build())
    assert on_pods.ended(first) == "SUCCEEDED", [task.get("error") for task in on_pods.tasks(first)]
    assert said(on_pods, first, "one").startswith("/headrace/packages/")
    second = on_pods.submit(pipeline("second").task("one", installing(PIP_FIND_LINKS="/nonexistent")).build())
    assert on_pods.ended(second) == "SUCCEEDED", on_pods.log(second, "one")
    assert said(on_pods, second, "one") == said(on_pods, first, "one")
