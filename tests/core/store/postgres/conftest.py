"""Stores on a real server, and another session that can end theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import metaxy_core as mx
from tests.servers import postgres_in, postgres_uri


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., mx.MetadataStore]]:
    """Opens the store of the test once more."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(postgres_in(tmp_path, **options))


@pytest.fixture
def store(opened: Callable[..., mx.MetadataStore]) -> mx.MetadataStore:
    """An empty store."""
    return opened()


@pytest.fixture
def end() -> Iterator[Callable[[int], None]]:
    """Ends a session, as a server does that is shut down."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(postgres_uri(), autocommit=True) as other, other.cursor() as cursor:

        def ended(session: int) -> None:
            cursor.execute(f"SELECT pg_terminate_backend({session}, 10000)::text")
            cursor.fetch_arrow_table()

        yield ended


@pytest.fixture
def session() -> Callable[[mx.MetadataStore], int]:
    """The number by which the server knows a store's session."""

    def number(store: Any) -> int:
        return store.backend.connection.query("SELECT pg_backend_pid() AS n")["n"][0].as_py()

    return number
