"""What a service says on standard error: one record, one line, as text or as a JSON object."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from headrace_embedded.lifecycle import set_up_logging


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The root logger is pytest's again afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def say() -> None:
    log = logging.getLogger("headrace_test")
    log.debug("too much")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        log.warning("it went wrong: %s", "ä", exc_info=True)


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "json")
    say()
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["level"], said["logger"], said["message"]) == ("warning", "headrace_test", "it went wrong: ä")
    assert said["time"].endswith("+00:00")
    assert said["exception"].endswith("ValueError: two\nlines")


def test_text_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging()
    say()
    (line,) = capsys.readouterr().err.splitlines()
    assert " WARNING headrace_test it went wrong: ä\\n Traceback" in line
