"""`make conformance CORPUS=folder`: every compiled pipeline of the corpus against what expected.yaml and the oracle say.

One platform is up for the whole session (or the one of --endpoint). Each pipeline runs here by `headrace run` and in the peer's
environment by `kfp.local`; states, outputs and contents of artifacts are compared. Prints a table; ends 1 on any difference.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import json
import re
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from corpus import asking, driving
from corpus.branching import contradictions
from corpus.comparing import differences
from corpus.expecting import Expected, cut, read_expected
from corpus.viewing import RunView, from_oracle
from fixtures.elsewhere import remove_databases
from fixtures.fix_kfp_peer import ROOT
from fixtures.platforms import running

EXIT_CODES = {"SUCCEEDED": 0, "FAILED": 1}
BAD_INPUT = 2
BAD_REQUEST = 400
ORACLE_CACHE = ROOT / "build" / "oracle"
SHOWN_PROBLEMS = 12
NO_ORACLE = {"B": "the peer's environment lacks its packages", "C": "kfp.local runs containers in Docker alone"}
SECRETS = {
    "test-secret-1": {"username": "user1"},
    "test-secret-2": {"password": "psw1"},
    "test-secret-3": {"password": "psw2"},
}
PLACE = re.compile(r"/tmp/conformance-[^\s)]*")  # the platform's folder of this one session


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table."""

    name: str
    expected: str
    got: str
    compared: str
    problems: tuple[str, ...]


def check_run(row: Expected, file: Path, url: str) -> Result:
    missing = [program for program in row.programs if shutil.which(program) is None]
    if missing:
        return Result(
            row.name, row.end, "?", "", (f"install {' and '.join(missing)}: in place of the pipeline's image",)
        )
    with tempfile.TemporaryDirectory(prefix="corpus-") as folder:
        scratch = Path(folder)
        given = row.arguments(scratch)
        row.lay_out(scratch)
        shown = file
        if row.cuts:
            shown = scratch / file.name
            shown.write_text(cut(file.read_text(), row, scratch))
        said = driving.run(url, shown, given, row.root_artifacts(scratch))
        if row.end == "REFUSED":
            return _refused(row, said)
        try:
            summary = json.loads(said.stdout)
        except json.JSONDecodeError:
            return Result(row.name, row.end, f"exit {said.code}", "", (f"no JSON on stdout: {said.stderr[-2000:]}",))
        ours = driving.view(url, summary["run_id"])
        oracle = from_oracle(asking.ask(row, file, ORACLE_CACHE)) if row.oracle else None
        problems = [
            *_summary_problems(said, summary["state"], sorted(summary["outputs"]), ours),
            *differences(row, ours, oracle),
            *contradictions(pipeline_document(shown), given, ours),
        ]
    return Result(row.name, row.end, ours.state, compared(row, ours, oracle), tuple(problems))


def _refused(row: Expected, said: driving.Said) -> Result:
    good = said.code == BAD_INPUT and not said.stdout.strip() and "Traceback" not in said.stderr
    problems = () if good else (f"exit code {said.code}, expected {BAD_INPUT}: {said.stderr[-2000:]}",)
    return Result(row.name, row.end, "REFUSED" if good else f"exit {said.code}", said.sentence, problems)


def _summary_problems(said: driving.Said, state: str, names: list[str], ours: RunView) -> Iterator[str]:
    if state != ours.state:
        yield f"`headrace run` says {state}, the API {ours.state}"
    if said.code != EXIT_CODES.get(state):
        yield f"exit code {said.code} for {state}"
    if names != sorted(ours.outputs):
        yield f"`headrace run` has the outputs {names}, the API {sorted(ours.outputs)}"


def pipeline_document(file: Path) -> dict[str, object]:
    if file.suffix == ".zip":
        with zipfile.ZipFile(file) as package:
            text = package.read(package.namelist()[0]).decode()
    else:
        text = file.read_text()
    documents = [one for one in yaml.safe_load_all(text) if one and "root" in one]
    document: dict[str, object] = documents[0]
    return document


def compared(row: Expected, ours: RunView, oracle: RunView | None) -> str:
    parts = [f"{len(ours.tasks)} states and branches"]
    if oracle is not None:
        what = "names and types" if row.draws else "values"
        parts.append(f"{what} of {sum(len(task.outputs) for task in oracle.tasks.values())} outputs")
    else:
        parts.append(NO_ORACLE.get(row.kind, "kfp.local cannot run it"))
    if row.draws:
        parts.append(f"draws: {', '.join(row.draws)}")
    if row.right:
        parts.append(f"kfp.local is wrong in {len(row.right)}" if oracle else f"values of {len(row.right)} outputs")
    if row.varies:
        parts.append(f"by type alone: {', '.join(row.varies)}")
    parts += [" ".join(f"cut: {find} → {put}".split()) for find, put in row.cuts]
    return "; ".join(parts)


def check_valid(row: Expected, file: Path) -> Result:
    said = driving.validate(file)
    good = said.code == 0
    problems = () if good else (f"exit code {said.code}: {(said.stdout + said.stderr)[-2000:]}",)
    return Result(row.name, row.end, "VALID" if good else "REFUSED", "validation alone", problems)


