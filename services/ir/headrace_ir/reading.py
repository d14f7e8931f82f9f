"""Reading a pipeline: from an uploaded file or a JSON object to a `Package`, with every shape problem kept for the report.

The one place where the IR's outer forms are known: yaml, json, archives, several documents, inline specs. What can be
understood in spite of a problem is understood, so that one report names everything. Called by the apiserver (uploads,
create run), the CLI's `validate`, and the conformance suite; the graph is judged by `validating`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from headrace_ir.archives import extract
from headrace_ir.documents import read_json, read_yaml
from headrace_ir.loading import load_spec
from headrace_ir.model import Spec
from headrace_ir.own_settings import PLATFORM, read_own
from headrace_ir.problems import Problem, SpecError, hint, nearest
from headrace_ir.schema import describe, read_message, shape
from headrace_ir.untyped_items import with_open_items

KNOWN: Final = ("kubernetes", PLATFORM)  # platforms whose settings have an effect

SCHEMA_VERSION = "2.1.0"


@dataclass(frozen=True, slots=True)
class Package:
    """A pipeline as given (`pipeline_spec`, `platform_spec`: JSON objects) and as understood (`spec`)."""

    pipeline_spec: dict[str, Any]
    platform_spec: dict[str, Any] | None
    spec: Spec
    problems: tuple[Problem, ...] = ()

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON object in which the API carries it: the bare spec, or both under their names."""
        if self.platform_spec is None:
            return self.pipeline_spec
        return {"pipeline_spec": self.pipeline_spec, "platform_spec": self.platform_spec}


def read_package(data: bytes, filename: str) -> Package:
    """The pipeline in a file. Raises `SpecError` where there is none to be found; lesser problems are in the package."""
    content, name = extract(data, filename)
    documents = [read_json(content)] if name.lower().endswith(".json") else read_yaml(content)
    documents = [document for document in documents if document not in (None, {})]  # nothing in them to be lost
    if len(documents) == 1 and isinstance(documents[0], dict):
        return read_spec(documents[0])
    return _read_documents(documents)


def read_spec(document: Any) -> Package:
    """The pipeline in a JSON object: a bare spec, or `{pipeline_spec, platform_spec}` as the API carries both."""
    if isinstance(document, dict) and document.keys() & {"pipeline_spec", "pipelineSpec"}:
        parts = dict(document)
        pipeline = _taken(parts, "pipeline_spec", "pipelineSpec")
        platform = _taken(parts, "platform_spec", "platformSpec")
        extra = [
            Problem(key, f"unknown field '{key}'; {hint(key, ('pipeline_spec', 'platform_spec'), kind='fields')}")
            for key, value in parts.items()
            if value is not None
        ]
        return _assemble(pipeline, platform, extra)
    return _read_documents([document])


def _taken(parts: dict[str, Any], name: str, camel: str) -> Any:
    """The entry under either spelling. Given twice, the second one is left and reported."""
    return parts.pop(name if parts.get(name) is not None else camel, None)


def _read_documents(documents: Sequence[Any]) -> Package:
    found: dict[str, tuple[int, Any]] = {}
    problems: list[Problem] = []
    for number, document in enumerate(documents, start=1):
        kind = _recognise(document)
        if kind == "argo":
            raise SpecError.of(
                "this is an Argo Workflow (KFP v1), which is not supported: compile the pipeline with KFP SDK 2 or later"
            )
        place = f"document {number}" if len(documents) > 1 else ""
        if kind is None:
            problems.append(Problem(place, _unrecognised(document)))
        elif kind in found:
            problems.append(
                Problem(place, f"a second {kind} spec; a file holds one (the first is document {found[kind][0]})")
            )
        else:
            found[kind] = (number, document)
    if "pipeline" not in found:
        message = "there is no pipeline spec in it (an object with 'pipelineInfo', 'root' and 'schemaVersion')"
        raise SpecError(problems or [Problem("", "the file is empty" if not documents else message)])
    platform = found["platform"][1] if "platform" in found else None
    return _assemble(found["pipeline"][1], platform, problems)


def _recognise(document: Any) -> str | None:
    """What a document wants to be. Half-right pipeline documents count, so that what is wrong in them can be said."""
    if not isinstance(document, dict):
        return None
    if str(document.get("apiVersion", "")).startswith("argoproj.io"):
        return "argo"
    if "platforms" in document:
        return "platform"
    if sum(key in shape("PipelineSpec").fields for key in document) >= 2:
        return "pipeline"
    return None


def _unrecognised(document: Any) -> str:
    if not isinstance(document, dict):
        return f"expected a pipeline spec, got {describe(document)}"
    known = [*shape("PipelineSpec").shown, "platforms"]
    hints = [f"'{key}': {hint(key, known, kind='fields')}" for key in list(document)[:3]]
    return "neither a pipeline spec nor a platform spec" + (f" ({'; '.join(hints)})" if hints else "")


def _assemble(pipeline: Any, platform: Any, problems: list[Problem]) -> Package:
    found = list(problems)
    if not isinstance(pipeline, dict):
        raise SpecError.of(f"expected a pipeline spec, got {describe(pipeline)}", "pipeline_spec")
    deployment_key = "deployment_spec" if "deployment_spec" in pipeline else "deploymentSpec"
    rest = {key: value for key, value in pipeline.items() if key != deployment_key}
    tree = read_message(rest, "PipelineSpec", "", found)
    # A Struct on paper, but one of known shape, and no value of a run: the limits of values do not apply to it.
    raw_deployment = pipeline.get(deployment_key) or tree.get("deployment_spec", {})
    deployment = read_message(raw_deployment, "PipelineDeploymentConfig", deployment_key, found, tolerant=True)
    platforms = {}
    if platform is not None and not isinstance(platform, dict):
        found.append(Problem("platform_spec", f"expected a platform spec, got {describe(platform)}"))
    elif platform is not None:
        platforms = read_message(platform, "PlatformSpec", "", found).get("platforms", {})
        found.extend(_platform_problems(platforms))
    spec = load_spec(tree, deployment, platforms, _config_document(platform))
    own = read_own(platforms.get(PLATFORM, {}), spec.executors, found)
    spec = with_open_items(replace(spec, own=own))
    return Package(pipeline, platform, spec, tuple(found))


def _config_document(platform: Any) -> dict[str, Any]:
    """The pipeline's own platform settings as written, for those who interpret them."""
    for key in ("platforms", "kubernetes", "pipelineConfig"):
        platform = platform.get(key) if isinstance(platform, dict) else None
    return platform if isinstance(platform, dict) else {}


def _platform_problems(platforms: dict[str, Any]) -> list[Problem]:
    """Other platforms are allowed and without effect; a misspelt name would lose all settings."""
    meant = {
        name: nearest(name, [one for one in KNOWN if one not in platforms]) for name in platforms if name not in KNOWN
    }
    return [
        Problem(f"platforms.{name}", f"unknown platform '{name}'; did you mean '{one}'?")
        for name, one in meant.items()
        if one
    ]
