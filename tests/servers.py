"""Servers that tests need: started when the first test asks, shared by all processes of a run."""

from __future__ import annotations

import hashlib
import tempfile
from functools import cache
from pathlib import Path

import metaxy_core as mx


@cache
def postgres_uri() -> str:
    """A PostgreSQL server, which stops when the last process that asked for it has ended."""
    import pgserver

    folder = Path(tempfile.gettempdir()) / "metaxy-tests-postgres"
    return str(pgserver.get_server(folder, cleanup_mode="stop").get_uri())


def postgres_in(folder: Path, *below: mx.MetadataStore) -> mx.PostgresMetadataStore:
    """A store that belongs to a folder: the schema is named after it."""
    schema = "test_" + hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return mx.PostgresMetadataStore(postgres_uri(), schema=schema, fallback=below)