def check_invalid(file: Path, url: str) -> Result:
    """A package that is none: the command and the upload endpoint refuse it, with a sentence."""
    said = driving.validate(file)
    status, answer = driving.upload(url, file)
    problems = []
    if said.code != BAD_INPUT:
        problems.append(f"`headrace validate` ended {said.code}, expected {BAD_INPUT}: {said.sentence}")
    if len(said.sentence.removeprefix(f"{file}: ").split()) < 3 or "Traceback" in said.stderr:
        problems.append(f"`headrace validate` says no sentence: {said.stdout + said.stderr!r}")
    if status != BAD_REQUEST:
        problems.append(f"the upload endpoint answered {status}, expected {BAD_REQUEST}: {answer[:500]}")
    got = "ACCEPTED" if problems else "REFUSED"
    return Result(
        f"invalid/{file.name}", "REFUSED", got, said.sentence.removeprefix(f"{file}: ")[:100], tuple(problems)
    )


def results(corpus: Path, only: str, url: str) -> Iterator[tuple[Result, int]]:
    """Each result with the issue that has to make it right."""
    rows = {row.name: row for row in read_expected()}
    files = {str(path.relative_to(corpus / "valid")): path for path in sorted((corpus / "valid").rglob("*.*"))}
    for name in sorted(set(rows) ^ set(files)):
        where = "the corpus" if name in rows else "expected.yaml"
        yield Result(name, "?", "?", "", (f"{name} is not in {where}",)), 0
    for name, row in rows.items():
        if name in files and fnmatch.fnmatch(name, only):
            yield check_run(row, files[name], url) if row.runs else check_valid(row, files[name]), row.issue
    for path in sorted((corpus / "invalid").iterdir()):
        if fnmatch.fnmatch(f"invalid/{path.name}", only):
            yield check_invalid(path, url), 3


def page(seen: Sequence[tuple[Result, int]]) -> str:
    """docs/reference/conformance.md: one line a pipeline, the reason where something is special, nothing that varies."""
    notes = {row.name: row.note for row in read_expected()}
    lines = [
        "# Conformance",
        "",
        "KFP's own compiled test pipelines on Headrace, beside the official `kfp.local`. Written by",
        "`make conformance CORPUS=folder TABLE=docs/reference/conformance.md`; the expected ends and the reasons are in",
        "`tests/corpus/expected.yaml`. VALID: validated only, as it needs a cluster, an image or an account.",
        "",
        "| pipeline | expected | got | compared | note |",
        "|---|---|---|---|---|",
    ]
    for result, issue in seen:
        differs = f"wanted by issue {issue}: {result.problems[0].splitlines()[0][:160]}" if result.problems else ""
        note = "; ".join(part for part in (notes.get(result.name, ""), differs) if part)
        cells = (f"`{result.name}`", result.expected, result.got, result.compared, note)
        lines.append("| " + " | ".join(PLACE.sub("…", cell.replace("|", "\\|")) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def furnish(home: Path) -> None:
    """The secrets that KFP's own end-to-end tests make in their cluster, and a claim."""
    (home / "volumes" / "shared").mkdir(parents=True)
    for name, keys in SECRETS.items():
        place = home / "secrets" / name
        place.mkdir(parents=True, mode=0o700)
        for key, value in keys.items():
            (place / key).write_text(value)
            (place / key).chmod(0o600)


@contextlib.contextmanager
def platform(endpoint: str) -> Iterator[str]:
    if endpoint:
        yield endpoint
        return
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        home = Path(folder) / "home"
        furnish(home)
        try:
            with running("embedded", home, CORPUS_VALUE=asking.CORPUS_VALUE) as started:
                yield started.url
        finally:
            remove_databases(home)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make conformance", description="compare Headrace with kfp.local")
    parser.add_argument("corpus", type=Path, help="a folder with valid/ and invalid/")
    parser.add_argument("--only", default="*", help="a pattern of names, e.g. 'critical/*'")
    parser.add_argument("--issue", type=int, default=4, help="rows wanted by later issues may still differ")
    parser.add_argument("--table", type=Path, help="write the results as a Markdown page to this file")
    parser.add_argument("--endpoint", default="", help="use this platform instead of starting one")
    asked = parser.parse_args()
    if not (asked.corpus / "valid").is_dir():
        parser.error(f"{asked.corpus} has no folder valid/: give the corpus of compiled pipelines")
    good = bad = later = 0
    seen: list[tuple[Result, int]] = []
    started = time.monotonic()
    with platform(asked.endpoint) as url:
        print(f"{'pipeline':72} {'expected':10} {'got':10} {'s':>5} compared")
        before = time.monotonic()
        for result, issue in results(asked.corpus, asked.only, url):
            seen.append((result, issue))
            wanted = bool(result.problems) and issue > asked.issue
            verdict = result.compared if not wanted else f"wanted by issue {issue}; {result.compared}"
            now = time.monotonic()
            took, before = now - before, now
            print(f"{result.name:72} {result.expected:10} {result.got:10} {took:5.1f} {verdict}", flush=True)
            for problem in result.problems[:SHOWN_PROBLEMS]:
                print(f"    {problem}")
            if len(result.problems) > SHOWN_PROBLEMS:
                print(f"    and {len(result.problems) - SHOWN_PROBLEMS} more")
            good, bad, later = (
                good + (not result.problems),
                bad + (bool(result.problems) and not wanted),
                later + wanted,
            )
    print(f"== {good} as expected, {bad} differ, {later} wanted later, in {time.monotonic() - started:.0f} s ==")
    if asked.table:
        asked.table.write_text(page(seen))
    return 1 if bad or not good else 0


if __name__ == "__main__":
    sys.exit(main())
