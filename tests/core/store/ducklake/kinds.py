"""DuckLake stores, by what holds their catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import metaxy_core as mx
from tests.servers import postgres_uri, schema_of

KINDS = ("duckdb", "sqlite", "postgres")


def opened(kind: str, folder: Path, **options: Any) -> mx.DuckLakeMetadataStore:
    """A store that belongs to a folder; few records need one thread."""
    folder.mkdir(exist_ok=True)
    catalog = {
        "duckdb": lambda: str(folder / "catalog.ducklake"),
        "sqlite": lambda: f"sqlite:{folder / 'catalog.sqlite'}",
        "postgres": postgres_uri,
    }[kind]()
    quick = {"settings": {"threads": 1}, "schema": schema_of(folder)}
    quick |= {"data_path": folder / "data"}
    return mx.DuckLakeMetadataStore(catalog, **{**quick, **options})
