"""A run of a metaxified function handles one increment, and is given what it asks for."""

import runpy
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd


class Model(dg.ConfigurableResource):
    name: str = "whisper"


class Options(dg.Config):
    suffix: str = "!"


def test_a_first_run_processes_every_record(lab, media):
    result = lab.run(*lab.assets(media))

    assert lab.processed == [["a", "b"]]
    assert lab.records(media.Transcript) == lab.texts("a", "b")
    assert lab.counts(result, lab.TRANSCRIPT) == {"new": 2, "processed": 2}


def test_a_run_processes_only_what_is_new_or_stale(lab, media):
    lab.run(*lab.assets(media))
    lab.samples |= {"b": ("2", "1"), "c": ("1", "1")}

    result = lab.run(*lab.assets(media))

    assert lab.processed == [["a", "b"], ["b", "c"]]
    assert lab.records(media.Transcript) == lab.texts("a", "b", "c")
    assert lab.counts(result, lab.VIDEO) == {"new": 1, "stale": 1, "processed": 2, "spared": 1}


def test_a_change_of_a_field_that_is_not_read_makes_no_work(lab, media):
    lab.run(*lab.assets(media))
    lab.samples["b"] = ("1", "2")

    result = lab.run(*lab.assets(media))

    assert lab.processed == [["a", "b"]]
    assert lab.counts(result, lab.VIDEO) == {"stale": 1, "processed": 1, "spared": 1}
    assert lab.counts(result, lab.TRANSCRIPT) == {"spared": 2}


def test_without_work_the_function_is_not_called_and_the_run_is_recorded(lab, media):
    lab.run(*lab.assets(media))

    result = lab.run(*lab.assets(media))

    assert lab.processed == [["a", "b"]]
    assert lab.commits(media.Transcript) == [["a", "b"]]
    assert lab.counts(result, lab.TRANSCRIPT) == {"spared": 2}


def test_a_root_function_returns_samples_and_only_changed_ones_are_written(lab, media):
    lab.run(lab.video(media))
    lab.samples["c"] = ("1", "1")

    lab.run(lab.video(media))

    assert lab.commits(media.Video) == [["a", "b"], ["c"]]


def test_a_root_function_may_return_nothing(lab, media):
    lab.run(lab.video(media))

    @mxd.metaxify(media.Video, orphans="delete")
    def video():
        return None

    result = lab.run(video)

    assert lab.commits(media.Video) == [["a", "b"]]
    assert lab.counts(result, lab.VIDEO) == {"spared": 2}


def test_a_root_with_samples_gets_an_increment_of_them(lab, media):
    def listing() -> pl.DataFrame:
        return lab.clips(lab.samples)

    @mxd.metaxify(media.Video, samples=listing)
    def video(increment: mx.Increment):
        lab.processed.append(sorted(increment.new["video_id"]))
        return increment.new

    lab.run(video)
    lab.samples["c"] = ("1", "1")
    lab.run(video)
    lab.run(video)

    assert lab.processed == [["a", "b"], ["c"]]


def test_samples_may_take_context_config_and_resources(lab, media):
    def listing(context: dg.AssetExecutionContext, config: Options, model: Model) -> pl.DataFrame:
        assert context.asset_key == lab.VIDEO
        return lab.clips({model.name + config.suffix: ("1", "1")})

    @mxd.metaxify(media.Video, samples=listing)
    def video(increment: mx.Increment):
        return increment.new

    lab.run(video, resources={"model": Model()})

    assert [row["video_id"] for row in lab.records(media.Video)] == ["whisper!"]


def test_a_function_gets_context_config_resources_and_the_store(lab, media):
    lab.run(lab.video(media))

    @mxd.metaxify(media.Transcript, required_resource_keys={"token"})
    def transcript(
        context: dg.AssetExecutionContext,
        increment: mx.Increment,
        config: Options,
        model: Model,
        endpoint: dg.ResourceParam[str],
        metaxy_store: mxd.MetaxyStoreResource,
    ):
        with metaxy_store.open() as store:
            known = store.count(media.Video)
        told = f"{model.name} {endpoint} {context.resources.token} {known}{config.suffix}"
        return increment.new.with_columns(text=pl.lit(told))

    config = {"ops": {"example__transcript": {"config": {"suffix": "?"}}}}
    given = {"model": Model(), "endpoint": "here", "token": "secret"}
    lab.run(lab.video(media), transcript, resources=given, run_config=config)

    assert {row["text"] for row in lab.records(media.Transcript)} == {"whisper here secret 2?"}


