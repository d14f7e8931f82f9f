"""What can be called in a pipeline: Python, container, importer and graph components, and those loaded from YAML.

A component is an interface and an implementation; calling it in a pipeline makes a PipelineTask, elsewhere runs it with
`headrace.local`. Made by `decorators`, `importers`, `pipelines` and `headrace.components`; read by tasks and the compiler.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec
from weakref import WeakValueDictionary

from headrace.dsl.interface import ArtifactInput, Interface, ParameterType
from headrace.dsl.mistakes import NOWHERE, Where, here, mistake

if TYPE_CHECKING:
    from headrace.compiler.package import Package
    from headrace.dsl.tasks import PipelineTask

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class ContainerImplementation:
    """`container`: `{image, command, args, env}` of the IR's container executor, placeholders as the IR's text."""

    container: Mapping[str, Any]
    platform: Mapping[str, Any] = field(
        default_factory=dict
    )  # of a loaded component: its platform document's executor, by platform
    task_config_passthroughs: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ImporterImplementation:
    """`importer`: the IR's importer executor."""

    importer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GraphImplementation:
    """A whole pipeline, compiled; the compiler merges it into the one that uses it."""

    package: Package


Implementation = ContainerImplementation | ImporterImplementation | GraphImplementation


class Component:
    """`name` as in the IR (`print-op`). `implementation` may be given as a function that makes it when it is first asked for."""

    def __init__(
        self,
        name: str,
        interface: Interface,
        implementation: Implementation | Callable[[], Implementation],
        description: str = "",
        where: Where = NOWHERE,
    ) -> None:
        self.name = name
        self.interface = interface
        self.description = description
        self.where = where
        self._implementation = implementation

    @property
    def implementation(self) -> Implementation:
        """How it is done: what the compiler writes into the executor."""
        made = self._implementation
        if callable(made):  # two threads may both make it; neither calls what the other has made
            made = self._implementation = made()
        return made

    @property
    def pipeline_spec(self) -> Mapping[str, Any]:
        """The PipelineSpec of the component as a pipeline of one task, as JSON."""
        from headrace.compiler.compiling import compile_component

        return compile_component(self).spec

    @property
    def platform_spec(self) -> Mapping[str, Any]:
        """The PlatformSpec, as JSON; empty where there is nothing in it."""
        from headrace.compiler.compiling import compile_component

        return compile_component(self).platform or {}

    @property
    def made_implementation(self) -> Implementation | None:
        """The same where it was asked for before; it is not made for this."""
        return None if callable(self._implementation) else self._implementation

    @property
    def required_inputs(self) -> list[str]:
        """Inputs that every call gives."""
        return [name for name, each in self.interface.inputs.items() if not each.optional]

    def __call__(self, *args: Any, **kwargs: Any) -> PipelineTask:
        """A task of the pipeline that is being defined; with no pipeline about, the component runs with `headrace.local`."""
        self._check_names(args, kwargs)
        from headrace.dsl.context import new_task  # which imports what tasks are made of, and that this module

        return new_task(self, kwargs, here())

    def execute(self, **kwargs: Any) -> Any:
        """The component's function, called right here; only Python components have one."""
        raise NotImplementedError(f"{self.name} runs in a container; call it, with headrace.local, to run it.")

    def _check_names(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        takes = [name for name, each in self.interface.inputs.items() if not _is_system(each)]
        called = getattr(self, "__name__", self.name.replace("-", "_"))
        if args:
            names = ", ".join(f"{name}=…" for name in takes[: len(args)])
            raise mistake(f"{called}() takes its inputs by name; write {called}({names}).")
        for name in kwargs:
            if name not in takes:
                raise mistake(f"{called}() takes no input {name!r}; {_offer(name, takes)}.")
        missing = [name for name in self.required_inputs if name not in kwargs]
        if missing:
            raise mistake(f"{called}() is not given {_listed(missing)}; give every input that has no default.")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


_python_components: Final[WeakValueDictionary[int, PythonComponent[Any]]] = WeakValueDictionary()


def python_components() -> list[PythonComponent[Any]]:
    """Those of this process: `headrace.local` finds the author's function there when it calls it inline."""
    held = (reference() for reference in _python_components.valuerefs())  # a copy: other threads may define components
    return [each for each in held if each is not None]


class PythonComponent(Component, Generic[P]):
    """A component whose container runs a Python function."""

    def __init__(
        self,
        name: str,
        interface: Interface,
        implementation: Implementation | Callable[[], Implementation],
        python_func: Callable[P, Any],
        description: str = "",
        where: Where = NOWHERE,
    ) -> None:
        super().__init__(name, interface, implementation, description, where)
        self.python_func = python_func
        _python_components[id(self)] = self
        self.__doc__ = python_func.__doc__
        self.__name__ = python_func.__name__

    if TYPE_CHECKING:

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> PipelineTask: ...

    def execute(self, **kwargs: Any) -> Any:
        """Calls the function itself, in this process."""
        return self.python_func(**kwargs)  # type: ignore[call-arg]  # names are checked by Python


class ContainerComponent(Component, Generic[P]):
    """A component that runs a container of the author's. `pipeline_func`: the function that said how."""

    def __init__(
        self,
        name: str,
        interface: Interface,
        implementation: Implementation,
        pipeline_func: Callable[P, Any],
        description: str = "",
        where: Where = NOWHERE,
    ) -> None:
        super().__init__(name, interface, implementation, description, where)
        self.pipeline_func = pipeline_func
        self.__doc__ = pipeline_func.__doc__
        self.__name__ = pipeline_func.__name__

    if TYPE_CHECKING:

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> PipelineTask: ...


class ImporterComponent(Component):
    """What `dsl.importer` makes a task of."""


class YamlComponent(Component):
    """A component, or a whole pipeline, that was loaded. `component_yaml`: the text."""

    def __init__(
        self,
        name: str,
        interface: Interface,
        implementation: Implementation,
        component_yaml: str,
        description: str = "",
    ) -> None:
        super().__init__(name, interface, implementation, description)
        self.component_yaml = component_yaml


def _is_system(each: Any) -> bool:
    """Whether the platform gives it, so that no call does."""
    return not isinstance(each, ArtifactInput) and each.type in (
        ParameterType.TASK_FINAL_STATUS,
        ParameterType.TASK_CONFIG,
    )


def _offer(name: str, takes: list[str]) -> str:
    close = difflib.get_close_matches(name, takes, 1)
    if close:
        return f"write {close[0]!r}"
    return f"it takes {_listed(takes)}" if takes else "it takes none"


def _listed(names: list[str]) -> str:
    quoted = [repr(name) for name in names]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else quoted[0]
