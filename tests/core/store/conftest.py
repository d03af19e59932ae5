"""One ``store`` fixture stands for every store that runs this suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import metaxy_core as mx


@pytest.fixture(autouse=True)
def _own_graph(graph: mx.FeatureGraph) -> None:
    """Features of one test are unknown to the next."""


@pytest.fixture
def store() -> Iterator[mx.MetadataStore]:
    """An empty store."""
    with mx.DuckDBMetadataStore(":memory:") as empty:
        yield empty
