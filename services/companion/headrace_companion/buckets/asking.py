"""Granting by asking: a companion holds no keys, so the scheduler grants it ways to what its attempt may read and write.

Called by the Pod's companion, whose `ask` is `Attempts.Access` and finds the replica that drives the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from headrace_companion.buckets.granted_store import GrantedStore
from headrace_companion.buckets.layout import piece_name, pieces_key
from headrace_companion.buckets.transferring import Transfers
from headrace_companion.remote.connections import manager
from headrace_companion.remote.sources import Ambient
from headrace_companion.results import ATTEMPT_FILE, LOG_FILE
from headrace_companion.store import StoreDown, StoreError
from headrace_protos.v1.access_pb2 import Want, Way
from headrace_servicekit.errors import Reason, ServiceError

SILENCE_S: Final = 30.0
PATIENCE_S: Final = 3600.0  # for so long a Pod waits for a store that is down
PASSING: Final = frozenset({Reason.UNAVAILABLE, Reason.DEADLINE, Reason.INTERNAL, Reason.SESSION_LOST})
Ask = Callable[[Sequence[Want]], Sequence[Way]]


class AskingGranter:
    """`ask` raises ServiceError where nobody answers; what else it raises ends the attempt, and goes through."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def ask(self, wants: Sequence[Want]) -> Sequence[Way]:
        try:
            return self._ask(wants)
        except ServiceError as failed:
            kind = StoreDown if failed.reason in PASSING else StoreError
            raise kind(f"the scheduler grants no way to the artifact store: {failed}") from failed

    def read_url(self, uri: str) -> str:
        return ""


def attempt_store(
    prefix: str, ask: Ask, ambient: Ambient, outputs: Sequence[str] = (), patience_s: float = PATIENCE_S
) -> GrantedStore:
    """The store as an attempt may use it, that publishes beneath PREFIX. `outputs`: names of what it will put there, for
    which ways are asked along with the first one that is needed.
    """
    root, _, number = prefix.rstrip("/").rpartition("/")
    usual = [f"{number}/{name}" for name in (ATTEMPT_FILE, LOG_FILE, *outputs)]
    pieces = pieces_key(f"{number}/{LOG_FILE}")
    return asking_store(root, ask, ambient, patience_s, (*usual, f"{pieces}/{piece_name(1, 1)}"))


def asking_store(root: str, ask: Ask, ambient: Ambient, patience_s: float, usual: Sequence[str] = ()) -> GrantedStore:
    """The store beneath ROOT, by ways that are asked for; `usual`: see GrantedStore."""
    transfers = Transfers(lambda url: manager(url, ambient, SILENCE_S))
    return GrantedStore(root, AskingGranter(ask), transfers, patience_s, usual)
