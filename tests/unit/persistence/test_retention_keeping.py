"""The agent's passes: one after the other while each does something, then none before the next time."""

from __future__ import annotations

from typing import Any

from headrace_persistence.retention.keeping import Keeper
from headrace_protos.v1 import retention_pb2 as pb


class Told(Keeper):
    """Its passes do what it is told; there is more after each."""

    def __init__(self, *actions: int) -> None:
        nothing: Any = None
        super().__init__(nothing, nothing, nothing, nothing, nothing, nothing, nothing)
        self.left = list(actions)

    async def run_once(self, namespace: str = "") -> pb.RetentionPlan:
        return pb.RetentionPlan(actions=[pb.RetentionAction()] * self.left.pop(0), more=True)


async def test_where_a_plan_is_full_of_what_stays_it_is_not_asked_again_at_once():
    keeper = Told(2, 1, 0, 5)
    await keeper.run_all()
    assert keeper.left == [5]
