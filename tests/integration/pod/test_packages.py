"""Packages are fetched once for an image and a set of requirements: the second Pod asks the index for nothing."""

from __future__ import annotations

import io
import shutil
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from builders.launches import launch as launch_of
from builders.launches import lightweight, ours
from builders.package_index import serving, wheel
from fixtures.fix_pod import LocalPod
from headrace.compiler.bootstrap import Settings
from headrace_protos.v1 import events_pb2
from headrace_scheduler.packages import packages_uri

SOURCE = "def work() -> str:\n    import wanted\n    return wanted.say()\n"
WHEEL = wheel("wanted", "1.0", "def say():\n    return 'said'\n")
# What KFP's runtime is to a Pod: a module that is started with the ExecutorInput.
RUNTIME = """import json, sys
given = json.loads(sys.argv[sys.argv.index("--executor_input") + 1])
open(given["outputs"]["parameters"]["Output"]["outputFile"], "w").write("said")
"""
KFP = wheel(
    "kfp", "2.13.0", "", {"kfp/__init__.py": "", "kfp/dsl/__init__.py": "", "kfp/dsl/executor_main.py": RUNTIME}
)


@pytest.fixture
def pip_log(pod: LocalPod, tmp_path) -> Path:
    """Of an image's Python, which has pip and a user base of its own, no virtual environment: what all pips have said."""
    folder, log = tmp_path / "bin", tmp_path / "pip.log"
    folder.mkdir()
    real = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    for name in ("python3", "python"):
        (folder / name).write_text(f'#!/bin/sh\nexec {real} "$@"\n')
        (folder / name).chmod(0o755)
    # This machine's Python may be its system's, which pip leaves alone unless it is told.
    pod.env |= {"PATH": f"{folder}:/usr/bin:/bin", "PIP_LOG": str(log), "PIP_BREAK_SYSTEM_PACKAGES": "1"}
    return log


def component(pod: LocalPod, index: str, kind: str):
    hosts = {"pip_index_urls": (index,), "pip_trusted_hosts": ("127.0.0.1",)}
    argv = ours(SOURCE, "work", Settings(packages_to_install=("wanted",), **hosts))
    made = launch_of(pod.store, *argv, outputs={"Output": "STRING"}, image=kind)
    return replace(made, namespace="default")


def run(pod: LocalPod, launch):
    pod.desk.packages = packages_uri(launch, pod.store.root)
    assert pod.desk.packages
    pod.run(launch)
    result = pod.desk.report()
    pod.main_code()
    assert result.state == events_pb2.ATTEMPT_SUCCEEDED, (result.error, (pod.top / "control" / "log").read_text())
    assert result.outputs.parameters["Output"].json == '"said"'
    return pod.desk.packages


def next_pod(pod: LocalPod) -> None:
    shutil.rmtree(pod.top)
    pod.top.mkdir(mode=0o777)
    pod.desk.forget()


def test_a_second_pod_asks_for_nothing(pod, pip_log):
    with serving(WHEEL) as index:
        uri = run(pod, component(pod, index.url, "image"))
        assert index.asked
        asked, said = len(index.asked), pip_log.read_text()
        assert said
        next_pod(pod)
        assert run(pod, component(pod, index.url, "image")) == uri
        assert len(index.asked) == asked
        assert pip_log.read_text() == said  # nor is pip started
        next_pod(pod)
        assert run(pod, component(pod, index.url, "another image")) != uri
        assert len(index.asked) > asked


def kfp_component(pod: LocalPod, index: str, *requirements: str):
    words = (*requirements, "--index-url", index, "--trusted-host", "127.0.0.1")
    argv = lightweight(SOURCE, "work", ("kfp==2.13.0", "--no-deps", *words[len(requirements) :]), words)
    return launch_of(pod.store, *argv, outputs={"Output": "STRING"}, image="image")


def test_kfps_bootstrap_starts_no_pip_where_all_is_there(pod, pip_log):
    with serving(WHEEL, KFP) as index:
        run(pod, kfp_component(pod, index.url, "wanted"))
        said = pip_log.read_text()
        assert said
        for _ in range(2):
            next_pod(pod)
            run(pod, kfp_component(pod, index.url, "wanted"))
        assert pip_log.read_text() == said


