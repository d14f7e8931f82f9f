"""Outputs that user code left outside the shared folder, where only `main` sees them: asked of the shim, which copies them."""

from __future__ import annotations

import os

from headrace_companion import pod_layout
from headrace_companion.assignment import Assignment, Folders
from headrace_companion.custom_paths import Bind
from headrace_companion.outputs import OutputRefused, read_metadata_file
from headrace_companion.pod.places import Places


def paths_elsewhere(assignment: Assignment, folders: Folders) -> list[str]:
    """What the metadata file names outside the attempt's folder, in user code's own words."""
    try:
        said = read_metadata_file(folders)
    except OutputRefused:
        return []  # publishing says so
    named = [
        entry.custom_path
        for name in assignment.output_artifacts
        for entry in said.artifacts.get(name, ())
        if entry.custom_path and "\0" not in entry.custom_path
    ]
    return [path for path in dict.fromkeys(named) if folders.top not in (folders.work / path).parents]


def want(paths: list[str], places: Places) -> None:
    """Ask for them; GIVEN answers."""
    places.say(pod_layout.WANT, b"".join(os.fsencode(path) + b"\0" for path in paths))


def given(paths: list[str], places: Places) -> list[Bind]:
    """Where they are now, as publishing takes it: a folder here, and the path at which user code alone saw it."""
    folders, elsewhere = places.attempt, places.at(pod_layout.ELSEWHERE)
    return [(str(elsewhere / str(number)), os.path.normpath(folders.work / path)) for number, path in enumerate(paths)]
