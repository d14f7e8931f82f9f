"""What can be asked of a platform about how long things are kept: `client.retention` and the CLI. asyncio, on plain records."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from headrace.api.connection import Connection
    from headrace.retention import Erasure, Policy, RetentionPlan

PAGE: Final = 500


class AsyncRetention:
    """Where nothing is said everything is kept. A pipeline's policy goes before its namespace's, that before all others."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def policies(self, *, namespace: str = "") -> list[Policy]:
        """All that is said, or what counts in one namespace."""
        from headrace import reading_retention
        from headrace_protos.v1 import retention_pb2

        request = retention_pb2.ListPoliciesRequest(namespace=namespace)
        answer = await self._connection.call("Retention", "ListPolicies", request)
        return [reading_retention.policy(one) for one in answer.policies]

    async def set(
        self,
        kind: str,
        *,
        namespace: str = "",
        pipeline: str = "",
        max_age: timedelta | None = None,
        max_count: int | None = None,
        expected_version: int | None = None,
    ) -> Policy:
        """KIND is runs, archived, artifacts, logs, cache, traces or packages; without MAX_AGE and MAX_COUNT all of it is kept,
        whatever is said less specially. WrongState where EXPECTED_VERSION is not the one that is there (0: there is none).
        """
        from headrace import reading_retention
        from headrace_protos.v1 import retention_pb2

        said = retention_pb2.RetentionPolicy(
            namespace=namespace,
            pipeline_name=pipeline,
            kind=kind,
            max_age_s=None if max_age is None else max_age.total_seconds(),
            max_count=max_count,
        )
        request = retention_pb2.SetPolicyRequest(policy=said, expected_version=expected_version)
        answer = await self._connection.call("Retention", "SetPolicy", request)
        return reading_retention.policy(answer.policy)

    async def remove(
        self, kind: str, *, namespace: str = "", pipeline: str = "", expected_version: int | None = None
    ) -> None:
        """Say nothing here any more: the less special policy counts."""
        from headrace_protos.v1 import retention_pb2

        said = retention_pb2.RetentionPolicy(namespace=namespace, pipeline_name=pipeline, kind=kind)
        request = retention_pb2.SetPolicyRequest(policy=said, remove=True, expected_version=expected_version)
        await self._connection.call("Retention", "SetPolicy", request)

    async def plan(self, *, namespace: str = "") -> RetentionPlan:
        """What `run` would do now."""
        from headrace import reading_retention
        from headrace_protos.v1 import retention_pb2

        request = retention_pb2.PlanRequest(namespace=namespace)
        return reading_retention.plan(await self._connection.call("Retention", "Plan", request))

    async def run(self, *, namespace: str = "") -> RetentionPlan:
        """Do it now, as the platform does every hour; what was done. With `more` another call goes on."""
        from headrace import reading_retention
        from headrace_protos.v1 import retention_pb2

        request = retention_pb2.RunRequest(namespace=namespace)
        return reading_retention.plan(await self._connection.call("Retention", "Run", request))

    async def pin(self, run_id: str, *, unpin: bool = False) -> None:
        """No policy takes a pinned run, nor anything of it."""
        from headrace_protos.v1 import retention_pb2

        await self._connection.call("Retention", "Pin", retention_pb2.PinRequest(run_id=run_id, unpin=unpin))

    async def erase(
        self, artifact: str | int, *, derived: bool = False, dry_run: bool = False, reason: str = ""
    ) -> Erasure:
        """Erase an artifact, named by its id, number or URI; with DERIVED whatever was made of it. WrongState where a run that
        has not ended uses it. REASON stays on record.
        """
        import getpass

        from headrace import reading_retention
        from headrace_protos.v1 import retention_pb2

        try:
            user = getpass.getuser()
        except (KeyError, OSError):  # a user without a name
            user = ""
        request = retention_pb2.EraseRequest(
            artifact_id=str(artifact), derived=derived, dry_run=dry_run, reason=reason, asked_by=user
        )
        return reading_retention.erasure(await self._connection.call("Retention", "Erase", request))

    async def erasures(self, *, limit: int = 50) -> list[Erasure]:
        """Who erased what and when, the newest first; LIMIT 0 = all."""
        from headrace import reading_retention
        from headrace_protos.v1 import retention_pb2

        request = retention_pb2.ListErasuresRequest(page_size=min(limit or PAGE, PAGE))
        found: list[Erasure] = []
        while True:
            page = (await self._connection.call("Retention", "ListErasures", request)).erasures
            found += [reading_retention.erasure(one) for one in page]
            if len(page) < request.page_size or (limit and len(found) >= limit):
                return found[: limit or None]
            request.before_id = page[-1].id
