"""Servers that tests need: started when the first test asks, shared by all processes of a run."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

import metaxy_core as mx

_RUN = "METAXY_TEST_RUN"
_POSTGRES = "METAXY_TEST_POSTGRES"


@cache
def run_folder() -> Path:
    """A folder for servers; the processes of one run of the tests have the same."""
    own = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    run = os.environ.setdefault(_RUN, own)  # for processes that tests start
    folder = Path(tempfile.gettempdir()) / f"metaxy-tests-{run[:12]}"
    folder.mkdir(mode=0o700, exist_ok=True)
    atexit.register(_tidy, folder)
    return folder


def _tidy(folder: Path) -> None:
    """Remove what is left once the last process that used a server has removed its data."""
    if not (folder / "postgres").exists():
        shutil.rmtree(folder, ignore_errors=True)


@cache
def postgres_uri() -> str:
    """A PostgreSQL server; it is gone when the last process that started it has ended.

    Processes that tests start, some of which are killed, find it in the environment.
    """
    if _POSTGRES in os.environ:
        return os.environ[_POSTGRES]
    runtime = run_folder() / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))  # or what follows warns
    import pgserver

    server = pgserver.get_server(run_folder() / "postgres", cleanup_mode="delete")
    os.environ[_POSTGRES] = str(server.get_uri())
    return os.environ[_POSTGRES]


def postgres_in(folder: Path, *below: mx.MetadataStore) -> mx.PostgresMetadataStore:
    """A store that belongs to a folder: the schema is named after it."""
    schema = "test_" + hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return mx.PostgresMetadataStore(postgres_uri(), schema=schema, fallback=below)


def clickhouse_in(folder: Path, *below: mx.MetadataStore) -> mx.ClickHouseMetadataStore:
    """A store that belongs to a folder: the database is named after it."""
    database = "test_" + hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    place = f"chdb:{run_folder() / 'clickhouse'}"
    return mx.ClickHouseMetadataStore(place, database=database, fallback=below)
