"""`headrace diff A B`: where two pipelines differ in meaning. Called by authoring.py; the comparison is headrace.comparing's.

Each side is a Python file or a package.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headrace.cli import results
from headrace.cli.loading import is_python
from headrace.cli.screen import style_of
from headrace.cli.texts import Style, clean, fit
from headrace.comparing import ABSENT, differences

if TYPE_CHECKING:
    import argparse

    from headrace.comparing import Difference
    from headrace.compiler.package import Package

SAME, DIFFERENT = 0, 1
WIDTH = 2_000  # of a value in a line


def diff(options: argparse.Namespace) -> int:
    """The exit code: 0 they mean the same, 1 they do not."""
    one, other = (_here(target, as_kfp=options.as_kfp) for target in (options.a, options.b))
    return _told(differences(one, other), options)


def _here(target: str, *, as_kfp: bool) -> Package:
    """The package of a file."""
    from headrace.cli.authoring import compiled, read
    from headrace.cli.packages import package_in

    if is_python(target):
        return compiled(target, as_kfp=as_kfp)
    data, name = read(target)
    return package_in(data, name)


def _told(found: Sequence[Difference], options: argparse.Namespace) -> int:
    if options.output != "text":
        print(results.printed({"same": not found, "differences": [_object(one) for one in found]}, options.output))
    elif not found:
        print(f"{options.a} and {options.b} mean the same")
    else:
        style = style_of(sys.stdout)
        print("\n".join(line for one in found for line in lines(one, style)))
        print(f"{len(found)} difference{'' if len(found) == 1 else 's'}")
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
