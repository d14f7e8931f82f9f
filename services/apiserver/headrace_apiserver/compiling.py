"""Equal specs are read, checked and compiled once: a bounded memory of what was compiled, by digest.

A run of a version reads the version's spec again (so that a new release makes its own Plan of it), and clients submit
the same file over and over; of 1,000 tasks that takes a tenth of a second each time. Nothing here is durable, and only
valid specs are kept. Called by `specs`, from worker threads.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from headrace_protos.v1 import plan_pb2

# Bytes of spec text that are remembered; what is made of them takes a few times as much.
CAPACITY: Final = 32 << 20


@dataclass(frozen=True, slots=True)
class Compiled:
    """A spec without problems. Shared by all who ask: nobody changes the plan."""

    spec_json: str
    plan: plan_pb2.Plan

    @property
    def name(self) -> str:
        """pipelineInfo.name."""
        return self.plan.pipeline_name


@dataclass(slots=True)
class Compilations:
    """The specs that were compiled last. Of equal ones that come at once, one is compiled and the others wait."""

    capacity: int = CAPACITY
    _kept: OrderedDict[bytes, Compiled] = field(default_factory=OrderedDict)
    _running: dict[bytes, Future[Compiled]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _size: int = 0

    def get(self, kind: str, content: bytes, make: Callable[[], Compiled]) -> Compiled:
        """What MAKE gives for this content, or gave before. An error is everyone's who waited, and is not kept."""
        key = hashlib.sha256(kind.encode() + b"\0" + content).digest()
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
                return known
            running = self._running.get(key)
            mine: Future[Compiled] = Future()
            if running is None:
                self._running[key] = mine
        if running is not None:
            return running.result()
        return self._make(key, make, mine)

    def _make(self, key: bytes, make: Callable[[], Compiled], mine: Future[Compiled]) -> Compiled:
        try:
            made = make()
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(made)
            self._keep(key, made)
            return made
        finally:
            with self._lock:
                del self._running[key]

    def _keep(self, key: bytes, made: Compiled) -> None:
        """Also under the text that is stored with a version, whichever way it came in."""
        text = hashlib.sha256(b"text\0" + made.spec_json.encode()).digest()
        with self._lock:
            for name in dict.fromkeys((key, text)):
                if name not in self._kept:
                    self._kept[name] = made
                    self._size += len(made.spec_json)
            while self._size > self.capacity:
                _, dropped = self._kept.popitem(last=False)
                self._size -= len(dropped.spec_json)
