"""Metadata of an input narrows what is loaded, and is checked before anything is read."""

from collections.abc import Generator, Iterable, Iterator
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd
from metaxy_dagster.input_selection import InputSelection

NAMES = ["a", "b", "c", "d", "e"]


@pytest.fixture
def written(lab, media):
    """Five clips in the store, and their asset."""
    lab.samples = dict.fromkeys(NAMES, ("1", "1"))
    asset = lab.video(media)
    lab.run(asset)
    return asset


def loaded(lab, media, written, annotation, **metadata):
    """What a function makes of its parameter ``video``, as it is consumed inside the run."""
    got: list[Any] = []

    def transcript(increment, video):
        streams = isinstance(video, Iterator | pa.RecordBatchReader)
        got.append(list(video) if streams else video)

    transcript.__annotations__ = {"video": annotation}
    narrowed = {"video": dg.AssetIn(lab.VIDEO, metadata=metadata)}
    asset = mxd.metaxify(media.Transcript, ins=narrowed)(transcript)
    lab.run(written, asset, selection=[asset])
    return got[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (Iterator[pl.DataFrame], pl.DataFrame),
        (Iterable[pa.Table], pa.Table),
        (Generator[pa.RecordBatch], pa.RecordBatch),
        (Iterator[pd.DataFrame], pd.DataFrame),
    ],
)
def test_an_iterator_gives_batches(lab, media, written, annotation, kind):
    batches = loaded(lab, media, written, annotation, batch_size=2, columns=["video_id"])

    assert {type(batch) for batch in batches} == {kind}
    frames = [pl.DataFrame(batch) for batch in batches]
    assert sorted(frame.height for frame in frames) == [1, 2, 2]
    assert pl.concat(frames).sort("video_id")["video_id"].to_list() == NAMES


def test_batches_are_one_state_of_the_store_however_long_they_take(lab, media, written):
    seen = []

    def transcript(increment, video: Iterator[pl.DataFrame]):
        for batch in video:
            with lab.store.open() as store:
                store.delete(media.Video, batch)
            seen.extend(batch["video_id"])

    narrowed = {"video": dg.AssetIn(lab.VIDEO, metadata={"batch_size": 2})}
    asset = mxd.metaxify(media.Transcript, ins=narrowed)(transcript)
    lab.run(written, asset, selection=[asset])

    assert sorted(seen) == NAMES
    assert lab.records(media.Video) == []


def test_batches_that_are_not_taken_leave_the_store_to_others(lab, media, written):
    def transcript(increment, video: Iterator[pl.DataFrame]):
        next(video)
        return lab.transcribed(increment.new)

    lab.run(written, mxd.metaxify(media.Transcript)(transcript))

    assert len(lab.records(media.Transcript)) == 5


def test_a_reader_streams_and_knows_its_columns(lab, media, written):
    reader = loaded(lab, media, written, pa.RecordBatchReader, columns=["path"], batch_size=3)

    table = pa.Table.from_batches(reader)
    assert table.schema.names == ["path"]
    assert [batch.num_rows for batch in reader] == [3, 2]


def test_no_records_are_no_batches_and_an_empty_reader(lab, media, written):
    nothing = {"filters": "video_id = 'z'"}

    assert loaded(lab, media, written, Iterator[pl.DataFrame], **nothing) == []
    assert loaded(lab, lab.features(text="2"), written, pa.RecordBatchReader, **nothing) == []


def test_a_duckdb_relation_joins_with_others_of_its_kind(lab, media, written):
    relation = loaded(lab, media, written, duckdb.DuckDBPyRelation, filters="video_id < 'c'")

    rows = relation.join(duckdb.sql("SELECT 'a' AS video_id, 7 AS views"), "video_id")
    assert rows.select("video_id", "path", "views").fetchall() == [("a", "a.mp4", 7)]


def test_a_plain_asset_says_that_it_wants_batches(lab, media, written):
    got = []

    @dg.asset(ins={"video": dg.AssetIn(lab.VIDEO, dagster_type=mxd.batches_of(pa.Table))})
    def report(video) -> None:
        got.extend(table.num_rows for table in video)

    lab.run(written, report, selection=[report])

    assert got == [5]


def test_batches_of_anything_else_are_refused():
    with pytest.raises(mx.MetaxyError, match=r"in batches of <class 'dict'>; name one of polars"):
        mxd.batches_of(dict)


@pytest.mark.parametrize("annotation", [pl.LazyFrame, Iterator[pl.DataFrame]])
def test_a_column_that_is_not_there_is_told_when_the_input_is_loaded(
    lab, media, written, annotation
):
    with pytest.raises(mx.MetaxyError, match=r"'paht'.*'example/video'.*mean 'path'"):
        loaded(lab, media, written, annotation, columns=["paht"])
    with pytest.raises(mx.MetaxyError, match=r"'length'.*'example/video'"):
        loaded(lab, lab.features(text="2"), written, annotation, filters="length > 3")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"columns": "path"}, r"metadata=\{'columns': 'path'\}, which is not a list of column"),
        ({"columns": []}, r"\{'columns': \[\]\}, which is not a list of column names"),
        ({"columns": ["path", 3]}, r"which is not a list of column names"),
        ({"filters": 7}, r"\{'filters': 7\}, which is not SQL text"),
        ({"filters": "path ="}, r"Filter 'path ='"),
        ({"batch_size": 0}, r"\{'batch_size': 0\}, which is not a whole number of rows from 1"),
        ({"batch_size": "many"}, r"\{'batch_size': 'many'\}, which is not a whole number"),
        ({"filter": "x = 1"}, r"Input 'video' has metadata 'filter'.*write 'filters'"),
        ({"column": ["path"]}, r"Input 'video' has metadata 'column'.*write 'columns'"),
    ],
)
def test_metadata_that_says_nothing_loadable_is_refused(metadata, message):
    with pytest.raises(mx.MetaxyError, match=message):
        InputSelection.from_metadata("video", metadata)


def test_an_input_with_such_metadata_is_not_loaded(lab, media, written):
    with pytest.raises(mxd.AssetError, match=r"Input 'video' has metadata 'filter'"):
        loaded(lab, media, written, pl.DataFrame, filter="video_id = 'a'")


def test_metadata_values_and_other_metadata_are_fine(lab, media, written):
    frame = loaded(
        lab,
        media,
        written,
        pl.DataFrame,
        columns=dg.MetadataValue.json(["path"]),
        filters=dg.MetadataValue.text("video_id = 'a'"),
        owner="me",
    )

    assert frame.to_dicts() == [{"path": "a.mp4"}]


def test_io_managers_differ_by_asset(lab, media, tmp_path):
    other = mxd.MetaxyStoreResource(database=str(tmp_path / "other.duckdb"))
    resources = {"other_store": other, "other_io": mxd.MetaxyIOManager(store=other)}

    @dg.asset(key=lab.VIDEO, metadata={"metaxy/feature": media.Video}, io_manager_key="other_io")
    def video():
        return lab.clips(lab.samples)

    @dg.asset(ins={"clips": dg.AssetIn(lab.VIDEO)}, io_manager_key="plain")
    def names(clips: pl.DataFrame):
        return clips["video_id"].to_list()

    @dg.asset(io_manager_key="plain")
    def shout(names):
        return [name.upper() for name in names]

    result = lab.run(video, names, shout, resources={**resources, "plain": dg.mem_io_manager})

    assert sorted(result.output_for_node("shout")) == ["A", "B"]
    assert lab.records(media.Video) == []
    with other.open() as store:
        assert store.count(media.Video) == 2
