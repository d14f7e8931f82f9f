"""Postgres for the services that own a schema: a pool, transactions that are retried, one error mapping, migrations.

The only module that imports psycopg. Every statement takes its values as parameters; psycopg.Error never leaves.
Works behind a transaction pooler: no session state, and server-side PREPARE is given up where the pooler cannot keep it.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, LiteralString, TypeVar

import psycopg
import psycopg_pool
from psycopg import sql

from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.sqlfiles import Migration, load_migrations
from headrace_servicekit.telemetry import pools

logger = logging.getLogger(__name__)
T = TypeVar("T")
Row = tuple[Any, ...]
Connection = psycopg.AsyncConnection[Row]
Params = Mapping[str, Any] | Sequence[Any] | None
ATTEMPTS: Final = 6  # of one transaction; conflicts of ours resolve at once, so more would hide a fault
RETRIED: Final = frozenset({"40001", "40P01"})  # serialization failure, deadlock
POOLER: Final = frozenset({"26000", "42P05"})  # PREPAREd unknown, or twice: a pooler changed the server under us
GONE: Final = frozenset({"57P01", "57P02", "57P03", "53300", "25006"})  # shutting down, starting, full house, a standby
VERSIONS: Final = "schema_migrations"  # in each schema: what was applied
FIRST: Final = """CREATE SCHEMA IF NOT EXISTS {}; CREATE TABLE {} (
    version integer PRIMARY KEY, name text NOT NULL, digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"""


class QueryError(ServiceError):
    """Postgres refused a statement: SQLSTATE and CONSTRAINT say why to the caller, who knows what they mean."""

    def __init__(self, reason: Any, message: str, sqlstate: str, constraint: str) -> None:
        super().__init__(reason, message)
        self.sqlstate, self.constraint = sqlstate, constraint


class UniqueViolationError(QueryError):
    """A row of that key exists; the caller names the thing."""


class Transaction:
    """One transaction: statements in, rows (all, or the first) or the number of changed rows out."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def fetch(self, query: LiteralString, params: Params = None) -> list[Row]:
        return await (await self.connection.execute(query, params)).fetchall()

    async def fetch_one(self, query: LiteralString, params: Params = None) -> Row | None:
        return await (await self.connection.execute(query, params)).fetchone()

    async def execute(self, query: LiteralString, params: Params = None) -> int:
        return (await self.connection.execute(query, params)).rowcount


class Database:
    """A pool of connections to one database, opened by `async with`."""

    def __init__(self, url: str, *, name: str, min_size: int = 1, max_size: int = 4, wait: float = 5.0) -> None:
        self.url, self._name, self._prepare = url, name, True
        sizes: Any = {"min_size": min_size, "max_size": max_size, "timeout": wait, "max_idle": 60.0, "num_workers": 1}
        of_each = {"autocommit": True, "application_name": name, "client_encoding": "utf8"}
        self._pool = psycopg_pool.AsyncConnectionPool[Connection](
            url, kwargs=of_each, configure=self._configure, open=False, name=name, **sizes
        )

    async def __aenter__(self) -> Database:
        await (await connect(self.url, self._name)).close()  # the pool would hide why it cannot behind a time-out
        await self._pool.open()
        pools[self._name] = self._pool.get_stats
        return self

    async def __aexit__(self, *_: object) -> None:
        pools.pop(self._name, None)
        await self._pool.close(timeout=2.0)

    async def _configure(self, connection: Connection) -> None:
        connection.prepare_threshold = 3 if self._prepare else None

    async def transaction(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """The answer of WORK, committed; WORK may run several times, so it does nothing but statements.

        A commit whose answer is lost ends in UNAVAILABLE (nobody knows its end): the caller repeats it, safe by its keys.
        """

        async def attempt(connection: Connection, sent: list[bool]) -> T:
            async with connection.transaction():
                answer = await work(Transaction(connection))
                sent.append(True)
            return answer

        return await self._attempts(attempt)

    async def read(self, query: LiteralString, params: Params = None) -> list[Row]:
        """All rows of one statement that changes nothing, without a transaction round it."""
        return await self._attempts(lambda connection, _: Transaction(connection).fetch(query, params))

    async def probe(self) -> None:
        await self.read("SELECT 1")

    async def _attempts(self, attempt: Callable[[Connection, list[bool]], Awaitable[T]]) -> T:
        for left in reversed(range(ATTEMPTS)):
            sent: list[bool] = []
            with mapped(self._name):
                try:
                    async with self._pool.connection() as connection:
                        return await attempt(connection, sent)
                except psycopg.Error as failed:
                    if not left or not await self._again(failed, committing=bool(sent)):
                        raise
        raise AssertionError("the last attempt returns or raises")

    async def _again(self, failed: psycopg.Error, *, committing: bool) -> bool:
        """Whether the same work may be tried on another connection."""
        if failed.sqlstate in RETRIED:
            return True
        if failed.sqlstate in POOLER and self._prepare:
            logger.warning("%s: a pooler stands before Postgres; statements are no longer prepared", self._name)
            self._prepare = False
            await self._pool.drain()
            return True
        if committing or isinstance(failed, psycopg_pool.PoolTimeout) or not _is_lost(failed):
            return False
        await self._pool.check()  # Postgres restarted: drop every connection that died with it
        return True

    @asynccontextmanager
    async def listen(self, channel: LiteralString) -> AsyncIterator[AsyncIterator[str]]:
        """The payloads sent to CHANNEL, over a connection of its own; ends with UNAVAILABLE when that is lost."""
        with mapped(self._name):
            async with await connect(self.url, f"{self._name} listen") as connection:
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                yield self._payloads(connection)

    async def _payloads(self, connection: Connection) -> AsyncIterator[str]:
        with mapped(self._name):
            async for notification in connection.notifies():
                yield notification.payload


async def connect(url: str, name: str) -> Connection:
    with mapped(name):
        return await psycopg.AsyncConnection.connect(url, autocommit=True, application_name=name, connect_timeout=10)


def _is_lost(failed: psycopg.Error) -> bool:
    state = failed.sqlstate or ""
    return state in GONE or state.startswith("08") or (not state and isinstance(failed, psycopg.OperationalError))


@contextmanager
def mapped(name: str) -> Iterator[None]:
    """Errors of psycopg inside leave as ServiceError."""
    try:
        yield
    except psycopg.Error as failed:
        raise _mapped(failed, name) from failed
    except UnicodeEncodeError as failed:
        raise ServiceError(Reason.INVALID_INPUT, f"{name}: a text holds a lone surrogate") from failed


def _mapped(failed: psycopg.Error, name: str) -> ServiceError:
    state, constraint = failed.sqlstate or "", failed.diag.constraint_name or ""
    said = failed.diag.message_primary or str(failed).partition("\n")[0]
    if _is_lost(failed):
        return ServiceError(Reason.UNAVAILABLE, f"{name}: Postgres cannot be reached: {said}", retry_after=1.0)
    if state == "23505":
        said = f"{name}: a row of that key exists ({constraint})"
        return UniqueViolationError(Reason.ALREADY_EXISTS, said, state, constraint)
    if state == "53100":
        return ServiceError(Reason.STORAGE_FULL, f"{name}: the disk of Postgres is full: make room, then it goes on")
    if state == "57014":
        return ServiceError(Reason.DEADLINE, f"{name}: a statement took too long: {said}")
    if state in ("22021", "22P05") or (isinstance(failed, psycopg.DataError) and not state):  # no such character
        return ServiceError(Reason.INVALID_INPUT, f"{name}: a value cannot be stored: {said}")
    return QueryError(Reason.INTERNAL, f"{name}: Postgres refused a statement ({state} {said})", state, constraint)


async def migrate(url: str, schema: str, folder: Path) -> int:
    """Bring SCHEMA to the newest migration of FOLDER; any number of processes may do it at once. Returns the version."""
    migrations = load_migrations(folder)
    with mapped(name := f"migrations of {schema}"):
        async with await connect(url, name) as connection:
            return await _migrate(connection, schema, migrations)


async def _migrate(connection: Connection, schema: str, migrations: list[Migration]) -> int:
    applied = await _applied(connection, schema)
    for migration in migrations:
        if applied.get(migration.version, migration.digest) != migration.digest:
            changed = f"migration {migration.name} of {schema} was changed after it was applied"
            raise ServiceError(Reason.WRONG_STATE, f"{changed}: restore it and add a new one")
        if migration.version in applied:
            continue
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"headrace {schema}",))
            if migration.version not in await _applied(connection, schema):  # else another process was first
                await _apply(connection, schema, migration)
    return max([*applied, *(migration.version for migration in migrations)], default=0)


async def _apply(connection: Connection, schema: str, migration: Migration) -> None:
    if migration.version == 1:
        await connection.execute(sql.SQL(FIRST).format(sql.Identifier(schema), sql.Identifier(schema, VERSIONS)))
    await connection.execute(migration.statements)
    insert = sql.SQL("INSERT INTO {} (version, name, digest) VALUES (%s, %s, %s)")
    values = (migration.version, migration.name, migration.digest)
    await connection.execute(insert.format(sql.Identifier(schema, VERSIONS)), values)


async def _applied(connection: Connection, schema: str) -> dict[int, str]:
    # Not to_regclass: its answer may come from this session's cache, older than the lock that we waited for.
    there = "SELECT 1 FROM pg_tables WHERE schemaname = %s AND tablename = %s"
    if await (await connection.execute(there, (schema, VERSIONS))).fetchone() is None:
        return {}
    versions = sql.SQL("SELECT version, digest FROM {}").format(sql.Identifier(schema, VERSIONS))
    return dict(await (await connection.execute(versions)).fetchall())
