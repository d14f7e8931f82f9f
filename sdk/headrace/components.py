"""Components from YAML: compiled ones, whole pipelines with their platform documents, and KFP's old component files.

A loaded component is used as any other. What the text may hold besides is told by its error. Called by users; the old files are
read by `dsl.old_components`.
"""

from __future__ import annotations

import ast
import base64
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from headrace.compiler.merging import executor_settings
from headrace.compiler.package import Package
from headrace.compiler.yaml_reading import NotYaml, documents_in
from headrace.dsl.components import (
    ContainerImplementation,
    GraphImplementation,
    Implementation,
    ImporterImplementation,
    YamlComponent,
)
from headrace.dsl.interface import Interface, from_ir, undescribed
from headrace.dsl.mistakes import mistake
from headrace.dsl.naming import dashed
from headrace.errors import BadInput

__all__ = ["load_component_from_file", "load_component_from_text", "load_component_from_url"]

SECONDS: Final = 60
"""How long a server may take to answer."""


def load_component_from_text(text: str) -> YamlComponent:
    """The component, or the pipeline as one, that TEXT holds."""
    return _loaded(text, "The text")


def load_component_from_file(file_path: str) -> YamlComponent:
    """The component, or the pipeline as one, in a file."""
    path = Path(file_path).expanduser()
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise mistake(f"The file {str(path)!r} cannot be read ({reason}); name a component's YAML file.") from None
    return _loaded(text, f"The file {str(path)!r}")


def load_component_from_url(url: str, auth: tuple[str, str] | None = None) -> YamlComponent:
    """The component, or the pipeline as one, at URL (http, https, gs). AUTH: a user's name and password."""
    address = url.replace("gs://", "https://storage.googleapis.com/", 1) if url.startswith("gs://") else url
    if not address.startswith(("http://", "https://")):
        raise mistake(f"{url!r} is no address of a component; give one that begins with https://, http:// or gs://.")
    request = urllib.request.Request(address)  # noqa: S310  # http and https alone, as checked
    if auth is not None:
        request.add_header("Authorization", "Basic " + base64.b64encode(":".join(auth).encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            text = answer.read().decode("utf-8")
    except urllib.error.HTTPError as refused:
        raise mistake(
            f"{url!r} answers {refused.code} {refused.reason}; check the address and what you may read."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise mistake(f"{url!r} cannot be read ({getattr(error, 'reason', error)}); check the address.") from None
    return _loaded(text, repr(url))


def _loaded(text: str, what: str) -> YamlComponent:
    old = _old_document(text)
    if old is not None:
        from headrace.dsl.old_components import read_old

        name, interface, implementation, description = read_old(old, what)
        return YamlComponent(name, interface, implementation, text, description)
    try:
        package = Package.from_text(text)
    except BadInput as wrong:
        raise mistake(f"{what} is no component: {wrong}") from None
    return _compiled(package, text)


def _old_document(text: str) -> Mapping[str, Any] | None:
    """The document of an old component file, if TEXT is one."""
    if "implementation:" not in text:
        return None
    try:
        documents = documents_in(text)
    except NotYaml:
        return None  # the error is told by whoever reads it next
    first = documents[0] if documents else None
    return first if isinstance(first, dict) and "implementation" in first else None


def _compiled(package: Package, text: str) -> YamlComponent:
    name = package.name
    single = _single(package)
    if single is None:
        return YamlComponent(
            name, from_ir(package.spec["root"]), GraphImplementation(package), text, _description(package, text)
        )
    interface, implementation = single
    return YamlComponent(name, interface, implementation, text, _description(package, text))


def _single(package: Package) -> tuple[Interface, Implementation] | None:
    """What a component that was compiled alone is; None for a pipeline."""
    spec = package.spec
    name = dashed(package.name)
    component: Any = (spec.get("components") or {}).get(f"comp-{name}")
    tasks = (spec["root"].get("dag") or {}).get("tasks") or {}
    if component is None or list(tasks) != [name] or not _hands_through(tasks[name], component):
        return None
    label = component.get("executorLabel", "")
    executor = ((spec.get("deploymentSpec") or {}).get("executors") or {}).get(label) or {}
    interface = undescribed(from_ir(component))  # as KFP: what uses it carries no text about it
    if "container" in executor:
        platform = {
            each: settings[label] for each, settings in executor_settings(package.platform).items() if label in settings
        }
        passthroughs = tuple(component.get("taskConfigPassthroughs") or ())
        return interface, ContainerImplementation(executor["container"], platform, passthroughs)
    if "importer" in executor:
        return interface, ImporterImplementation(executor["importer"])
    return None


def _hands_through(task: Mapping[str, Any], component: Mapping[str, Any]) -> bool:
    """Whether TASK gives COMPONENT the pipeline's inputs as they are, and does nothing of its own."""
    given = task.get("inputs") or {}
    taken = component.get("inputDefinitions") or {}
    for kind, word in (("parameters", "componentInputParameter"), ("artifacts", "componentInputArtifact")):
        inputs = given.get(kind) or {}
        if set(inputs) != set(taken.get(kind) or {}) or any(each != {word: name} for name, each in inputs.items()):
            return False
    return not set(task) - {"cachingOptions", "componentRef", "inputs", "taskInfo"}


def _description(package: Package, text: str) -> str:
    said = str(package.spec["pipelineInfo"].get("description", "")) or _commented(text)
    if said:
        return said
    executors = ((package.spec.get("deploymentSpec") or {}).get("executors") or {}).values()
    commands = [word for each in executors for word in (each.get("container") or {}).get("command") or ()]
    return next((found for word in commands if "import *" in str(word) and (found := _docstring(word))), "")


def _commented(text: str) -> str:
    """What the comment at the top says after `Description:`, over lines that are set in."""
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if line.startswith("# Description: "):
            lines.append(line.removeprefix("# Description: "))
        elif lines:
            if not line.startswith("#              "):
                break
            lines.append(line[15:])
    return "\n".join(lines)


def _docstring(source: str) -> str:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return (ast.get_docstring(functions[-1]) or "") if functions else ""
