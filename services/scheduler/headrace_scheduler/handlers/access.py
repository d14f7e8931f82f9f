"""The answer to `Attempts.Access`: ways to objects, signed with the keys of the store that holds them. URLs go to the caller and
nowhere else: not into logs, events or errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from headrace_companion.store import ArtifactStore, StoreDown, StoreError
from headrace_protos.v1.access_pb2 import Want, Way
from headrace_scheduler.executors.port import Launch
from headrace_scheduler.granting import Answered, Granted, Refused, judge
from headrace_scheduler.stores.areas import Area
from headrace_scheduler.stores.composite import Stores
from headrace_servicekit.errors import Reason, ServiceError

THREADS: Final = 32
MOST_WANTS: Final = 1_000
VALID_S: Final = 900


class Access:
    """`ways` answers for one attempt in flight."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="headrace-access")

    async def ways(self, launch: Launch, wants: Sequence[Want]) -> list[Way]:
        """In the order of the wants. Raises ServiceError: FORBIDDEN, UNAVAILABLE, INVALID_INPUT."""
        if len(wants) > MOST_WANTS:
            raise ServiceError(
                Reason.INVALID_INPUT, f"{len(wants)} wishes in one request; at most {MOST_WANTS} are answered"
            )
        try:
            verdicts = [judge(want, launch, self._stores.areas) for want in wants]
        except Refused as refused:
            raise ServiceError(Reason.FORBIDDEN, str(refused)) from refused
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._granted, wants, verdicts)
        except StoreDown as down:
            raise ServiceError(Reason.UNAVAILABLE, str(down)) from down

    def close(self) -> None:
        self._threads.shutdown(wait=False)

    def _granted(self, wants: Sequence[Want], verdicts: Sequence[Granted | Answered]) -> list[Way]:
        """Each store is asked once for all that it holds."""
        ways = [
            Way() if isinstance(one, Granted) else Way(problem=one.problem, outside=one.outside, missing=one.missing)
            for one in verdicts
        ]
        areas = {one.area.root: one.area for one in verdicts if isinstance(one, Granted)}
        for area in areas.values():
            numbers = [i for i, one in enumerate(verdicts) if isinstance(one, Granted) and one.area == area]
            for i, way in zip(numbers, self._ask(area, [wants[i] for i in numbers]), strict=True):
                ways[i] = way
        return ways

    def _ask(self, area: Area, wants: Sequence[Want]) -> Sequence[Way]:
        store: ArtifactStore = self._stores.store_of(area)
        granter = getattr(store, "granter_for_others", None)
        if granter is None:
            problem = f"{store.root} is a folder, which no Pod reaches: set HEADRACE_ARTIFACT_ROOT to an s3:// URI"
            return [Way(problem=problem) for _ in wants]
        try:
            answered: Sequence[Way] = granter.ask(wants)
        except StoreDown:
            raise
        except StoreError as refused:
            if len(wants) == 1:
                return [Way(problem=str(refused))]
            return [self._ask(area, [want])[0] for want in wants]
        return answered
