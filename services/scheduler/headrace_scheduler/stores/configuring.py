"""From settings to stores: HEADRACE_ARTIFACT_ROOT is the default one, HEADRACE_STORES_FILE adds those of namespaces.

    stores:
    - root: s3://team-a/headrace          # runs of these namespaces publish beneath it
      namespaces: [team-a]
      keys_file: /etc/headrace/team-a     # as ~/.aws/credentials; else the platform's own keys
      profile: default
      endpoint: https://s3.example.com    # else AWS_ENDPOINT_URL_S3
      pod_endpoint: https://s3.internal   # where Pods reach it by another name; else HEADRACE_STORE_POD_ENDPOINT
      region: eu-west-1                   # else AWS_REGION
      reads: ["s3://datasets/"]           # what else these keys may read for their Pods

Called by `server`. Every mistake is a sentence that names the setting or the entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import yaml

from headrace_companion.machine_store import MachineStore
from headrace_companion.remote.sources import Ambient
from headrace_companion.store import ArtifactStore, StoreError
from headrace_scheduler.settings import SchedulerSettings
from headrace_scheduler.stores.areas import Area, Areas
from headrace_scheduler.stores.composite import Stores
from headrace_servicekit.errors import Reason, ServiceError

OBJECT_STORES: Final = ("s3://", "minio://")
FILE: Final = "HEADRACE_STORES_FILE"


@dataclass(frozen=True, slots=True)
class Entry:
    """One store of the file."""

    root: str
    namespaces: Sequence[str]
    keys_file: str = ""
    profile: str = ""
    endpoint: str = ""
    pod_endpoint: str = ""
    region: str = ""
    reads: Sequence[str] = ()


LISTS: Final = ("namespaces", "reads")
NAMES: Final = [field.name for field in fields(Entry)]


def make_stores(settings: SchedulerSettings, environ: Mapping[str, str]) -> Stores:
    """All stores of a platform. Raises ServiceError."""
    ambient = Ambient(environ)
    default = _default(settings, ambient)
    divided = not isinstance(default, MachineStore)
    areas = [Area(default.root, divided=divided)]
    others: list[ArtifactStore] = []
    for entry in read_entries(settings.stores_file) if settings.stores_file else ():
        try:
            store = _object_store(entry, settings, ambient)
        except StoreError as refused:
            raise ServiceError(Reason.INVALID_INPUT, f"{FILE}: the store {entry.root}: {refused}") from refused
        if any(store.root == area.root for area in areas):
            raise ServiceError(Reason.INVALID_INPUT, f"{FILE}: the root {store.root} is there twice")
        others.append(store)
        areas.append(Area(store.root, frozenset(entry.namespaces), tuple(entry.reads)))
    return Stores(default, others, Areas(areas))


def _default(settings: SchedulerSettings, ambient: Ambient) -> ArtifactStore:
    root = settings.artifacts()
    try:
        if root.startswith(OBJECT_STORES):
            return _object_store(Entry(root, ()), settings, ambient)
        if settings.executor == "kubernetes":
            raise StoreError(f"no Pod reaches the folder {root} of this machine: set it to s3://bucket/prefix")
        return MachineStore.from_uri(root)
    except StoreError as refused:
        raise ServiceError(Reason.INVALID_INPUT, f"HEADRACE_ARTIFACT_ROOT: {refused}") from refused


def _object_store(entry: Entry, settings: SchedulerSettings, ambient: Ambient) -> ArtifactStore:
    # Imported late: a platform whose artifacts lie in a folder never needs it, and it brings in much.
    from headrace_companion.buckets.connecting import Connection, FileKeys, from_environment
    from headrace_companion.buckets.s3_store import S3Store, checked_root

    root = checked_root(entry.root)
    ambiently = from_environment(ambient)
    if root.startswith("minio://") and not (entry.endpoint or ambient.first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")):
        raise StoreError("minio:// needs its server's address in AWS_ENDPOINT_URL_S3")
    keys = FileKeys(Path(entry.keys_file), entry.profile) if entry.keys_file else ambiently.keys
    if keys is None:
        raise StoreError(
            f"there are no keys for {root}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SHARED_CREDENTIALS_FILE"
        )
    connection = Connection(
        endpoint=entry.endpoint or ambiently.endpoint,
        region=entry.region or ambiently.region,
        public_endpoint=entry.pod_endpoint or settings.store_pod_endpoint,
        keys=keys,
    )
    return S3Store(root, connection, ambient)


def read_entries(file: Path) -> list[Entry]:
    """The stores of HEADRACE_STORES_FILE. Raises ServiceError with what is wrong."""
    try:
        held = yaml.safe_load(file.read_text())
    except OSError as error:
        raise _wrong(f"{file} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _wrong(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    stores = held.get("stores") if isinstance(held, dict) else None
    if not isinstance(stores, list):
        raise _wrong(f"{file} must hold a list 'stores'")
    return [_entry(one, number) for number, one in enumerate(stores, 1)]


def _entry(held: Any, number: int) -> Entry:
    which = f"store {number}"
    if not isinstance(held, dict):
        raise _wrong(f"{which} must be a mapping with 'root' and 'namespaces'")
    for name, value in held.items():
        if name not in NAMES:
            raise _wrong(f"{which} has {name!r}, which is not known; known are {', '.join(NAMES)}")
        texts = value if name in LISTS and isinstance(value, list) else [value]
        if (name in LISTS and not isinstance(value, list)) or not all(isinstance(text, str) for text in texts):
            raise _wrong(f"{which}: {name!r} must be {'a list of texts' if name in LISTS else 'a text'}")
    for name in ("root", "namespaces"):
        if not held.get(name):
            raise _wrong(f"{which} has no {name!r}")
    for prefix in held.get("reads", ()):
        if not prefix.startswith(OBJECT_STORES):
            raise _wrong(f"{which}: {prefix!r} in 'reads' must begin with s3:// or minio://")
    return Entry(**held)


def _wrong(sentence: str) -> ServiceError:
    return ServiceError(Reason.INVALID_INPUT, f"{FILE}: {sentence}")
