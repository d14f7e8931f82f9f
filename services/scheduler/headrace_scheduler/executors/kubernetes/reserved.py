"""What of a namespace is the platform's own and no task's: its secrets and its servers' volumes, where tasks run beside it. Pure.

The manifests in deploy/ name them `headrace-…`; without this whoever may submit a pipeline could mount the store's keys. Called
by `pods` with the finished spec, so that no setting is forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from headrace_companion.results import Reason
from headrace_scheduler.executors.kubernetes.problems import Refused

SECRETS: Final = re.compile(r"headrace-.*")
CLAIMS: Final = re.compile(r"data-headrace-.*")  # those of its StatefulSets, whose template is called `data`
# Where a Pod's spec names one: the field that holds the name, by the key above it.
NAMED: Final = {
    "secretKeyRef": ("name", "secret", SECRETS),
    "secretRef": ("name", "secret", SECRETS),
    "secret": ("secretName", "secret", SECRETS),
    "persistentVolumeClaim": ("claimName", "volume claim", CLAIMS),
}


def refuse_reserved(spec: Mapping[str, Any]) -> None:
    """Raises Refused where a Pod's SPEC asks for what is the platform's own."""
    for key, given in _fields(spec):
        field, kind, ours = NAMED[key]
        name = str(given.get(field) or given.get("name") or "")
        if ours.fullmatch(name):
            raise _refused(kind, name)


def refuse_claim(name: str) -> None:
    """Raises Refused where a task is to delete a volume claim of the platform's own."""
    if CLAIMS.fullmatch(name):
        raise _refused("volume claim", name)


def _refused(kind: str, name: str) -> Refused:
    sentence = f"the {kind} '{name}' is the platform's own, and no task gets it; give yours another name"
    return Refused(sentence, Reason.USER_ERROR)


def _fields(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, list):
        for one in value:
            yield from _fields(one)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key in NAMED and isinstance(inner, dict):
                yield key, inner
            yield from _fields(inner)
