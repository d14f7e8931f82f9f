"""The verbs about pipelines as files: compile, validate, diff and components. Called by cli.main; nothing here needs a platform
but what names one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.cli import results
from headrace.cli.checking import Verdict, judged
from headrace.cli.loading import Source, is_python, opened, parted
from headrace.display.screen import say, style_of
from headrace.errors import BadInput

if TYPE_CHECKING:
    import argparse

    from headrace.compiler.package import Package
    from headrace.dsl.components import Component

DIFFERENT, BAD_INPUT = 1, 2
SUFFIXES = (".yaml", ".yml", ".json")


def warn(told: Iterable[str]) -> None:
    """Each warning is a line on standard error."""
    for one in told:
        say(f"warning: {one}")


def packaged(component: Component) -> Package:
    """COMPONENT compiled; a single one becomes a pipeline of one task."""
    from headrace.compiler.checks import check_workspace
    from headrace.compiler.writing import package_of

    package = package_of(component)
    check_workspace(package)
    return package


def compiled(target: str, pipeline: str = "", *, as_kfp: bool = False) -> Package:
    """The pipeline that FILE.py:PIPELINE means, compiled; warnings are shown."""
    path, named = parted(target)
    if named and pipeline and named != pipeline:
        raise BadInput(f"{target} names one pipeline, --pipeline {pipeline} another; give one of them")
    with opened(path, as_kfp=as_kfp) as source:
        package = packaged(source.chosen(named or pipeline))
    warn(source.told)
    return package


def read(target: str, pipeline: str = "", *, as_kfp: bool = False) -> tuple[bytes, str]:
    """The package that TARGET is, a Python file compiled, and the name of a file that holds such bytes."""
    from headrace.api.sources import read_package

    path, _ = parted(target)
    if is_python(target):
        return as_json(compiled(target, pipeline, as_kfp=as_kfp)).encode(), f"{path.stem}.json"
    if pipeline or as_kfp:
        option = "--pipeline" if pipeline else "--as-kfp"
        raise BadInput(f"{option} is about Python files, and {path} is a package")
    return read_package(path), path.name


def as_json(package: Package) -> str:
    """What the platform takes."""
    return json.dumps(package.documents())


def compile(options: argparse.Namespace) -> int:  # noqa: A001  # the verb's name
    """`headrace compile`; the exit code."""
    path, named = parted(options.file)
    if path.suffix != ".py":
        raise BadInput(f"{path} is no Python file; headrace compile takes FILE.py")
    with opened(path, as_kfp=options.as_kfp) as source:
        made = {name: (packaged(one), one.description) for name, one in _wanted(source, named, options).items()}
    warn(source.told)
    places = _places(path, list(made), options.output)
    stale = 0
    for name, (package, description) in made.items():
        text = written(package, places[name], description)
        _judge(package, name)
        stale += _put(text, places[name], check=options.check)
    return DIFFERENT if stale else 0


def _wanted(source: Source, named: str, options: argparse.Namespace) -> dict[str, Component]:
    """Name → what is compiled: all pipelines where none is named."""
    if options.component:
        if named:
            raise BadInput(f"{options.file} names a pipeline already; leave it or --component out")
        return {options.component: source.component(options.component)}
    if options.pipeline:
        return {options.pipeline: source.pipeline(options.pipeline)}
    if named or not source.pipelines:
        return {named or source.path.stem: source.chosen(named)}
    return dict(source.pipelines)


def _places(path: Path, names: list[str], output: str | None) -> dict[str, Path | None]:
    """Where each is written; None: standard output."""
    if output == "-":
        if len(names) > 1:
            raise BadInput(
                f"{path} has {len(names)} pipelines: {', '.join(names)}; -o - prints one: name it with --pipeline"
            )
        return {names[0]: None}
    folder = path.parent
    if output is not None:
        given = Path(output)
        if not (given.is_dir() or output.endswith("/")):
            if given.suffix not in SUFFIXES:
                raise BadInput(
                    f"-o {output}: give a file that ends in {', '.join(SUFFIXES[:2])} or .json, a folder, or -"
                )
            if len(names) > 1:
                raise BadInput(
                    f"{path} has {len(names)} pipelines: {', '.join(names)}; -o {output} is one file: name a folder"
                )
            return {names[0]: given}
        folder = given
    if len(names) == 1:
        return {names[0]: folder / f"{path.stem}.yaml"}
    return {name: folder / f"{path.stem}_{name}.yaml" for name in names}


def written(package: Package, place: Path | None, description: str) -> str:
    """The text of the file."""
    if place is not None and place.suffix == ".json":
        return package.to_json()
    return package.to_yaml(description)


def _judge(package: Package, name: str) -> None:
    """What the platform's checks say, where it is installed."""
    verdict = judged(as_json(package).encode(), f"{name}.json")
    if verdict is None:
        return
    warn(verdict.warnings)
    if verdict.problems:
        raise BadInput(f"{name} would be refused", verdict.problems)


def _put(text: str, place: Path | None, *, check: bool) -> bool:
    """Write TEXT, or only look where CHECK; whether what is there is another."""
    if place is None:
        sys.stdout.write(text)
        return False
    if not check:
        from headrace.compiler.writing import write_whole

        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_whole(place, text)
        except OSError as failed:
            raise BadInput(f"cannot write {place}: {failed.strerror}") from None
        print(place)
        return False
    try:
        same = place.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        same = False
    if not same:
        print(f"{place} is not what its source compiles to: run headrace compile")
    return not same


def validate(options: argparse.Namespace) -> int | Coroutine[Any, Any, int]:
    """`headrace validate`; the exit code."""
    data, name = read(options.file, options.pipeline, as_kfp=options.as_kfp)
    verdict = None if options.endpoint else judged(data, name)
    return _told(verdict, options) if verdict is not None else _asked(data, name, options)


async def _asked(data: bytes, name: str, options: argparse.Namespace) -> int:
    from headrace.api.calls import Calls

    async with Calls.to(options.endpoint) as client:
        found = await client.validate(data, filename=name)
    return _told(Verdict(found.problems, found.warnings), options)


def _told(verdict: Verdict, options: argparse.Namespace) -> int:
    if options.output != "text":
        print(results.printed(verdict.as_object(), options.output))
    else:
        print("\n".join(verdict.lines(options.file)))
        warn(verdict.warnings)
    return BAD_INPUT if verdict.problems else 0


def components(options: argparse.Namespace) -> int:
    """`headrace components`; the exit code."""
    from headrace.cli import listing
    from headrace.unpacking import package_in

    path, named = parted(options.file)
    if path.suffix != ".py":
        data, name = read(options.file)
        found = listing.of_package(package_in(data, name))
    else:
        with opened(path, as_kfp=options.as_kfp) as source:
            chosen = [(name, one, True) for name, one in source.pipelines.items()]
            chosen += [(name, one, False) for name, one in source.components.items()]
            wanted = [row for row in chosen if not named or row[1] is source.chosen(named)]
            found = [
                listing.of_component(name, packaged(one), one.description, pipeline=whole)
                for name, one, whole in wanted
            ]
        warn(source.told)
    if options.output != "text":
        print(results.printed(found, options.output))
    else:
        print("\n".join(listing.listed(found, style_of(sys.stdout))))
    return 0


def diff(options: argparse.Namespace) -> int | Coroutine[Any, Any, int]:
    """`headrace diff`; the exit code."""
    from headrace.cli import differing

    return differing.diff(options)
