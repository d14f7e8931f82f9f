"""AsyncExperiment, and `client.experiments`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from headrace.api.catalog import Catalog
from headrace.models import Experiment as Record

if TYPE_CHECKING:
    from headrace.api.connection import Connection


class AsyncExperiment:
    """A named group of runs."""

    def __init__(self, catalog: Catalog, record: Record) -> None:
        self._catalog = catalog
        self._record = record

    @property
    def record(self) -> Record:
        """What the platform says of it, as one plain value."""
        return self._record

    @property
    def id(self) -> str:
        """Its UUID."""
        return self._record.experiment_id

    @property
    def name(self) -> str:
        """Its name, which no other one has."""
        return self._record.name

    @property
    def description(self) -> str:
        """What was said about it when it was created."""
        return self._record.description

    @property
    def archived(self) -> bool:
        """Whether lists that hide archived experiments hide it."""
        return self._record.archived

    @property
    def created_at(self) -> datetime | None:
        """When it was created."""
        return self._record.created_at

    @property
    def last_run_created_at(self) -> datetime | None:
        """When its newest run was submitted."""
        return self._record.last_run_created_at

    async def refresh(self) -> AsyncExperiment:
        """Ask the platform what it says of the experiment now."""
        self._record = await self._catalog.experiment(self.id)
        return self

    async def archive(self) -> AsyncExperiment:
        """With all its runs, which go on."""
        await self._catalog.archive_experiment(self.id)
        return await self.refresh()

    async def unarchive(self) -> AsyncExperiment:
        """Bring it back; its runs stay archived."""
        await self._catalog.unarchive_experiment(self.id)
        return await self.refresh()

    async def delete(self) -> None:
        """Its runs stay. WrongState for the one named Default."""
        await self._catalog.delete_experiment(self.id)

    def __repr__(self) -> str:
        kind = type(self).__name__.removeprefix("Async")
        return f"<{kind} {self.id} {self.name!r}{' archived' if self.archived else ''}>"


class AsyncExperiments:
    """`client.experiments`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def create(self, name: str, description: str = "") -> AsyncExperiment:
        """AlreadyExists where the name is taken."""
        return AsyncExperiment(self._catalog, await self._catalog.create_experiment(name, description))

    async def get(self, name_or_id: str) -> AsyncExperiment:
        """By name or id; NotFound."""
        return AsyncExperiment(self._catalog, await self._catalog.experiment(name_or_id))

    async def list(self, *, limit: int = 20, archived: bool | None = None) -> list[AsyncExperiment]:
        """The newest first; LIMIT 0 = all. ARCHIVED: those alone that are, or are not."""
        found = await self._catalog.experiments(limit=limit, archived=archived)
        return [AsyncExperiment(self._catalog, one) for one in found]


async def experiment_id_of(connection: Connection, given: str | AsyncExperiment, *, create: bool = True) -> str:
    """An experiment by its name, created where there is none and that is wanted; "" is none in particular."""
    if isinstance(given, AsyncExperiment):
        return given.id
    if not given:
        return ""
    catalog = Catalog(connection)
    return (await (catalog.experiment_named(given) if create else catalog.experiment(given))).experiment_id
