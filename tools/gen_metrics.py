"""Generates the table of docs/reference/metrics.md from headrace_metrics (`make generate`); --check compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from headrace_metrics.collecting import Accounts, Pools, Traces
from headrace_metrics.definitions import REGISTRY

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "metrics.md"
BEGIN, END = "<!-- generated: begin -->\n", "<!-- generated: end -->\n"


def metrics() -> Iterator[tuple[str, str, str, str]]:
    """Name, kind, labels and help of each."""
    for collector in dict.fromkeys(REGISTRY._collector_to_names):
        labels = ", ".join(f"`{name}`" for name in getattr(collector, "_labelnames", ()))
        for metric in collector.collect():
            yield metric.name, metric.type, labels, metric.documentation
    for collected in (Pools({"x": dict}), Traces(), Accounts()):
        for metric in collected.collect():
            names = dict.fromkeys(name for sample in metric.samples for name in sample.labels)
            own = list(names) or list(getattr(metric, "_labelnames", []))
            yield metric.name, metric.type, ", ".join(f"`{name}`" for name in own), metric.documentation


def table() -> str:
    """One row each, under the name that a scrape shows."""
    rows = ["| metric | kind | labels | what |", "|---|---|---|---|"]
    for name, kind, labels, text in metrics():
        shown = f"{name}_total" if kind == "counter" else name
        rows.append(f"| `{shown}` | {kind} | {labels} | {text} |")
    return "\n".join(rows) + "\n"


def main() -> int:
    """Write the page, or compare it with what is committed."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    wanted = f"{before}{BEGIN}{table()}{END}{after}"
    if wanted == page:
        return 0
    if "--check" in sys.argv:
        print(
            "docs/reference/metrics.md is not what headrace_metrics generates: run `make generate` and commit the result"
        )
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
