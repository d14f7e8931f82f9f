"""Who may call which service: the rules as data, and the decision, pure.

A service is served under one policy (`server.Served`); the strictest is the default, so none is reachable for want of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from headrace_servicekit.callers import Caller

Who = Literal["anyone", "control", "pod", "public"]


@dataclass(frozen=True, slots=True)
class Policy:
    """Tokens of AUDIENCES are looked at; WHO of their bearers may call."""

    who: Who
    audiences: tuple[str, ...] = ()


OPEN: Final = Policy("anyone")  # health: probes carry no token
CONTROL: Final = Policy("control", ("headrace-internal",))  # the accounts of HEADRACE_CONTROL_ACCOUNTS alone
# Companions: any account, in a token bound to a Pod. The handler compares the Pod with the attempt's.
ATTEMPTS: Final = Policy("pod", ("headrace-attempts",))
PUBLIC: Final = Policy(
    "public", ("headrace", "pipelines.kubeflow.org")
)  # people and their programs, see HEADRACE_API_AUTH


@dataclass(frozen=True, slots=True)
class Accounts:
    """Accounts as settings name them: `namespace:name`, `namespace:*`, or `name` in the namespace of our own token."""

    names: frozenset[str] = frozenset()

    @staticmethod
    def parse(text: str, home: str) -> Accounts:
        """The accounts in TEXT, parted by spaces or commas; HOME is the namespace of those without one."""
        words = text.replace(",", " ").split()
        return Accounts(frozenset(word if ":" in word else f"{home}:{word}" for word in words))

    def __contains__(self, caller: Caller) -> bool:
        return caller.name in self.names or f"{caller.namespace}:*" in self.names


def refusal(policy: Policy, caller: Caller, control: Accounts, public: Accounts) -> str | None:
    """Why CALLER, whose token was accepted, may not call a service under POLICY; None where it may."""
    allowed = {
        "anyone": True,
        "control": caller in control,
        "pod": bool(caller.pod_uid and caller.pod_name),
        "public": caller in public,
    }[policy.who]
    if allowed:
        return None
    if policy.who == "pod":
        return "the token is bound to no Pod; only the companion in a task's Pod may call this"
    return f"the account {caller.name} may not call this"
