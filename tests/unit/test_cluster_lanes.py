"""The lanes of the tests on the cluster: every file is in one of them, and what would be in another's way is not beside it."""

from __future__ import annotations

from cluster.lanes import ALONE, DEVICES, FOLDER, lanes

TEXTS = {path.name: path.read_text() for path in FOLDER.glob("test_*.py")}


def test_every_file_runs_once() -> None:
    together, alone = lanes(TEXTS)
    assert sorted(name for lane in [*together, alone] for name in lane) == sorted(TEXTS)
    assert alone == sorted(ALONE)


def test_one_platform_and_the_devices_are_one_lane() -> None:
    platform, rest = lanes(TEXTS)[0]
    assert {*DEVICES, "test_gpus.py", "test_faults_pods.py"} <= {*platform}
    assert not any("on_pods" in TEXTS[name] for name in rest)


def test_a_new_file_has_a_lane() -> None:
    assert lanes({"test_new.py": "", "test_other.py": "on_pods"}) == ([["test_other.py"], ["test_new.py"]], [])
