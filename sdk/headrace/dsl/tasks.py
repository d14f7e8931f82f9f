"""One use of a component in a pipeline, and the setters that authors call on it.

Made by `context` where a component is called; read by the compiler. What the setters take is checked in `settings`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from headrace.dsl import settings as take
from headrace.dsl.channels import ArtifactChannel, Channel, ParameterChannel
from headrace.dsl.groups import Group, path_of
from headrace.dsl.interface import Output, ParameterOutput
from headrace.dsl.marks import Marks, marks_in
from headrace.dsl.mistakes import DefinitionError, Where, here, mistake

if TYPE_CHECKING:
    from headrace.dsl.components import Component


@dataclass(slots=True)
class Retry:
    """`set_retry`: durations are seconds as the IR writes them (`30s`)."""

    max_retry_count: int
    backoff_duration: str = "0s"
    backoff_factor: float = 2.0
    backoff_max_duration: str = "3600s"


@dataclass(slots=True)
class TaskSettings:
    """What setters say. Values may be channels, or texts with marks of channels; "" and None: not said."""

    display_name: str = ""
    image: str | Channel = ""
    env: dict[str, Any] = field(default_factory=dict)
    cpu_request: Any = None
    cpu_limit: Any = None
    memory_request: Any = None
    memory_limit: Any = None
    accelerator_type: Any = None
    accelerator_limit: Any = None
    caching: bool | None = None  # None: the default, which is on, unless the environment says otherwise
    cache_key: str = ""
    retry: Retry | None = None
    ignore_upstream_failure: bool = False


class NoSuchOutput(DefinitionError, AttributeError, KeyError):  # noqa: N818  # the names are what people read
    """A task is asked for an output that it does not have."""

    __str__ = Exception.__str__


class Outputs(dict[str, Channel]):
    """A task's outputs by name."""

    def __init__(self, task: PipelineTask, outputs: Mapping[str, Output]) -> None:
        super().__init__({name: _channel(name, each, task) for name, each in outputs.items()})
        self._task = task

    def __missing__(self, name: object) -> NoReturn:
        from headrace.dsl.checking import nearest

        raise NoSuchOutput(f"The task {self._task.name!r} has no output {name!r}; {nearest(str(name), self)}", here())


def _channel(name: str, output: Output, task: PipelineTask) -> Channel:
    if isinstance(output, ParameterOutput):
        return ParameterChannel(name, output.type, task, task.marks, output.inside)
    return ArtifactChannel(name, output.type, task, task.marks, output.is_list)


