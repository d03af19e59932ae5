"""A chunked asset: a step plans, each chunk is a step and a commit, and a last step tells."""

import datetime as dt

import dagster as dg
import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd
from metaxy_dagster import chunk_plans


class Crash(Exception):
    pass


class Options(dg.Config):
    suffix: str = "!"


class Model(dg.ConfigurableResource):
    name: str = "whisper"


@pytest.fixture
def clips(lab, media):
    """Five clips to transcribe, and the asset that gives them."""
    lab.samples = dict.fromkeys("abcde", ("1", "1"))
    return lab.video(media)


def steps(result, kind="STEP_START"):
    return [e.step_key for e in result.all_events if e.event_type_value == kind]


def failing(lab, media, *, times, **options):
    """Chunks of two, of which the one with clip c raises so many times."""
    left = [Crash()] * times

    @mxd.metaxify(media.Transcript, chunk_size=2, **options)
    def transcript(increment: mx.Increment):
        lab.processed.append(sorted(increment.new["video_id"]))
        if "c" in lab.processed[-1] and left:
            raise left.pop()
        return lab.transcribed(increment.new)

    return transcript


def test_an_increment_is_computed_in_chunks_each_of_which_is_a_commit(lab, media, clips):
    result = lab.run(clips, lab.transcript(media, chunk_size=2))

    assert lab.processed == [["a", "b"], ["c", "d"], ["e"]]
    assert lab.commits(media.Transcript) == [["a", "b"], ["c", "d"], ["e"]]
    assert lab.records(media.Transcript) == lab.texts(*"abcde")
    assert steps(result) == [
        "example__video",
        "example__transcript.plan",
        "example__transcript.chunk[0000]",
        "example__transcript.chunk[0001]",
        "example__transcript.chunk[0002]",
        "example__transcript.finish",
    ]


def test_one_materialization_says_what_all_chunks_did(lab, media, clips):
    lab.run(clips, lab.transcript(media, chunk_size=2))
    lab.samples |= {"a": ("2", "1"), "b": ("2", "1"), "c": ("2", "1"), "f": ("1", "1")}

    result = lab.run(clips, lab.transcript(media, chunk_size=3))

    assert lab.counts(result, lab.TRANSCRIPT) == {"new": 1, "stale": 3, "processed": 4, "spared": 2}
    metadata = lab.metadata(result, lab.TRANSCRIPT)
    assert metadata["metaxy/chunks"] == 2
    assert metadata["metaxy/changed_fields"] == {"text": 3}
    assert metadata["dagster/row_count"] == 6
    assert len(metadata["metaxy/commits"]) == 2


def test_chunks_go_on_under_the_claim_of_their_plan_which_is_made_once(lab, media, clips):
    claims = []

    @mxd.metaxify(media.Transcript, chunk_size=2)
    def transcript(increment: mx.Increment):
        with lab.store.open() as store:
            claims.extend(store.claims(media.Transcript))
        return lab.transcribed(increment.new)

    lab.run(clips, transcript)

    assert [claim.records for claim in claims] == [5, 3, 1]
    assert len({claim.claimed_at for claim in claims}) == 1


def test_each_step_says_what_its_chunk_did(lab, media, clips):
    result = lab.run(clips, lab.transcript(media, chunk_size=3))

    handled = [e for e in result.all_events if e.event_type_value == "STEP_OUTPUT"]
    told = [
        e.event_specific_data.metadata["metaxy/processed"].value
        for e in handled
        if ".chunk[" in e.step_key
    ]
    assert told == [3, 2]


def test_the_plan_is_in_the_log_of_its_step(lab, media, clips):
    result = lab.run(clips, lab.transcript(media, chunk_size=3))

    (said,) = [
        record.user_message
        for record in lab.instance.all_logs(result.run_id)
        if record.step_key == "example__transcript.plan" and record.dagster_event is None
    ]
    assert said == "example/transcript: 5 new, 0 stale, 0 orphaned, 0 blocked."


