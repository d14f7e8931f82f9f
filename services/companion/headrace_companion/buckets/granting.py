"""Who gives out ways to objects: the port, and what it is asked. A way is a URL that is good for one thing, for a while.

`signing` grants by itself, because it holds a store's keys; a companion asks the scheduler (`asking`). `granted_store` goes
the ways and knows no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from headrace_protos.v1.access_pb2 import Put, Want, Way

VALID_S: Final = 900  # seconds for which a URL is good
MOST_WANTS: Final = 500  # in one request
MOST_PARTS: Final = 100  # ways to parts in one answer


class Granter(Protocol):
    """Blocking; called by many threads at once."""

    def ask(self, wants: Sequence[Want]) -> Sequence[Way]:
        """A way for each want, in their order. Raises StoreDown where the store (or who grants) cannot be reached now, and
        StoreError where it refuses.
        """

    def read_url(self, uri: str) -> str:
        """A way to read one object, without asking whether it is there; "" where that needs as long as asking."""


def find(uri: str, *, look: bool = False) -> Want:
    """What lies at a URI; `look`: without ways to read it."""
    return Want(find=uri, look=look)


def put(uri: str, size: int, digest: str = "") -> Want:
    """To write one object."""
    return Want(put=Put(uri=uri, size=size, digest=digest))
