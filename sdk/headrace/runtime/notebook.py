"""Executing a notebook with parameters, its output shown as it comes. Needs nbclient and ipykernel in the component's packages.

Called through `dsl.run_notebook` in a notebook component.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from headrace.runtime.mistakes import TaskMistake

PARAMETERS, INJECTED = "parameters", "injected-parameters"  # tags of cells, as Papermill has them
KERNEL = "python3"


def run(path: str, folder: str, /, **parameters: Any) -> None:
    """Executes the notebook PATH in FOLDER, with PARAMETERS after the cell that is tagged for them, or on top."""
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError
    except ImportError as error:
        raise TaskMistake(
            f"running a notebook needs {error.name}: add nbclient and ipykernel to packages_to_install"
        ) from None
    _ensure_kernel()
    notebook = nbformat.read(path, as_version=4)
    if parameters:
        notebook.cells.insert(_position(notebook.cells), _cell(nbformat, parameters))

    class Showing(NotebookClient):  # type: ignore[misc] # nbclient is not there when this is checked
        """Shows what cells put out while they run."""

        def process_message(self, message: Any, cell: Any, index: int) -> Any:
            output = super().process_message(message, cell, index)
            if output is not None:
                _show(output)
            return output

    try:
        Showing(notebook, timeout=None, kernel_name=KERNEL).execute(cwd=folder)
    except CellExecutionError as error:
        raise TaskMistake(f"the notebook failed: {error.ename}: {error.evalue}") from None


def _position(cells: list[Any]) -> int:
    for index, cell in enumerate(cells):
        if cell.get("cell_type") == "code" and PARAMETERS in (cell.get("metadata", {}).get("tags") or ()):
            return index + 1
    return 0


def _cell(nbformat: Any, parameters: dict[str, Any]) -> Any:
    """A cell that assigns PARAMETERS, from JSON: what they are has come from there."""
    try:
        lines = [f"{name} = json.loads({json.dumps(value)!r})" for name, value in parameters.items()]
    except TypeError as error:
        raise TaskMistake(f"dsl.run_notebook takes what JSON can hold: {error}") from None
    cell = nbformat.v4.new_code_cell(source="\n".join(["import json", *lines]))
    cell.metadata["tags"] = [INJECTED]
    return cell


def _ensure_kernel() -> None:
    from jupyter_client.kernelspec import KernelSpecManager

    if KERNEL in KernelSpecManager().find_kernel_specs():
        return
    command = [sys.executable, "-m", "ipykernel", "install", "--user", "--name", KERNEL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TaskMistake(
            f"no Python kernel can be installed for the notebook: {done.stderr.strip()[-300:]}; "
            "add ipykernel to packages_to_install"
        )


def _show(output: Any) -> None:
    kind = output.get("output_type")
    if kind == "stream":
        stream = sys.stderr if output.get("name") == "stderr" else sys.stdout
        stream.write(output.get("text", ""))
    elif kind == "error":
        sys.stderr.write("\n".join(output.get("traceback", [])) + "\n")
    else:
        data = output.get("data", {})
        text = next((data[name] for name in ("text/plain", "text/markdown", "application/json") if name in data), None)
        if text is not None:
            sys.stdout.write((text if isinstance(text, str) else json.dumps(text, indent=2)) + "\n")
    sys.stdout.flush()
