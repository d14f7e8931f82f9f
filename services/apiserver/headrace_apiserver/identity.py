"""Ids of runs: UUIDv7, so that they sort by time and their digits are the run's trace id. Called by submitting."""

from __future__ import annotations

import hashlib
import os
import time
import uuid


def new_run_id() -> str:
    """A UUIDv7 of now."""
    return uuid7(time.time_ns() // 1_000_000, os.urandom(10))


def uuid7(milliseconds: int, random: bytes) -> str:
    """RFC 9562, version 7: 48 bits of Unix time in milliseconds, 74 bits of randomness."""
    bits = int.from_bytes(random, "big")
    value = (milliseconds & (2**48 - 1)) << 80
    value |= 0x7 << 76 | (bits >> 62 & 0xFFF) << 64
    value |= 0b10 << 62 | bits & (2**62 - 1)
    return str(uuid.UUID(int=value))


def delivery_key(kind: str, request_id: str) -> str:
    """The inbox key of a request; what a client sends as its id may be of any length and content."""
    return f"{kind}/{hashlib.sha256(request_id.encode()).hexdigest()}"