def test_without_work_there_is_no_chunk_and_the_run_is_recorded(lab, media, clips):
    transcript = lab.transcript(media, chunk_size=2)
    lab.run(clips, transcript)
    version = lab.data_version(lab.TRANSCRIPT)

    result = lab.run(clips, transcript)

    assert len(lab.processed) == 3
    assert lab.counts(result, lab.TRANSCRIPT) == {"spared": 5}
    assert lab.data_version(lab.TRANSCRIPT) == version


def test_a_plan_is_forgotten_when_it_is_done_or_nobody_came_back_to_it(
    lab, media, clips, monkeypatch
):
    lab.run(clips, failing(lab, media, times=1), raise_on_error=False)
    with lab.store.open() as store:
        assert [batch.records for batch in store.batches(media.Transcript)] == [2, 2, 1]

    monkeypatch.setattr(chunk_plans, "KEPT", dt.timedelta(0))
    lab.run(clips, lab.transcript(media, chunk_size=2))

    with lab.store.open() as store:
        assert store.batches(media.Transcript) == ()


def test_a_failed_chunk_leaves_the_others_committed_and_the_asset_unmaterialized(lab, media, clips):
    result = lab.run(clips, failing(lab, media, times=1), raise_on_error=False)

    assert lab.commits(media.Transcript) == [["a", "b"], ["e"]]
    assert steps(result, "STEP_FAILURE") == ["example__transcript.chunk[0001]"]
    assert "example__transcript.finish" not in steps(result)
    assert lab.instance.get_latest_materialization_event(lab.TRANSCRIPT) is None

    lab.run(clips, failing(lab, media, times=0))
    assert lab.processed[-1] == ["c", "d"]
    assert lab.records(media.Transcript) == lab.texts(*"abcde")


def test_a_retry_policy_tries_a_failed_chunk_again(lab, media, clips):
    transcript = failing(lab, media, times=1, retry_policy=dg.RetryPolicy(max_retries=1))

    result = lab.run(clips, transcript)

    assert lab.processed.count(["c", "d"]) == 2
    assert len(lab.processed) == 4
    assert lab.counts(result, lab.TRANSCRIPT) == {"new": 5, "processed": 5}


def test_a_chunk_that_yields_frames_keeps_what_it_committed_before_it_failed(lab, media, clips):
    left = [Crash()]

    @mxd.metaxify(media.Transcript, chunk_size=3, retry_policy=dg.RetryPolicy(max_retries=1))
    def transcript(increment: mx.Increment):
        for frame in increment.batches(1):
            lab.processed.append(frame["video_id"].to_list())
            if lab.processed[-1] == ["b"] and left:
                raise left.pop()
            yield lab.transcribed(frame)

    lab.run(clips, transcript)

    assert lab.processed.count(["a"]) == 1
    assert lab.processed.count(["b"]) == 2
    assert lab.records(media.Transcript) == lab.texts(*"abcde")


def test_a_finish_that_is_tried_again_still_knows_the_plan(lab, media, clips):
    lab.run(clips)
    failures = [Crash]

    class Unreliable(mxd.MetaxyIOManager):
        def handle_output(self, context, obj):
            if failures:
                obj.close()
                raise failures.pop()
            super().handle_output(context, obj)

    asset = lab.transcript(media, chunk_size=2, retry_policy=dg.RetryPolicy(max_retries=1))
    result = lab.run(asset, resources={"metaxy_io_manager": Unreliable(store=lab.store)})

    assert lab.counts(result, lab.TRANSCRIPT)["new"] == len(lab.samples)
    with lab.store.open() as store:
        assert store.batches(media.Transcript) == ()


def test_the_launchpad_limits_what_is_planned(lab, media, clips):
    transcript = lab.transcript(media, chunk_size=2, limit=1)
    config = {"increment": {"limit": 3, "filters": "path <> 'a.mp4'"}}

    result = lab.run(
        clips, transcript, run_config={"ops": {"example__transcript": {"config": config}}}
    )
    lab.run(clips, transcript)

    assert lab.processed == [["b", "c"], ["d"], ["a"]]
    assert lab.metadata(result, lab.TRANSCRIPT)["metaxy/limit"] == 3


