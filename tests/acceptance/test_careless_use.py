"""What people do to the commands that show what runs left behind, on the real platform: pipes that close, disks that are full,
a question that is answered by Ctrl-C or by nothing, a platform that is not there, options of another command.
"""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from builders.specs import container, pipeline
from corpus import driving
from fixtures.platforms import HEADRACE, Platform
from fixtures.records import Records

MADE = "{{$.outputs.artifacts['model'].path}}"
NO_NUMBERS = b"no task of these runs has written a number into its artifacts' metadata\n"
QUESTION = b"[y/N] "


@pytest.fixture(scope="module")
def model(platform: Platform) -> str:
    """The number of an artifact."""
    write = container(["sh", "-ec", 'echo weights > "$0"', MADE]).output_artifact("model", "system.Model")
    with Records(platform.url) as client:
        run_id = client.submit(pipeline("careless").task("write", write).build(), enable_cache=False).run_id
        assert client.wait(run_id, timeout=60).state == "SUCCEEDED"
        (made,) = client.artifacts(run_id)
    found = driving.command("artifacts", "get", made.uri, "--endpoint", platform.url)
    return found.stdout.split()[0]


def started(*arguments: str | bytes, **more: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([str(HEADRACE), *arguments], stderr=subprocess.PIPE, **more)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize(
    "arguments",
    [
        ("trace", "latest", "-o", "json"),
        ("runs", "watch", "--json", "--no-follow"),
        ("runs", "watch", "--json"),
        ("runs", "compare"),
        ("artifacts", "list"),
        ("retention", "plan"),
    ],
    ids=" ".join,
)
def test_a_pipe_that_closes_is_no_error(platform: Platform, model: str, arguments: Sequence[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    program = started(*arguments, "--endpoint", platform.url, stdout=writing)
    os.close(writing)
    _, said = program.communicate(timeout=60)
    assert program.returncode == 141
    assert said in (b"", NO_NUMBERS)  # whether the other runs of this platform have any


def test_a_disk_that_is_full_is_a_sentence(platform: Platform, model: str) -> None:
    with Path("/dev/full").open("wb") as full:
        program = started("trace", "latest", "--endpoint", platform.url, stdout=full)
        _, said = program.communicate(timeout=60)
    sentence = b"headrace: what it says or fetches cannot be written: No space left on device\n"
    assert (program.returncode, said) == (1, sentence)


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        (b"\x03", 128 + signal.SIGINT, ""),
        (b"\x04", 1, "nothing was erased"),
        (b"\n", 1, "nothing was erased"),
        (b"no\n", 1, "nothing was erased"),
    ],
    ids=["ctrl-c", "ctrl-d", "return", "no"],
)
def test_erasing_asks_and_nothing_but_yes_is_a_yes(
    platform: Platform, model: str, typed: bytes, code: int, said: str
) -> None:
    ours, theirs = pty.openpty()
    program = started(
        "artifacts", "erase", model, "--endpoint", platform.url,
        stdin=theirs, stdout=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while QUESTION not in shown:
        shown += os.read(ours, 4096)
    assert b"1 artifact of 1 run would be erased" in shown
    if typed == b"\x03":  # what a terminal makes of it where it is the program's own
        program.send_signal(signal.SIGINT)
    else:
        os.write(ours, typed)
    _, told = program.communicate(timeout=60)
    os.close(ours)
    assert (program.returncode, told.decode().strip()) == (code, said)
    assert driving.command("artifacts", "get", model, "--endpoint", platform.url).code == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("trace", "latest", "--depth", "3"),
            r"usage: headrace trace .*headrace trace: error: unrecognized .*--depth 3",
        ),
        (("runs", "watch", "latest", "--from", "3"), r"usage: headrace runs watch .*unrecognized arguments: --from 3"),
        (("artifacts", "download", "MODEL", "/tmp/x"), "is an artifact, .* where it goes is said by --to /tmp/x"),
        (
            ("artifacts", "download", "MODEL", "--to", "/proc/self/fd/0"),
            r"/proc/self/fd/0 is neither a file nor a folder; name another place\n$",
        ),
        (
            ("artifacts", "download", "MODEL", "--to", "/proc/sys/x"),
            r"/proc/sys/x cannot be written: .*; name another place with --to\n$",
        ),
        (("artifacts", "get", "MODEL", "--to", "/etc/passwd/x"), "/etc/passwd/x cannot be written: .*; name another"),
        (
            ("artifacts", "download", "MODEL", "--to", "/tmp/" + "x" * 300),
            "x cannot be written: File name too long; name another place with --to",
        ),
        (
            ("artifacts", "get", "latest"),
            "latest is a run: name one of its artifacts too, as TASK/NAME; `headrace artif",
        ),
        (
            ("artifacts", "lineage", "latest"),
            "latest is a run: name one of its artifacts too, as TASK/NAME; `headrace ",
        ),
        (("artifacts", "get", "nothing"), "there is no artifact 'nothing': give its id, or its number\n$"),
        (("artifacts", "get", "999999"), "there is no artifact '999999': give its id, or its number\n$"),
        (("runs", "compare", "--ascending"), "--ascending says how --sort sorts: name a METRIC with --sort\n$"),
        (("artifacts", "erase", "MODEL"), "1 artifact would be erased for ever: look with --dry-run, then say --yes"),
    ],
)
def test_mistakes_are_sentences(platform: Platform, model: str, arguments: Sequence[str], sentence: str) -> None:
    given = [model if one == "MODEL" else one for one in arguments]
    said = driving.command(*given, "--endpoint", platform.url)
    assert said.code == 2
    assert re.search(sentence, said.stderr, re.DOTALL), said.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("artifacts", "get"),
        ("artifacts", "list", "--uri"),
        ("artifacts", "erase", "MODEL", "--dry-run", "--reason"),
        ("cache", "explain", "latest"),
        ("retention", "set", "runs", "3", "--namespace"),
        ("runs", "watch", "--kind"),
        ("runs", "compare", "--sort"),
    ],
    ids=" ".join,
)
def test_bytes_that_are_no_text_are_told(platform: Platform, model: str, arguments: Sequence[str]) -> None:
    given = [model if one == "MODEL" else one for one in arguments]
    program = started(*given, b"\xfftext", "--endpoint", platform.url)
    _, said = program.communicate(timeout=60)
    way = "name it otherwise, or set a locale of UTF-8 (LC_ALL=C.UTF-8)"
    assert (program.returncode, said.decode()) == (2, f"headrace: '\\udcfftext' is no text in utf-8: {way}\n")


