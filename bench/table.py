"""The one table at the end, as text that is also Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.measuring import Row

HEAD = ("what", "ours p50", "ours p99", "opponent", "ratio", "aim")


def table(rows: Sequence[Row]) -> str:
    lines = [HEAD, *(line for row in rows for line in _lines(row))]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    texts = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    return "\n".join([texts[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *texts[1:]])


def _lines(row: Row) -> Iterator[tuple[str, ...]]:
    met = row.value >= row.aim if row.better == "more" else row.value <= row.aim
    at = "" if row.judged == 50 else f"p{row.judged} {_number(row.value)} "
    aim = f"{at}{'≥' if row.better == 'more' else '≤'} {row.aim:,g} {row.unit}{'' if met else ' (missed)'}"
    what = f"{row.what} ({row.note})" if row.note else row.what
    ours = (f"{_number(row.p50)} {row.unit}", f"{_number(row.p99)} {row.unit}")
    if not row.opponents:
        yield (what, *ours, "", "", aim)
    for number, (name, value) in enumerate(row.opponents.items()):
        theirs = (f"{name}: {_number(value)} {row.unit}", f"{_number(row.ratio(value))} ×")
        yield (what, *ours, *theirs, aim) if number == 0 else ("", "", "", *theirs, "")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
