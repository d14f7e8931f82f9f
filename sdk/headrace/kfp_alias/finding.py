"""The import hook behind the alias: modules named `kfp…`, whose names are looked up in ours when they are first used.

`kfp.pipeline_spec` is left to the package kfp-pipeline-spec, which is the IR and not KFP's SDK. Called by the import machinery.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from headrace.kfp_alias.names import HINTS, LEFT_ALONE, MODULES, ROOTS


class NotAnswered(ModuleNotFoundError):  # noqa: N818  # as ours in errors.py
    """A part of KFP's SDK that Headrace does not answer for."""


class AliasModule(ModuleType):
    """One module of KFP's, answered by ours."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__all__", "__version__"):
            raise AttributeError(name)
        whole = f"{self.__name__}.{name}"
        if whole in MODULES or whole in LEFT_ALONE:
            return import_module(whole)
        try:
            value = _answer(self.__name__, name)
        except KeyError:
            raise AttributeError(_sentence(whole), name=name, obj=self) from None
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        below = (one.rpartition(".")[2] for one in MODULES if one.rpartition(".")[0] == self.__name__)
        return sorted({*super().__dir__(), *_public(self.__name__), *below})


class Finder:
    """On `sys.meta_path`, before all others."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Ours for a name of KFP's, None for others; what we lack is an error that says so."""
        if name.partition(".")[0] not in ROOTS:
            return None
        if any(name == one or name.startswith(f"{one}.") for one in LEFT_ALONE):
            return None
        if name not in MODULES:
            raise NotAnswered(_sentence(name))
        spec = ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]  # a loader by its methods
        # packages all: `from kfp.dsl.structures import X` asks here for what the module lacks, and so gets our sentence
        spec.submodule_search_locations = _namespace() if name == "kfp" else []
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return AliasModule(spec.name, f"Headrace's answer to `import {spec.name}`.")

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: names are looked up when they are used."""


def _answer(module: str, name: str) -> Any:
    """What MODULE.NAME is; KeyError where we have no such thing."""
    if name == "__all__":
        return _public(module)
    sources, single = MODULES[module]
    if name in single:
        where, _, attribute = single[name].partition(":")
        try:
            found = import_module(where)
            return getattr(found, attribute) if attribute else found
        except (AttributeError, ModuleNotFoundError) as missing:
            if isinstance(missing, ModuleNotFoundError) and missing.name != where:
                raise  # a package that ours needs
            raise KeyError(name) from None
    for source in sources:
        try:
            ours = import_module(source)
        except ModuleNotFoundError as missing:
            if missing.name != source:
                raise  # a package that ours needs
            continue
        if name in _names_of(ours) or name in vars(ours).get("__dir__", list)():  # a star import may give fewer
            return getattr(ours, name)
    raise KeyError(name)


def _names_of(ours: ModuleType) -> Sequence[str]:
    listed: Sequence[str] | None = getattr(ours, "__all__", None)
    return [name for name in vars(ours) if not name.startswith("_")] if listed is None else listed


def _public(module: str) -> list[str]:
    """`__all__` of a module of KFP's."""
    sources, single = MODULES[module]
    found = dict.fromkeys(name for source in sources for name in _names_of(import_module(source)))
    found.update(dict.fromkeys(single))
    return [name for name in found if not name.startswith("_")]


def _sentence(whole: str) -> str:
    hint = HINTS.get(whole) or HINTS.get(whole.rpartition(".")[2])
    if hint is None:
        hint = "if it is public in KFP's SDK, that is a fault of ours; else use what kfp.dsl has"
    return f"Headrace, which answers for kfp here, has no {whole}: {hint}"


def _namespace() -> list[str]:
    """Where `kfp.pipeline_spec` can lie."""
    folders = (os.path.join(one or os.curdir, "kfp") for one in sys.path)
    return [folder for folder in folders if os.path.isdir(os.path.join(folder, "pipeline_spec"))]
