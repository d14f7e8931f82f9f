"""`@dsl.component`, `@dsl.container_component` and `@dsl.notebook_component`: from a user's function to a component.

The interface comes from `signature`, the text for the container from `source` and `carrying`, the command around it from
`headrace.compiler.bootstrap`. All that can be wrong with a definition is said here, when the decorator runs.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, overload

from headrace import kfp_alias
from headrace.dsl.annotations import Read, read
from headrace.dsl.carrying import Carried, carried_by
from headrace.dsl.components import ContainerComponent, ContainerImplementation, PythonComponent
from headrace.dsl.interface import Input, Interface, ParameterInput
from headrace.dsl.mistakes import mistake
from headrace.dsl.naming import dashed
from headrace.dsl.placeholders import ContainerSpec, Placeholder, as_text, stand_in
from headrace.dsl.signature import Kind, signature_of
from headrace.dsl.source import GIVEN, missing_names, source_of, where_defined
from headrace.dsl.task_config import TaskConfigField, TaskConfigPassthrough

if TYPE_CHECKING:
    from headrace.compiler.module_texts import Embedded

P = ParamSpec("P")

BASE_IMAGE: Final = "python:3.11"
NOTEBOOK_PACKAGES: Final = ("nbclient>=0.10,<1", "ipykernel>=6,<7", "jupyter_client>=7,<9")

Passthroughs = Sequence[TaskConfigPassthrough | TaskConfigField]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """What the decorators take, whichever of the two it was."""

    base_image: str | None
    target_image: str | None = None
    packages_to_install: Sequence[str] | None
    pip_index_urls: Sequence[str] | None
    output_component_file: str | None
    install_kfp_package: bool
    kfp_package_path: str | None
    pip_trusted_hosts: Sequence[str] | None
    use_venv: bool
    additional_funcs: Sequence[Callable[..., Any]] = ()
    embedded: Embedded | None = None
    task_config_passthroughs: Passthroughs


class ComponentDecorator(Protocol):
    """`@dsl.component(...)`: what is given a function after its options. `headrace.mypy_plugin` knows it by name."""

    def __call__(self, function: Callable[P, Any], /) -> PythonComponent[P]: ...


@overload
def component(
    func: Callable[P, Any],
    *,
    base_image: str | None = None,
    target_image: str | None = None,
    packages_to_install: Sequence[str] | None = None,
    pip_index_urls: Sequence[str] | None = None,
    output_component_file: str | None = None,
    install_kfp_package: bool = True,
    kfp_package_path: str | None = None,
    pip_trusted_hosts: Sequence[str] | None = None,
    use_venv: bool = False,
    additional_funcs: Sequence[Callable[..., Any]] | None = None,
    embedded_artifact_path: str | None = None,
    task_config_passthroughs: Passthroughs | None = None,
) -> PythonComponent[P]: ...


@overload
def component(
    func: None = None,
    *,
    base_image: str | None = None,
    target_image: str | None = None,
    packages_to_install: Sequence[str] | None = None,
    pip_index_urls: Sequence[str] | None = None,
    output_component_file: str | None = None,
    install_kfp_package: bool = True,
    kfp_package_path: str | None = None,
    pip_trusted_hosts: Sequence[str] | None = None,
    use_venv: bool = False,
    additional_funcs: Sequence[Callable[..., Any]] | None = None,
    embedded_artifact_path: str | None = None,
    task_config_passthroughs: Passthroughs | None = None,
) -> ComponentDecorator: ...


def component(
    func: Callable[..., Any] | None = None,
    *,
    base_image: str | None = None,
    target_image: str | None = None,
    packages_to_install: Sequence[str] | None = None,
    pip_index_urls: Sequence[str] | None = None,
    output_component_file: str | None = None,
    install_kfp_package: bool = True,
    kfp_package_path: str | None = None,
    pip_trusted_hosts: Sequence[str] | None = None,
    use_venv: bool = False,
    additional_funcs: Sequence[Callable[..., Any]] | None = None,
    embedded_artifact_path: str | None = None,
    task_config_passthroughs: Passthroughs | None = None,
) -> Any:
    """Makes a component of a Python function, which runs in a container by itself.

    The container of BASE_IMAGE gets the function's source, PACKAGES_TO_INSTALL (from PIP_INDEX_URLS), the sources of
    ADDITIONAL_FUNCS and the files at EMBEDDED_ARTIFACT_PATH; with TARGET_IMAGE, the function lies in that image already.
    """

    def make(function: Callable[..., Any]) -> PythonComponent[Any]:
        return _python_component(
            function,
            _Options(
                base_image=base_image,
                target_image=target_image,
                packages_to_install=packages_to_install,
                pip_index_urls=pip_index_urls,
                output_component_file=output_component_file,
                install_kfp_package=install_kfp_package,
                kfp_package_path=kfp_package_path,
                pip_trusted_hosts=pip_trusted_hosts,
                use_venv=use_venv,
                additional_funcs=additional_funcs or (),
                embedded=_embedded(embedded_artifact_path),
                task_config_passthroughs=task_config_passthroughs or (),
            ),
        )

    return make if func is None else make(func)


def notebook_component(
    func: Callable[..., Any] | None = None,
    *,
    notebook_path: str,
    base_image: str | None = None,
    packages_to_install: Sequence[str] | None = None,
    output_component_file: str | None = None,
    pip_index_urls: Sequence[str] | None = None,
    pip_trusted_hosts: Sequence[str] | None = None,
    use_venv: bool = False,
    kfp_package_path: str | None = None,
    install_kfp_package: bool = True,
    task_config_passthroughs: Passthroughs | None = None,
) -> ComponentDecorator:
    """Makes a component of a function that calls `dsl.run_notebook(...)` to execute the notebook at NOTEBOOK_PATH."""
    from headrace.compiler.module_texts import embed_notebook

    def make(function: Callable[..., Any]) -> PythonComponent[Any]:
        return _python_component(
            function,
            _Options(
                base_image=base_image,
                packages_to_install=NOTEBOOK_PACKAGES if packages_to_install is None else packages_to_install,
                pip_index_urls=pip_index_urls,
                output_component_file=output_component_file,
                install_kfp_package=install_kfp_package,
                kfp_package_path=kfp_package_path,
                pip_trusted_hosts=pip_trusted_hosts,
                use_venv=use_venv,
                embedded=embed_notebook(notebook_path),
                task_config_passthroughs=task_config_passthroughs or (),
            ),
        )

    return make if func is None else make(func)  # type: ignore[return-value]  # a function is given only by old code


@overload
def container_component(func: Callable[P, Any]) -> ContainerComponent[P]: ...


@overload
def container_component(func: None = None) -> Callable[[Callable[P, Any]], ContainerComponent[P]]: ...


def container_component(
    func: Callable[P, Any] | None = None,
) -> ContainerComponent[P] | Callable[[Callable[P, Any]], ContainerComponent[P]]:
    """Makes a component of a function that returns a `dsl.ContainerSpec`: image, command and arguments."""
    return _container_component if func is None else _container_component(func)


def _container_component(func: Callable[P, Any]) -> ContainerComponent[P]:
    _check_function(func, Kind.CONTAINER)
    signature = signature_of(func, Kind.CONTAINER)
    takes = signature.interface.inputs
    spec = func(**{name: _stand_in(name, read(one), takes.get(name)) for name, one in signature.annotations.items()})  # type: ignore[call-arg]
    if not isinstance(spec, ContainerSpec):
        raise mistake(f"{func.__name__}() returned {spec!r}; return a dsl.ContainerSpec.", where_defined(func))
    return ContainerComponent(
        dashed(func.__name__),
        signature.interface,
        ContainerImplementation(_container(func.__name__, spec, signature.interface)),
        func,
        signature.description,
        where_defined(func),
    )


def _stand_in(name: str, taken: Read, declared: Input | None) -> Any:
    return stand_in(
        name,
        output=taken.marker.startswith("output"),
        artifact=taken.is_artifact,
        is_list=taken.is_list,
        ir_type=declared.type.value if isinstance(declared, ParameterInput) else "",
    )


def _container(function: str, spec: ContainerSpec, interface: Interface) -> dict[str, Any]:
    if not isinstance(spec.image, (str, Placeholder)) or not spec.image:
        raise mistake(f"{function}() returned a ContainerSpec whose image is {spec.image!r}; name an image.")
    container: dict[str, Any] = {"image": str(spec.image)}
    for part in ("command", "args"):
        pieces = getattr(spec, part)
        if isinstance(pieces, str):
            raise mistake(f"The {part} of {function}() is the text {pieces!r}; make it a list.")
        if pieces:
            container[part] = [as_text(each, set(interface.inputs), f"the {part} of {function}()") for each in pieces]
    return container


# components of Python functions


def _python_component(function: Callable[..., Any], options: _Options) -> PythonComponent[Any]:
    _check_function(function, Kind.COMPONENT)
    signature = signature_of(function, Kind.COMPONENT)
    as_kfp = kfp_alias.is_on()
    module = str if options.target_image else _module_source(function, options, as_kfp)
    if any(read(each).marker == "embedded" for each in signature.annotations.values()) and options.embedded is None:
        raise mistake(
            f"{function.__name__}() takes an EmbeddedInput, but nothing is embedded; give embedded_artifact_path.",
            where_defined(function),
        )
    passthroughs = _passthroughs(options.task_config_passthroughs, function)

    def implementation() -> ContainerImplementation:
        command, args = _command(function.__name__, module(), options, as_kfp)
        image = options.target_image or options.base_image or BASE_IMAGE
        return ContainerImplementation(
            {"image": image, "command": command, "args": args}, task_config_passthroughs=passthroughs
        )

    made: PythonComponent[Any] = PythonComponent(
        dashed(function.__name__),
        signature.interface,
        implementation,
        function,
        signature.description,
        where_defined(function),
    )
    if options.output_component_file:
        _write(made, options.output_component_file)
    return made


def _check_function(function: Any, kind: Kind) -> None:
    if not inspect.isfunction(function):
        what = "a class" if inspect.isclass(function) else f"{function!r}"
        raise mistake(f"A {kind} is made of a function written with `def`, not of {what}; write one.")
    name, where = function.__name__, where_defined(function)
    if name == "<lambda>":
        raise mistake(f"A {kind} cannot be a lambda, which has no name and no annotations; write a `def`.", where)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise mistake(
            f"{name}() is async, but a {kind} is called without an event loop; write `def`, with asyncio.run(...) in it.",
            where,
        )
    if inspect.isgeneratorfunction(function):
        raise mistake(f"{name}() yields, but a {kind} returns its outputs once; return a list.", where)


def _module_source(function: Callable[..., Any], options: _Options, as_kfp: bool) -> Callable[[], str]:
    """What makes the text of the component's module; all that can be wrong with it is found here and now."""
    from headrace.compiler.module_texts import module_source

    source = source_of(function)
    helpers = [source_of(each) for each in options.additional_funcs]
    given = GIVEN | {each.__name__ for each in options.additional_funcs} | ({"kfp"} if as_kfp else set())
    carried = Carried()
    for each, text in [*zip(options.additional_funcs, helpers, strict=True), (function, source)]:
        carried.add(carried_by(each, text, given))
    for each in (*options.additional_funcs, function):
        _check_names(each, given | carried.names, as_kfp)
    return lambda: module_source(
        source,
        additional=(*carried.sources, *helpers),
        imports=tuple(carried.imports),
        embedded=options.embedded,
        as_kfp=as_kfp,
    )


