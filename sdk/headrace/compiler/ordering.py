"""Which tasks and groups of one DAG wait for which: each dependency is lifted to where both ends have a sibling. Pure.

Called by `compiling`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from headrace.compiler.crossing import operands
from headrace.compiler.sources import Source, Sources
from headrace.compiler.tree import Path, Tree, conditions
from headrace.compiler.uses import Uses
from headrace.dsl.groups import Group
from headrace.dsl.tasks import PipelineTask

Place = Group | PipelineTask


def dependencies(tree: Tree, sources: Sources, uses: Mapping[PipelineTask, Uses]) -> Mapping[Place, set[str]]:
    """The names of the siblings that each task and group waits for."""
    waits: defaultdict[Place, set[str]] = defaultdict(set)
    for group in tree.groups:
        path = tree.paths[group]
        tasks = list(tree.tasks(group))
        for task in tasks:
            for channel in uses[task].waited_for:
                _wait_for_source(tree, waits, sources.of(channel, path), path, task)
            for upstream in task.after_:
                _wait_for_place(tree, waits, upstream, path, task)
        if tasks:
            for depth, above in enumerate(path):
                for condition in conditions(above):
                    for channel in operands(condition):
                        _wait_for_source(tree, waits, sources.of(channel, path[:depth]), path, above)
        for upstream in group.after:
            _wait_for_place(tree, waits, upstream, path[:-1], group)
    for task, handler in tree.exit_tasks.items():
        path = tree.path_of(handler)
        for channel in uses[task].waited_for:
            _wait_for_source(tree, waits, sources.of(channel, path), path, task)
        for upstream in task.after_:
            _wait_for_place(tree, waits, upstream, path, task)
        waits[task].add(handler.name)
    return waits


def _wait_for_source(tree: Tree, waits: Mapping[Place, set[str]], source: Source, path: Path, place: Place) -> None:
    while source.over is not None:
        source = source.over
    if source.producer:
        depth = len(tree.paths[source.home])
        waits[path[depth] if depth < len(path) else place].add(source.producer)


def _wait_for_place(tree: Tree, waits: Mapping[Place, set[str]], upstream: Place, path: Path, place: Place) -> None:
    above = tree.path_of(upstream)
    if isinstance(upstream, Group):
        above = (*above, upstream)
    shared = tree.shared(above, path)
    producer = above[shared].name if shared < len(above) else upstream.name
    waits[path[shared] if shared < len(path) else place].add(producer)
