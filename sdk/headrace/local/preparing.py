"""What is submitted for a call: the compiled component, made once, changed as `local.init` asks; and its arguments.

Called by `calling` and `inline`.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from headrace.compiler.package import Package
from headrace.compiler.writing import package_of
from headrace.dsl.artifacts import Artifact
from headrace.dsl.checking import checked_arguments
from headrace.dsl.components import Component
from headrace.dsl.interface import ArtifactInput, ParameterOutput, ParameterType
from headrace.dsl.marks import Marks
from headrace.dsl.mistakes import here, mistake
from headrace.finding import home_folder
from headrace.local.settings import LocalSettings

if TYPE_CHECKING:
    from headrace.api.calls import Calls
    from headrace.models import Artifact as StoredArtifact

_compiled: WeakKeyDictionary[Component, Package] = WeakKeyDictionary()


def prepared(component: Component, settings: LocalSettings) -> Package:
    """COMPONENT as a pipeline of its own."""
    package = _compiled.get(component)
    if package is None:
        package = _compiled[component] = package_of(component)
    if settings.use_current_environment:
        from headrace.local.rewriting import in_this_environment

        return in_this_environment(package, written)
    return package


def written(source: str) -> str:
    """A file with this text, which every run finds: equal texts are one file, so that the cache knows them again."""
    digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    path = home_folder() / "sources" / f"{digest}.py"
    if not path.is_file():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f".{digest}-{os.getpid()}-{threading.get_ident()}")
        fresh.write_text(source, encoding="utf-8", errors="surrogatepass")
        fresh.replace(path)
    return str(path)


def arguments(component: Component, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The parameters, checked as in a pipeline, and the URIs of artifacts. None is what was not given."""
    parameters: dict[str, Any] = {}
    artifacts: dict[str, str] = {}
    for name, value in given.items():
        if value is None:
            continue
        if isinstance(component.interface.inputs.get(name), ArtifactInput):
            artifacts[name] = _uri(component, name, value)
        else:
            parameters[name] = value
    return checked_arguments(component, parameters, Marks(), here()), artifacts


def floats(component: Component) -> frozenset[str]:
    """The outputs that are floats."""
    double = ParameterType.NUMBER_DOUBLE
    outputs = component.interface.outputs.items()
    return frozenset(name for name, one in outputs if isinstance(one, ParameterOutput) and one.type == double)


def _uri(component: Component, name: str, value: Any) -> str:
    """Where an artifact lies that is handed over from outside."""
    if not isinstance(value, Artifact):
        raise mistake(
            f"{component.name}() takes an artifact as '{name}', got a value of type {type(value).__name__}; pass what another "
            "call put out, or dsl.Artifact(uri=…)"
        )
    if not value.uri:
        raise mistake(f"{component.name}() is given an artifact without a URI as '{name}'; pass dsl.Artifact(uri=…)")
    return value.uri if "://" in value.uri else Path(value.uri).absolute().as_uri()


async def copied(calls: Calls, run_id: str, artifact: StoredArtifact, folder: Path) -> str:
    """The path of a copy of ARTIFACT in FOLDER."""
    from headrace.api.artifacts import AsyncArtifact

    return str(await AsyncArtifact(calls, run_id, artifact).download(folder))
