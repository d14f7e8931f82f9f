"""The lineage of an artifact as lines: a tree up and a tree down. Pure. Called by provenance.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from headrace.display.texts import Style, fit, one_line
from headrace.models import Artifact
from headrace.provenance import ArtifactRecord, ArtifactUse, Direction, Lineage, LineageTask

SHOWN = 60  # characters of a parameter
DIGITS = 19  # of a digest: sha256: and twelve more


def lineage_lines(graph: Lineage, direction: Direction, style: Style) -> list[str]:
    """Trees of artifacts and the tasks between them; what was shown above is not shown again."""
    lines = [record_line(graph.artifacts[graph.root])]
    if direction != "down":
        lines += _Tree(graph, style, up=True).lines() or ["  nothing is known of what made it"]
    if direction != "up":
        below = _Tree(graph, style, up=False).lines()
        lines += ["used by" if direction == "both" else "", *below] if below else ["nothing was made of it"]
    return [line for line in lines if line]


class _Tree:
    """One way from the root of a graph: up to what it was made of, else down to what was made of it."""

    def __init__(self, graph: Lineage, style: Style, *, up: bool) -> None:
        self._graph, self._style, self._up = graph, style, up
        self._seen = {graph.root}
        self._tasks: dict[int, dict[int, None]] = defaultdict(dict)  # of an artifact, each once: the next on the way
        self._beyond: dict[int, list[ArtifactUse]] = defaultdict(list)  # of a task: what lies behind it
        for edge in graph.edges:
            if edge.output == up:
                self._tasks[edge.artifact][edge.task] = None
            else:
                self._beyond[edge.task].append(edge)
        self._same: dict[int, list[int]] = defaultdict(list)
        for later, earlier in graph.same:
            here, there = (later, earlier) if up else (earlier, later)
            self._same[here].append(there)

    def lines(self) -> list[str]:
        return list(self._from(self._graph.root, "  "))

    def _from(self, number: int, indent: str) -> Iterator[str]:
        for task in self._tasks[number]:
            yield f"{indent}{'made by' if self._up else 'read by'} {task_line(self._graph.tasks[task], self._style)}"
            for edge in sorted(self._beyond[task], key=lambda one: (one.name, one.index)):
                yield from self._artifact(edge.artifact, f"{indent}  {one_line(edge.name)}: ", indent + "  ")
        for other in self._same[number]:
            words = "put there as" if self._up else "taken from there as"
            yield from self._artifact(other, f"{indent}{words} ", indent)

    def _artifact(self, number: int, before: str, indent: str) -> Iterator[str]:
        line = before + record_line(self._graph.artifacts[number])
        if number in self._seen:
            yield f"{line} (above)"
            return
        self._seen.add(number)
        yield line
        yield from self._from(number, indent + "  ")


def record_line(one: ArtifactRecord) -> str:
    """An artifact by itself."""
    return f"{one.number}  {_kind(one.artifact)}  {place(one.artifact)}" + _short(one.artifact.digest)


def place(one: Artifact) -> str:
    """Where it lies; one that was erased nowhere."""
    return one_line(one.uri) or "(no place)"


def task_line(one: LineageTask, style: Style) -> str:
    """A task with what its results depend on."""
    words = [style.paint(one_line(one.path), "bold"), f"of run {one.run_id} ({one_line(one.pipeline_name)})"]
    if one.code_digest:
        words.append(f"code {one.code_digest[:DIGITS]}")
    if one.image:
        pinned = f"@{one.image_digest[:DIGITS]}" if one.image_digest and "@" not in one.image else ""
        words.append(f"image {one_line(one.image)}{pinned}")
    words += [f"{one_line(name)}={fit(one_line(str(value)), SHOWN)}" for name, value in one.parameters.items()]
    if one.cached_from or one.linked_from:
        words.append(f"(results of {one_line(one.cached_from or one.linked_from)})")
    return "  ".join(words)


def _kind(one: Artifact) -> str:
    return one_line(one.type.removeprefix("system.") or "Artifact")


def _short(digest: str) -> str:
    return f"  {digest[:DIGITS]}" if digest else ""
