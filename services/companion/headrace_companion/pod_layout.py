"""Where shim, companion and user code meet inside a task's Pod, and how a Pod is named and labelled. Constants only.

One volume, TOP, is mounted in both containers. The companion and the shim speak by files in CONTROL, each written beside
its place and renamed into it, so that a file that is there is whole. Whoever waits uses inotify; whoever is restarted
goes by what lies there. User code can write to TOP: it can spoil its own attempt and nothing else.

    companion                      shim (in `main`, as the image's user)
    writes COMMAND, then STAGED →  runs the command, its output teed into LOG
                                   writes EXIT, opens what it wrote to the companion
    publishes, reports, PUBLISHED → ends with the exit code

The scheduler's Pod template and the shim's C source name the same places; tests compare them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

TOP: Final = Path("/headrace")
SHIM: Final = TOP / "bin" / "shim"  # copied by the companion's postStart hook, before the kubelet starts `main`
CONTROL: Final = TOP / "control"
COMMAND: Final = CONTROL / "command"  # see shim/README.md for the format
STAGED: Final = CONTROL / "staged"
REFUSED: Final = CONTROL / "refused"  # there will be no command: staging failed and is reported
LOG: Final = CONTROL / "log"  # stdout and stderr in the order in which they came
EXIT: Final = CONTROL / "exit"  # how the command ended
STOP: Final = CONTROL / "stop"  # end the command: SIGTERM, and SIGKILL after the grace
WANT: Final = CONTROL / "want"  # paths that user code named outside TOP, which only `main` sees
GIVEN: Final = CONTROL / "given"  # they were copied to ELSEWHERE, by their number
PUBLISHED: Final = CONTROL / "published"  # outputs and report are acknowledged: `main` may end
ATTEMPT: Final = TOP / "attempt"  # assignment.Folders of this attempt
ELSEWHERE: Final = ATTEMPT / "elsewhere"
RUNTIME: Final = TOP / "runtime"  # the folder with `headrace` alone, last on PYTHONPATH
PACKAGES: Final = TOP / "packages"  # what bootstraps install, and find again
HOME: Final = TOP / "home"  # of user code that has no other which it can write to; made by the shim
SPOOL: Final = TOP / "spool"  # the companion's alone: its own file system is read-only
TOKEN: Final = Path("/var/run/headrace/token")  # in the companion alone

MAIN: Final = "main"
COMPANION: Final = "companion"
LABEL_INSTALLATION: Final = "headrace.io/installation"
LABEL_SHARD: Final = "headrace.io/shard"
LABEL_RUN: Final = "headrace.io/run"
LABEL_PATH: Final = "headrace.io/path"  # of claims: the first 40 hex digits of the path's SHA-256
LABEL_ATTEMPT: Final = "headrace.io/attempt"
ANNOTATION_PATH: Final = "headrace.io/path"  # the path itself
AUDIENCE_ATTEMPTS: Final = "headrace-attempts"  # of a companion's token
AUDIENCE_INTERNAL: Final = "headrace-internal"  # of the control plane's tokens
