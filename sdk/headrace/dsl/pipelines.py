"""`@dsl.pipeline`: runs the author's function once, with channels for its inputs, and compiles what that built.

So every mistake shows on the line that makes it, when the file is imported. The result is a component, which other pipelines use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, overload

from headrace.dsl import topology
from headrace.dsl.channels import ArtifactChannel, Channel, ParameterChannel
from headrace.dsl.checking import fits, kind_of, nearest, own
from headrace.dsl.components import Component, GraphImplementation
from headrace.dsl.constants import WORKSPACE_MOUNT_PATH, WORKSPACE_PATH_PLACEHOLDER
from headrace.dsl.context import Construction, building
from headrace.dsl.definition import PipelineDefinition
from headrace.dsl.interface import MISSING, Input, Interface, ParameterInput
from headrace.dsl.marks import Marks
from headrace.dsl.mistakes import Where, mistake
from headrace.dsl.naming import PIPELINE_NAME, dashed
from headrace.dsl.pipeline_config import PipelineConfig
from headrace.dsl.signature import SINGLE, Kind, signature_of
from headrace.dsl.source import where_defined
from headrace.dsl.tasks import PipelineTask

if TYPE_CHECKING:
    from headrace.compiler.package import Package

P = ParamSpec("P")


class GraphComponent(Component, Generic[P]):
    """A pipeline. `pipeline_func`: the author's function; `definition`: what it built; `pipeline_spec`: the compiled spec."""

    def __init__(self, definition: PipelineDefinition, pipeline_func: Callable[P, Any]) -> None:
        from headrace.compiler.compiling import compile_definition

        self.package: Package = compile_definition(definition)
        super().__init__(
            definition.name,
            definition.interface,
            GraphImplementation(self.package),
            definition.description,
            definition.where,
        )
        self.definition = definition
        self.pipeline_func = pipeline_func
        self.pipeline_config = definition.config
        self.__doc__ = pipeline_func.__doc__
        self.__name__ = getattr(pipeline_func, "__name__", definition.name)
        self.__module__ = getattr(pipeline_func, "__module__", __name__)
        self.__wrapped__ = pipeline_func

    if TYPE_CHECKING:

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> PipelineTask: ...

    @property
    def pipeline_spec(self) -> Mapping[str, Any]:
        """The compiled PipelineSpec, as JSON."""
        return self.package.spec

    @property
    def platform_spec(self) -> Mapping[str, Any]:
        """The compiled PlatformSpec, as JSON; empty where there is nothing in it."""
        return self.package.platform or {}


@overload
def pipeline(func: Callable[P, Any]) -> GraphComponent[P]: ...


@overload
def pipeline(
    func: None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    pipeline_root: str | None = None,
    display_name: str | None = None,
    pipeline_config: PipelineConfig | None = None,
) -> Callable[[Callable[P, Any]], GraphComponent[P]]: ...


def pipeline(
    func: Callable[P, Any] | None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    pipeline_root: str | None = None,
    display_name: str | None = None,
    pipeline_config: PipelineConfig | None = None,
) -> Any:
    """Make a pipeline of a function that calls components.

    NAME: the function's, with dashes, unless it is given; DESCRIPTION: the docstring's; PIPELINE_ROOT: where its artifacts go.
    """

    def decorated(function: Callable[P, Any]) -> GraphComponent[P]:
        definition = define(
            function,
            name=name,
            description=description,
            pipeline_root=pipeline_root or getattr(function, "pipeline_root", None),
            display_name=display_name,
            pipeline_config=pipeline_config,
        )
        return GraphComponent(definition, function)

    if func is None:
        return decorated
    if not callable(func) or isinstance(func, Component):
        raise mistake(
            f"@dsl.pipeline stands on a function, not on {func!r}; give it options by name: @dsl.pipeline(name=...)."
        )
    return decorated(func)


graph_component = pipeline


def define(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    description: str | None = None,
    pipeline_root: str | None = None,
    display_name: str | None = None,
    pipeline_config: PipelineConfig | None = None,
) -> PipelineDefinition:
    """What FUNCTION builds when it is called with channels for its inputs."""
    where = where_defined(function)
    signature = signature_of(function, Kind.PIPELINE)
    if pipeline_config is not None and not isinstance(pipeline_config, PipelineConfig):
        raise mistake(f"@dsl.pipeline(pipeline_config=...) takes a dsl.PipelineConfig, not {pipeline_config!r}.", where)
    construction = Construction(_pipeline_name(name, function, where), where)
    interface = signature.interface
    with building(construction):
        returned = function(**_input_channels(interface.inputs, construction.marks))
    if not construction.tasks:
        raise mistake(f"The pipeline {construction.name!r} has no task; call a component in it.", where)
    _need_workspace(construction, pipeline_config)
    outputs = _outputs(returned, interface, construction, where)
    topology.check(construction.root, outputs, where)
    return PipelineDefinition(
        construction.name,
        interface,
        construction.root,
        construction.tasks,
        outputs,
        where,
        display_name=display_name or "",
        description=description or signature.description,
        pipeline_root=pipeline_root or "",
        config=pipeline_config,
        defaults={
            name: each.default
            for name, each in interface.inputs.items()
            if isinstance(each, ParameterInput) and each.default is not MISSING
        },
    )


