"""How large a pipeline may be. One place, so that a sentence, a check and the docs name the same number.

Nothing here is bounded by an engine object, as in KFP: the limits keep one mistake from filling a database. Limits of
values are in `values`, of files in `archives` and `documents`, of expressions in `expressions`.
"""

from __future__ import annotations

from typing import Final

# Entries of all `dag.tasks` of one spec.
MAX_TASKS: Final = 100_000
# Tasks of one run as far as the spec tells: components used several times, loops over lists that are written down.
MAX_RUN_TASKS: Final = 10_000_000
# Iterations of one loop execution; more would not fit into one value anyway.
MAX_ITERATIONS: Final = 1_000_000
# DAGs within DAGs.
MAX_NESTING: Final = 50
# Characters of a task's key: part of paths, ids and file names.
MAX_TASK_NAME: Final = 200
# Characters of a custom cache key.
MAX_CACHE_KEY: Final = 1024
# Attempts after the first.
MAX_RETRIES: Final = 1_000
# Bytes of an inline spec (of an uploaded file: `archives.MAX_BYTES`, the same).
MAX_SPEC_BYTES: Final = 32 << 20
