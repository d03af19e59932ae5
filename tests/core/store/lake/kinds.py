"""The lake stores by name, and ClickHouse, which is pinned by heads as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import metaxy_core as mx

CLICKHOUSE = "clickhouse"

KINDS = {
    "delta": mx.DeltaMetadataStore,
    "iceberg": mx.IcebergMetadataStore,
    "lance": mx.LanceMetadataStore,
}


def opened(kind: str, path: Path | str, **options: Any) -> mx.MetadataStore:
    """A store; few records need one thread."""
    if kind == CLICKHOUSE:
        from tests.servers import clickhouse_in

        return clickhouse_in(Path(path), **options)
    return KINDS[kind](path, settings={"threads": 1}, **options)
