"""Upstream features come as whatever an input is annotated with."""

from typing import Any

import dagster as dg
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd

ROWS = [{"video_id": "a", "path": "a.mp4"}, {"video_id": "b", "path": "b.mp4"}]
COLUMNS = ["video_id", "path"]


def loaded(lab, media, annotation, ins=None, **resources):
    """What a transcript function gets for its parameter ``video``."""
    got: list[Any] = []

    def transcript(increment, video):
        got.append(video)

    transcript.__annotations__ = {"video": annotation} if annotation is not None else {}
    asset = mxd.metaxify(media.Transcript, ins=ins or {})(transcript)
    lab.run(lab.video(media), asset, resources=resources)
    return got[0]


@pytest.mark.parametrize("annotation", [None, Any, pl.DataFrame])
def test_polars_is_the_default(lab, media, annotation):
    frame = loaded(lab, media, annotation)

    assert isinstance(frame, pl.DataFrame)
    assert frame.select(COLUMNS).sort("video_id").to_dicts() == ROWS
    assert frame["metaxy_feature_version"].n_unique() == 1


def test_a_pandas_frame(lab, media):
    frame = loaded(lab, media, pd.DataFrame)

    assert frame[COLUMNS].sort_values("video_id").to_dict("records") == ROWS


def test_an_arrow_table(lab, media):
    table = loaded(lab, media, pa.Table)

    assert table.select(COLUMNS).sort_by("video_id").to_pylist() == ROWS


def test_an_ibis_table(lab, media):
    table = loaded(lab, media, ir.Table)

    assert table.select(COLUMNS).order_by("video_id").to_pyarrow().to_pylist() == ROWS


def test_a_lazy_frame_reads_the_store_when_it_is_collected(lab, media):
    frame = loaded(lab, media, pl.LazyFrame)
    lab.samples["c"] = ("1", "1")
    lab.run(lab.video(media))

    assert frame.collect_schema()["path"] == pl.String
    assert frame.select("video_id").sort("video_id").collect().to_series().to_list() == list("abc")
    assert frame.filter(pl.col("path") == "c.mp4").select(COLUMNS).collect().to_dicts() == [
        {"video_id": "c", "path": "c.mp4"}
    ]
    assert frame.select(pl.len()).collect().item() == 3
    assert frame.head(2).collect().height == 2


def test_input_metadata_narrows_columns_and_records(lab, media):
    narrow = dg.AssetIn(lab.VIDEO, metadata={"columns": ["path"], "filters": "video_id <> 'a'"})

    frame = loaded(lab, media, pl.DataFrame, {"video": narrow})
    lazy = loaded(lab, lab.features(text="2"), pl.LazyFrame, {"video": narrow})

    assert frame.to_dicts() == [{"path": "b.mp4"}]
    assert lazy.collect().to_dicts() == [{"path": "b.mp4"}]


def test_ins_name_a_feature_under_another_parameter(lab, media):
    @mxd.metaxify(media.Transcript, ins={"uploads": media.Video})
    def transcript(increment: mx.Increment, uploads: pl.DataFrame):
        paths = uploads.select("video_id", text=pl.format("text of {}", "path"))
        return increment.new.join(paths, on="video_id")

    lab.run(lab.video(media), transcript)

    assert [dep.asset_key for spec in transcript.specs for dep in spec.deps] == [lab.VIDEO]
    assert lab.records(media.Transcript) == lab.texts("a", "b")


def test_ins_bring_assets_that_are_no_features(lab, media):
    @dg.asset
    def glossary() -> dict[str, str]:
        return {"a": "alpha"}

    @mxd.metaxify(media.Transcript, ins={"glossary": dg.AssetIn("glossary")})
    def transcript(increment: mx.Increment, glossary: dict):
        return increment.new.head(1).with_columns(text=pl.lit(glossary["a"]))

    resources = {"io_manager": dg.mem_io_manager}
    lab.run(lab.video(media), glossary, transcript, resources=resources)

    assert [row["text"] for row in lab.records(media.Transcript)] == ["alpha"]
    deps = {dep.asset_key.to_user_string() for spec in transcript.specs for dep in spec.deps}
    assert deps == {"example/video", "glossary"}


def test_a_root_and_its_samples_may_read_an_asset_that_is_no_feature(lab, media):
    @dg.asset
    def listing() -> list[str]:
        return ["a", "b"]

    def samples(listing: list[str]) -> pl.DataFrame:
        return lab.clips(dict.fromkeys(listing, ("1", "1")))

    @mxd.metaxify(media.Video, samples=samples, ins={"listing": dg.AssetIn("listing")})
    def video(increment: mx.Increment):
        return increment.new

    lab.run(listing, video, resources={"io_manager": dg.mem_io_manager})

    assert lab.commits(media.Video) == [["a", "b"]]


def test_a_feature_that_is_not_in_the_run_is_loaded_from_the_store(lab, media):
    video = lab.video(media)
    lab.run(video)

    @mxd.metaxify(media.Transcript)
    def transcript(increment: mx.Increment, video: pl.DataFrame):
        return lab.transcribed(increment.new.join(video.select("video_id"), on="video_id"))

    lab.run(video, transcript, selection=[transcript])
    lab.run(video.to_source_asset(), transcript)

    assert lab.records(media.Transcript) == lab.texts("a", "b")


def test_a_plain_asset_loads_a_feature_through_its_io_manager(lab, media):
    got = []

    @dg.asset(ins={"clips": dg.AssetIn(lab.VIDEO)})
    def report(clips: pa.Table) -> None:
        got.append(clips.num_rows)

    lab.run(lab.video(media), report)

    assert got == [2]


def test_a_feature_known_by_its_asset_key_alone_is_found_in_the_active_graph(lab, media):
    lab.run(lab.video(media))
    got = []
    video = dg.AssetSpec(lab.VIDEO).with_io_manager_key("metaxy_io_manager")

    @dg.asset(ins={"video": dg.AssetIn(lab.VIDEO)})
    def report(video: pl.DataFrame) -> None:
        got.append(video.height)

    with media.graph.use():
        lab.run(video, report)

    assert got == [2]


def test_a_feature_that_was_never_written_is_an_empty_frame(lab, media):
    lab.samples = {}

    @dg.asset(ins={"video": dg.AssetIn(lab.VIDEO)})
    def report(video: pl.DataFrame) -> None:
        assert video.select("video_id").to_dicts() == []

    assert lab.run(lab.video(media), report).success


def test_an_annotation_that_cannot_be_loaded_is_refused(lab, media):
    with pytest.raises(mx.MetaxyError, match=r"Input 'video' is annotated with .*ndarray.*pandas"):
        loaded(lab, media, np.ndarray)
