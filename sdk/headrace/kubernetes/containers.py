"""The Pod's containers: how images are pulled, as whom the task runs and for how long, and init containers."""

from __future__ import annotations

from headrace.dsl.channels import Channel
from headrace.dsl.mistakes import mistake
from headrace.dsl.tasks import PipelineTask
from headrace.kubernetes.settings import (
    Json,
    choice,
    flag,
    given,
    reference,
    settings,
    shown,
    text,
    text_list,
    texts,
    whole,
)

_RESERVED = ("main", "companion", "kfp-launcher")


def set_image_pull_secrets(task: PipelineTask, secret_names: list[str | Channel]) -> PipelineTask:
    """Pull images with these Secrets, besides those of earlier calls."""
    function = "set_image_pull_secrets"
    made = settings(task, function)
    if isinstance(secret_names, (str, Channel)):
        raise mistake(
            f"kubernetes.{function}() takes a list as 'secret_names', got {shown(secret_names)}; put it in brackets"
        )
    entries = [
        {
            **given(secretName=name if isinstance(name, str) else None),
            "secretNameParameter": reference(task, name, function, "secret_names", str),
        }
        for name in secret_names
    ]
    if entries:
        made.setdefault("imagePullSecret", []).extend(entries)
    return task


def set_image_pull_policy(task: PipelineTask, policy: str) -> PipelineTask:
    """When the image is pulled: `Always`, `Never` or `IfNotPresent`."""
    function = "set_image_pull_policy"
    chosen = choice(policy, function, "policy", "Always", "Never", "IfNotPresent")
    settings(task, function)["imagePullPolicy"] = chosen
    return task


def set_timeout(task: PipelineTask, seconds: int) -> PipelineTask:
    """End an attempt that has run for so many seconds; 0: no limit."""
    made = settings(task, "set_timeout")
    limit = whole(seconds, "set_timeout", "seconds", least=0)
    made.pop("activeDeadlineSeconds", None)
    if limit:
        made["activeDeadlineSeconds"] = str(limit)  # 64 bits are text in the JSON of protobuf
    return task


def set_security_context(
    task: PipelineTask,
    run_as_user: int | None = None,
    run_as_group: int | None = None,
    run_as_non_root: bool | None = None,
) -> PipelineTask:
    """The user and group that the task runs as, and whether root is refused; what a call leaves out stays as it was."""
    function = "set_security_context"
    context: Json = {}
    if run_as_user is not None:
        context["runAsUser"] = str(whole(run_as_user, function, "run_as_user", least=0))
    if run_as_group is not None:
        context["runAsGroup"] = str(whole(run_as_group, function, "run_as_group", least=0))
    if run_as_non_root is not None:
        context["runAsNonRoot"] = flag(run_as_non_root, function, "run_as_non_root")
    if not context:
        raise mistake(
            "kubernetes.set_security_context() was given nothing to set; pass 'run_as_user', 'run_as_group' or 'run_as_non_root'"
        )
    settings(task, function).setdefault("securityContext", {}).update(context)
    return task


def add_init_container(
    task: PipelineTask,
    name: str,
    image: str,
    command: list[str] | None = None,
    args: list[str] | None = None,
    env: dict[str, str] | None = None,
    volume_mounts: dict[str, str] | None = None,
    restart_policy: str | None = None,
    resource_requests: dict[str, str] | None = None,
    resource_limits: dict[str, str] | None = None,
) -> PipelineTask:
    """A container that ends before the task starts; with `restart_policy="Always"` it runs beside it.

    VOLUME_MOUNTS: paths by the name of a volume of this task. Not in KFP 2.17; a later version of it has the same function.
    """
    function = "add_init_container"
    made = settings(task, function)
    entry = given(
        name=_container_name(made, name),
        image=text(image, function, "image"),
        command=text_list(command or [], function, "command"),
        args=text_list(args or [], function, "args"),
        env=[given(name=key, value=value) for key, value in texts(env or {}, function, "env").items()],
        volumeMounts=_init_mounts(volume_mounts),
        restartPolicy=None if restart_policy is None else choice(restart_policy, function, "restart_policy", "Always"),
        resources=given(
            requests=texts(resource_requests or {}, function, "resource_requests"),
            limits=texts(resource_limits or {}, function, "resource_limits"),
        ),
    )
    if not image:
        raise mistake(f"kubernetes.{function}() needs an image for '{name}'; pass 'image', such as 'busybox:1.37'")
    made.setdefault("initContainers", []).append(entry)
    return task


def _container_name(made: Json, name: str) -> str:
    function = "add_init_container"
    if not text(name, function, "name"):
        raise mistake(f"kubernetes.{function}() needs a name for the container; pass 'name', such as 'fetch'")
    if name in _RESERVED:
        raise mistake(
            f"kubernetes.{function}() cannot use '{name}', which is the platform's own container; choose another name"
        )
    if any(one["name"] == name for one in made.get("initContainers", ())):
        raise mistake(f"this task has an init container called '{name}' already; choose another name")
    return name


def _init_mounts(volume_mounts: dict[str, str] | None) -> list[Json]:
    pairs = texts(volume_mounts or {}, "add_init_container", "volume_mounts")
    for volume, path in pairs.items():
        if not path.startswith("/"):
            raise mistake(
                f"kubernetes.add_init_container() mounts '{volume}' at '{path}', which is no absolute path; begin it with '/'"
            )
    return [{"volumeName": volume, "mountPath": path} for volume, path in pairs.items()]
