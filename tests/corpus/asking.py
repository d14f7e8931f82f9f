"""Asks the oracle (the official kfp.local, in its own environment) what a pipeline gives, and keeps the answers in build/.

The answer is kept under a key of everything it depends on: the file, the arguments, the oracle program and the peer's pins.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from corpus.expecting import HERE, Expected, cut
from fixtures.fix_kfp_peer import PYTHON, ROOT, peer_environment

SILENT_S = 150  # without an answer more; the slowest pipeline takes 40 s on a busy machine
ENDS_WITHIN_S = 10
TAIL = 6_000
CORPUS_VALUE = "set by the conformance run"


class OracleHung(RuntimeError):  # noqa: N818 - it says what it did
    """It gave no answer for SILENT_S; the text has its stacks."""


def ask(row: Expected, source: Path, cache: Path, turn: int = 1) -> dict[str, Any]:
    """The oracle's answer; other turns are other runs of the same thing, to see what changes from run to run."""
    kept = _kept(row, source, cache, turn)
    if not kept.exists():
        ask_all([(row, source)], cache, turn)
    answer: dict[str, Any] = json.loads(kept.read_text())
    return answer


def ask_all(asked: Sequence[tuple[Expected, Path]], cache: Path, turn: int = 1) -> None:
    """Have the answers to these in the cache; those that are not there come from one program, one after the other. Who asks
    meanwhile waits, and finds what that program was asked, too. A program that hangs is not our fault: what it owes is
    asked for once more.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        answers = [(row, source, _kept(row, source, cache, turn)) for row, source in asked]
        try:
            _run([one for one in answers if not one[2].exists()], cache)
        except OracleHung as hung:
            print(hung, file=sys.stderr)
            _run([one for one in answers if not one[2].exists()], cache)


def _kept(row: Expected, source: Path, cache: Path, turn: int) -> Path:
    text = cut(source.read_text(), row)
    parts = [text, json.dumps(row.parameters, sort_keys=True), str(turn), (HERE / "oracle.py").read_text()]
    parts.append((ROOT / "requirements/kfp-peer.txt").read_text())
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    return cache / f"{row.name.replace('/', '--')}-{key}.json"


def _run(asked: Sequence[tuple[Expected, Path, Path]], cache: Path) -> None:
    if not asked:
        return
    with tempfile.TemporaryDirectory(prefix="asking-") as folder:
        command = [str(PYTHON), str(HERE / "oracle.py")]
        for number, (row, source, kept) in enumerate(asked):
            scratch = Path(folder) / str(number)
            scratch.mkdir()
            (scratch / "pipeline.yaml").write_text(cut(source.read_text(), row))
            (scratch / "arguments.json").write_text(json.dumps(row.arguments(scratch)))
            command += [str(scratch / "pipeline.yaml"), str(scratch / "arguments.json"), str(kept)]
        with (cache / f"{asked[0][2].stem}.log").open("wb") as said:
            _answered(command, folder, said, [kept for _, _, kept in asked])


def _answered(command: Sequence[str], folder: str, said: IO[bytes], answers: Sequence[Path]) -> None:
    """Until the program has ended well. One that gives no answer for long has hung: SIGABRT puts its stacks into its log."""
    program = subprocess.Popen(
        command,
        cwd=folder,
        env=peer_environment(CORPUS_VALUE=CORPUS_VALUE),
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=subprocess.STDOUT,
    )
    hung = False
    try:
        there = -1
        while not hung and program.returncode is None:
            before, there = there, sum(answer.exists() for answer in answers)
            hung = there == before
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(0 if hung else SILENT_S)
        if hung:
            program.send_signal(signal.SIGABRT)
            program.wait(ENDS_WITHIN_S)
    finally:
        program.kill()
        program.wait()
    if program.returncode:
        owed = next((answer.stem for answer in answers if not answer.exists()), "nothing")
        text = Path(said.name).read_text(errors="replace")[-TAIL:]
        what = f"hung for {SILENT_S} s" if hung else f"ended with {program.returncode}"
        raise (OracleHung if hung else RuntimeError)(
            f"the oracle {what} and owes {owed}; {said.name} ends with:\n{text}"
        )
