"""The lake stores, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import metaxy_core as mx

KINDS = {
    "delta": mx.DeltaMetadataStore,
    "iceberg": mx.IcebergMetadataStore,
    "lance": mx.LanceMetadataStore,
}


def opened(kind: str, path: Path | str, **options: Any) -> mx.MetadataStore:
    """A store; few records need one thread."""
    return KINDS[kind](path, settings={"threads": 1}, **options)
