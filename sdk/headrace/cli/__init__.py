"""The command `headrace`. Client verbs are here; server verbs come by the entry-point group `headrace.commands`.

Exit codes: 0 succeeded or submitted, 1 failed or different, 2 bad input, 3 canceled, 4 platform unreachable, 130 interrupted;
docs/reference/cli.md has them all. Imports are inside functions: what a verb does not need is not loaded.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Final

from headrace import __version__

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Coroutine, Sequence
    from importlib.metadata import EntryPoint
    from typing import Any

    from headrace.errors import Problem

FAILED, BAD_INPUT, UNREACHABLE, INTERRUPTED = 1, 2, 4, 130
DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
GROUP: Final = "headrace.commands"
SERVER_VERBS: Final = {
    "up": "run the whole platform in the foreground",
    "serve": "run one service in the foreground",
}
CHECKS: Final = "validate"  # a server command that the verb of this name calls for its verdict (checking.py)


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
    except OSError as full:
        if full.errno not in DISK_FULL:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        print(f"headrace: what it says or fetches cannot be written: {full.strerror}", file=sys.stderr)
        return FAILED
    except BaseExceptionGroup as group:
        return _complain(group)


def _dispatch(arguments: list[str]) -> int:
    verb = arguments[0] if arguments else ""
    if verb == "--version":
        print(f"headrace {__version__}")
        return 0
    from headrace.cli.parsing import OWN_VERBS, parser
    from headrace.errors import HeadraceError

    commands = {} if verb in OWN_VERBS else _server_commands()
    if verb in commands:
        return _serve(commands[verb], arguments[1:])
    if verb in SERVER_VERBS:
        print(f'headrace {verb} needs the platform: pip install "headrace[server]"', file=sys.stderr)
        return BAD_INPUT
    options = parser(__version__, _helps(commands)).parse_args(arguments)
    try:
        done = _verb(options)
        return done if isinstance(done, int) else _run(done)
    except (
        UnicodeEncodeError
    ) as wrong:  # bytes of an argument that no message holds, a name that this locale cannot write
        way = "name it otherwise, or set a locale of UTF-8 (LC_ALL=C.UTF-8)"
        print(f"headrace: {wrong.object[:60]!a} is no text in {wrong.encoding}: {way}", file=sys.stderr)
        return BAD_INPUT
    except HeadraceError as failed:
        code = _complain(failed)
        return BAD_INPUT if code == FAILED and options.verb == "diff" else code  # whose 1 says that two are different


def _helps(commands: dict[str, EntryPoint]) -> dict[str, str]:
    return {name: SERVER_VERBS.get(name, f"from {entry.value}") for name, entry in commands.items()}


def _server_commands() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=GROUP) if entry.name != CHECKS}


def _serve(entry: EntryPoint, arguments: Sequence[str]) -> int:
    """Imported only now; a part that is not installed is named."""
    from headrace.own_platform import end_with_parent

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


def _verb(options: Namespace) -> int | Coroutine[Any, Any, int]:
    """What the verb comes to, or what there is to await for it. Users' files are imported here, before there is a loop."""
    if options.verb in ("run", "resume"):
        from headrace.cli import running

        return {"run": running.run, "resume": running.resume}[options.verb](options)
    if options.verb in ("compile", "components", "diff", "validate"):
        from headrace.cli import authoring

        return getattr(authoring, options.verb)(options)  # type: ignore[no-any-return]  # four functions of one kind
    if options.verb == "completion":
        return _completion(options.shell)
    if options.verb in ("experiments", "pipelines", "artifacts"):
        return _stored(options)
    from headrace.cli import comparing_runs, logs, usage, verbs, watching

    if options.verb in ("nodes", "usage"):
        return verbs.perform({"nodes": usage.nodes, "usage": usage.namespace_usage}[options.verb], options)
    if options.verb == "cache":
        from headrace.cli import caching

        return verbs.perform(caching.explain, options)
    if options.verb == "retention" or (options.verb == "runs" and options.action in ("pin", "unpin")):
        from headrace.cli import retention

        return verbs.perform(retention.retention if options.verb == "retention" else retention.pin, options)
    if options.verb == "trace":
        from headrace.cli import tracing

        return verbs.perform(tracing.trace, options)
    actions = {
        "list": verbs.list_runs,
        "get": verbs.get_run,
        "logs": logs.logs,
        "watch": watching.watch,
        "usage": usage.run_usage,
        "compare": comparing_runs.compare,
        "terminate": verbs.terminate,
        "retry": verbs.retry,
        "archive": verbs.archive,
        "unarchive": verbs.archive,
        "delete": verbs.delete,
    }
    return verbs.perform(actions[options.action], options)


def _stored(options: Namespace) -> Coroutine[Any, Any, int]:
    from headrace.cli import artifacts, catalog
    from headrace.cli.verbs import perform

    if options.verb == "artifacts":
        return perform(artifacts.artifacts, options)
    if options.verb == "experiments":
        return perform(catalog.experiments, options)
    if options.action != "upload":
        return perform(catalog.pipelines, options)
    from headrace.cli.authoring import read

    data, name = read(options.file, options.pipeline, as_kfp=options.as_kfp)
    return perform(lambda client, given: catalog.upload(client, given, data, name), options)


def _completion(shell: str) -> int | Coroutine[Any, Any, int]:
    from headrace.cli.completing import read
    from headrace.cli.completion import run_ids, script
    from headrace.cli.parsing import parser

    if shell == "runs":

        async def told() -> int:
            print("\n".join(await run_ids()))
            return 0

        return told()
    commands = _server_commands()
    print(script(shell, read(parser(__version__, _helps(commands), _below(commands)))))
    return 0


def _below(commands: dict[str, EntryPoint]) -> dict[str, ArgumentParser]:
    """The parsers of the server's commands, whose module names them in PARSERS."""
    import importlib

    found: dict[str, ArgumentParser] = {}
    for name, entry in commands.items():
        makers = getattr(importlib.import_module(entry.module), "PARSERS", {})
        if name in makers:
            found[name] = makers[name]()
    return found


def _run(work: Coroutine[Any, Any, int]) -> int:
    """Ctrl-C, SIGTERM and a closed terminal cancel the work, so that a platform of our own is ended too."""
    import asyncio
    import signal

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
    from headrace.display.texts import many
    from headrace.errors import AlreadyExists, BadInput, HeadraceError, NotFound, PlatformUnreachable, WrongState

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
        print(f"headrace: {many(len(failed.problems), 'problem')}; nothing was created", file=sys.stderr)
        return BAD_INPUT
    print(f"{getattr(failed, 'shown', '')}headrace: {failed}", file=sys.stderr)
    if isinstance(failed, AlreadyExists | BadInput | NotFound | WrongState):
        return BAD_INPUT
    return UNREACHABLE if isinstance(failed, PlatformUnreachable) else FAILED


def _line(problem: Problem) -> str:
    """A problem with its place; one with --from names the task itself, and the request's field would say it twice."""
    return problem.message if problem.path == "from_tasks" else str(problem)
