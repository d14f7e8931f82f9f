"""The policies that people set, in rows with versions, under those that the platform's settings declare. Called by the handler
and by `keeping`.
"""

from __future__ import annotations

from typing import Any

from headrace_persistence.queries import SQL
from headrace_persistence.retention.policies import Limits, Policies, PolicyProblem, checked
from headrace_protos.v1 import retention_pb2 as pb
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, Transaction


class Rules:
    """Reading and setting policies."""

    def __init__(self, database: Database, declared: Policies) -> None:
        self._database, self._declared = database, declared

    async def said(self) -> Policies:
        """All that counts."""
        rows = await self._database.read(SQL["policies"], {"namespace": ""})
        return Policies({(row[0], row[1], row[2]): Limits(row[3], row[4]) for row in rows}).over(self._declared)

    async def listed(self, namespace: str) -> list[pb.RetentionPolicy]:
        """As people see them, declared ones instead of what they hide."""
        rows = await self._database.read(SQL["policies"], {"namespace": namespace.replace("\0", "")})
        made = {tuple(row[:3]): _message(*row) for row in rows}
        for key, limits in self._declared.said.items():
            if not namespace or key[0] in ("", namespace):
                made[key] = _message(*key, limits.max_age_s, limits.max_count, 0, 0, declared=True)
        return [made[key] for key in sorted(made)]

    async def set(self, request: pb.SetPolicyRequest) -> pb.SetPolicyResponse:
        """The policy with its new version; INVALID_INPUT, WRONG_STATE."""
        policy = request.policy
        limits = _limits(policy)
        key = {"namespace": policy.namespace, "pipeline_name": policy.pipeline_name, "kind": policy.kind}
        if tuple(key.values()) in self._declared.said:
            sentence = f"{_named(policy)} is declared by HEADRACE_RETENTION: change it there"
            raise ServiceError(Reason.WRONG_STATE, sentence)
        version, changed = await self._put(request, key, limits)
        if request.remove:
            return pb.SetPolicyResponse()
        made = _message(*key.values(), limits.max_age_s, limits.max_count, version, changed)
        return pb.SetPolicyResponse(policy=made)

    async def _put(self, request: pb.SetPolicyRequest, key: dict[str, str], limits: Limits) -> tuple[int, int]:
        """Its version and when that was made."""
        limited = {"max_age_s": limits.max_age_s, "max_count": limits.max_count, "removed": request.remove}

        async def work(tx: Transaction) -> tuple[int, int] | None:
            row = await tx.fetch_one(SQL["lock_policy"], key)
            version, removed = row if row is not None else (0, True)
            if request.HasField("expected_version") and request.expected_version != (0 if removed else version):
                raise _changed(request.policy, 0 if removed else version, request.expected_version)
            if request.remove and removed:
                return version, 0
            put = await tx.fetch_one(SQL["put_policy"], {**key, **limited, "expected": version})
            return None if put is None else (put[0], put[1])

        done = await self._database.transaction(work)
        if done is None:  # two set the first one at once
            sentence = f"{_named(request.policy)} was changed meanwhile: look at it and set it again"
            raise ServiceError(Reason.WRONG_STATE, sentence)
        return done


def _limits(policy: pb.RetentionPolicy) -> Limits:
    """What it says; INVALID_INPUT where it makes no sense."""
    limits = Limits(
        policy.max_age_s if policy.HasField("max_age_s") else None,
        policy.max_count if policy.HasField("max_count") else None,
    )
    try:
        checked(policy.namespace, policy.pipeline_name, policy.kind, limits)
    except PolicyProblem as wrong:
        raise ServiceError(Reason.INVALID_INPUT, str(wrong)) from None
    return limits


def _message(*row: Any, declared: bool = False) -> pb.RetentionPolicy:
    namespace, pipeline, kind, max_age_s, max_count, version, changed = row
    return pb.RetentionPolicy(
        namespace=namespace,
        pipeline_name=pipeline,
        kind=kind,
        max_age_s=max_age_s,
        max_count=max_count,
        version=version,
        changed_at_us=changed,
        declared=declared,
    )


def _named(policy: pb.RetentionPolicy) -> str:
    scope = "/".join(name for name in (policy.namespace, policy.pipeline_name) if name)
    return f"the policy for {policy.kind}" + (f" of {scope}" if scope else "")


def _changed(policy: pb.RetentionPolicy, version: int, expected: int) -> ServiceError:
    now = f"has version {version}" if version else "is not there"
    return ServiceError(
        Reason.WRONG_STATE, f"{_named(policy)} {now}, not version {expected}: look at it and set it again"
    )
