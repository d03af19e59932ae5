"""Dagster's code and data versions move exactly when the feature's do."""

import dagster as dg
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd


def tags(lab, key):
    event = lab.instance.get_latest_materialization_event(key)
    return event.asset_materialization.tags


def code_version(asset):
    (spec,) = asset.specs
    return spec.code_version


def test_a_run_that_changes_nothing_keeps_the_data_version(lab, media):
    lab.run(*lab.assets(media))
    before = lab.data_version(lab.VIDEO), lab.data_version(lab.TRANSCRIPT)

    lab.run(*lab.assets(media))

    assert (lab.data_version(lab.VIDEO), lab.data_version(lab.TRANSCRIPT)) == before


def test_a_write_changes_the_data_version_and_spares_that_of_who_reads_another_field(lab, media):
    lab.run(*lab.assets(media))
    video, transcript = lab.data_version(lab.VIDEO), lab.data_version(lab.TRANSCRIPT)
    lab.samples["a"] = ("1", "2")

    lab.run(*lab.assets(media))

    assert lab.data_version(lab.VIDEO) != video
    assert lab.data_version(lab.TRANSCRIPT) == transcript


def test_a_deletion_changes_the_data_version(lab, media):
    lab.run(lab.video(media))
    before = lab.data_version(lab.VIDEO)
    del lab.samples["b"]

    lab.run(lab.video(media, orphans="delete"))

    assert lab.data_version(lab.VIDEO) != before


def test_every_commit_changes_the_data_version_and_reading_it_does_not(lab, media):
    seen = []
    with lab.store.open() as store:
        seen.append(mxd.data_version(store, media.Video))
        for name in "ab":
            increment = store.resolve_update(media.Video, lab.clips({name: ("1", "1")}))
            store.write(media.Video, increment.new)
            seen.append(mxd.data_version(store, media.Video))
        store.delete(media.Video, filters="video_id = 'a'", hard=True)
        seen.append(mxd.data_version(store, media.Video))
        with media.graph.use():
            assert mxd.data_version(store, "example/video") == seen[-1]

    assert len(set(seen)) == 4


def test_a_commit_that_arrives_late_changes_the_data_version(lab, media):
    for version in "12":
        lab.samples = {"a": (version, "1")}
        lab.run(lab.video(media))
    before = lab.data_version(lab.VIDEO)
    with lab.store.open() as store:
        *_, late = store.commits(media.Video)
        with store._parts.backend.transaction() as transaction:
            store._parts.catalog.add(transaction, late)
        assert mxd.data_version(store, media.Video).value != before


def test_a_rebase_leaves_the_data_version_alone(lab, media):
    lab.run(lab.video(media))
    bumped = lab.features(audio="2")
    with lab.store.open() as store:
        before = mxd.data_version(store, media.Video)
        samples = lab.clips(lab.samples)

        assert store.rebase(bumped.Video, samples=samples).records == 2

        assert mxd.data_version(store, bumped.Video) == before
        store.delete(bumped.Video, filters="video_id = 'a'")
        assert mxd.data_version(store, bumped.Video) != before


def test_a_store_that_was_made_anew_has_another_data_version(lab, media):
    lab.run(lab.video(media))
    before = lab.data_version(lab.VIDEO)
    lab.folder.joinpath("store.duckdb").unlink()

    lab.run(lab.video(media))

    assert lab.data_version(lab.VIDEO) != before


def test_a_downstream_materialization_records_the_upstream_s_data_version(lab, media):
    lab.run(*lab.assets(media))

    recorded = tags(lab, lab.TRANSCRIPT)["dagster/input_data_version/example/video"]

    assert recorded == lab.data_version(lab.VIDEO)


@pytest.mark.parametrize("arrives", ["c", "b"])
def test_what_arrives_while_chunks_are_computed_makes_the_asset_stale_if_it_is_left(
    lab, media, arrives
):
    """The step that makes the asset begins later; by then Dagster knows a newer upstream."""
    video = lab.video(media)
    lab.run(video)
    planned = lab.data_version(lab.VIDEO)

    @mxd.metaxify(media.Transcript, chunk_size=1)
    def transcript(increment: mx.Increment):
        for batch in increment.batches():
            lab.processed.append(sorted(batch["video_id"]))
            yield lab.transcribed(batch)
        if len(lab.processed) == 1:
            lab.samples[arrives] = ("2", "1")
            lab.run(video)

    assert lab.run(video, transcript, selection=[transcript]).success

    is_left = arrives == "c"  # b is in a chunk that comes later
    assert lab.processed == [["a"], ["b"]]
    made_from = tags(lab, lab.TRANSCRIPT)["dagster/input_data_version/example/video"]
    assert lab.data_version(lab.VIDEO) != planned
    assert made_from == (planned if is_left else lab.data_version(lab.VIDEO))


def test_the_code_version_moves_with_the_feature_s_own_code_and_not_with_the_upstream_s(lab):
    first = [code_version(asset) for asset in lab.assets(lab.features())]
    bumped = [code_version(asset) for asset in lab.assets(lab.features(audio="2"))]
    own = [code_version(asset) for asset in lab.assets(lab.features(text="2"))]

    assert bumped[0] != first[0]
    assert bumped[1] == first[1]
    assert own[0] == first[0]
    assert own[1] != first[1]


def test_the_materialization_records_the_code_version_it_was_made_with(lab, media):
    asset = lab.video(media)
    lab.run(asset)

    assert tags(lab, lab.VIDEO)["dagster/code_version"] == code_version(asset)


def test_own_code_bump_makes_every_record_stale(lab, media):
    lab.run(*lab.assets(media))

    result = lab.run(*lab.assets(lab.features(text="2")))

    assert lab.processed == [["a", "b"], ["a", "b"]]
    assert lab.counts(result, lab.TRANSCRIPT) == {"stale": 2, "processed": 2}


def test_records_below_bumped_code_are_blocked_and_cost_nothing(lab, media):
    lab.run(*lab.assets(media))
    before = lab.data_version(lab.TRANSCRIPT)
    bumped = lab.features(audio="2")
    external = lab.video(bumped).to_source_asset()

    result = dg.materialize(
        [external, lab.transcript(bumped)], instance=lab.instance, resources=lab.resources
    )

    assert lab.processed == [["a", "b"]]
    assert lab.counts(result, lab.TRANSCRIPT) == {"blocked": 2, "spared": 2}
    assert lab.data_version(lab.TRANSCRIPT) == before


def test_blocked_records_are_computed_when_the_upstream_was(lab, media):
    lab.run(*lab.assets(media))

    result = lab.run(*lab.assets(lab.features(audio="2")))

    assert lab.processed == [["a", "b"], ["a", "b"]]
    assert lab.counts(result, lab.TRANSCRIPT) == {"stale": 2, "processed": 2}


def test_the_author_s_code_version_stays(lab, media):
    assert code_version(lab.video(media, code_version="mine")) == "mine"


@pytest.mark.parametrize("field", ["frames", "audio"])
def test_a_bump_of_a_field_matters_to_those_who_read_it(lab, media, field):
    lab.run(*lab.assets(media))

    lab.run(*lab.assets(lab.features(**{field: "2"})))

    assert len(lab.processed) == (2 if field == "audio" else 1)


def test_increments_are_of_the_graph_in_which_the_feature_was_defined(lab, media):
    with mx.FeatureGraph().use():

        class Transcript(mx.Feature, spec=mx.FeatureSpec(key="example/transcript")):
            sample_uid: str

        lab.run(*lab.assets(media))

    assert lab.records(media.Transcript) == lab.texts("a", "b")
