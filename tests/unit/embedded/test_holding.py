"""The lock on a data folder: who comes second is told who was first."""

from __future__ import annotations

import json
import os

import pytest

from headrace_embedded.holding import announced, held
from headrace_servicekit.errors import ServiceError


def test_the_second_is_told_who_holds_the_folder_and_where_it_serves(tmp_path):
    with (
        held(tmp_path),
        announced(tmp_path, {"http_address": "127.0.0.1:8888"}),
        pytest.raises(ServiceError) as told,
        held(tmp_path),
    ):
        pytest.fail("the folder was held twice")
    assert str(told.value) == (
        f"process {os.getpid()} holds {tmp_path} and serves it on http://127.0.0.1:8888; "
        "use that, or set HEADRACE_HOME to another folder"
    )


def test_while_the_first_is_starting_the_second_is_told_to_wait(tmp_path):
    with held(tmp_path), pytest.raises(ServiceError, match="is starting or stopping; wait for it"), held(tmp_path):
        pytest.fail("the folder was held twice")


def test_afterwards_it_is_free_and_nothing_is_announced(tmp_path):
    with held(tmp_path), announced(tmp_path, {"http_address": "x"}):
        assert json.loads((tmp_path / "up.json").read_text())["http_address"] == "x"
    assert not (tmp_path / "up.json").exists()
    with held(tmp_path):
        pass


def test_the_announcement_of_a_platform_that_was_killed_is_removed(tmp_path):
    (tmp_path / "up.json").write_text('{"http_address": "127.0.0.1:1"}')
    with held(tmp_path):
        assert not (tmp_path / "up.json").exists()


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ServiceError, match="set HEADRACE_HOME to a folder that you may write to"),
        held(tmp_path / "file" / "home"),
    ):
        pytest.fail("a file was taken for a folder")
