"""A DuckLake is whole whatever happens to its writers, wherever its catalog is."""

from __future__ import annotations

import shutil

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import ReadOnlyStore, StoreLocked
from metaxy_core.store.backends.ducklake_session import storable
from tests.core.store.ducklake.kinds import KINDS, opened


@pytest.fixture(autouse=True)
def features(graph: mx.FeatureGraph) -> tuple[type[mx.Feature], ...]:
    class Video(mx.Feature, spec=mx.FeatureSpec(key="video", id_columns=["id"])):
        pass

    class Label(mx.Feature, spec=mx.FeatureSpec(key="label", id_columns=["id"])):
        pass

    return Video, Label


def frame(*ids: str) -> pl.DataFrame:
    return pl.DataFrame({"id": ids, "metaxy_provenance_by_field": [{"default": "a"}] * len(ids)})


@pytest.mark.parametrize("kind", KINDS)
def test_one_writer_at_a_time_and_readers_of_what_is_there(kind, tmp_path):
    with opened(kind, tmp_path) as one, opened(kind, tmp_path, lock_timeout=0.0) as two:
        assert two.count("video") == 0
        one.write("video", frame("a"))
        with one.backend.transaction(), pytest.raises(StoreLocked):
            two.write("video", frame("b"))
        two.write("video", frame("b"))
        assert [commit.id for commit in one.commits("video")] in ([1, 2], [2, 1])
        with opened(kind, tmp_path, read_only=True) as reader:
            assert reader.count("video") == 2
            with pytest.raises(ReadOnlyStore):
                reader.write("video", frame("c"))


def test_catalog_and_data_may_be_moved_together(tmp_path):
    with opened("sqlite", tmp_path / "old") as store:
        store.write("video", frame("a", "b"))
    shutil.move(tmp_path / "old", tmp_path / "new")
    with opened("sqlite", tmp_path / "new") as store:
        assert store.count("video") == 2


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        ("ENUM('a', 'it''s')[]", "VARCHAR[]"),
        ("INTEGER[2][]", "INTEGER[][]"),
        ("STRUCT(a TIME_NS, b BIT)", "STRUCT(a TIME, b VARCHAR)"),
        ("HUGEINT", "DECIMAL(38,0)"),
        ("MAP(VARCHAR, DOUBLE)", "MAP(VARCHAR, DOUBLE)"),
    ],
)
def test_a_type_that_there_is_not_has_a_substitute(kind, stored):
    assert storable(kind) == stored
