"""Running a component by calling it outside of a pipeline: compile once, submit, show, and give what came out.

Called by `headrace.dsl.context` where no pipeline is being defined.
"""

from __future__ import annotations

import queue
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

from headrace.api.calls import Calls
from headrace.dsl.components import Component
from headrace.dsl.mistakes import mistake
from headrace.local import preparing
from headrace.local.driving import Order, drive, on_platform, page
from headrace.local.platforms import Opened, Session, session
from headrace.local.results import LocalRun, RunFailed, failure_text, first_failure
from headrace.local.settings import LocalSettings
from headrace.local.showing import Screen
from headrace.local.telling import Conversation, Line, Said
from headrace.models import Artifact as StoredArtifact
from headrace.models import Progress, Run, Task

P = ParamSpec("P")
T = TypeVar("T")
ENDS_WITHIN: Final = 15.0  # seconds for the platform to take an interruption

if TYPE_CHECKING:
    from headrace.local.inline import Inline


def run(pipeline: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> LocalRun:
    """The same as calling PIPELINE (or a single component), for type checkers: what it gives is a LocalRun."""
    if not isinstance(pipeline, Component):
        raise mistake(
            f"local.run() takes a pipeline or a component first, got a value of type {type(pipeline).__name__}; decorate the "
            "function with @dsl.pipeline"
        )
    return cast("LocalRun", pipeline(*args, **kwargs))


def call(component: Component, arguments: Mapping[str, Any], settings: LocalSettings) -> LocalRun:
    """Run COMPONENT as SETTINGS say; RunFailed where it fails, unless that is not wanted."""
    order = _order(component, arguments, settings)
    screen = Screen(settings, component.name)
    try:
        if settings.inline:
            return _inline(order, settings, screen)
        return _result(_run(order, screen), order, settings, screen)
    finally:
        screen.close()


def _inline(order: Order, settings: LocalSettings, screen: Screen) -> LocalRun:
    """The same with the components called on this thread. What one of them raised is the cause of the run's failure."""
    from headrace.local.inline import hosted, refuse_containers

    refuse_containers(order.package)
    conversation = Conversation()
    with hosted(session(), order.package, conversation.queue) as (package, inline):
        ended = _run(replace(order, package=package, logs=False), screen, conversation, inline)
        try:
            return _result(ended, order, settings, screen)
        except RunFailed as failed:
            raise failed from inline.errors.get(failed.task.path if failed.task is not None else "")


def _order(component: Component, arguments: Mapping[str, Any], settings: LocalSettings) -> Order:
    package = preparing.prepared(component, settings)
    parameters, artifacts = preparing.arguments(component, arguments)
    return Order(
        package=package,
        name=component.name,
        parameters=parameters,
        artifacts=artifacts,
        pipeline_root=settings.pipeline_root,
        enable_cache=None if settings.enable_caching else False,
        logs=settings.shows("info"),
        floats=preparing.floats(component),
    )


def _run(
    order: Order, screen: Screen, conversation: Conversation | None = None, inline: Inline | None = None
) -> tuple[Run, Opened, Session]:
    """The run's end; meanwhile this thread shows what happens. An interruption terminates the run."""
    home, conversation = session(), conversation or Conversation()
    driving = home.begin(drive(home, order, conversation))
    try:
        _attend(conversation, screen, inline)
        run, opened = driving.result()
    except BaseException:
        if not driving.done():
            _give_up(driving, conversation, screen)
        raise
    return run, opened, home


def _attend(conversation: Conversation, screen: Screen, inline: Inline | None) -> None:
    """Show what comes until the end, and call what is to be called inline."""
    while True:
        try:
            told = conversation.queue.get(timeout=screen.frame)
        except queue.Empty:
            screen.tick()
            continue
        match told:
            case None:
                return
            case Line():
                screen.line(told.task, told.text)
            case Said():
                screen.say(told.sentence, told.level)
            case Progress():
                screen.seen(told)
            case _ if inline is not None:
                screen.close()
                inline.call(told)


def _give_up(driving: Future[Any], conversation: Conversation, screen: Screen) -> None:
    """End the run, and wait until the platform was told."""
    screen.say("interrupted: the run is being ended")
    driving.cancel()
    conversation.over.wait(ENDS_WITHIN)


def _result(ended: tuple[Run, Opened, Session], order: Order, settings: LocalSettings, screen: Screen) -> LocalRun:
    run, opened, home = ended
    result = LocalRun(order.name, run, OfRun(home, opened, run.run_id), order.floats)
    if run.state == "SUCCEEDED":
        return result
    if settings.raise_on_error:
        raise RunFailed(result)
    screen.say(failure_text(result, first_failure(result)), "error")
    return result


class OfRun:
    """Reads what belongs to one run."""

    def __init__(self, home: Session, opened: Opened, run_id: str) -> None:
        self._session = home
        self._home = opened.home
        self._page = page(opened, run_id)
        self._run_id = run_id
        self._copies: dict[str, str] = {}

    def page(self) -> str:
        """The run's page."""
        return self._page

    def tasks(self) -> list[Task]:
        """Every task."""
        return self._asked(lambda calls: calls.tasks(self._run_id))

    def log(self, path: str) -> str:
        """The log of a task's last attempt."""
        return self._asked(lambda calls: self._whole_log(calls, path)).decode("utf-8", "replace")

    def value(self, path: str, name: str, *, given: bool = False) -> Any:
        """A parameter that is kept by reference."""
        return self._asked(
            lambda calls: calls.value(self._run_id, name, task=path, side="input" if given else "output")
        )

    def fetched(self, artifact: StoredArtifact) -> str:
        """A copy of an artifact that is not on this machine; made once."""
        if artifact.uri not in self._copies:
            folder = Path(tempfile.mkdtemp(prefix="headrace-artifact-"))
            self._copies[artifact.uri] = self._asked(
                lambda calls: preparing.copied(calls, self._run_id, artifact, folder)
            )
        return self._copies[artifact.uri]

    def _asked(self, question: Callable[[Calls], Coroutine[Any, Any, T]]) -> T:
        """The answer, also where the platform of then has ended with the process that had started it."""
        return self._session.run(on_platform(self._session, lambda _: None, question, self._home))[0]

    async def _whole_log(self, calls: Calls, path: str) -> bytes:
        return b"".join([data async for data in calls.logs(self._run_id, path)])
