"""A user's Python file, imported for what it defines, and the pipeline of it that a command means. Called by the verbs.

The file is imported under its own name with its folder on sys.path, as `python FILE` has it, but not as `__main__`. What it
prints goes to standard error; what it raises is shown without our frames. Everything is put back afterwards.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import TYPE_CHECKING, TextIO

from headrace.errors import BadInput, HeadraceError

if TYPE_CHECKING:
    from headrace.dsl.components import Component


OURS = Path(__file__).parent
IMPORTLIB = str(Path(importlib.util.__file__).parent)


class BrokenFile(BadInput):
    """The file's own code raised while it was imported; `shown` is its traceback."""

    def __init__(self, message: str, shown: str) -> None:
        super().__init__(message)
        self.shown = shown


@dataclass(frozen=True, slots=True)
class Source:
    """What a file defines, by the names it gives: pipelines and single components. `told`: what it was warned of."""

    path: Path
    pipelines: Mapping[str, Component]
    components: Mapping[str, Component]
    told: list[str] = field(default_factory=list)

    def chosen(self, name: str = "") -> Component:
        """The pipeline or component NAME; without it the only pipeline."""
        if name:
            return self._named(name, {**self.pipelines, **self.components}, "pipeline or component")
        if len(self.pipelines) == 1:
            return next(iter(self.pipelines.values()))
        if self.pipelines:
            first = next(iter(self.pipelines))
            raise BadInput(
                f"{self.path} has {len(self.pipelines)} pipelines: {', '.join(self.pipelines)}; "
                f"say which one, such as {self.path}:{first}"
            )
        if self.components:
            first = next(iter(self.components))
            raise BadInput(
                f"{self.path} defines no pipeline: decorate a function with @dsl.pipeline, or name one of its components, "
                f"such as {self.path}:{first}"
            )
        raise BadInput(f"{self.path} defines no pipeline: decorate a function with @dsl.pipeline")

    def pipeline(self, name: str) -> Component:
        """The pipeline NAME."""
        return self._named(name, self.pipelines, "pipeline")

    def component(self, name: str) -> Component:
        """The component NAME."""
        return self._named(name, self.components, "component")

    def _named(self, name: str, among: Mapping[str, Component], what: str) -> Component:
        if name in among:
            return among[name]
        same = {id(one): one for one in among.values() if one.name == name}
        if len(same) == 1:
            return next(iter(same.values()))
        has = f"it has {', '.join(among)}" if among else "it has none"
        raise BadInput(f"{self.path} has no {what} {name}; {has}")


def is_python(target: str) -> bool:
    """Whether TARGET is FILE.py or FILE.py:NAME."""
    return parted(target)[0].suffix == ".py"


def parted(target: str) -> tuple[Path, str]:
    """FILE.py:NAME as file and name; of other files the whole is the file."""
    before, colon, name = target.rpartition(":")
    if colon and before.endswith(".py") and not Path(target).exists():
        return Path(before), name
    return Path(target), ""


@contextmanager
def opened(path: Path, *, as_kfp: bool = False) -> Iterator[Source]:
    """What the Python file PATH defines; compile it while the block runs. `as_kfp`: we answer its imports of KFP's SDK."""
    if not path.is_file():
        raise BadInput(f"there is no file {path}" if not path.exists() else f"{path} is no file")
    with ExitStack() as stack:
        if as_kfp:
            from headrace import kfp_alias

            stack.enter_context(kfp_alias.installed())
        told: list[str] = []
        stack.enter_context(_told_to(told))
        stack.enter_context(redirect_stdout(sys.stderr))  # -o json and -o - are ours
        module = stack.enter_context(_imported(path, as_kfp=as_kfp))
        yield _source(path, module, told)


@contextmanager
def _told_to(told: list[str]) -> Iterator[None]:
    """Warnings become lines of TOLD, each once, those of our own with nothing before them."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        ours = category.__module__.partition(".")[0] == "headrace"
        text = str(message) if ours else f"{filename}:{lineno}: {category.__name__}: {message}"
        text = " ".join(text.split())
        if text not in told:
            told.append(text)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


class _FromSource(SourceFileLoader):
    """Without kept bytecode: that of a file which changed within a second, and not in length, is taken for current."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


@contextmanager
def _imported(path: Path, *, as_kfp: bool) -> Iterator[ModuleType]:
    folder, name = _place(path.resolve())
    before = list(sys.path)
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location(name, path.resolve(), loader=_FromSource(name, str(path.resolve())))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        try:
            importlib.import_module(name.rpartition(".")[0] or name)  # the packages that it lies in
            spec.loader.exec_module(module)
        except (HeadraceError, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  # also SystemExit: whatever it is, it is the file's own
            raise _broken(path, error, as_kfp=as_kfp) from None
        yield module
    finally:
        sys.path[:] = before
        sys.modules.pop(name, None)


def _place(path: Path) -> tuple[Path, str]:
    """The folder that goes on sys.path, and the module's name: in a package that package's, so that relative imports work."""
    folder, parts = path.parent, [path.stem]
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    name = ".".join(parts)
    there = sys.modules.get(name)
    taken = there is not None and getattr(there, "__file__", None) != str(path)
    return folder, f"{name}_" if taken or name in sys.stdlib_module_names else name


def _broken(path: Path, error: BaseException, *, as_kfp: bool) -> BadInput:
    if isinstance(error, SystemExit):
        return BadInput(
            f'{path} ends the process while it is imported; put what it does as a script under `if __name__ == "__main__":`'
        )
    if not as_kfp and _wants_kfp(error):
        return BadInput(
            f"{path} imports KFP's SDK, which is not installed here; with --as-kfp Headrace answers for it, "
            "or change its imports to headrace"
        )
    kept = _of_the_user(error.__traceback__)
    shown = "".join(traceback.TracebackException(type(error), error, kept, compact=True).format())
    return BrokenFile(f"{path} raised {type(error).__name__} while it was imported", shown)


def _wants_kfp(error: BaseException) -> bool:
    """Also where `kfp` is there as the bare namespace that kfp-pipeline-spec leaves."""
    if isinstance(error, ImportError):
        return (error.name or "").partition(".")[0] == "kfp"
    return isinstance(error, AttributeError) and error.obj is not None and error.obj is sys.modules.get("kfp")


def _of_the_user(trace: TracebackType | None) -> TracebackType | None:
    """From the first line on that is neither ours nor the import machinery's."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(
        (str(OURS), "<frozen importlib", IMPORTLIB)
    ):
        trace = trace.tb_next
    return trace


def _source(path: Path, module: ModuleType, told: list[str]) -> Source:
    from headrace.dsl.components import Component, GraphImplementation

    pipelines: dict[str, Component] = {}
    components: dict[str, Component] = {}
    seen: set[int] = set()
    foreign = ""
    for name, value in vars(module).items():
        if not isinstance(value, Component):
            foreign = foreign or (name if type(value).__module__.startswith("kfp.dsl.") else "")
        elif id(value) not in seen:
            seen.add(id(value))
            (pipelines if isinstance(value.implementation, GraphImplementation) else components)[name] = value
    if foreign and not pipelines:
        raise BadInput(
            f"what {path} defines was made by KFP's own SDK, which is installed here; with --as-kfp Headrace compiles it"
        )
    return Source(path, _own(pipelines, path) or pipelines, components, told)


def _own(pipelines: Mapping[str, Component], path: Path) -> dict[str, Component]:
    """Those that are written in the file itself, not imported from others."""
    return {name: one for name, one in pipelines.items() if one.where.file and Path(one.where.file) == path.resolve()}
