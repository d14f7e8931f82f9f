"""The grammar of `headrace retention`, of pins and of erasing. Pure. Called by cli.parsing and cli.catalog_parsing."""

from __future__ import annotations

from typing import Any

from headrace.cli.arguments import limit, version
from headrace.cli.options import actions, connection
from headrace.retention import KINDS


def add_retention(verbs: Any) -> None:
    """show, set, plan, run."""
    group = actions(verbs, "retention", "how long runs and what they leave are kept")
    show = group.add_parser("show", help="the policies that there are")
    change = group.add_parser("set", help="set a policy: for everything, a namespace, or a pipeline there")
    change.add_argument("kind", metavar="KIND", choices=KINDS, help=", ".join(KINDS))
    change.add_argument(
        "limits",
        metavar="LIMITS",
        help="an age such as 90d, a number of each pipeline's newest that stay, both as 90d,1000; "
        "keep: all of it stays; none: say nothing here",
    )
    change.add_argument("--pipeline", metavar="NAME", default="", help="of this one alone; with --namespace")
    change.add_argument(
        "--version",
        type=version,
        metavar="NUMBER",
        help="fail unless this is the version that is there (0: there is none)",
    )
    plan = group.add_parser("plan", help="what would go now, with sizes where they are known, and what is kept by whom")
    run = group.add_parser("run", help="do it now; the platform does it every hour by itself")
    for one in (show, change, plan, run):
        one.add_argument("--namespace", default="", help="of this one alone (default: all)")
        connection(one)


def add_erasing(group: Any) -> None:
    """Of `headrace artifacts`."""
    erase = group.add_parser("erase", help="erase one for ever, and with --derived whatever was made of it")
    erase.add_argument("artifact", metavar="ARTIFACT", help="its id, number, digest (the newest of several) or URI")
    erase.add_argument("--derived", action="store_true", help="with whatever was made of it, across runs")
    erase.add_argument("--dry-run", action="store_true", help="print what would be erased, and what is out of reach")
    erase.add_argument("--yes", action="store_true", help="do not ask")
    erase.add_argument("--reason", default="", metavar="TEXT", help="kept with the record of who erased what and when")
    connection(erase)
    listing = group.add_parser("erasures", help="who erased what and when")
    listing.add_argument("--limit", type=limit, default=50, help="how many (default 50; 0 = all)")
    connection(listing)
