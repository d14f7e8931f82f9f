"""Unchanged pipeline files of KFP's, compiled by Headrace and by the official SDK, against the specs that KFP keeps of them.

Run by hand, because the files are not ours to commit: `git archive` KFP's repository into a folder, then
`tools/compare_sources.py FOLDER --specs ../shared/kfp-ir/valid --kfp .venv-kfp/bin/python`. Prints a table: what is equal by
meaning, and for the rest the first differences beside what the official SDK makes of the same file today.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headrace.comparing import Difference, as_package, differences

ROOT = Path(__file__).resolve().parent.parent
SOURCES = "test_data/sdk_compiled_pipelines"
DECORATIONS = re.compile(r"(_compiled|_GH-\d+|_pipeline)$")


@dataclass(frozen=True, slots=True)
class Row:
    """One spec that KFP keeps. `ours`, `official`: what each compiler made of its source today, if anything."""

    name: str
    kept: Path | None
    ours: Path
    official: Path

    def judge(self) -> tuple[str, list[Difference]]:
        """In a word how it went, and what differs."""
        if self.official.name == "none.yaml":
            return "no source", []
        if not self.official.exists():
            return "official fails", []
        if not self.ours.exists():
            return "ours fails", []
        today = differences(self.official, self.ours)
        if self.kept is None:
            return ("equal" if not today else "differs"), today
        kept = differences(self.kept, self.ours)
        if not kept:
            return "equal", []
        return ("kept is older", kept) if not today else ("differs", today)

    def error(self) -> str:
        """The last line of what ours, or else the official one, raised."""
        for made in (self.ours, self.official):
            said = made.with_suffix(".error")
            if said.exists():
                return said.read_text(encoding="utf-8").strip().splitlines()[-1]
        return ""


def compiled(python: str, folder: Path, out: Path, *options: str) -> Path:
    """All of FOLDER compiled into OUT."""
    command = [python, str(ROOT / "tools" / "compile_sources.py"), str(folder), str(out), *options]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[1:2])})
    return out


def plain(stem: str) -> str:
    return DECORATIONS.sub("", DECORATIONS.sub("", stem)).replace("-", "_")


def rows(specs: Path | None, ours: Path, official: Path) -> Iterator[Row]:
    """One for each kept spec, by the name of its file, else by the name of its pipeline; without specs, one for each source."""
    made = {path.relative_to(official).with_suffix("") for path in official.rglob("*.yaml")}
    made |= {path.relative_to(official).with_suffix("") for path in official.rglob("*.error")}
    if specs is None:
        for name in sorted(made):
            yield Row(str(name), None, ours / f"{name}.yaml", official / f"{name}.yaml")
        return
    kept_specs = sorted([*specs.rglob("*.yaml"), *specs.rglob("*.json")])
    stems = {plain(one.stem) for one in kept_specs}
    # a source without a spec of its name may be that of a spec of another name, by the name of its pipeline
    free = [one for one in made if plain(one.name) not in stems and (official / f"{one}.yaml").exists()]
    pipelines = {as_package(official / f"{one}.yaml").spec["pipelineInfo"]["name"]: one for one in free}
    for kept in kept_specs:
        same = [one for one in made if plain(one.name.rpartition("+")[2]) == plain(kept.stem)]
        near = sorted(same, key=lambda one: one.parent.name != kept.parent.name)
        found = near[0] if near else pipelines.get(as_package(kept).spec["pipelineInfo"]["name"])
        if found is None:
            yield Row(kept.stem, kept, ours / "none.yaml", official / "none.yaml")
        else:
            yield Row(kept.stem, kept, ours / f"{found}.yaml", official / f"{found}.yaml")


def report(found: list[Row], shown: int, *, only: str) -> int:
    """Prints the table; gives the number of misses that are ours."""
    count: Counter[str] = Counter()
    for row in found:
        word, differing = row.judge()
        count[word] += 1
        if word == "equal" or only not in row.name:
            continue
        version = as_package(row.kept).spec.get("sdkVersion", "") if row.kept else ""
        print(f"| {row.name} | {word} | {version} | {len(differing) or row.error()[:300]} |")
        for one in differing[:shown]:
            print(f"    {one.path}\n        - {str(one.a)[:400]}\n        + {str(one.b)[:400]}")
    print(f"{len(found)} specs: " + ", ".join(f"{word} {number}" for word, number in count.most_common()))
    return count["differs"] + count["ours fails"]


def main() -> int:
    parser = argparse.ArgumentParser(description="compile KFP's own pipeline files by Headrace and by the official SDK")
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--sources", default=SOURCES, help="the folder of pipeline files in it")
    parser.add_argument(
        "--specs", type=Path, help="the specs that KFP keeps of them; without it, the official SDK's of today"
    )
    parser.add_argument("--kfp", default=str(ROOT / ".venv-kfp" / "bin" / "python"))
    parser.add_argument("--shown", type=int, default=3, help="differences shown of each")
    parser.add_argument("--only", default="", help="a part of the names that are shown")
    given = parser.parse_args()
    folder = given.checkout.resolve() / given.sources
    sys.path.insert(1, str(given.checkout.resolve()))
    with tempfile.TemporaryDirectory() as scratch:
        ours = compiled(sys.executable, folder, Path(scratch) / "ours", "--as-kfp")
        official = compiled(given.kfp, folder, Path(scratch) / "official")
        return min(report(list(rows(given.specs, ours, official)), given.shown, only=given.only), 1)


if __name__ == "__main__":
    sys.exit(main())