class PipelineTask:
    """One task. `name`: unique in its pipeline, as in the IR (`print-op-2`). `inputs`: what the call gave: constants (in which
    marks of channels may stand) and channels. `platform_config`: what `headrace.kubernetes` sets, by platform:
    `{"kubernetes": {…}}` in the camelCase of KubernetesExecutorConfig, with channels where dynamic.
    """

    registered: tuple[Channel, ...] = ()
    """What an extension refers to besides the inputs: the task waits for it, and the groups around it are handed it."""

    def __init__(
        self, name: str, component: Component, inputs: dict[str, Any], parent: Group, marks: Marks, where: Where
    ) -> None:
        self.name = name
        self.component = component
        self.inputs = inputs
        self.parent = parent
        self.marks = marks
        self.where = where
        self.settings = TaskSettings()
        self.after_: list[PipelineTask | Group] = []
        self.platform_config: dict[str, Any] = {}
        self._outputs = Outputs(self, component.interface.outputs)

    # what it gives and what it takes

    @property
    def outputs(self) -> Mapping[str, Any]:
        """Its outputs by name."""
        return self._outputs

    @property
    def output(self) -> Any:
        """Its only output."""
        if len(self._outputs) == 1:
            return next(iter(self._outputs.values()))
        if not self._outputs:
            raise NoSuchOutput(f"The task {self.name!r} has no output; order others after it with .after(...).", here())
        names = ", ".join(repr(each) for each in self._outputs)
        raise NoSuchOutput(
            f"The task {self.name!r} has several outputs ({names}); take one with .outputs[...].", here()
        )

    @property
    def channel_inputs(self) -> list[Channel]:
        """Every channel that the call gave, also those inside of texts, lists and dicts."""
        found: dict[Channel, None] = {}
        for value in self.inputs.values():
            found.update({value: None} if isinstance(value, Channel) else dict.fromkeys(marks_in(value).values()))
        return list(found)

    @property
    def dependent_tasks(self) -> list[str]:
        """The names of what `.after()` was called with."""
        return [each.name for each in self.after_]

    @property
    def platform_spec(self) -> Mapping[str, Any]:
        """The platform document of a pipeline that is used as a task."""
        from headrace.dsl.components import GraphImplementation

        implementation = self.component.implementation
        if not isinstance(implementation, GraphImplementation):
            raise mistake(
                f"The task {self.name!r} is no pipeline, so it has no platform_spec; it has .platform_config."
            )
        return implementation.package.platform or {}

    def register_pipeline_channels(self, pipeline_channels: Iterable[Channel]) -> None:
        """For extensions that write channels into `platform_config` in a spelling of their own."""
        for channel in pipeline_channels:
            if not isinstance(channel, Channel):
                raise mistake(
                    f"register_pipeline_channels() of {self.name!r} takes outputs and inputs, but is given {channel!r}."
                )
            if not any(channel is each for each in self.registered):
                self.registered = (*self.registered, channel)

    # order

    def after(self, *tasks: PipelineTask | Group) -> PipelineTask:
        """Run after these tasks or groups (`with dsl.ExitHandler(...) as group:`) have succeeded."""
        for other in tasks:
            if isinstance(other, Channel):
                raise mistake(
                    f".after() of {self.name!r} takes tasks, but is given {other.described()}; an input orders "
                    f"them already."
                )
            if not isinstance(other, (PipelineTask, Group)):
                raise mistake(f".after() of {self.name!r} takes tasks and groups, but is given {other!r}.")
            self._refuse_around(other)
            self.after_.append(other)
        return self

    def _refuse_around(self, other: PipelineTask | Group) -> None:
        if other is self:
            raise mistake(f"The task {self.name!r} is to run after itself; remove that .after().")
        if isinstance(other, PipelineTask):
            if other.marks is not self.marks:
                raise mistake(
                    f"The task {self.name!r} is to run after {other.name!r}, which belongs to another pipeline."
                )
            return
        if other in path_of(self):
            raise mistake(
                f"The task {self.name!r} is to run after {other.name!r} ({other.written}), which it is inside of; "
                f"move it out of there."
            )
        if not other.name:
            raise mistake(
                f"The task {self.name!r} is to run after a {other.written} that is not entered yet; write it in a "
                f"`with` before."
            )

    def ignore_upstream_failure(self) -> PipelineTask:
        """Run when everything before it has ended, even where that failed."""
        for name, given in self.inputs.items():
            comes_from_task = isinstance(given, Channel) and bool(given.task_name)
            if comes_from_task and not self.component.interface.inputs[name].optional:
                raise mistake(
                    f"The task {self.name!r} is to ignore failures, but its input {name!r} comes from "
                    f"{given.task_name!r} and has no "
                    f"default for the case that it fails; give {name!r} of {self.component.name!r} a default."
                )
        self.settings.ignore_upstream_failure = True
        return self

    # how it runs

    def set_caching_options(self, enable_caching: bool, cache_key: str | None = None) -> PipelineTask:
        """Whether a result from before may be taken, and under which key of your own."""
        if not isinstance(enable_caching, bool):
            raise mistake(f"set_caching_options() of {self.name!r} takes True or False, not {enable_caching!r}.")
        self.settings.caching = enable_caching
        self.settings.cache_key = "" if cache_key is None else take.fixed(self, "set_caching_options", cache_key)
        return self

    def set_cache_max_age(self, max_age: str | int) -> PipelineTask:
        """How old a result from before may be that is taken, such as `'12h'` or `'7d'`. For Headrace alone."""
        age = take.duration(self, "set_cache_max_age()", max_age)
        self.platform_config.setdefault("headrace", {})["cacheMaxAge"] = age
        return self

    def set_retry(
        self,
        num_retries: int,
        backoff_duration: str | None = None,
        backoff_factor: float | None = None,
        backoff_max_duration: str | None = None,
    ) -> PipelineTask:
        """Try again when it fails: how often, and how long to wait before (`'30s'`, times the factor, up to a maximum)."""
        if isinstance(num_retries, bool) or not isinstance(num_retries, int) or num_retries < 0:
            raise mistake(f"set_retry() of {self.name!r} takes a number of retries, 0 or more, not {num_retries!r}.")
        factor = 2.0 if backoff_factor is None else backoff_factor
        if isinstance(factor, bool) or not isinstance(factor, (int, float)) or factor < 0:
            raise mistake(f"set_retry(backoff_factor=...) of {self.name!r} takes a number, 0 or more, not {factor!r}.")
        self.settings.retry = Retry(
            num_retries,
            take.duration(self, "set_retry(backoff_duration=...)", backoff_duration or "0s"),
            float(factor or 2.0),
            take.duration(self, "set_retry(backoff_max_duration=...)", backoff_max_duration or "3600s"),
        )
        return self

    def set_display_name(self, name: str) -> PipelineTask:
        """What people see instead of its name."""
        self.settings.display_name = take.fixed(self, "set_display_name", name)
        return self

    # its container

    def set_cpu_request(self, cpu: Any) -> PipelineTask:
        """CPUs it must have: `'2'`, `'500m'`, or a channel."""
        self._needs_container("set_cpu_request")
        self.settings.cpu_request = take.cpu(self, "set_cpu_request", cpu)
        return self

    def set_cpu_limit(self, cpu: Any) -> PipelineTask:
        """CPUs it may use at most."""
        self._needs_container("set_cpu_limit")
        self.settings.cpu_limit = take.cpu(self, "set_cpu_limit", cpu)
        return self

    def set_memory_request(self, memory: Any) -> PipelineTask:
        """Memory it must have: `'512Mi'`, `'4G'`, or a channel."""
        self._needs_container("set_memory_request")
        self.settings.memory_request = take.memory(self, "set_memory_request", memory)
        return self

    def set_memory_limit(self, memory: Any) -> PipelineTask:
        """Memory it may use at most."""
        self._needs_container("set_memory_limit")
        self.settings.memory_limit = take.memory(self, "set_memory_limit", memory)
        return self

    def set_accelerator_limit(self, limit: Any) -> PipelineTask:
        """How many accelerators it gets."""
        self._needs_container("set_accelerator_limit")
        self.settings.accelerator_limit = take.count(self, "set_accelerator_limit", limit)
        return self

    def set_gpu_limit(self, gpu: Any) -> PipelineTask:
        """The old name of set_accelerator_limit."""
        warnings.warn("set_gpu_limit() is the old name of set_accelerator_limit().", DeprecationWarning, stacklevel=2)
        return self.set_accelerator_limit(gpu)

    def set_accelerator_type(self, accelerator: Any) -> PipelineTask:
        """Which accelerators it gets, such as `'nvidia.com/gpu'`; one, unless set_accelerator_limit says more."""
        self._needs_container("set_accelerator_type")
        wanted = "the name of an accelerator such as 'nvidia.com/gpu'"
        self.settings.accelerator_type = take.text(self, "set_accelerator_type", accelerator, wanted)
        if self.settings.accelerator_limit is None:
            self.settings.accelerator_limit = "1"
        return self

    def add_node_selector_constraint(self, accelerator: Any) -> PipelineTask:
        """The old name of set_accelerator_type."""
        message = "add_node_selector_constraint() is the old name of set_accelerator_type()."
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return self.set_accelerator_type(accelerator)

    def set_container_image(self, name: Any) -> PipelineTask:
        """The image to run in instead of the component's own."""
        self._needs_container("set_container_image")
        self.settings.image = take.text(self, "set_container_image", name, "the name of an image")
        return self

    def set_env_variable(self, name: str, value: Any) -> PipelineTask:
        """One variable of its environment."""
        self._needs_container("set_env_variable")
        if not isinstance(name, str) or not name or "=" in name:
            raise mistake(f"set_env_variable() of {self.name!r} takes a name without `=`, not {name!r}.")
        if isinstance(value, Channel) or value != "":
            value = take.text(self, "set_env_variable", value, "a text (write str(...) for a number)")
        self.settings.env[name] = value
        return self

    def set_debug_pause(self, before: bool = False, after: bool = True, on_error: bool = False) -> PipelineTask:
        """Keep its Pod before or after it runs, or only after an error, so that one can look into it."""
        if on_error and not after:
            raise mistake(
                f"set_debug_pause() of {self.name!r} is to pause on errors but not after the task; leave `after` out."
            )
        if not before and not after:
            raise mistake(
                f"set_debug_pause() of {self.name!r} is to pause neither before nor after the task; remove it."
            )
        if before:
            self.set_env_variable("ARGO_DEBUG_PAUSE_BEFORE", "true")
        if after:
            self.set_env_variable("ARGO_DEBUG_PAUSE_ON_ERROR" if on_error else "ARGO_DEBUG_PAUSE_AFTER", "true")
        return self

    def _needs_container(self, setter: str) -> None:
        from headrace.dsl.components import ContainerImplementation, ImporterImplementation

        implementation = self.component.implementation
        if isinstance(implementation, ContainerImplementation):
            return
        if isinstance(implementation, ImporterImplementation):
            raise mistake(f"{setter}() is for tasks that run a container, but {self.name!r} is an importer; remove it.")
        raise mistake(
            f"{setter}() is for tasks that run a container, but {self.name!r} is a whole pipeline; call it on the "
            f"tasks inside of it."
        )
