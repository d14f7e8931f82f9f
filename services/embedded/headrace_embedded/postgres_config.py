"""The configuration of the bundled Postgres, as text; written anew at each start. Pure.

Small in memory (one user, one machine), nothing on the network, and as durable as Postgres is: fsync and checksums stay on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

USER: Final = "headrace"
DATABASE: Final = "headrace"
PORT: Final = 5432  # names the socket's file only

SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "''",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "superuser_reserved_connections": "3",
    # Memory: rows that matter are few; the kernel's cache holds the rest.
    "shared_buffers": "24MB",
    "huge_pages": "off",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "wal_buffers": "1MB",
    "jit": "off",
    # Processes: no replication, no parallel workers, no helper processes for reading.
    "io_method": "sync",
    "max_worker_processes": "0",
    "max_parallel_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "max_wal_senders": "0",
    "max_replication_slots": "0",
    "max_logical_replication_workers": "0",
    "wal_level": "minimal",
    "autovacuum_max_workers": "1",
    "autovacuum_worker_slots": "1",
    "autovacuum_naptime": "30s",
    # Queue-like tables: vacuum by count, early.
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_vacuum_insert_scale_factor": "0.1",
    # Durable, with few checkpoints.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "checkpoint_timeout": "15min",
    "max_wal_size": "512MB",
    "min_wal_size": "48MB",
    "bgwriter_lru_maxpages": "100",
    # Texts: the same on every machine.
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "datestyle": "'ISO, YMD'",
    "lc_messages": "'C'",
    "client_encoding": "'UTF8'",
    "log_line_prefix": "'%m [%p] '",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",  # statements may hold users' values
}


def configuration(sockets: Path) -> str:
    """postgresql.conf."""
    lines = ["# Written by Headrace at each start; changes here are lost."]
    lines += [f"{name} = {value}" for name, value in SETTINGS.items()]
    lines.append(f"unix_socket_directories = '{_quoted(str(sockets))}'")
    return "\n".join(lines) + "\n"


def authentication(client: str | None) -> tuple[str, str]:
    """pg_hba.conf and pg_ident.conf for the system user CLIENT; None: it has no name, so the private folder alone guards."""
    if client is None:
        return "local all all trust\n", ""
    return "local all all peer map=headrace\n", f'headrace "{_quoted(client)}" {USER}\n'


def _quoted(text: str) -> str:
    return text.replace("'", "''")
