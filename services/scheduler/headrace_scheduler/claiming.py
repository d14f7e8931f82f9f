"""The replica's session: opens it, renews it, and says which shards are held. Called by driving.py.

A holder that is unconfirmed for `UNCONFIRMED_S` by its own monotonic clock must stop appending and commanding: Postgres lets
the session expire after 10 s, and what this replica does then could be done by another one too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from headrace_metrics.definitions import CLAIM_SECONDS
from headrace_protos.v1 import run_store_pb2 as rs

RENEW_EVERY_S = 3.0
UNCONFIRMED_S = 7.0


@dataclass(frozen=True, slots=True)
class Change:
    """What a renewal changed: shards that are new, and shards that are no longer held."""

    claimed: frozenset[int] = frozenset()
    lost: frozenset[int] = frozenset()


@dataclass(slots=True)
class Session:
    """One session; `store` is a RunStore stub. `monotonic` is the clock that confirmation is measured by."""

    store: Any
    holder: str
    take_over: bool
    address: str = ""  # where companions reach this replica
    monotonic: Callable[[], float] = time.monotonic
    session_id: str = ""
    epoch: int = 0
    shards: int = 256
    held: frozenset[int] = frozenset()
    _confirmed_at: float = field(default=float("-inf"))
    _releasing: frozenset[int] = frozenset()

    async def open(self) -> None:
        """A new session, without shards; the first renewal claims them."""
        asked_at = self.monotonic()
        request = rs.OpenSessionRequest(holder=self.holder, take_over=self.take_over, address=self.address)
        opened = await self.store.OpenSession(request)
        self.session_id, self.epoch, self.held = opened.session_id, opened.epoch, frozenset()
        self.shards = opened.shards
        self._confirmed_at, self._releasing = asked_at, frozenset()

    async def renew(self) -> Change:
        """Renew and claim; ServiceError(SESSION_LOST) where it has expired."""
        asked_at = self.monotonic()
        before = self.held
        request = rs.RenewSessionRequest(
            session_id=self.session_id, epoch=self.epoch, releasing=sorted(self._releasing)
        )
        with CLAIM_SECONDS.time():
            answer = await self.store.RenewSession(request)
        held = frozenset(answer.held)
        give_back = frozenset(answer.give_back)
        self._confirmed_at, self._releasing = asked_at, give_back
        self.held = held - give_back
        return Change(claimed=self.held - before, lost=before - self.held)

    async def close(self) -> None:
        """Hand the shards over."""
        await self.store.CloseSession(rs.CloseSessionRequest(session_id=self.session_id, epoch=self.epoch))
        self.held = frozenset()

    @property
    def confirmed(self) -> bool:
        """Whether this replica may append and command."""
        return self.monotonic() - self._confirmed_at < UNCONFIRMED_S
