"""Static partitions, one for each bucket into which the hash of a record's id falls."""

import dagster as dg
import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd

NAMES = [f"v{number}" for number in range(12)]
BUCKETS = [["v10"], ["v11", "v9"], ["v0", "v1", "v4", "v6", "v7"], ["v2", "v3", "v5", "v8"]]


@pytest.fixture
def clips(lab, media):
    """Twelve clips to transcribe, and the asset that gives them."""
    lab.samples = dict.fromkeys(NAMES, ("1", "1"))
    return lab.video(media)


def bucketed(lab, media, **options):
    return lab.transcript(media, buckets=4, **options)


def test_there_is_a_partition_for_each_bucket_and_their_names_sort(media):
    def keys(count):
        asset = mxd.metaxify(media.Transcript, buckets=count)(lambda increment: None)
        return asset.partitions_def.get_partition_keys()

    assert keys(1) == ["0"]
    assert keys(10) == [str(number) for number in range(10)]
    assert (keys(16)[0], keys(16)[9], keys(16)[-1]) == ("00", "09", "15")


def test_a_partition_s_run_handles_its_bucket_alone(lab, media, clips):
    lab.run(clips)

    result = lab.run(bucketed(lab, media), partition_key="1")

    assert lab.processed == [BUCKETS[1]]
    assert lab.counts(result, lab.TRANSCRIPT) == {"new": 2, "processed": 2}
    assert lab.metadata(result, lab.TRANSCRIPT)["metaxy/partition"] == "1"
    (event,) = result.get_asset_materialization_events()
    assert event.partition == "1"


@pytest.mark.slow
def test_all_partitions_together_handle_every_record_once(lab, media, clips):
    lab.run(clips)

    for key in ("2", "0", "3", "1", "0"):
        lab.run(bucketed(lab, media), partition_key=key)

    assert lab.processed == [BUCKETS[2], BUCKETS[0], BUCKETS[3], BUCKETS[1]]
    with lab.store.open() as store:
        assert not store.resolve_update(media.Transcript).counts


def test_a_backfill_of_some_buckets_leaves_the_others(lab, media, clips):
    asset = bucketed(lab, media)
    job = dg.define_asset_job("backfill", selection=[asset])
    defs = dg.Definitions(assets=[asset, clips], jobs=[job], resources=lab.resources)
    lab.run(clips)

    for key in ("1", "3"):
        defs.resolve_job_def("backfill").execute_in_process(
            partition_key=key, instance=lab.instance
        )

    assert lab.processed == [BUCKETS[1], BUCKETS[3]]
    done = lab.instance.get_materialized_partitions(lab.TRANSCRIPT)
    assert done == {"1", "3"}


@pytest.mark.slow
def test_a_change_makes_work_in_its_record_s_bucket(lab, media, clips):
    lab.run(clips)
    for key in "0123":
        lab.run(bucketed(lab, media), partition_key=key)
    lab.samples["v9"] = ("2", "1")
    lab.run(clips)
    lab.processed.clear()

    results = [lab.run(bucketed(lab, media), partition_key=key) for key in "0123"]

    assert lab.processed == [["v9"]]
    assert lab.counts(results[1], lab.TRANSCRIPT) == {"stale": 1, "processed": 1}


def test_orphans_are_those_of_the_bucket(lab, media, clips):
    lab.run(clips)
    for key in "0123":
        lab.run(bucketed(lab, media), partition_key=key)
    with lab.store.open() as store:
        store.delete(media.Video, pl.DataFrame({"video_id": ["v9", "v10"]}))

    result = lab.run(bucketed(lab, media, orphans="delete"), partition_key="1")

    assert lab.counts(result, lab.TRANSCRIPT) == {"orphaned": 1, "deleted": 1}
    kept = {row["video_id"] for row in lab.records(media.Transcript)}
    assert set(NAMES) - kept == {"v9"}


def test_the_launchpad_narrows_a_bucket_further(lab, media, clips):
    lab.run(clips)
    config = {"ops": {"example__transcript": {"config": {"increment": {"limit": 2}}}}}

    lab.run(bucketed(lab, media), partition_key="3", run_config=config)

    assert lab.processed == [BUCKETS[3][:2]]


def test_a_bucket_may_be_computed_in_chunks(lab, media, clips):
    lab.run(clips)

    result = lab.run(bucketed(lab, media, chunk_size=2), partition_key="2")

    assert lab.processed == [["v0", "v1"], ["v4", "v6"], ["v7"]]
    assert lab.counts(result, lab.TRANSCRIPT) == {"new": 5, "processed": 5}
    (event,) = result.get_asset_materialization_events()
    assert event.partition == "2"


