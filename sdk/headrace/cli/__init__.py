"""The command `headrace`. Client verbs are here; server verbs come by the entry-point group `headrace.commands`.

Exit codes: 0 succeeded or submitted, 1 failed, 2 bad input, 3 canceled, 4 platform unreachable, 130 interrupted.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

from headrace import __version__
from headrace.errors import BadInput, HeadraceError, NotFound, PlatformUnreachable, Problem, WrongState

if TYPE_CHECKING:
    from argparse import Namespace
    from importlib.metadata import EntryPoint

FAILED, BAD_INPUT, UNREACHABLE, INTERRUPTED = 1, 2, 4, 130
GROUP: Final = "headrace.commands"
SERVER_VERBS: Final = {
    "up": "run the whole platform in the foreground",
    "serve": "run one service in the foreground",
    "validate": "check a pipeline file and print every problem with its place",
}


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code; every error is a sentence on standard error."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader has what it wanted; a flush at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseExceptionGroup as group:
        return _complain(group)


def _dispatch(arguments: list[str]) -> int:
    commands = _server_commands()
    verb = arguments[0] if arguments else ""
    if verb in commands and not (verb == "validate" and _names_platform(arguments)):
        return _serve(commands[verb], arguments[1:])
    if verb in SERVER_VERBS and verb not in commands and verb != "validate":
        print(f'headrace {verb} needs the platform: pip install "headrace[server]"', file=sys.stderr)
        return BAD_INPUT
    from headrace.cli.parsing import parser

    helps = {name: SERVER_VERBS.get(name, f"from {entry.value}") for name, entry in commands.items()}
    options = parser(__version__, helps).parse_args(arguments)
    try:
        return _run(_verb(options))
    except HeadraceError as failed:
        return _complain(failed)


def _names_platform(arguments: Sequence[str]) -> bool:
    return any(one == "--endpoint" or one.startswith("--endpoint=") for one in arguments)


def _server_commands() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _serve(entry: EntryPoint, arguments: Sequence[str]) -> int:
    """Imported only now; a part that is not installed is named."""
    from headrace.cli.own import end_with_parent

    end_with_parent()
    try:
        command: Callable[[Sequence[str]], int] = entry.load()
        return command(arguments)
    except ModuleNotFoundError as missing:
        print(
            f'headrace {entry.name} needs {missing.name}, which is not installed: pip install "headrace[server]"',
            file=sys.stderr,
        )
        return BAD_INPUT


def _verb(options: Namespace) -> Coroutine[Any, Any, int]:
    if options.verb == "run":
        from headrace.cli import running

        return running.run(options)
    if options.verb == "resume":
        from headrace.cli import running

        return running.resume(options)
    from headrace.cli import logs, verbs

    if options.verb in ("trace", "validate"):
        return verbs.perform({"trace": verbs.trace, "validate": verbs.validate}[options.verb], options)
    actions = {
        "list": verbs.list_runs,
        "get": verbs.get_run,
        "logs": logs.logs,
        "terminate": verbs.terminate,
        "retry": verbs.retry,
        "delete": verbs.delete,
    }
    return verbs.perform(actions[options.action], options)


def _run(work: Coroutine[Any, Any, int]) -> int:
    """Ctrl-C, SIGTERM and a closed terminal cancel the work, so that a platform of our own is ended too."""

    # gRPC's own log is about connections, which our sentences tell of
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")

    async def guarded() -> int:
        task = asyncio.current_task()
        assert task is not None
        got: list[int] = []

        def stop(number: int) -> None:
            got.append(number)
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop, int(number))
        try:
            return await work
        except asyncio.CancelledError:
            if not got:
                raise
            return 128 + got[0]

    return asyncio.run(guarded())


def _complain(failed: BaseException) -> int:
    """Prints the sentence, every problem on a line of its own; the exit code."""
    if isinstance(failed, BaseExceptionGroup):
        first = failed.exceptions[0]
        if isinstance(first, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return 141
        if isinstance(first, HeadraceError | BaseExceptionGroup):
            return _complain(first)
        raise failed
    if isinstance(failed, BadInput) and failed.problems:
        print("\n".join(_line(problem) for problem in failed.problems), file=sys.stderr)
        count = len(failed.problems)
        print(f"headrace: {count} problem{'' if count == 1 else 's'}; nothing was created", file=sys.stderr)
        return BAD_INPUT
    print(f"headrace: {failed}", file=sys.stderr)
    if isinstance(failed, BadInput | NotFound | WrongState):
        return BAD_INPUT
    return UNREACHABLE if isinstance(failed, PlatformUnreachable) else FAILED


def _line(problem: Problem) -> str:
    """A problem with its place; one with --from names the task itself, and the request's field would say it twice."""
    return problem.message if problem.path == "from_tasks" else str(problem)
