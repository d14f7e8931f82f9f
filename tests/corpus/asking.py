"""Asks the oracle (the official kfp.local, in its own environment) what a pipeline gives, and keeps the answers in build/.

The answer is kept under a key of everything it depends on: the file, the arguments, the oracle program and the peer's pins.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from corpus.expecting import HERE, Expected, cut
from fixtures.fix_kfp_peer import PYTHON, ROOT, peer_environment

TIME_LIMIT_S = 300
CORPUS_VALUE = "set by the conformance run"


def ask(row: Expected, source: Path, cache: Path, turn: int = 1) -> dict[str, Any]:
    """The oracle's answer; other turns are other runs of the same thing, to see what changes from run to run."""
    text = cut(source.read_text(), row)
    parts = [text, json.dumps(row.parameters, sort_keys=True), str(turn), (HERE / "oracle.py").read_text()]
    parts.append((ROOT / "requirements/kfp-peer.txt").read_text())
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    kept = cache / f"{row.name.replace('/', '--')}-{key}.json"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _run(row, text, kept)
    answer: dict[str, Any] = json.loads(kept.read_text())
    return answer


def _run(row: Expected, text: str, kept: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="asking-") as folder:
        scratch = Path(folder)
        (scratch / "pipeline.yaml").write_text(text)
        (scratch / "arguments.json").write_text(json.dumps(row.arguments(scratch)))
        command = ["nice", str(PYTHON), str(HERE / "oracle.py")]
        command += [str(scratch / "pipeline.yaml"), str(scratch / "arguments.json"), str(kept)]
        with kept.with_suffix(".log").open("wb") as log:
            try:
                subprocess.run(
                    command,
                    cwd=scratch,
                    env=peer_environment(CORPUS_VALUE=CORPUS_VALUE),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=TIME_LIMIT_S,
                    check=True,
                )
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                raise RuntimeError(f"the oracle could not run {row.name}: {error}; see {log.name}") from error