@pytest.mark.slow
@pytest.mark.parametrize("frames", [1, 3])
def test_samples_of_a_root_are_narrowed_to_the_bucket(lab, media, frames):
    lab.samples = dict.fromkeys(NAMES, ("1", "1"))

    @mxd.metaxify(media.Video, buckets=4, orphans="delete")
    def video():
        clips = lab.clips(lab.samples)
        yield from clips.iter_slices(-(-clips.height // frames))

    lab.run(video, partition_key="1")
    lab.run(video, partition_key="0")
    del lab.samples["v10"], lab.samples["v9"]
    lab.run(video, partition_key="0")

    assert lab.commits(media.Video)[-1] == ["v10"]
    assert [row["video_id"] for row in lab.records(media.Video)] == BUCKETS[1]


def test_a_root_with_samples_is_given_those_of_the_bucket(lab, media):
    lab.samples = dict.fromkeys(NAMES, ("1", "1"))

    @mxd.metaxify(media.Video, buckets=4, samples=lambda: lab.clips(lab.samples))
    def video(increment: mx.Increment):
        return increment.new

    lab.run(video, partition_key="3")

    assert lab.commits(media.Video) == [BUCKETS[3]]


def test_an_asset_without_partitions_loads_all_buckets(lab, media, clips):
    loaded = []

    @dg.asset(ins={"texts": dg.AssetIn(lab.TRANSCRIPT)})
    def report(texts: pl.DataFrame) -> None:
        loaded.append(sorted(texts["video_id"]))

    asset = bucketed(lab, media)
    lab.run(clips)
    for key in "01":
        lab.run(asset, partition_key=key)

    lab.run(clips, asset, report, selection=[report])

    assert loaded == [sorted([*BUCKETS[0], *BUCKETS[1]])]


def test_a_bucket_loads_the_records_of_its_bucket_from_whatever_upstream(lab, media):
    lab.samples = dict.fromkeys(NAMES, ("1", "1"))
    seen = []

    def transcript(increment: mx.Increment, video: pl.DataFrame):
        seen.append((video.height, increment.counts.to_process))
        return lab.transcribed(increment.new)

    asset = mxd.metaxify(media.Transcript, buckets=4)(transcript)
    whole, divided = lab.video(media), lab.video(media, buckets=4)
    lab.run(whole)

    lab.run(whole, asset, selection=[asset], partition_key="0")
    lab.run(divided, asset, selection=[asset], partition_key="1")

    assert seen == [(1, 1), (2, 2)]


def test_an_input_with_a_partition_mapping_is_what_that_says(lab, media, clips):
    seen = []

    def transcript(increment: mx.Increment, video: pl.DataFrame):
        seen.append(video.height)
        return lab.transcribed(increment.new)

    everything = dg.AssetIn(lab.VIDEO, partition_mapping=dg.AllPartitionMapping())
    asset = mxd.metaxify(media.Transcript, buckets=4, ins={"video": everything})(transcript)
    divided = lab.video(media, buckets=4)
    lab.run(clips)
    lab.run(divided, asset, selection=[asset], partition_key="1")

    assert seen == [12]


def test_any_asset_with_the_partitions_of_a_bucketed_one_loads_its_bucket(lab, media, clips):
    loaded = []
    asset = bucketed(lab, media)

    @dg.asset(ins={"texts": dg.AssetIn(lab.TRANSCRIPT)}, partitions_def=asset.partitions_def)
    def report(texts: pl.DataFrame) -> None:
        loaded.append(sorted(texts["video_id"]))

    lab.run(clips)
    for key in "13":
        lab.run(asset, partition_key=key)
    lab.run(clips, asset, report, selection=[report], partition_key="3")

    assert loaded == [BUCKETS[3]]


@pytest.mark.slow
def test_groups_of_a_bucket_are_made_of_members_of_all_buckets(lab, media):
    spec = mx.FeatureSpec(
        key="example/album",
        id_columns=["path"],
        deps=[mx.FeatureDep(feature=media.Video, lineage=mx.aggregation(on=["path"]))],
    )
    with media.graph.use():

        class Album(mx.Feature, spec=spec):
            path: str

    seen = []

    @mxd.metaxify(Album, buckets=4)
    def album(increment: mx.Increment, video: pl.DataFrame):
        seen.append(video.height)
        return increment.new

    lab.samples = dict.fromkeys(NAMES, ("1", "1"))
    divided = lab.video(media, buckets=4)
    for key in "0123":
        lab.run(divided, partition_key=key)
    for key in "0123":
        lab.run(divided, album, selection=[album], partition_key=key)

    assert set(seen) == {12}


@pytest.mark.slow
def test_a_bucket_s_data_version_changes_with_its_own_records_only(lab, media, clips):
    asset = bucketed(lab, media, orphans="delete")

    def versions():
        found = {}
        for key in "0123":
            (event,) = lab.run(asset, partition_key=key).get_asset_materialization_events()
            found[key] = event.materialization.tags["dagster/data_version"]
        return found

    lab.run(clips)
    first, again = versions(), versions()
    lab.samples["v9"] = ("2", "1")
    lab.run(clips)
    changed = versions()
    with lab.store.open() as store:
        store.delete(media.Video, pl.DataFrame({"video_id": ["v10"]}))
    deleted = versions()

    assert first == again
    assert len(set(first.values())) == 4
    assert {key for key in first if first[key] != changed[key]} == {"1"}
    assert {key for key in first if changed[key] != deleted[key]} == {"0"}


@pytest.mark.parametrize("buckets", [0, -1, "4", True, 2.0])
def test_a_number_of_buckets_is_a_number(media, buckets):
    with pytest.raises(mxd.AssetError, match="'example/transcript' has buckets="):
        mxd.metaxify(media.Transcript, buckets=buckets)(lambda increment: None)


def test_a_run_of_several_buckets_is_refused_before_it_starts(media):
    policy = dg.BackfillPolicy.single_run()

    with pytest.raises(mxd.AssetError, match=r"backfill_policy=.*handles one partition"):
        mxd.metaxify(media.Transcript, buckets=4, backfill_policy=policy)(lambda increment: None)


def test_a_run_without_a_partition_is_told_how_to_get_one(lab, media, clips):
    lab.run(clips)

    with pytest.raises(mxd.AssetError, match=r"'example/transcript' .* partition_keys="):
        lab.run(lab.transcript(media, buckets=4))
