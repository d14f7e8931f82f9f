"""What can be submitted, uploaded or validated, and the fields of a request that it becomes.

Used by calls, catalog and the CLI. A file is sent as it is; the platform reads it, so that there is one reader.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from headrace.errors import BadInput

if TYPE_CHECKING:
    from headrace.compiler.package import Package
    from headrace.dsl.components import Component

# A pipeline function or component, what the compiler made, a file's path or bytes, or a spec.
Source: TypeAlias = "Component | Package | str | Path | bytes | Mapping[str, Any]"


async def fields_of(source: Source | None, filename: str = "") -> dict[str, Any]:
    """The fields `package` and `filename`, or `spec_json`."""
    if source is None:
        return {}
    if isinstance(source, bytes):
        return {"package": source, "filename": filename or "pipeline.yaml"}
    if isinstance(source, Mapping):
        return {"spec_json": _text(source)}
    if not isinstance(source, str | Path):
        return {"spec_json": _text(compiled(source).documents())}
    path = Path(source)
    if path.suffix == ".py":
        raise BadInput(f"{path} is Python; give its pipeline function, or a file that it was compiled to")
    return {"package": await asyncio.to_thread(read_package, path), "filename": filename or path.name}


def compiled(source: Component | Package) -> Package:
    """What the compiler made of a pipeline function or component."""
    from headrace.compiler.package import Package
    from headrace.dsl.components import Component

    if isinstance(source, Package):
        return source
    if isinstance(source, Component):
        from headrace.compiler.writing import package_of

        return package_of(source)
    name = getattr(source, "__name__", "") or type(source).__name__
    raise BadInput(
        f"{name} is no pipeline; give a function decorated with @dsl.pipeline, a path, the file's bytes or a spec"
    )


def _text(document: Mapping[str, Any]) -> str:
    try:
        return json.dumps(document)
    except (TypeError, ValueError, RecursionError) as wrong:
        raise BadInput(f"the spec is no JSON document: {wrong}") from None


def read_package(path: Path) -> bytes:
    """The file's bytes, or BadInput with a sentence."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"there is no file {path}") from None
    except IsADirectoryError:
        raise BadInput(f"{path} is a folder; give a pipeline file: IR YAML or JSON, zip or tar.gz") from None
    except (OSError, ValueError) as failed:
        raise BadInput(f"cannot read {path}: {getattr(failed, 'strerror', None) or failed}") from None
    if not data:
        raise BadInput(f"{path} is empty; give a pipeline file: IR YAML or JSON, zip or tar.gz")
    return data
