"""What may be a name, a tag, an id: KFP's limits, checked before anything is stored.

Pure. Called by the handlers; every refusal is a ServiceError with a sentence.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from headrace_servicekit.errors import Reason, ServiceError

NAMESPACE: Final = "default"  # single-user mode: every row has it, whatever a request says
EXPERIMENT_NAME: Final = 128
PIPELINE_NAME: Final = 128
VERSION_NAME: Final = 127
RUN_NAME: Final = 1024
DESCRIPTION: Final = 64 * 1024
MOST_TAGS: Final = 20
LONGEST_TAG: Final = 63


def check_name(what: str, name: str, longest: int) -> str:
    """WHAT is how the message calls it: "Experiment.Name"."""
    if not name.strip():
        raise _invalid(f"{what} is empty; give a name")
    if len(name.encode()) > longest:
        raise _invalid(f"{what} length cannot exceed {longest} (it has {len(name.encode())} bytes)")
    return check_text(what, name)


def check_text(what: str, text: str, longest: int = DESCRIPTION) -> str:
    """Free text: no NUL (Postgres cannot hold it), bounded."""
    if "\0" in text:
        raise _invalid(f"{what} contains a NUL character; remove it")
    if len(text.encode()) > longest:
        raise _invalid(f"{what} length cannot exceed {longest} (it has {len(text.encode())} bytes)")
    return text


def check_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """KFP's rules for tags of pipelines and versions."""
    if len(tags) > MOST_TAGS:
        raise _invalid(f"there are {len(tags)} tags; at most {MOST_TAGS} are allowed")
    for key, value in tags.items():
        if not key:
            raise _invalid("a tag has an empty key; give each tag a key")
        if "." in key:
            raise _invalid(f'the tag key "{key}" contains a dot; use another character')
        for text in (key, value):
            check_text("a tag", text)
            if len(text) > LONGEST_TAG:
                raise _invalid(f'the tag "{key[:LONGEST_TAG]}" is too long: {LONGEST_TAG} characters at most')
    return dict(tags)


def check_id(kind: str, text: str) -> str:
    """An id that can exist; what is no UUID cannot, and is answered as not found, as KFP does."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise ServiceError(Reason.NOT_FOUND, f"{kind} {_shown(text)} not found") from None


@contextmanager
def unique(name: str) -> Iterator[None]:
    """Words a taken name as KFP's clients look for it, whoever noticed."""
    try:
        yield
    except ServiceError as taken:
        if taken.reason != Reason.ALREADY_EXISTS:
            raise
        raise ServiceError(taken.reason, f"The name {name} already exists; choose another") from None


def _shown(text: str) -> str:
    return (text if len(text) <= 80 else text[:80] + "…").replace("\0", "\\0") or '""'


def _invalid(message: str) -> ServiceError:
    return ServiceError(Reason.INVALID_INPUT, message)
