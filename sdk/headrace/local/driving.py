"""One run from its submission to its end, on the loop of the session; what happens is put on a queue for the caller's thread.

Called by `calling`. A run whose caller goes away is terminated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from headrace.api.calls import Calls
from headrace.compiler.package import Package
from headrace.errors import HeadraceError, PlatformUnreachable
from headrace.local.following import Following
from headrace.local.platforms import Opened, Session
from headrace.local.telling import Conversation, Said
from headrace.models import Progress, Run


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
    opened = await session.platform(conversation.say)
    created = await opened.calls.submit(
        order.package,
        order.parameters,
        root_artifacts=order.artifacts,
        pipeline_root=order.pipeline_root,
        enable_cache=order.enable_cache,
        display_name=order.name,
    )
    conversation.queue.put(Said(f"run {created.run_id}  {page(opened, created.run_id)}", "debug"))
    following = Following(opened.calls, created.run_id, conversation) if order.logs else None
    try:
        ended = await _ended(opened, created, conversation, following)
        if following is not None:
            await following.finish()
        return ended, opened
    except asyncio.CancelledError:
        await asyncio.shield(_terminate(opened.calls, created.run_id))
        raise
    finally:
        if following is not None:
            following.stop()


def page(opened: Opened, run_id: str) -> str:
    """The run's page on the platform."""
    return f"{opened.local.address.http}/#/runs/details/{run_id}"


async def _ended(opened: Opened, created: Run, conversation: Conversation, following: Following | None) -> Run:
    def show(progress: Progress) -> None:
        conversation.queue.put(progress)
        if following is not None:
            following.seen(progress)

    waiting = asyncio.create_task(opened.calls.wait(created.run_id, progress=show))
    dying = asyncio.create_task(opened.local.died())
    try:
        await asyncio.wait({waiting, dying}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise PlatformUnreachable(
                f"the embedded platform ended while run {created.run_id} was going on; its log is platform.log in the folder "
                "logs of HEADRACE_HOME. The run goes on when a platform is up again: headrace up"
            )
        return waiting.result()
    finally:
        for task in (waiting, dying):
            task.cancel()
        await asyncio.gather(waiting, dying, return_exceptions=True)


async def _terminate(calls: Calls, run_id: str) -> None:
    with suppress(HeadraceError):  # it has ended, or its platform has
        await calls.runs.terminate(run_id)
