"""Stores whose tables are files in a folder, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import metaxy_core as mx
from tests.core.store.ducklake import kinds as ducklake
from tests.core.store.lake import kinds as lake

KINDS: Final[dict[str, Callable[..., mx.MetadataStore]]] = {
    **{kind: partial(lake.opened, kind) for kind in lake.KINDS},
    **{f"ducklake-{kind}": partial(ducklake.opened, kind) for kind in ducklake.KINDS},
}


def opened(kind: str, path: Path, **options: Any) -> mx.MetadataStore:
    """A store in a folder."""
    return KINDS[kind](path, **options)
