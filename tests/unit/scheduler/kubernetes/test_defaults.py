"""HEADRACE_POD_DEFAULTS: what an operator wants on every Pod, and what is wrong with such a file."""

from __future__ import annotations

import json

import pytest

from headrace_scheduler.executors.kubernetes.defaults import read_defaults
from headrace_scheduler.executors.kubernetes.options import PodDefaults
from headrace_servicekit.settings import SettingsError


def test_everything_that_an_operator_can_say(tmp_path):
    file = tmp_path / "defaults.json"
    given = {
        "labels": {"a": "b"},
        "annotations": {"c": "d"},
        "nodeSelector": {"pool": "tasks"},
        "tolerations": [{"key": "tasks"}],
        "imagePullSecrets": ["hub"],
        "priorityClassName": "low",
        "runtimeClassName": "gvisor",
        "schedulerName": "mine",
        "resources": {"requests": {"cpu": "1"}},
        "companionResources": {"limits": {"cpu": "1"}},
        "workspace": {"storageClassName": "nfs"},
    }
    file.write_text(json.dumps(given))
    assert read_defaults(str(file)) == PodDefaults(
        labels={"a": "b"},
        annotations={"c": "d"},
        node_selector={"pool": "tasks"},
        tolerations=({"key": "tasks"},),
        pull_secrets=("hub",),
        priority_class="low",
        runtime_class="gvisor",
        scheduler_name="mine",
        resources={"requests": {"cpu": "1"}},
        companion_resources={"limits": {"cpu": "1"}},
        workspace={"storageClassName": "nfs"},
    )
    assert read_defaults("") == PodDefaults()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "must hold an object"),
        ('{"colour": "red"}', "has colour; there are annotations, companionResources, imagePullSecrets, labels"),
        ('{"tolerations": {}}', "must be a list of objects"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path, text, sentence):
    file = tmp_path / "defaults.json"
    file.write_text(text)
    with pytest.raises(SettingsError, match=sentence):
        read_defaults(str(file))
