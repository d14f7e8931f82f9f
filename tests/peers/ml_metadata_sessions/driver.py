"""Drives one session of the official client against one store and prints what was answered as JSON. Runs in .venv-mlmd.

python driver.py sqlite | HOST:PORT
"""

from __future__ import annotations

import json
import sys

import differences_session
import lineage_session
import links_session
import lists_session
import nodes_session
import random_session
import types_session
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as ms
from recording import Recorder

SESSIONS = (types_session, nodes_session, links_session, lists_session, lineage_session, differences_session)


def connect(target: str) -> MetadataStore:
    if target == "sqlite":
        config = ms.ConnectionConfig(retry_options=ms.RetryOptions(max_num_retries=1))
        config.sqlite.SetInParent()
        return MetadataStore(config)
    host, _, port = target.rpartition(":")
    store = MetadataStore(ms.MetadataStoreClientConfig(host=host, port=int(port), client_timeout_sec=30))
    store._max_num_retries = 1  # what is to be tried again is compared too
    return store


def main() -> None:
    recorder = Recorder(connect(sys.argv[1]))
    if len(sys.argv) > 2:
        random_session.run(recorder, int(sys.argv[2]))
    else:
        for session in SESSIONS:
            session.run(recorder)
    public = {name for name in dir(MetadataStore) if name.startswith(("get_", "put_"))}
    json.dump({"steps": recorder.steps, "left": sorted(public - recorder.called)}, sys.stdout)


if __name__ == "__main__":
    main()
