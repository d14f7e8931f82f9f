"""`Compiler`: pipelines and components to files. Takes what the decorators made; the packages are made by `compiling`.

Called by users, by the CLI's `compile` and, under `--as-kfp`, by the files that compile themselves.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from headrace.compiler.checks import check_workspace
from headrace.compiler.manifests import KubernetesManifestOptions, manifests
from headrace.compiler.overriding import overridden
from headrace.compiler.package import Package
from headrace.dsl.components import Component
from headrace.dsl.mistakes import mistake
from headrace.dsl.naming import PIPELINE_NAME

SUFFIXES: Final = (".yaml", ".yml", ".json")


class Compiler:
    """Compiles pipelines and components to files that KFP, Vertex AI Pipelines and Headrace take."""

    def compile(
        self,
        pipeline_func: Any,
        package_path: str | os.PathLike[str],
        pipeline_name: str | None = None,
        pipeline_display_name: str | None = None,
        pipeline_parameters: Mapping[str, Any] | None = None,
        type_check: bool = True,  # KFP's parameter; types are checked where the pipeline is defined
        kubernetes_manifest_options: KubernetesManifestOptions | None = None,
        kubernetes_manifest_format: bool = False,
    ) -> None:
        """Write PIPELINE_FUNC (what `@dsl.pipeline` or `@dsl.component` made) to PACKAGE_PATH, whole or not at all.

        PIPELINE_NAME, PIPELINE_DISPLAY_NAME and PIPELINE_PARAMETERS (defaults, by input) take the place of its own.
        """
        path = Path(package_path)
        if path.suffix not in SUFFIXES:
            raise mistake(f"{str(package_path)!r} is no name for a compiled pipeline; end it with .yaml.")
        component = as_component(pipeline_func)
        if pipeline_name is not None and not PIPELINE_NAME.fullmatch(pipeline_name):
            raise mistake(
                f"{pipeline_name!r} cannot name a pipeline; use up to 128 lower-case letters, digits and dashes, "
                "the first of them no dash."
            )
        package = overridden(package_of(component), pipeline_name, pipeline_display_name, pipeline_parameters or {})
        check_workspace(package)
        description = component.description or ""
        if kubernetes_manifest_format:
            text = _as_manifests(package, kubernetes_manifest_options or KubernetesManifestOptions(), description)
        elif path.suffix == ".json":
            text = _as_json(package, path)
        else:
            text = package.to_yaml(description)
        write_whole(path, text)


def as_component(target: Any) -> Component:
    """What is compiled where TARGET is given."""
    if isinstance(target, Component):
        return target
    made = getattr(target, "component", None)
    if isinstance(made, Component):
        return made
    name = getattr(target, "__name__", None) or repr(target)
    raise mistake(f"{name!r} is neither a pipeline nor a component; decorate the function with @dsl.pipeline.")


def package_of(component: Component) -> Package:
    """The package of COMPONENT: the pipeline that it is, or one around it."""
    from headrace.compiler.compiling import compile_component

    return compile_component(component)


def write_whole(path: Path, text: str) -> None:
    """Write TEXT to PATH so that no reader ever finds a part of it."""
    folder = path.parent
    if not folder.is_dir():
        raise mistake(f"The folder of {str(path)!r} does not exist; make it first.")
    made = folder / f".{path.name}-{secrets.token_hex(4)}"
    try:
        with made.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        made.replace(path)
    except BaseException:
        made.unlink(missing_ok=True)
        raise


def _as_manifests(package: Package, options: KubernetesManifestOptions, description: str) -> str:
    from headrace.compiler.yaml_writing import YamlWriter

    writer = YamlWriter()
    return "---\n".join(writer.document(one) for one in manifests(package, options, description))


def _as_json(package: Package, path: Path) -> str:
    if package.platform is not None:
        raise mistake(
            f"{package.name!r} has settings of a platform, which JSON has no place for; write {str(path.with_suffix('.yaml'))!r}."
        )
    return package.to_json()
