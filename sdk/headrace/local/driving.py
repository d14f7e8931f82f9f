"""One run from its submission to its end, on the loop of the session; what happens is put on a queue for the caller's thread.

Called by `calling`. A run whose caller goes away is terminated.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from headrace.api.calls import Calls
from headrace.compiler.package import Package
from headrace.errors import HeadraceError, PlatformUnreachable
from headrace.local.following import Following
from headrace.local.platforms import Opened, Say, Session
from headrace.local.telling import Conversation, Said
from headrace.models import Progress, Run
from headrace.own_platform import PlatformEnded

T = TypeVar("T")


@dataclass(slots=True)
class Order:
    """What is to run. `pipeline_root` "": the platform's own; `floats`: outputs that are numbers with a fraction."""

    package: Package
    name: str
    parameters: Mapping[str, Any]
    artifacts: Mapping[str, str]
    pipeline_root: str
    enable_cache: bool | None
    logs: bool
    floats: frozenset[str] = frozenset()


async def drive(session: Session, order: Order, conversation: Conversation) -> tuple[Run, Opened]:
    """The run when it has ended. Cancelled, it terminates the run."""
    try:
        return await _drive(session, order, conversation)
    finally:
        conversation.over.set()
        conversation.queue.put(None)


async def _drive(session: Session, order: Order, conversation: Conversation) -> tuple[Run, Opened]:
    request_id = str(
        uuid.uuid4()
    )  # so that the next platform does not make a second run where the first one ended meanwhile

    def submit(calls: Calls) -> Coroutine[Any, Any, Run]:
        return calls.submit(
            order.package,
            order.parameters,
            root_artifacts=order.artifacts,
            pipeline_root=order.pipeline_root,
            enable_cache=order.enable_cache,
            display_name=order.name,
            request_id=request_id,
        )

    created, opened = await on_platform(session, conversation.say, submit)
    conversation.queue.put(Said(f"run {created.run_id}  {page(opened, created.run_id)}", "debug"))
    following = Following(opened.calls, created.run_id, conversation) if order.logs else None
    try:
        ended, opened = await _ended(session, opened, created, conversation, following)
        if following is not None:
            await following.finish()
        return ended, opened
    except asyncio.CancelledError:
        await asyncio.shield(_terminate(session, opened.home, created.run_id))
        raise
    finally:
        if following is not None:
            following.stop()


def page(opened: Opened, run_id: str) -> str:
    """The run's page on the platform."""
    return f"{opened.local.address.http}/#/runs/details/{run_id}"


async def on_platform(
    session: Session, say: Say, work: Callable[[Calls], Coroutine[Any, Any, T]], home: Path | None = None
) -> tuple[T, Opened]:
    """What WORK gives, begun again on the next platform where one that another process had started ends with that process."""
    while True:
        opened = await session.platform(say, home)
        try:
            return await opened.local.during(work(opened.calls)), opened
        except PlatformEnded:
            if opened.local.child is not None:
                raise


async def _ended(
    session: Session, opened: Opened, created: Run, conversation: Conversation, following: Following | None
) -> tuple[Run, Opened]:
    def show(progress: Progress) -> None:
        conversation.queue.put(progress)
        if following is not None:
            following.seen(progress)

    def wait(calls: Calls) -> Coroutine[Any, Any, Run]:
        if following is not None:
            following.calls = calls
        return calls.wait(created.run_id, progress=show)

    try:
        return await on_platform(session, conversation.say, wait, opened.home)
    except PlatformEnded:
        raise PlatformUnreachable(
            f"the embedded platform ended while run {created.run_id} was going on; its log is platform.log in the folder "
            "logs of HEADRACE_HOME. The run goes on when a platform is up again: headrace up"
        ) from None


async def _terminate(session: Session, home: Path, run_id: str) -> None:
    with suppress(HeadraceError):  # it has ended, or no platform can be had
        opened = await session.platform(lambda _: None, home)  # the one it began on may have ended
        await opened.calls.runs.terminate(run_id)
