"""What `kfp.Client` is given, ready to be sent: pipeline functions compiled, files as they are. Called by client.py."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.errors import BadInput


@dataclass(frozen=True, slots=True)
class Packed:
    """A package's bytes; the ending of `filename` says what they are. `name`: what runs of it are called."""

    name: str
    data: bytes
    filename: str

    @property
    def pipeline_name(self) -> str:
        """As the spec says it; "" where it does not."""
        from headrace.unpacking import package_in

        return str(package_in(self.data, self.filename).spec.get("pipelineInfo", {}).get("name", ""))

    def documents(self, caching: bool | None = None, key: str | None = None) -> dict[str, Any]:
        """The spec, or both documents under their names; CACHING is said of every task, with KEY where one is given."""
        from headrace.compiler.package import Package
        from headrace.unpacking import package_in

        package = package_in(self.data, self.filename)
        if caching is not None:
            package = Package(_cached(package.spec, caching, key), package.platform)
        return dict(package.documents())


def packed_function(pipeline: Any) -> Packed:
    """A pipeline function, or a single component, which becomes a pipeline of one task."""
    from headrace.compiler.writing import as_component, package_of

    package = package_of(as_component(pipeline))
    return Packed(package.name, json.dumps(package.documents()).encode(), "pipeline.json")


def packed_file(path: str) -> Packed:
    """A package file."""
    place = Path(path)
    try:
        data = place.read_bytes()
    except OSError as failed:
        raise BadInput(f"cannot read {place}: {failed.strerror}") from None
    return Packed(place.name, data, place.name)


def _cached(spec: Any, caching: bool, key: str | None) -> dict[str, Any]:
    changed: dict[str, Any] = copy.deepcopy(dict(spec))
    for component in (changed.get("root", {}), *changed.get("components", {}).values()):
        for task in component.get("dag", {}).get("tasks", {}).values():
            options = {"enableCache": True} if caching else {}
            task["cachingOptions"] = {**options, **({"cacheKey": key} if key else {})}
    return changed
