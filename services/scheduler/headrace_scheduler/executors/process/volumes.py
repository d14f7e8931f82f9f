"""The claims that KFP's SDK makes and deletes as tasks (`argostub/createpvc`, `argostub/deletepvc`), as folders in HOME.

Blocking; an attempt calls it in a thread instead of starting a process. On a cluster the driver does this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from headrace_companion.results import AttemptResult, Failure, Reason
from headrace_ir.values import Value, decode, encode
from headrace_protos.lifecycle import attempt_path, task_id
from headrace_scheduler.executors import port
from headrace_scheduler.executors.process.local_store import LocalStore, NotHere
from headrace_scheduler.executors.task_settings import CREATE_CLAIM

SIZE_NOTE: Final = (
    "a claim is a folder on this machine: its size, access modes, storage class and source have no effect"
)


def operate(launch: port.Launch, local: LocalStore) -> AttemptResult:
    """The result of a task that makes or deletes a claim."""
    mark = attempt_path(launch.attempt.path, launch.attempt.number)
    given = {name: decode(text) for name, text in launch.parameters.items()}
    try:
        if launch.image == CREATE_CLAIM:
            name = _create(launch, given, local)
            return AttemptResult(mark, 0, None, None, parameters={"name": encode(name)}, warnings=(SIZE_NOTE,))
        _delete(given, local)
    except NotHere as problem:
        return AttemptResult(mark, None, None, Failure(Reason.USER_ERROR, str(problem)))
    return AttemptResult(mark, 0, None, None)


def _create(launch: port.Launch, given: Mapping[str, Value], local: LocalStore) -> str:
    owner = task_id(launch.attempt.run_id, launch.attempt.path)
    name, suffix = given.get("pvc_name"), given.get("pvc_name_suffix")
    if name and suffix:
        raise NotHere("give pvc_name or pvc_name_suffix, not both")
    chosen = str(name) if name else f"{owner}{suffix or ''}"
    local.make_claim(chosen, owner)
    return chosen


def _delete(given: Mapping[str, Value], local: LocalStore) -> None:
    name = str(given.get("pvc_name") or "")
    if not local.delete_claim(name):
        raise NotHere(f"the claim '{name}' is not on this machine, so it cannot be deleted")
