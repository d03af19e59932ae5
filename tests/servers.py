"""Servers that tests need: started when the first test asks, shared by all processes of a run."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import metaxy_core as mx

_RUN = "METAXY_TEST_RUN"
_POSTGRES = "METAXY_TEST_POSTGRES"
_CLICKHOUSE = "METAXY_TEST_CLICKHOUSE"


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
    for users in folder.glob("*.users"):
        with suppress(OSError):
            (users / str(os.getpid())).unlink()
        if any(users.iterdir()):
            return
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


def schema_of(folder: Path) -> str:
    """The name of a schema or database that belongs to a folder."""
    return "test_" + hashlib.sha256(str(folder).encode()).hexdigest()[:16]


def postgres_in(folder: Path, *below: mx.MetadataStore, **options: Any) -> mx.PostgresMetadataStore:
    """A store that belongs to a folder: the schema is named after it."""
    schema = schema_of(folder)
    return mx.PostgresMetadataStore(postgres_uri(), schema=schema, fallback=below, **options)


@cache
def clickhouse_dsn() -> str:
    """A ClickHouse server; it ends with the last process that asked for it."""
    if _CLICKHOUSE in os.environ:
        return os.environ[_CLICKHOUSE]
    folder = run_folder()
    users, port = folder / "clickhouse.users", folder / "clickhouse.port"
    users.mkdir(exist_ok=True)
    (users / str(os.getpid())).touch()
    with suppress(FileExistsError):
        (folder / "clickhouse.started").touch(exist_ok=False)  # by one process of the run
        server = Path(__file__).with_name("clickhouse_server.py")
        command = [sys.executable, str(server), str(folder / "clickhouse"), str(users)]
        subprocess.Popen(
            command,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    deadline = time.monotonic() + 60
    while not port.exists():
        assert time.monotonic() < deadline, "the ClickHouse server does not start"
        time.sleep(0.05)
    os.environ[_CLICKHOUSE] = f"clickhouse://127.0.0.1:{port.read_text()}?compress=false"
    return os.environ[_CLICKHOUSE]


def clickhouse_in(
    folder: Path, *below: mx.MetadataStore, **options: Any
) -> mx.ClickHouseMetadataStore:
    """A store that belongs to a folder: the database is named after it."""
    return mx.ClickHouseMetadataStore(
        clickhouse_dsn(),
        database=schema_of(folder),
        settings={"max_threads": 1},
        fallback=below,
        **options,
    )