def _check_names(function: Callable[..., Any], given: frozenset[str], as_kfp: bool) -> None:
    """A name that the container will not have is a mistake; where the file is KFP's, which lets it pass, a warning."""
    missing = missing_names(function, given)
    if not missing:
        return
    name = missing[0]
    plain = inspect.unwrap(function)
    thing = plain.__globals__.get(name)
    if inspect.ismodule(thing):
        way = f"import it inside {plain.__name__}()"
    elif inspect.isfunction(thing):
        way = "define it inside, or give it with additional_funcs=[...]"
    elif name in plain.__globals__ or name in plain.__code__.co_freevars:
        way = "give it as an input, or define it inside"
    else:
        way = "nothing defines it; import or define it inside"
    found = mistake(
        f"{plain.__name__}() uses {name!r}, which its container will not have; {way}.", where_defined(function)
    )
    if not as_kfp:
        raise found
    warnings.warn(str(found), UserWarning, stacklevel=2)


def _command(function: str, module: str, options: _Options, as_kfp: bool) -> tuple[list[str], list[str]]:
    from headrace.compiler.bootstrap import Settings, containerized, lightweight

    settings = Settings(
        packages_to_install=tuple(options.packages_to_install or ()),
        pip_index_urls=tuple(options.pip_index_urls or ()),
        pip_trusted_hosts=None if options.pip_trusted_hosts is None else tuple(options.pip_trusted_hosts),
        use_venv=options.use_venv,
        install_kfp_package=options.install_kfp_package,
        kfp_package_path=options.kfp_package_path,
        as_kfp=as_kfp,
    )
    return containerized(function, settings) if options.target_image else lightweight(function, module, settings)


def _embedded(path: str | None) -> Embedded | None:
    if not path:
        return None
    from headrace.compiler.module_texts import embed

    return embed(path)


def _passthroughs(given: Passthroughs, function: Callable[..., Any]) -> tuple[dict[str, Any], ...]:
    written = []
    for each in given:
        if not isinstance(each, (TaskConfigField, TaskConfigPassthrough)):
            raise mistake(
                f"task_config_passthroughs of {function.__name__}() holds {each!r}; use dsl.TaskConfigField or the like.",
                where_defined(function),
            )
        field = each if isinstance(each, TaskConfigField) else TaskConfigField(each.field)
        applied = isinstance(each, TaskConfigPassthrough) and each.apply_to_task
        written.append({"field": field.name} | ({"applyToTask": True} if applied else {}))
    return tuple(written)


def _write(made: PythonComponent[Any], file: str) -> None:
    warnings.warn(
        "output_component_file is deprecated; use headrace.compiler.Compiler().compile(...).",
        DeprecationWarning,
        stacklevel=4,
    )
    from headrace.compiler import Compiler

    Compiler().compile(made, file)
