"""Inputs that lie in no store of the platform's, fetched by this Pod's companion before staging. Blocking.

What is fetched is bounded as the platform's operator says (`HEADRACE_IMPORT_*`), and no credentials but the companion's own
environment are there. Folders are left out: a Pod's own disk is nobody's input.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from headrace_companion.remote.fetching import Fetcher, Means, file_name
from headrace_companion.remote.kept import Kept
from headrace_companion.remote.rewriting import Rewrites
from headrace_companion.remote.sources import Ambient, FetchFailed, Limits, NothingThere, shown
from headrace_companion.results import Reason
from headrace_companion.staging import Elsewhere, StagingFailed

PREFIX: Final = "HEADRACE_IMPORT_"


@dataclass
class Fetched:
    """Content on this disk, until `release`."""

    places: dict[str, Elsewhere] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    kept: list[Kept] = field(default_factory=list)

    def release(self, fetcher: Fetcher) -> None:
        for one in self.kept:
            fetcher.release(one)


def fetcher(folder: Path, environ: Mapping[str, str]) -> Fetcher:
    """Keeps nothing beyond this attempt."""
    limits = Limits(
        most_bytes=int(environ.get(f"{PREFIX}MAX_BYTES") or Limits().most_bytes),
        silence_s=float(environ.get(f"{PREFIX}SILENCE_S") or Limits().silence_s),
    )
    return Fetcher(folder, Means(limits, 0, Rewrites.parse(environ.get(f"{PREFIX}REWRITE", ""))), Ambient(environ))


def fetch(uris: Iterable[str], names: Mapping[str, str], through: Fetcher) -> Fetched:
    """All that can be fetched; `names` says whose input a URI is. Raises StagingFailed."""
    fetched = Fetched()
    for uri in dict.fromkeys(uris):
        if not through.can_fetch(uri):
            continue
        name = file_name(through.location(uri))
        try:
            kept = through.fetch(uri, threading.Event(), lambda done, total: None)
        except NothingThere as nothing:
            fetched.places[uri] = Elsewhere(None, name, str(nothing))
            continue
        except FetchFailed as failed:
            fetched.release(through)
            raise StagingFailed(f"input artifact '{names[uri]}': {failed}", Reason.MISSING_INPUT) from failed
        fetched.kept.append(kept)
        fetched.digests[shown(uri)] = kept.stored.digest
        fetched.places[uri] = Elsewhere(kept.path, name)
    return fetched
