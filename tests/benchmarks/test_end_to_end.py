"""The measured Dagster run and the bare work beside it do the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import metaxy_core as mx
from benchmarks.dagster_project import STAMP, STORE
from benchmarks.end_to_end import by_itself, materialized
from benchmarks.engines.ours import Ours, features
from benchmarks.scenarios import Scenario


@pytest.mark.parametrize("run", [by_itself, materialized], ids=["alone", "by Dagster"])
def test_a_run_computes_every_record_and_notes_the_first(
    run: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, stamp = tmp_path / "store.duckdb", tmp_path / "stamp"
    monkeypatch.setenv(STORE, str(store))
    monkeypatch.setenv(STAMP, str(stamp))
    Ours().prepare(Scenario("resolve", "simple", 100, stored=False), tmp_path, store)
    run(*(["whole", tmp_path] if run is materialized else []))
    assert float(stamp.read_text("utf-8")) > 0
    with features("simple").use(), mx.DuckDBMetadataStore(store) as opened:
        assert opened.count("bench/leaf") == 100
        assert not opened.resolve_update("bench/leaf").counts
