"""The ExecutorInput: what a task is given and where its outputs go, by name. Read from JSON or a file, written never.

Called by `command_line`, `arguments` and `results`.
"""

from __future__ import annotations

import json
from typing import Any

from headrace.runtime.mistakes import TaskMistake

Json = dict[str, Any]
SHOWN = 60


class TaskInput:
    """One ExecutorInput. A parameter that is null was not given."""

    def __init__(self, document: Json) -> None:
        inputs, outputs = document.get("inputs") or {}, document.get("outputs") or {}
        given = inputs.get("parameterValues") or {}
        self.parameters: Json = {name: value for name, value in given.items() if value is not None}
        self.input_artifacts: dict[str, list[Json]] = _entries(inputs.get("artifacts"))
        self.output_artifacts: dict[str, list[Json]] = _entries(outputs.get("artifacts"))
        files = outputs.get("parameters") or {}
        self.output_files: dict[str, str] = {name: held.get("outputFile", "") for name, held in files.items()}
        self.output_file = outputs.get("outputFile", "")
        if not self.output_file:
            raise TaskMistake("the executor input has no outputs.outputFile: the platform must say where outputs go")


def _entries(artifacts: Any) -> dict[str, list[Json]]:
    return {name: list((held or {}).get("artifacts") or ()) for name, held in (artifacts or {}).items()}


def read_executor_input(text: str) -> TaskInput:
    """TEXT is the JSON, or `@FILE` where it is large."""
    if text.startswith("@"):
        try:
            with open(text[1:], encoding="utf-8") as file:
                text = file.read()
        except OSError as error:
            raise TaskMistake(f"the executor input cannot be read from {text[1:]}: {error.strerror}") from None
    try:
        document = json.loads(text)
    except ValueError as error:
        shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
        raise TaskMistake(f"--executor_input must be JSON, or @FILE; {shown!r} is neither: {error}") from None
    if not isinstance(document, dict):
        raise TaskMistake(f"the executor input must be a JSON object; it is of type {type(document).__name__}")
    return TaskInput(document)
