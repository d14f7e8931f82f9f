"""Settings that name what is not there: a sentence, not a traceback."""

from __future__ import annotations

import pytest

from headrace_companion.folder_store import FolderStore
from headrace_scheduler.server import make_executor
from headrace_scheduler.settings import SchedulerSettings
from headrace_servicekit.errors import ServiceError


def test_an_executor_that_is_not_built(tmp_path):
    settings = SchedulerSettings(home=tmp_path, executor="kubernetes")
    with pytest.raises(ServiceError, match="HEADRACE_EXECUTOR=kubernetes is not built yet; set it to process"):
        make_executor(settings, FolderStore(tmp_path))
