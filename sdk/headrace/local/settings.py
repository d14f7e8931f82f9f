"""`local.init` and the runners: how calls run from now on, in this whole process. Data and checks; nothing is started.

The parameters of `kfp.local.init` come first, in its order. What means nothing here is taken and said once, as a warning.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from headrace.dsl.mistakes import mistake

LEVELS: Final = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class SubprocessRunner:
    """Tasks as processes. `use_venv` False: components without packages of their own run in this interpreter's environment."""

    use_venv: bool = True
    serialize_pip_installs: bool = True
    max_concurrent_pip_installs: int = 1


class DockerRunner:
    """Taken so that files which name it run: no containers are run, tasks are processes all the same."""

    def __init__(self, max_concurrent_pip_installs: int = 1, **container_run_args: Any) -> None:
        self.max_concurrent_pip_installs = max_concurrent_pip_installs
        self.container_run_args = container_run_args


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """What `init` was told. `level`: what is shown; one of LEVELS."""

    pipeline_root: str = ""
    raise_on_error: bool = True
    enable_caching: bool = False
    inline: bool = False
    use_current_environment: bool = False
    level: str = "info"

    def shows(self, level: str) -> bool:
        """Whether what is said at LEVEL is shown."""
        return LEVELS.index(level) >= LEVELS.index(self.level)


@dataclass(slots=True)
class _Current:
    """Of the process: a notebook's cells and threads share what one of them said."""

    settings: LocalSettings | None = None
    warned: set[str] = field(default_factory=set)


_current = _Current()


def init(
    runner: SubprocessRunner | DockerRunner | None = None,
    pipeline_root: str | None = None,
    workspace_root: str | None = None,
    raise_on_error: bool = True,
    enable_caching: bool = False,
    cache_root: str | None = None,
    *,
    inline: bool = False,
    use_current_environment: bool = False,
    loglevel: str = "info",
) -> None:
    """From now on, calling a pipeline or a component outside of a pipeline runs it and gives what it put out.

    PIPELINE_ROOT: a folder for artifacts; without it the platform's own. RAISE_ON_ERROR: a run that fails raises RunFailed.
    ENABLE_CACHING: take results from the cache as the tasks' own settings say; without it every task runs. INLINE: call Python
    components in this process, on the thread of the caller, where a debugger sees them. USE_CURRENT_ENVIRONMENT: run components
    without packages of their own with this interpreter and what is installed for it. LOGLEVEL: `info` shows the tasks' logs and,
    on a terminal, how far the run is; `debug` also what the platform does; `warning` and `error` less.
    """
    if runner is not None and not isinstance(runner, SubprocessRunner | DockerRunner):
        raise mistake(
            f"local.init() takes local.SubprocessRunner() or local.DockerRunner() as 'runner', got {runner!r}; "
            "leave it out for processes"
        )
    if loglevel not in LEVELS:
        raise mistake(f"local.init() takes one of {', '.join(LEVELS)} as 'loglevel', got {loglevel!r}")
    if inline and use_current_environment:
        raise mistake(
            "local.init() takes 'inline' or 'use_current_environment', not both; inline is in this environment"
        )
    _say_what_has_no_effect(runner, workspace_root, cache_root)
    in_this = isinstance(runner, SubprocessRunner) and not runner.use_venv
    _current.settings = LocalSettings(
        pipeline_root=_root(pipeline_root),
        raise_on_error=raise_on_error,
        enable_caching=enable_caching,
        inline=inline,
        use_current_environment=use_current_environment or (in_this and not inline),
        level=loglevel,
    )


def current() -> LocalSettings | None:
    """What `init` said last; None before."""
    return _current.settings


def forget() -> None:
    """As if `init` had not been called."""
    _current.settings = None


def _root(given: str | None) -> str:
    """A folder as a URI; a URI as it is."""
    if not given:
        return ""
    return given if "://" in given else Path(given).expanduser().absolute().as_uri()


def _say_what_has_no_effect(
    runner: SubprocessRunner | DockerRunner | None, workspace_root: str | None, cache_root: str | None
) -> None:
    if isinstance(runner, DockerRunner):
        _warn(
            "local.DockerRunner has no effect: no containers are run here; tasks run as processes of this machine, and a "
            "container component's command directly on it"
        )
    if workspace_root is not None:
        _warn("'workspace_root' of local.init() has no effect: each run has a workspace of its own, which goes with it")
    if cache_root is not None:
        _warn("'cache_root' of local.init() has no effect: the platform keeps its cache itself")


def _warn(sentence: str) -> None:
    if sentence not in _current.warned:
        _current.warned.add(sentence)
        warnings.warn(sentence, UserWarning, stacklevel=4)
