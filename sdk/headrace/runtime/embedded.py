"""What a component's command brought along, laid out beside its code. Called by the component's own module, before its function.

The names that it sets are KFP's, because user code may read them.
"""

from __future__ import annotations

import base64
import io
import os
import sys
import tarfile
import tempfile
from typing import Any

from headrace.runtime.arguments import ASSET_FILE, ASSET_FOLDER
from headrace.runtime.mistakes import TaskMistake


def unpack(module: dict[str, Any], archive: str, file: str = "") -> None:
    """Lays ARCHIVE out in a folder, from which modules can be imported. FILE: its only file, where one was embedded."""
    held = tempfile.TemporaryDirectory(prefix="embedded-")
    folder = held.name
    try:
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(archive)), mode="r:gz") as files:
            if hasattr(tarfile, "data_filter"):
                files.extractall(folder, filter="data")
            else:  # a Python that knows no filters; the author's own files
                files.extractall(folder)  # noqa: S202
    except (OSError, ValueError, tarfile.TarError) as error:
        raise TaskMistake(f"what the component embeds cannot be laid out in {folder}: {error}") from None
    module["__headrace_embedded_folder"] = held  # which deletes it when the task ends
    module[ASSET_FOLDER] = folder
    if file:
        module[ASSET_FILE] = os.path.join(folder, file)
    if folder not in sys.path:
        sys.path.insert(0, folder)


def unpack_notebook(module: dict[str, Any], archive: str, notebook: str) -> None:
    """The same for a component that runs a notebook: `dsl.run_notebook` of its module runs it."""
    from functools import partial

    from headrace.runtime.notebook import run

    unpack(module, archive, notebook)
    module["dsl"].run_notebook = partial(run, module[ASSET_FILE], module[ASSET_FOLDER])
    module["run_notebook"] = module["dsl"].run_notebook
