"""Settings that name what is not there: a sentence, not a traceback."""

from __future__ import annotations

import sys

import pytest

from headrace_companion.folder_store import FolderStore
from headrace_scheduler.executors.kubernetes.making import pod_options
from headrace_scheduler.server import make_executor
from headrace_scheduler.settings import SchedulerSettings
from headrace_servicekit.errors import ServiceError


def test_pods_without_a_way_to_the_scheduler(tmp_path):
    settings = SchedulerSettings(home=tmp_path, executor="kubernetes")
    with pytest.raises(ServiceError, match=r"HEADRACE_POD_SCHEDULER_ADDRESS is not set: .* as host:port"):
        pod_options(settings)


def test_the_kubernetes_package_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    monkeypatch.delitem(sys.modules, "headrace_scheduler.executors.kubernetes.api", raising=False)
    settings = SchedulerSettings(home=tmp_path, executor="kubernetes", pod_scheduler_address="127.0.0.1:1")
    with pytest.raises(
        ServiceError, match=r"needs the package 'kubernetes': pip install 'headrace-server\[kubernetes\]'"
    ):
        make_executor(settings, FolderStore(tmp_path), None)
