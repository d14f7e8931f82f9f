"""Trying again what a store does not do for now: for how long, and what the log says of it."""

from __future__ import annotations

import logging

import pytest

from headrace_companion.buckets import transferring
from headrace_companion.buckets.transferring import Patience
from headrace_companion.store import ObjectMissing, StoreDown


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(transferring, "FIRST_PAUSE_S", 0.001)


def failing(*ends):
    """Work that ends in these ways, one after the other."""
    left = list(ends)

    def work():
        end = left.pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    return work


BUSY = StoreDown("the store at s3.example is busy")


def test_what_fails_for_now_is_tried_again_and_a_long_wait_is_told(caplog):
    caplog.set_level(logging.WARNING)
    assert Patience(60.0).trying(failing(BUSY, BUSY, "done")) == "done"
    assert caplog.messages == []
    assert Patience(60.0).trying(failing(BUSY, BUSY, BUSY, BUSY, "done")) == "done"
    assert caplog.messages == [
        "try 3 at the artifact store failed: the store at s3.example is busy",
        "try 4 at the artifact store failed: the store at s3.example is busy",
    ]


def test_what_another_try_would_not_mend_is_not_tried_again():
    with pytest.raises(ObjectMissing):
        Patience(60.0).trying(failing(ObjectMissing("gone"), "never"))


def test_patience_ends():
    with pytest.raises(StoreDown, match="is busy"):
        Patience(0.0).trying(failing(BUSY, "never"))
    stopped = Patience(60.0)
    stopped.stop.set()
    with pytest.raises(StoreDown, match="is busy"):
        stopped.trying(failing(BUSY, "never"))