def test_forced_records_are_computed_again_in_chunks(lab, media, clips):
    transcript = lab.transcript(media, chunk_size=2)
    lab.run(clips, transcript)
    config = {"increment": {"force": "video_id <= 'c'"}}

    lab.run(clips, transcript, run_config={"ops": {"example__transcript": {"config": config}}})

    assert lab.processed[3:] == [["a", "b"], ["c"]]


def test_no_more_chunks_are_made_than_allowed_and_the_log_says_what_is_left(lab, media, clips):
    transcript = lab.transcript(media, chunk_size=1, max_chunks=2)

    result = lab.run(clips, transcript)
    lab.run(clips, transcript)

    assert lab.processed == [["a"], ["b"], ["c"], ["d"]]
    messages = [record.user_message for record in lab.instance.all_logs(result.run_id)]
    assert any("3 records are left for another run" in message for message in messages)
    assert lab.metadata(result, lab.TRANSCRIPT)["metaxy/left"] == 3


def test_a_chunk_gets_what_its_function_asks_for(lab, media, clips):
    seen = []

    @mxd.metaxify(media.Transcript, chunk_size=4, required_resource_keys={"token"})
    def transcript(
        context: dg.AssetExecutionContext,
        increment: mx.Increment,
        video: pl.DataFrame,
        config: Options,
        model: Model,
        metaxy_store: mxd.MetaxyStoreResource,
    ):
        token = context.op_execution_context.resources.token
        seen.append((context.asset_key, video.height, config, model.name, token))
        with metaxy_store.open() as store:
            assert store.count(media.Video) == 5
        return lab.transcribed(increment.new)

    config = {"ops": {"example__transcript": {"config": {"suffix": "?"}}}}
    given = {"model": Model(), "token": "secret"}
    lab.run(clips, transcript, resources=given, run_config=config)

    assert seen == [(lab.TRANSCRIPT, 5, Options(suffix="?"), "whisper", "secret")] * 2


def test_an_op_context_is_given_as_asked_for(lab, media, clips):
    seen = []

    @mxd.metaxify(media.Transcript, chunk_size=9)
    def transcript(context: dg.OpExecutionContext, increment: mx.Increment):
        seen.append((type(context), context.get_mapping_key()))

    lab.run(clips, transcript)

    assert seen == [(dg.OpExecutionContext, "0000")]


def test_downstream_assets_load_what_chunks_wrote(lab, media, clips):
    loaded = []

    @dg.asset(ins={"texts": dg.AssetIn(lab.TRANSCRIPT)})
    def report(texts: pl.DataFrame) -> None:
        loaded.append(texts.height)

    @dg.asset(deps=[lab.TRANSCRIPT])
    def after() -> None:
        loaded.append(0)

    lab.run(clips, lab.transcript(media, chunk_size=2), report, after)

    assert sorted(loaded) == [0, 5]


def test_orphans_are_deleted_when_all_chunks_are_done(lab, media, clips):
    transcript = lab.transcript(media, chunk_size=2, orphans="delete")
    lab.run(lab.video(media, orphans="delete"), transcript)
    del lab.samples["b"]

    result = lab.run(lab.video(media, orphans="delete"), transcript)

    assert lab.counts(result, lab.TRANSCRIPT) == {"orphaned": 1, "deleted": 1, "spared": 4}
    assert lab.records(media.Transcript) == lab.texts(*"acde")


def test_the_parents_of_an_expansion_are_divided(lab, media, clips):
    with media.graph.use():
        dep = mx.FeatureDep(feature=media.Video, lineage=mx.expansion(on=["video_id"]))
        spec = mx.FeatureSpec(key="example/scene", id_columns=["video_id", "scene"], deps=[dep])

        class Scene(mx.Feature, spec=spec):
            video_id: str
            scene: int

    @mxd.metaxify(Scene, chunk_size=2)
    def scene(increment: mx.Increment):
        parents = increment.new
        lab.processed.append(sorted(parents["video_id"]))
        scenes = parents.filter(pl.col("video_id") != "b").with_columns(scene=pl.lit(0))
        return mxd.Children(scenes, processed=parents)

    lab.run(clips, scene)
    lab.run(clips, scene)

    assert lab.processed == [["a", "b"], ["c", "d"], ["e"]]
    assert [row["video_id"] for row in lab.records(Scene)] == ["a", "c", "d", "e"]


