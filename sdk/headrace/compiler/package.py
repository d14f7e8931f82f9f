"""A compiled pipeline: the documents of an IR package as plain JSON-like objects. Pure.

Made by the compiler and by whoever loads a package; taken by the client, `headrace.local`, the CLI and `comparing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headrace.compiler.yaml_reading import NotYaml, documents_in
from headrace.errors import BadInput

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Package:
    """`spec`: a PipelineSpec as KFP's YAML spells it (camelCase); `platform`: the PlatformSpec document, or None where there is
    nothing in it. Treat both as immutable.
    """

    spec: Mapping[str, Any]
    platform: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return str(self.spec["pipelineInfo"]["name"])

    def documents(self) -> Mapping[str, Any]:
        """One JSON document: both under their names, or the spec alone. What the platform takes."""
        if self.platform is None:
            return self.spec
        return {"pipeline_spec": self.spec, "platform_spec": self.platform}

    def to_yaml(self, description: str | None = None) -> str:
        """The package as YAML: one document, or two. The comment at its top has DESCRIPTION; without it, the pipeline's own."""
        from headrace.compiler.comments import comment
        from headrace.compiler.yaml_writing import YamlWriter

        if description is None:
            description = str(self.spec["pipelineInfo"].get("description", ""))
        writer = YamlWriter()
        text = comment(self.spec, description) + writer.document(self.spec)
        return text if self.platform is None else text + "---\n" + writer.document(self.platform)

    def to_json(self) -> str:
        """The pipeline as JSON, which holds one document only."""
        from headrace.compiler.yaml_writing import as_json

        if self.platform is not None:
            raise BadInput(
                f"{self.name!r} has settings of a platform, and JSON holds one document only; write it to a .yaml file."
            )
        return as_json(self.spec)

    @classmethod
    def from_text(cls, text: str) -> Package:
        """The package that TEXT holds, as YAML or JSON."""
        spec, platform = None, None
        try:
            documents = documents_in(text)
        except NotYaml as wrong:
            raise BadInput(f"The text is not YAML: {wrong}") from None
        for document in documents:
            if not isinstance(document, dict):
                raise BadInput("The text is no compiled pipeline: a document in it is not a mapping.")
            if "pipelineInfo" in document or "root" in document:
                if spec is not None:
                    raise BadInput("The text holds two pipelines; keep one of them.")
                spec = document
            elif "platforms" in document:
                if platform is not None:
                    raise BadInput("The text holds two documents with settings of platforms; keep one of them.")
                platform = document
            else:
                keys = ", ".join(sorted(map(str, document))[:5])
                raise BadInput(
                    f"The text holds a document that is neither a pipeline nor settings of platforms (keys: {keys})."
                )
        if spec is None or not isinstance(spec.get("root"), dict) or not isinstance(spec.get("pipelineInfo"), dict):
            raise BadInput("The text holds no compiled pipeline; compile one with `headrace compile FILE.py`.")
        return cls(spec, platform)
