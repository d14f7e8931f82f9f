"""The session's own clock: unconfirmed for seven seconds means: stop."""

from __future__ import annotations

from dataclasses import dataclass, field

from headrace_protos.v1 import run_store_pb2 as rs
from headrace_scheduler.claiming import UNCONFIRMED_S, Session


@dataclass
class Store:
    """The RunStore's sessions at the edge: says what it is told to say, and remembers what it was asked."""

    held: list[int] = field(default_factory=list)
    give_back: list[int] = field(default_factory=list)
    releasing: list[list[int]] = field(default_factory=list)

    async def OpenSession(self, request: rs.OpenSessionRequest) -> rs.OpenSessionResponse:  # noqa: N802
        return rs.OpenSessionResponse(session_id="s", epoch=7, shards=256, expires_after_s=10)

    async def RenewSession(self, request: rs.RenewSessionRequest) -> rs.RenewSessionResponse:  # noqa: N802
        self.releasing.append(list(request.releasing))
        return rs.RenewSessionResponse(held=self.held, give_back=self.give_back)


async def test_claims_and_losses_are_told():
    store = Store(held=[1, 2])
    session = Session(store, "me", take_over=False, monotonic=lambda: 0.0)
    await session.open()
    assert (await session.renew()).claimed == {1, 2}
    store.held = [2, 3]
    change = await session.renew()
    assert (change.claimed, change.lost) == ({3}, {1})


async def test_shards_above_the_share_are_finished_first_and_named_at_the_next_renewal():
    store = Store(held=[1, 2], give_back=[2])
    session = Session(store, "me", take_over=False, monotonic=lambda: 0.0)
    await session.open()
    await session.renew()
    assert session.held == {1}
    store.give_back = []
    await session.renew()
    assert store.releasing == [[], [2]]


async def test_unconfirmed_for_seven_seconds_means_stop():
    now = [100.0]
    session = Session(Store(), "me", take_over=False, monotonic=lambda: now[0])
    assert not session.confirmed
    await session.open()
    assert session.confirmed
    now[0] += UNCONFIRMED_S
    assert not session.confirmed
    await session.renew()
    assert session.confirmed
