"""The text of the module that a Python component brings along: imports, what is embedded, helper functions, the function.

Called by `dsl.decorators`, which reads the functions' own texts; the command around it is made by `bootstrap`.
"""

from __future__ import annotations

import base64
import gzip
import io
import tarfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headrace.dsl.mistakes import mistake

PRELUDE: Final = ("import headrace", "from headrace import dsl", "from headrace.dsl import *", "from typing import *")
KFP_PRELUDE: Final = ("import kfp", "from kfp import dsl", "from kfp.dsl import *", "from typing import *")
LARGE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Embedded:
    """Files that a component brings along. `file`: the one that was embedded, "" for a folder; `notebook`: its place."""

    archive: str
    file: str = ""
    notebook: str = ""


def module_source(
    function: str,
    *,
    additional: Sequence[str] = (),
    imports: Sequence[str] = (),
    embedded: Embedded | None = None,
    as_kfp: bool = False,
) -> str:
    """FUNCTION is the text of the component's function without its decorators; `imports` are lines after ours."""
    parts = ["\n".join((*(KFP_PRELUDE if as_kfp else PRELUDE), *imports)), *(one.strip("\n") for one in additional)]
    if embedded is not None:
        parts.append(_unpacking(embedded))
    return "\n\n".join((*parts, function.strip("\n"))) + "\n"


def _unpacking(embedded: Embedded) -> str:
    call = (
        f"unpack_notebook(globals(), __HEADRACE_EMBEDDED_ARCHIVE, {embedded.notebook!r})"
        if embedded.notebook
        else f"unpack(globals(), __HEADRACE_EMBEDDED_ARCHIVE, {embedded.file!r})"
    )
    return (
        f"__HEADRACE_EMBEDDED_ARCHIVE = {embedded.archive!r}\n"
        f"import headrace.runtime.embedded as __headrace_embedded\n__headrace_embedded.{call}"
    )


def embed(path: str) -> Embedded:
    """The file or folder PATH as text; the same text for the same files."""
    where = Path(path)
    if not where.exists():
        raise mistake(f"there is no file or folder {path!r} to embed; correct embedded_artifact_path")
    return Embedded(_archive(where), where.name if where.is_file() else "")


def embed_notebook(path: str) -> Embedded:
    """A notebook, or a folder in which there is one."""
    where = Path(path)
    if not where.exists():
        raise mistake(f"there is no notebook {path!r}; correct notebook_path")
    if where.is_file():
        if where.suffix.lower() != ".ipynb":
            raise mistake(f"{path!r} is no notebook: notebook_path must be an .ipynb file or a folder with one in it")
        return Embedded(_archive(where), notebook=where.name)
    found = [one for one in sorted(where.rglob("*.ipynb")) if one.is_file() and ".ipynb_checkpoints" not in one.parts]
    if len(found) != 1:
        count = f"are {len(found)} notebooks" if found else "is no notebook"
        raise mistake(f"there {count} in the folder {path!r}, where there must be one; name the file in notebook_path")
    return Embedded(_archive(where), notebook=found[0].relative_to(where).as_posix())


def _archive(where: Path) -> str:
    """A gzipped tar in base64, without times and owners: compiling twice gives the same text."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        if where.is_file():
            archive.add(where, where.name, filter=_plain)
        else:
            for path in sorted(where.rglob("*")):
                archive.add(path, path.relative_to(where).as_posix(), recursive=False, filter=_plain)
    packed = gzip.compress(held.getvalue(), mtime=0)
    if len(packed) > LARGE_BYTES:
        warnings.warn(
            f"{where} is {len(packed) / LARGE_BYTES:.1f} MiB when packed, all of which every task's command carries; "
            "put it into the image or the artifact store",
            UserWarning,
            stacklevel=5,
        )
    return base64.b64encode(packed).decode("ascii")


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, 0, "", ""
    return entry
