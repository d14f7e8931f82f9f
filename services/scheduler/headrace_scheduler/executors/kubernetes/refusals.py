"""What the API's refusal of a create call means, and the sentence to say of it. Pure.

The words that are looked for are those of Kubernetes' admission: quota, limit ranges, Pod Security, service accounts,
priority classes, webhooks. Called by `creating`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from headrace_scheduler.engine.quantities import quantity

SHOWN: Final = 600
QUOTA: Final = re.compile(
    r"exceeded quota: (?P<name>[^,]+), requested: (?P<asked>.*?), used: (?P<used>.*?), limited: (?P<most>.*)$"
)
MUST_SPECIFY: Final = re.compile(r"failed quota: (?P<name>\S+): must specify (?P<what>.*)$")
WEBHOOK: Final = re.compile(r'admission webhook "(?P<name>[^"]+)" denied the request:? ?(?P<why>.*)$', re.DOTALL)
CALLING: Final = re.compile(r'failed calling webhook "(?P<name>[^"]+)"')
POLICY: Final = re.compile(r'violates PodSecurity "(?P<level>[a-z]+)[^"]*": (?P<why>.*)$', re.DOTALL)
INVALID: Final = re.compile(r'^\S+ "[^"]*" is invalid: ')
RANGE: Final = re.compile(r"(maximum|minimum) \S+ (usage|limit)|max limit to request ratio")
ACCOUNT: Final = re.compile(r'error looking up service account \S+?: serviceaccount "(?P<name>[^"]+)" not found')
PRIORITY: Final = re.compile(r"no PriorityClass with name (?P<name>\S+) was found")
RUNTIME: Final = re.compile(r'RuntimeClass "?(?P<name>[^" ]+)"? not found')


class Refusal(Enum):
    """What to do about a create call that failed."""

    EXISTS = "exists"  # look whose it is
    AGAIN = "again"  # the same call may succeed at once
    WAIT = "wait"  # for something to become free; for as long as it takes
    STUCK = "stuck"  # for somebody to put it right; not for ever
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Meaning:
    """A refusal, and the sentence to say of it."""

    kind: Refusal
    sentence: str


def meaning(status: int, answer: Mapping[str, Any], kind: str, namespace: str) -> Meaning:
    """What the refusal of an object of this KIND (for people) means; ANSWER is the API's Status object."""
    said = str(answer.get("message") or "")
    reason = answer.get("reason")
    if status == 409:
        return Meaning(Refusal.EXISTS if reason == "AlreadyExists" else Refusal.AGAIN, said[:SHOWN])
    if found := CALLING.search(said):
        sentence = (
            f"the admission webhook '{found['name']}' does not answer, so the {kind} cannot be made: {said[:SHOWN]}"
        )
        return Meaning(Refusal.STUCK, sentence)
    if found := WEBHOOK.search(said):
        why = found["why"].strip()[:SHOWN] or "it gives no reason"
        return Meaning(Refusal.NEVER, f"the admission webhook '{found['name']}' refuses the {kind}: {why}")
    if status in (408, 429) or status >= 500:
        return Meaning(Refusal.STUCK, f"the Kubernetes API does not take the {kind} now: {said[:SHOWN]}")
    if status == 404:
        return Meaning(Refusal.STUCK, f"the Kubernetes namespace '{namespace}' does not exist: create it")
    if status in (401, 403):
        return _forbidden(said, kind, namespace)
    if status == 422:
        said = _causes(answer) or INVALID.sub("", said)
    return Meaning(Refusal.NEVER, f"Kubernetes does not accept the {kind}: {said[:SHOWN]}")


def _causes(answer: Mapping[str, Any]) -> str:
    """The fields that are wrong, each with what is wrong with it."""
    causes: Sequence[Mapping[str, str]] = (answer.get("details") or {}).get("causes") or ()
    told = [f"{one.get('field', '')}: {one.get('message', '')}" for one in causes]
    return "; ".join(dict.fromkeys(told))[:SHOWN]


def _forbidden(said: str, kind: str, namespace: str) -> Meaning:
    if found := QUOTA.search(said):
        return Meaning(Refusal.WAIT, _quota(found, namespace))
    if "status unknown for quota" in said:
        return Meaning(Refusal.AGAIN, f"the quota of namespace '{namespace}' is being counted")
    for pattern, refusal, sentence in _RULES:
        if found := pattern.search(said):
            held = {"kind": kind, "namespace": namespace, "said": said[:SHOWN], **found.groupdict()}
            return Meaning(
                refusal, sentence.format(**{name: str(text or "").strip()[:SHOWN] for name, text in held.items()})
            )
    return Meaning(Refusal.NEVER, f"Kubernetes does not accept the {kind}: {said[:SHOWN]}")


_RULES: Final = (
    (
        MUST_SPECIFY, Refusal.NEVER,
        "the quota '{name}' of namespace '{namespace}' asks for more to be said of the {kind}: give {what}",
    ),
    (
        POLICY, Refusal.NEVER,
        "namespace '{namespace}' is held to the Pod Security level '{level}', and the {kind} is not so: {why}",
    ),
    (RANGE, Refusal.NEVER, "the limit range of namespace '{namespace}' does not allow the {kind}: {said}"),
    (re.compile("being terminated"), Refusal.NEVER, "the Kubernetes namespace '{namespace}' is being deleted"),
    (
        re.compile("cannot create resource|Unauthorized"), Refusal.STUCK,
        "the scheduler may not make a {kind} in namespace '{namespace}': bind its role there ({said})",
    ),
    (
        ACCOUNT, Refusal.STUCK,
        "namespace '{namespace}' is not prepared for tasks: it has no service account '{name}'; create it",
    ),
    (PRIORITY, Refusal.STUCK, "the cluster has no priority class '{name}', which the operator's Pod defaults name"),
    (RUNTIME, Refusal.STUCK, "the cluster has no runtime class '{name}', which the operator's Pod defaults name"),
)  # fmt: skip


def _quota(found: re.Match[str], namespace: str) -> str:
    """By resource: what is asked for, in use and allowed."""
    asked, used, most = (_amounts(found[group]) for group in ("asked", "used", "most"))
    parts = [
        f"{name}: {used.get(name, '0')} of {most.get(name, '?')} in use, this task asks for {amount}"
        for name, amount in asked.items()
    ]
    never = [name for name, amount in asked.items() if _more(amount, most.get(name, ""))]
    more = f"; {', '.join(never)} alone is more than the whole quota: ask for less, or raise it" if never else ""
    return f"the quota '{found['name']}' of namespace '{namespace}' is used up: {'; '.join(parts)}{more}"


def _amounts(text: str) -> dict[str, str]:
    pairs = (one.partition("=") for one in text.split(","))
    return {name.strip(): amount.strip() for name, _, amount in pairs}


def _more(asked: str, most: str) -> bool:
    try:
        return quantity(asked) > quantity(most)
    except ValueError:
        return False