def test_nothing_to_tell_is_told(platform: Platform, model: str) -> None:
    same = driving.command("artifacts", "diff", model, model, "--endpoint", platform.url)
    assert (same.code, same.stdout, same.stderr) == (0, "", f"{model} and {model} do not differ\n")
    for arguments, sentence in (
        (
            ("compare", "--pipeline", "nobody's"),
            "there are no such runs; `headrace runs list` shows those that there are",
        ),
        (
            ("compare", "--sort", "nobody's"),
            'no such run has a number "nobody\'s"; `headrace runs compare` shows those',
        ),
        (
            ("compare", "--metric", "x", "--metric", "y"),
            "no task of these runs has written x, y into its artifacts' meta",
        ),
    ):
        none = driving.command("runs", *arguments, "--endpoint", platform.url)
        assert (none.code, none.stderr[: len(sentence)]) == (0, sentence)
    none = driving.command("artifacts", "list", "--type", "Model", "--endpoint", platform.url)
    assert (none.code, none.stderr) == (0, "there are no such artifacts; types are written as system.Model is\n")


def test_watching_a_platform_that_is_not_there_ends_at_once() -> None:
    said = driving.command("runs", "watch", "--endpoint", "http://127.0.0.1:1")
    assert said.code == 4
    assert said.stderr.startswith("headrace: no platform answers at http://127.0.0.1:1")


def test_json_is_asked_for_as_of_other_commands(platform: Platform, model: str) -> None:
    asked = ("runs", "watch", "--no-follow", "--endpoint", platform.url)
    one, other = driving.command(*asked, "-o", "json"), driving.command(*asked, "--json")
    first, second = ([json.loads(line) for line in said.stdout.splitlines()] for said in (one, other))
    assert first
    assert first == second[: len(first)]


def test_figures_without_a_file_are_shown(platform: Platform) -> None:
    told = json.dumps({"artifacts": {"metrics": {"artifacts": [{"metadata": {"accuracy": 0.5}}]}}})
    step = container(["sh", "-ec", 'echo "$1" > "$0"', "{{$.outputs.output_file}}", told])
    flow = pipeline("figures").task("score", step.output_artifact("metrics", "system.Metrics")).build()
    with Records(platform.url) as client:
        run_id = client.submit(flow, enable_cache=False).run_id
        assert client.wait(run_id, timeout=60).state == "SUCCEEDED"
        (made,) = client.artifacts(run_id)
    named = (run_id, "score/metrics", "--endpoint", platform.url)
    one = driving.command("artifacts", "get", *named)
    assert (one.code, one.stderr) == (0, f"nothing is stored at {made.uri}\n")
    assert one.stdout.splitlines()[1:] == ["  accuracy = 0.5"]
    assert json.loads(driving.command("artifacts", "get", *named, "-o", "json").stdout)["files"] == []
    none = driving.command("artifacts", "download", *named)
    way = f"what its task wrote down is shown by `headrace artifacts get {run_id} score/metrics`"
    assert (none.code, none.stderr) == (2, f"headrace: nothing is stored at {made.uri}; {way}\n")