def test_an_image_that_changed_under_its_name_is_looked_at_again(pod, pip_log, tmp_path):
    (tmp_path / "image" / "other-1.0.dist-info").mkdir(parents=True)
    pod.env["PYTHONPATH"] = str(tmp_path / "image")
    with serving(WHEEL, KFP) as index:
        run(pod, kfp_component(pod, index.url, "wanted"))
        (tmp_path / "image" / "other-1.0.dist-info").rename(tmp_path / "image" / "other-2.0.dist-info")
        asked, said = len(index.asked), [pip_log.read_text()]
        for _ in range(2):  # the first one notes what it has seen
            next_pod(pod)
            run(pod, kfp_component(pod, index.url, "wanted"))
            said.append(pip_log.read_text())
        assert said[0] != said[1] == said[2]
        assert len(index.asked) == asked


def test_what_pip_looks_up_by_itself_is_looked_up_again(pod, pip_log):
    with serving(WHEEL, KFP) as index:
        said = []
        for _ in range(2):
            next_pod(pod)
            run(pod, kfp_component(pod, index.url, f"wanted @ {index.url[:-7]}/files/{WHEEL[0]}"))
            said.append(pip_log.read_text())
        assert said[0] != said[1]


def test_what_user_code_puts_in_the_place_of_the_note_holds_nothing_up(pod, pip_log):
    spoil = SOURCE.replace(
        "return",
        "import os, sys\n    at = os.environ['PYTHONUSERBASE'] + '/satisfied'\n    "
        "os.remove(at)\n    os.mkfifo(at)\n    return",
    )
    with serving(WHEEL) as index:
        hosts = {"pip_index_urls": (index.url,), "pip_trusted_hosts": ("127.0.0.1",)}
        argv = ours(spoil, "work", Settings(packages_to_install=("wanted",), **hosts))
        run(pod, launch_of(pod.store, *argv, outputs={"Output": "STRING"}))


def test_what_was_kept_for_another_python_is_left_aside(pod, pip_log):
    with serving(WHEEL) as index:
        uri = run(pod, component(pod, index.url, "image"))
        content = pod.store.read(pod.store.key(uri))
        pod.store.delete(pod.store.key(uri))
        pod.store.put_bytes(pod.store.key(uri), of_another_python(content))
        asked = len(index.asked)
        next_pod(pod)
        run(pod, component(pod, index.url, "image"))
        assert len(index.asked) > asked


def of_another_python(content: bytes) -> bytes:
    """The archive as another build of Python would have made it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(content)) as read, tarfile.open(fileobj=made, mode="w") as written:
        for member in read:
            member.name = "another/" + member.name.partition("/")[2]
            written.addfile(member, read.extractfile(member) if member.isfile() else None)
    return made.getvalue()


@pytest.mark.parametrize("name", ["../outside", "/outside", "base/../../outside"])
def test_an_archive_writes_nothing_outside_its_folder(pod, pip_log, name, tmp_path):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    with serving(WHEEL) as index:
        launch = component(pod, index.url, "image")
        pod.store.put_bytes(pod.store.key(packages_uri(launch, pod.store.root)), held.getvalue())
        run(pod, launch)
    assert all(pod.top / "packages" in one.parents for one in tmp_path.rglob("outside"))
    assert not Path("/outside").exists()


def test_what_installs_nothing_shares_nothing(pod):
    assert packages_uri(launch_of(pod.store, "sh", "-c", "pip install x"), "s3://b") == ""
    assert packages_uri(launch_of(pod.store, *ours(SOURCE, "work")), "s3://b") == ""
    kfp = launch_of(pod.store, *lightweight(SOURCE, "work"))
    assert packages_uri(kfp, "s3://b").startswith("s3://b/packages/")
    other = launch_of(pod.store, *lightweight("def other():\n    return 1\n", "other"))
    assert packages_uri(other, "s3://b") == packages_uri(kfp, "s3://b")
