"""`headrace diff A B`: where two pipelines differ in meaning. Called by authoring.py; the comparison is headrace.comparing's.

Each side is a Python file, a package, or a version on the platform: PIPELINE (the newest) or PIPELINE@VERSION.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headrace.cli import results
from headrace.cli.loading import is_python
from headrace.comparing import ABSENT, as_package, differences
from headrace.display.screen import style_of
from headrace.display.texts import Style, clean, fit, many
from headrace.errors import NoPlatform, NotFound

if TYPE_CHECKING:
    import argparse

    from headrace.api.catalog import Catalog
    from headrace.comparing import Difference
    from headrace.compiler.package import Package

SAME, DIFFERENT = 0, 1
WIDTH: Final = 2_000  # of a value in a line
PACKAGES: Final = (".yaml", ".yml", ".json", ".zip", ".gz", ".tgz")


def diff(options: argparse.Namespace) -> int | Coroutine[Any, Any, int]:
    """The exit code: 0 they mean the same, 1 they do not. Files are read before there is a loop."""
    one, other = (_here(target, as_kfp=options.as_kfp) for target in (options.a, options.b))
    if one is not None and other is not None:
        return _told(differences(one, other), options)
    return _fetched(one, other, options)


def _here(target: str, *, as_kfp: bool) -> Package | None:
    """The package of a file; None where TARGET names something on the platform."""
    from headrace.cli.authoring import compiled, read
    from headrace.unpacking import package_in

    if is_python(target):
        return compiled(target, as_kfp=as_kfp)
    if not Path(target).exists() and Path(target).suffix not in PACKAGES and "/" not in target:
        return None
    data, name = read(target)
    return package_in(data, name)


async def _fetched(one: Package | None, other: Package | None, options: argparse.Namespace) -> int:
    from headrace.api.catalog import Catalog
    from headrace.api.connection import Connection

    connection = Connection(options.endpoint)
    try:
        catalog = Catalog(connection)
        first = one if one is not None else await _stored(catalog, options.a)
        second = other if other is not None else await _stored(catalog, options.b)
    finally:
        await connection.close()
    return _told(differences(first, second), options)


async def _stored(catalog: Catalog, target: str) -> Package:
    """The version that PIPELINE@VERSION names, or PIPELINE's newest."""
    name, _, version = target.rpartition("@") if "@" in target else (target, "", "")
    try:
        pipeline = await catalog.pipeline(name)
    except NotFound as missing:
        raise NotFound(f"there is no file {target}, and on the platform: {missing}") from None
    except NoPlatform as missing:
        raise NoPlatform(f"there is no file {target}; for a pipeline of that name: {missing}") from None
    if version:
        found = await catalog.version(pipeline.pipeline_id, version)
    else:
        versions = await catalog.versions(pipeline.pipeline_id, limit=1)
        if not versions:
            raise NotFound(f"the pipeline {name!r} has no version yet; upload one")
        found = versions[0]
    return as_package(await catalog.spec(pipeline.pipeline_id, found.pipeline_version_id))


def _told(found: Sequence[Difference], options: argparse.Namespace) -> int:
    if options.output != "text":
        print(results.printed({"same": not found, "differences": [_object(one) for one in found]}, options.output))
    elif not found:
        print(f"{options.a} and {options.b} mean the same")
    else:
        style = style_of(sys.stdout)
        print("\n".join(line for one in found for line in lines(one, style)))
        print(many(len(found), "difference"))
    return DIFFERENT if found else SAME


def _object(one: Difference) -> dict[str, Any]:
    """What only one side has is left out of the other."""
    sides = {"a": one.a, "b": one.b}
    return {"path": one.path, **{name: value for name, value in sides.items() if value is not ABSENT}}


def lines(one: Difference, style: Style) -> list[str]:
    """The place, then what A has and what B has; a text of several lines stays one."""
    shown = [style.paint(clean(one.path), "bold")]
    for mark, value, colour in (("-", one.a, "red"), ("+", one.b, "green")):
        if value is not ABSENT:
            text = fit(clean(json.dumps(value, ensure_ascii=False)), WIDTH, style.ellipsis)
            shown.append(style.paint(f"  {mark} {text}", colour))
    return shown
