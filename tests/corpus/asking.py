"""Asks the oracle (the official kfp.local, in its own environment) what a pipeline gives, and keeps the answers in build/.

The answer is kept under a key of everything it depends on: the file, the arguments, the oracle program and the peer's pins.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from corpus.expecting import HERE, Expected, cut
from fixtures.fix_kfp_peer import PYTHON, ROOT, peer_environment

TIME_LIMIT_S = 300
CORPUS_VALUE = "set by the conformance run"


def ask(row: Expected, source: Path, cache: Path, turn: int = 1) -> dict[str, Any]:
    """The oracle's answer; other turns are other runs of the same thing, to see what changes from run to run."""
    kept = _kept(row, source, cache, turn)
    if not kept.exists():
        ask_all([(row, source)], cache, turn)
    answer: dict[str, Any] = json.loads(kept.read_text())
    return answer


def ask_all(asked: Sequence[tuple[Expected, Path]], cache: Path, turn: int = 1) -> None:
    """Have the answers to these in the cache; those that are not there come from one program, one after the other. Who asks
    meanwhile waits, and finds what that program was asked, too.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = [(row, source, _kept(row, source, cache, turn)) for row, source in asked]
        missing = [one for one in missing if not one[2].exists()]
        if missing:
            _run(missing, cache)


def _kept(row: Expected, source: Path, cache: Path, turn: int) -> Path:
    text = cut(source.read_text(), row)
    parts = [text, json.dumps(row.parameters, sort_keys=True), str(turn), (HERE / "oracle.py").read_text()]
    parts.append((ROOT / "requirements/kfp-peer.txt").read_text())
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    return cache / f"{row.name.replace('/', '--')}-{key}.json"


def _run(asked: Sequence[tuple[Expected, Path, Path]], cache: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="asking-") as folder:
        command = [str(PYTHON), str(HERE / "oracle.py")]
        for number, (row, source, kept) in enumerate(asked):
            scratch = Path(folder) / str(number)
            scratch.mkdir()
            (scratch / "pipeline.yaml").write_text(cut(source.read_text(), row))
            (scratch / "arguments.json").write_text(json.dumps(row.arguments(scratch)))
            command += [str(scratch / "pipeline.yaml"), str(scratch / "arguments.json"), str(kept)]
        names = ", ".join(row.name for row, _, _ in asked)
        log = cache / f"{asked[0][2].stem}.log"
        with log.open("wb") as said:
            try:
                subprocess.run(
                    command,
                    cwd=folder,
                    env=peer_environment(CORPUS_VALUE=CORPUS_VALUE),
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    timeout=TIME_LIMIT_S * len(asked),
                    check=True,
                )
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                raise RuntimeError(f"the oracle could not run {names}: {error}; see {log}") from error
