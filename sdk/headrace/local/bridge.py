"""What an attempt runs of a component that is called inline: it hands the attempt to the process that called, and waits.

Its text is the source of the component in the package; the constants SOCKET and LABEL are put before it. Standard library alone.
Protocol: one JSON line there (label, executor input, environment), JSON lines back: text for the log, and at last the exit code.
"""

import json
import os
import socket
import sys


def main(place: str, label: str) -> int:
    """The exit code of the call."""
    words = sys.argv
    given = words[words.index("--executor_input") + 1]
    with socket.socket(socket.AF_UNIX) as caller:
        try:
            caller.connect(place)
        except OSError:
            sys.stderr.write("headrace: the process that called this inline is gone; call it again\n")
            return 1
        asked = {"label": label, "executor_input": given, "environment": dict(os.environ)}
        caller.sendall(json.dumps(asked).encode() + b"\n")
        with caller.makefile("r", encoding="utf-8") as answers:
            for line in answers:
                told = json.loads(line)
                if "exit" in told:
                    return int(told["exit"])
                sys.stdout.write(told["text"])
                sys.stdout.flush()
    sys.stderr.write("headrace: the process that called this inline ended\n")
    return 1


if "SOCKET" in globals():
    sys.stdout.flush()
    os._exit(main(globals()["SOCKET"], globals()["LABEL"]))  # nothing of the runtime is needed after it
