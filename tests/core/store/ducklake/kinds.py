"""DuckLake stores, by what holds their catalog."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import metaxy_core as mx
from tests.servers import postgres_uri

KINDS = ("duckdb", "sqlite", "postgres")


def opened(kind: str, folder: Path, **options: Any) -> mx.DuckLakeMetadataStore:
    """A store that belongs to a folder; few records need one thread."""
    folder.mkdir(exist_ok=True)
    catalog = {
        "duckdb": lambda: str(folder / "catalog.ducklake"),
        "sqlite": lambda: f"sqlite:{folder / 'catalog.sqlite'}",
        "postgres": postgres_uri,
    }[kind]()
    schema = "test_" + hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    quick = {"settings": {"threads": 1}, "schema": schema, "data_path": folder / "data"}
    return mx.DuckLakeMetadataStore(catalog, **{**quick, **options})