@pytest.mark.slow
def test_several_chunked_assets_stand_in_one_run(lab, media, clips):
    with media.graph.use():

        class Subtitle(
            mx.Feature,
            spec=mx.FeatureSpec(
                key="example/subtitle", id_columns=["video_id"], deps=["example/transcript"]
            ),
        ):
            video_id: str

    subtitle = mxd.metaxify(Subtitle, chunk_size=3)(lambda increment: increment.new)

    lab.run(clips, lab.transcript(media, chunk_size=2), subtitle)

    assert lab.commits(Subtitle) == [["a", "b", "c"], ["d", "e"]]


def test_options_reach_the_asset_and_its_steps(lab, media):
    class Media(mxd.MetaxyTranslator):
        def asset_key(self, definition):
            return super().asset_key(definition).with_prefix("media")

    policy = dg.RetryPolicy(max_retries=3)
    freshness = dg.FreshnessPolicy.cron(
        deadline_cron="0 * * * *", lower_bound_delta=dt.timedelta(minutes=5)
    )
    asset = lab.transcript(
        media,
        chunk_size=2,
        translator=Media(),
        owners=["team:media"],
        group_name="speech",
        tags={"tier": "1"},
        retry_policy=policy,
        pool="gpu",
        op_tags={"gpu": "1"},
        freshness_policy=freshness,
    )

    (spec,) = asset.specs
    assert spec.key == dg.AssetKey(["media", "example", "transcript"])
    assert (spec.group_name, spec.owners, spec.tags["tier"]) == ("speech", ["team:media"], "1")
    assert spec.freshness_policy == freshness
    assert spec.code_version is not None
    assert {dep.asset_key.path[0] for dep in spec.deps} == {"media"}
    nodes = {node.name: node.definition for node in asset.node_def.nodes}
    assert {name: node.pool for name, node in nodes.items()} == {
        "plan": None, "chunk": "gpu", "finish": None,
    }  # fmt: skip
    assert all(node.retry_policy == policy and node.tags["gpu"] == "1" for node in nodes.values())


def test_a_feature_with_a_dash_in_its_key_is_chunked(lab, media, clips):
    with media.graph.use():
        spec = mx.FeatureSpec(key="a-b/c-d", id_columns=["video_id"], deps=[media.Video])

        class Dashed(mx.Feature, spec=spec):
            video_id: str

    lab.run(clips, mxd.metaxify(Dashed, chunk_size=3)(lambda increment: increment.new))

    assert len(lab.commits(Dashed)) == 2


@pytest.mark.parametrize("options", [{"chunk_size": 0}, {"chunk_size": "9"}, {"chunk_size": True}])
def test_a_chunk_size_is_a_number_of_records(media, options):
    with pytest.raises(mxd.AssetError, match="'example/transcript' has chunk_size="):
        mxd.metaxify(media.Transcript, **options)(lambda increment: None)


def test_the_most_chunks_are_a_number(media):
    with pytest.raises(mxd.AssetError, match="max_chunks=0"):
        mxd.metaxify(media.Transcript, chunk_size=1, max_chunks=0)(lambda increment: None)


def test_a_root_is_not_chunked(lab, media):
    with pytest.raises(mxd.AssetError, match=r"root: every chunk.*increment.batches\(10\)"):
        mxd.metaxify(media.Video, chunk_size=10, samples=lambda: None)(lambda increment: None)


def test_config_of_chunks_has_fields(media):
    def transcript(increment: mx.Increment, config: str):
        return increment.new

    with pytest.raises(mxd.AssetError, match=r"make it a subclass of dg\.Config"):
        mxd.metaxify(media.Transcript, chunk_size=1)(transcript)


def test_a_chunk_size_over_an_asset_that_computes_by_itself_is_refused(media):
    spec = dg.AssetSpec("clip", metadata={"metaxy/feature": media.Video})

    with pytest.raises(mxd.AssetError, match="cannot use chunk_size"):
        mxd.metaxify(media.Video, chunk_size=3)(spec)