def test_an_op_context_and_a_context_without_annotation_are_given_as_asked_for(lab, media):
    lab.run(lab.video(media))
    seen = []

    @mxd.metaxify(media.Transcript)
    def transcript(context: dg.OpExecutionContext, increment: mx.Increment):
        seen.append(type(context))

    @mxd.metaxify(media.Transcript)
    def untyped(context, increment):
        seen.append(type(context))

    lab.run(lab.video(media), transcript)
    lab.run(lab.video(media), untyped)

    assert seen == [dg.OpExecutionContext, dg.AssetExecutionContext]


@pytest.mark.slow
@pytest.mark.parametrize(
    "convert",
    [pl.DataFrame, pl.LazyFrame, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow],
    ids=["polars", "lazy", "pandas", "arrow"],
)
def test_any_frame_library_is_written(lab, media, convert):
    @mxd.metaxify(media.Transcript)
    def transcript(increment: mx.Increment) -> Any:
        return convert(lab.transcribed(increment.new))

    lab.run(lab.video(media), transcript)

    assert lab.records(media.Transcript) == lab.texts("a", "b")


def test_annotations_kept_as_text_are_resolved_in_the_function_s_module(lab, media):
    source = """
from __future__ import annotations
import pandas as pd

def transcript(increment: mx.Increment, video: pd.DataFrame) -> NotImported:
    paths = video.set_index("video_id")["path"]
    return increment.new.with_columns(text=pl.Series([f"text of {paths[i]}" for i in paths.index]))
"""
    module = lab.folder / "annotated.py"
    module.write_text(source)
    function = runpy.run_path(str(module), {"pl": pl})["transcript"]

    lab.run(lab.video(media), mxd.metaxify(media.Transcript)(function))

    assert lab.records(media.Transcript) == lab.texts("a", "b")


def test_two_features_in_one_run_are_computed_in_order(lab, media):
    order = []

    @mxd.metaxify(media.Transcript)
    def transcript(increment: mx.Increment) -> Iterator[pl.DataFrame]:
        order.append("transcript")
        yield lab.transcribed(increment.new)

    @mxd.metaxify(media.Video)
    def video() -> pd.DataFrame:
        order.append("video")
        return lab.clips(lab.samples).to_pandas()

    lab.run(transcript, video)

    assert order == ["video", "transcript"]
    assert lab.records(media.Transcript) == lab.texts("a", "b")


def test_the_feature_is_found_by_text_in_the_active_graph(lab, media):
    with media.graph.use():

        @mxd.metaxify("example/transcript")
        def transcript(increment: mx.Increment):
            return lab.transcribed(increment.new)

    lab.run(lab.video(media), transcript)

    assert lab.records(media.Transcript) == lab.texts("a", "b")


def test_the_plan_is_logged_before_the_work(lab, media):
    lab.run(*lab.assets(media))
    lab.samples |= {"a": ("2", "2"), "c": ("1", "1")}

    result = lab.run(*lab.assets(media))

    records = lab.instance.all_logs(result.run_id)
    messages = [record.user_message for record in records if record.dagster_event is None]
    assert "example/video: 1 new, 1 stale (audio 1, frames 1) among the samples so far." in messages
    assert "example/transcript: 1 new, 1 stale (text 1), 0 orphaned, 0 blocked." in messages


def test_positional_and_keyword_only_parameters_are_passed(lab, media):
    @mxd.metaxify(media.Transcript)
    def transcript(_, /, video: pl.DataFrame, *, increment: mx.Increment):
        return lab.transcribed(increment.new).filter(pl.lit(video.height == 2))

    lab.run(lab.video(media), transcript)

    assert lab.records(media.Transcript) == lab.texts("a", "b")


def test_an_option_that_is_none_is_left_out(lab, media):
    lab.run(lab.video(media, key_prefix=None, deps=None, metadata=None, group_name=None))

    assert lab.commits(media.Video) == [["a", "b"]]


def test_what_a_run_handed_around_holds_neither_rows_nor_the_store(lab, media):
    output = lab.run(lab.video(media)).output_for_node("example__video")

    assert list(output.frames) == []
    assert output.orphaned() is None
    with pytest.raises(mx.MetaxyError, match="closed"):
        output.store.count(media.Video)


def test_rows_say_which_run_wrote_them(lab, media):
    result = lab.run(lab.video(media))

    with lab.store.open() as store:
        rows = store.read(media.Video, columns=["metaxy_materialization_id"]).to_polars()

    assert rows["metaxy_materialization_id"].to_list() == [result.run_id] * 2
