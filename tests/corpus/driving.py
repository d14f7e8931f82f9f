"""Takes one file of the corpus through a running platform, as a user does: the `headrace` command, then the public REST API.

Called by conformance.py; knows addresses and folders, decides nothing about what is right.
"""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from corpus.viewing import RunView, from_headrace
from fixtures.platforms import HEADRACE

TIME_LIMIT_S = 300
API = "/apis/headrace.v1/runs"


@dataclass(frozen=True, slots=True)
class Said:
    """What the command answered."""

    code: int
    stdout: str
    stderr: str

    @property
    def sentence(self) -> str:
        """The first line for a reader: of the messages, else of the result (`validate` prints problems as its result)."""
        lines = [line.strip() for line in (self.stderr + self.stdout).splitlines() if line.strip()]
        return lines[0] if lines else ""


def command(*arguments: str) -> Said:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    done = subprocess.run(
        [str(HEADRACE), *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def run(
    url: str, file: Path, arguments: dict[str, Any], artifacts: Mapping[str, str] = MappingProxyType({}), *options: str
) -> Said:
    given = [part for name, value in arguments.items() for part in ("-p", f"{name}={as_text(value)}")]
    given += [part for name, uri in artifacts.items() for part in ("-a", f"{name}={uri}")]
    return command("run", str(file), *given, *options, "-o", "json", "--endpoint", url)


def as_text(value: Any) -> str:
    """A parameter as somebody types it."""
    return value if isinstance(value, str) else json.dumps(value)


def validate(file: Path) -> Said:
    """Needs no platform: the command reads and judges the file by itself."""
    return command("validate", str(file))


def view(url: str, run_id: str) -> RunView:
    tasks: list[dict[str, Any]] = []
    after = "0"
    while True:
        page = get(f"{url}{API}/{run_id}/tasks?after_id={after}")
        tasks += page.get("tasks", [])
        after = page.get("next_after_id", "0")
        if after == "0":
            return from_headrace(get(f"{url}{API}/{run_id}"), tasks)


def get(address: str) -> dict[str, Any]:
    with urllib.request.urlopen(address, timeout=60) as answer:
        told: dict[str, Any] = json.load(answer)
        return told


def upload(url: str, file: Path) -> tuple[int, str]:
    """POSTs the file to KFP's upload endpoint: the status and the text of the answer."""
    border = "a-border-that-no-file-of-the-corpus-contains"
    head = f'--{border}\r\nContent-Disposition: form-data; name="uploadfile"; filename="{file.name}"\r\n\r\n'
    body = head.encode() + file.read_bytes() + f"\r\n--{border}--\r\n".encode()
    name = urllib.parse.quote(f"corpus {file.name}")
    request = urllib.request.Request(
        f"{url}/apis/v2beta1/pipelines/upload?name={name}",
        data=body,
        headers={"Content-Type": f"multipart/form-data; boundary={border}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