def _pipeline_name(name: str | None, function: Callable[..., Any], where: Where) -> str:
    wanted = name or function.__name__
    found = dashed(wanted) if isinstance(wanted, str) else ""
    if not PIPELINE_NAME.fullmatch(found):
        raise mistake(
            f"A pipeline cannot be named {wanted!r}; name it with @dsl.pipeline(name=...), "
            "up to 128 lower-case letters, digits and dashes.",
            where,
        )
    return found


def _input_channels(inputs: Mapping[str, Input], marks: Marks) -> dict[str, Channel]:
    channels: dict[str, Channel] = {}
    for name, each in inputs.items():
        if isinstance(each, ParameterInput):
            channels[name] = ParameterChannel(name, each.type, None, marks, each.inside)
        else:
            channels[name] = ArtifactChannel(name, each.type, None, marks, each.is_list)
    return channels


# what it returns


def _outputs(returned: Any, interface: Interface, construction: Construction, where: Where) -> dict[str, Channel]:
    given = _by_name(returned, construction, where)
    declared = interface.outputs
    for name, channel in given.items():
        if name not in declared:
            if not declared:
                raise mistake(
                    f"The pipeline {construction.name!r} returns {_shown(channel)}, but its function has no "
                    f"return annotation; add one.",
                    where,
                )
            raise mistake(
                f"The pipeline {construction.name!r} returns {name!r}, which it does not declare; "
                f"{nearest(name, declared)}",
                where,
            )
        _check_output(name, channel, interface, construction, where)
    missing = [name for name in declared if name not in given]
    if missing:
        names = ", ".join(repr(each) for each in missing)
        raise mistake(f"The pipeline {construction.name!r} declares the output {names}, but does not return it.", where)
    return given


def _by_name(returned: Any, construction: Construction, where: Where) -> dict[str, Any]:
    if returned is None:
        return {}
    if isinstance(returned, tuple) and hasattr(returned, "_asdict"):
        return dict(returned._asdict())
    if isinstance(returned, (list, tuple)):
        raise mistake(
            f"The pipeline {construction.name!r} returns a {type(returned).__name__}, whose parts have no names; "
            f"return a NamedTuple.",
            where,
        )
    return dict(returned) if isinstance(returned, Mapping) else {SINGLE: returned}


def _check_output(name: str, channel: Any, interface: Interface, construction: Construction, where: Where) -> None:
    if isinstance(channel, PipelineTask):
        raise mistake(
            f"The pipeline {construction.name!r} returns the task {channel.name!r} itself; return its .output.", where
        )
    if not isinstance(channel, Channel):
        raise mistake(
            f"The pipeline {construction.name!r} returns {channel!r} as {name!r}, but it can return outputs of "
            f"tasks only; "
            "return the output of a component that returns it.",
            where,
        )
    own(channel, construction.marks, where)
    if not fits(channel, interface.outputs[name]):
        raise mistake(
            f"The pipeline {construction.name!r} declares its output {name!r} as "
            f"{kind_of(interface.outputs[name])}, but returns "
            f"{channel.described()}, which is {kind_of(channel)}; change the annotation or what is returned.",
            where,
        )


def _shown(channel: Any) -> str:
    return channel.described() if isinstance(channel, Channel) else repr(channel)


def _need_workspace(construction: Construction, config: PipelineConfig | None) -> None:
    if config is not None and config.workspace is not None:
        return
    for task in construction.tasks.values():
        for name, value in task.inputs.items():
            if isinstance(value, str) and (
                WORKSPACE_PATH_PLACEHOLDER in value or value.startswith(WORKSPACE_MOUNT_PATH)
            ):
                raise mistake(
                    f"The input {name!r} of {task.name!r} is in the workspace, but the pipeline "
                    f"{construction.name!r} has none; "
                    "write "
                    "@dsl.pipeline(pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size='10Gi'))).",
                    task.where,
                )
