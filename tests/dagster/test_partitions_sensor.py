"""Dynamic partitions, one for each batch of work: planned, launched once, removed when settled."""

import dagster as dg
import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd
from metaxy_core import errors
from tests.dagster.batches import Batched


class Crash(Exception):
    pass


@pytest.fixture
def batched(lab, media):
    """Five clips to transcribe in batches of two, at most two at one time."""
    lab.samples = dict.fromkeys("abcde", ("1", "1"))
    video = lab.video(media)
    lab.run(video)
    return Batched(lab, lab.transcript(media, batch_size=2, max_batches=2), video)


def test_batches_are_partitions_with_a_run_each_and_never_too_many(lab, media, batched):
    assert batched.tick() == 2
    assert lab.processed == [["a", "b"], ["c", "d"]]
    assert len(batched.partitions) == 2

    assert batched.tick() == 1
    assert lab.processed[2:] == [["e"]]
    assert len(batched.partitions) == 1

    assert batched.tick() == 0
    assert batched.partitions == []
    assert lab.records(media.Transcript) == lab.texts(*"abcde")
    with lab.store.open() as store:
        assert store.batches(media.Transcript) == ()


def test_a_partition_s_run_says_what_it_did(lab, batched):
    (first, _) = batched.accept(batched.evaluate())

    result = batched.run(first)

    assert lab.counts(result, lab.TRANSCRIPT) == {"new": 2, "processed": 2}
    assert lab.metadata(result, lab.TRANSCRIPT)["metaxy/partition"] == first
    told = [event.partition for event in result.get_asset_materialization_events()]
    assert told == ["settled", first]


def test_nothing_is_planned_where_nothing_is_to_do(lab, batched):
    batched.tick(), batched.tick(), batched.tick()

    said = batched.evaluate()

    assert "Nothing was done since the last tick; 0 batches are open." in said.skip_message


@pytest.mark.slow
def test_a_change_is_planned_in_new_partitions(lab, media, batched):
    while batched.tick():
        pass
    lab.samples |= {"b": ("2", "1"), "f": ("1", "1")}
    lab.run(batched.video)

    assert batched.tick() == 1
    assert lab.processed[3:] == [["b", "f"]]
    assert len(set(batched.launched)) == 4


@pytest.mark.slow
def test_records_that_arrive_while_batches_are_open_come_in_further_ones(lab, batched):
    batched.accept(batched.evaluate())
    lab.samples |= dict.fromkeys("xyz", ("1", "1"))
    lab.run(batched.video)

    said = batched.evaluate()
    assert {request.run_key for request in said.run_requests} == set(batched.launched)
    assert not said.dynamic_partitions_requests
    for key in list(batched.launched):
        batched.run(key)
    while batched.tick():
        pass

    assert lab.processed == [["a", "b"], ["c", "d"], ["e", "x"], ["y", "z"]]


# --------------------------------------------------------------------------- cut off, or twice


def test_a_tick_that_comes_twice_launches_no_record_twice(lab, batched):
    first, second = batched.evaluate(), batched.evaluate()

    assert [request.run_key for request in first.run_requests] == [
        request.run_key for request in second.run_requests
    ]
    assert len(batched.accept(first)) == 2
    assert batched.accept(second) == []


def test_a_daemon_that_dies_between_planning_and_launching_loses_nothing(lab, batched):
    batched.evaluate()  # planned in the store; what the tick said is lost

    assert batched.tick() == 2
    assert lab.processed == [["a", "b"], ["c", "d"]]


def test_a_daemon_that_dies_between_registering_and_launching_loses_nothing(lab, batched):
    batched.accept(batched.evaluate())
    batched.launched.clear()

    said = batched.evaluate()

    assert len(said.run_requests) == 2
    assert not said.dynamic_partitions_requests


def test_a_run_that_was_made_and_never_started_is_requested_again(lab, batched):
    first, second = batched.accept(batched.evaluate())
    job = dg.Definitions(assets=[batched.video, batched.asset], resources=lab.resources)
    for key, tags in ((first, {"dagster/run_key": first}), (second, {})):
        lab.instance.create_run_for_job(
            job.resolve_implicit_global_asset_job_def(), tags={"dagster/partition": key, **tags}
        )

    said = batched.evaluate()

    assert [request.run_key for request in said.run_requests] == [first]


def test_a_cursor_that_is_lost_launches_nothing_again(lab, batched):
    batched.tick()
    batched.cursor = None

    said = batched.evaluate()

    assert len(said.run_requests) == 1
    assert not {request.run_key for request in said.run_requests} & set(batched.launched)


def test_partitions_that_outlived_their_batch_are_removed(lab, batched):
    while batched.tick():
        pass
    name = batched.asset.partitions_def.name
    lab.instance.add_dynamic_partitions(name, ["left-behind"])

    batched.tick()

    assert batched.partitions == []


# --------------------------------------------------------------------------- failures


def test_a_batch_that_failed_stays_and_is_not_launched_again_by_itself(lab, media, batched):
    broken = [True]

    @mxd.metaxify(media.Transcript, batch_size=2, max_batches=2)
    def transcript(increment: mx.Increment):
        ids = sorted(increment.new["video_id"])
        lab.processed.append(ids)
        if "a" in ids and broken:
            raise Crash
        return lab.transcribed(increment.new)

    batched = Batched(lab, transcript, batched.video)
    while batched.tick():
        pass
    assert lab.processed == [["a", "b"], ["c", "d"], ["e"]]
    (failed,) = batched.partitions

    broken.clear()
    batched.run(failed)
    batched.tick()

    assert lab.records(media.Transcript) == lab.texts(*"abcde")
    assert batched.partitions == []


def test_a_batch_handles_the_records_of_its_plan_that_still_need_it(lab, media, batched):
    first, _ = batched.accept(batched.evaluate())
    with lab.store.open() as store:
        increment = store.resolve_update(media.Transcript, filters="video_id = 'a'")
        store.write(media.Transcript, lab.transcribed(increment.new))

    batched.run(first)

    assert lab.processed == [["b"]]


@pytest.mark.slow
def test_records_that_change_after_their_batch_s_run_come_in_a_new_batch(lab, batched):
    batched.tick()
    lab.samples["a"] = ("2", "1")
    lab.run(batched.video)

    batched.tick()

    assert lab.processed == [["a", "b"], ["c", "d"], ["a", "e"]]
    assert len(batched.partitions) == 1
    assert batched.tick() == 0
    assert batched.partitions == []


def test_a_batch_whose_run_left_records_out_is_not_launched_over_and_over(lab, media, batched):
    @mxd.metaxify(media.Transcript, batch_size=5)
    def transcript(increment: mx.Increment):
        lab.processed.append(sorted(increment.new["video_id"]))
        return lab.transcribed(increment.new.filter(pl.col("video_id") != "a"))

    batched = Batched(lab, transcript, batched.video)
    assert [batched.tick() for _ in range(3)] == [1, 0, 0]

    lab.samples["f"] = ("1", "1")
    lab.run(batched.video)
    assert [batched.tick() for _ in range(3)] == [1, 0, 0]
    assert lab.processed == [["a", "b", "c", "d", "e"], ["a", "f"]]


def test_what_a_batch_s_run_was_not_given_comes_in_a_new_batch_when_it_is_free(lab, media, batched):
    (first, second) = batched.accept(batched.evaluate())
    with lab.store.open() as store:
        ids = store.planned_ids(media.Transcript, batched.plan, first)
        claim = mx.Claim("killed", seconds=600)
        store.resolve_update(media.Transcript, among=ids, claim=claim)
    assert all(batched.run(key).success for key in (first, second))

    assert batched.tick() == 1
    assert lab.processed == [["c", "d"], ["e"]]
    assert batched.tick() == 0
    assert first in batched.partitions

    with lab.store.open() as store:
        store.release_claims("killed")
    assert batched.tick() == 1
    assert lab.processed[2:] == [["a", "b"]]
    assert first not in batched.partitions


@pytest.mark.parametrize("section", [{"limit": 1}, {"filters": "video_id = 'a'"}])
def test_what_the_launchpad_left_of_a_batch_comes_in_a_new_one(lab, batched, section):
    (first, second) = batched.accept(batched.evaluate())
    config = {"ops": {"example__transcript": {"config": {"increment": section}}}}
    assert batched.run(first, run_config=config).success
    assert batched.run(second).success

    batched.tick()

    assert lab.processed == [["a"], ["c", "d"], ["b", "e"]]
    assert first not in batched.partitions


def test_a_batch_whose_records_are_gone_upstream_is_removed(lab, media, batched):
    keys = batched.accept(batched.evaluate())
    with lab.store.open() as store:
        store.delete(media.Video, pl.DataFrame({"video_id": ["a", "b"]}))

    batched.accept(batched.evaluate())

    assert keys[0] not in batched.partitions
    assert keys[1] in batched.partitions


def test_a_batch_that_runs_is_kept_until_its_run_is_finished(lab, media, batched):
    first, _ = batched.accept(batched.evaluate())
    looked = []

    @mxd.metaxify(media.Transcript, batch_size=2, max_batches=2)
    def transcript(increment: mx.Increment):
        yield lab.transcribed(increment.new)
        batched.accept(batched.evaluate())
        looked.append(first in batched.partitions)

    batched.asset = transcript
    batched.run(first)
    batched.accept(batched.evaluate())

    assert looked == [True]
    assert first not in batched.partitions


def test_a_store_that_is_locked_is_tried_again(lab, batched, monkeypatch):
    def locked(self, **options):
        raise errors.StoreLocked("The store is held.")

    monkeypatch.setattr(type(lab.store), "open", locked)

    assert batched.evaluate().skip_message == "The store is held. The next tick tries again."


def test_a_partition_that_is_done_says_so_when_it_is_run_again(lab, batched):
    while batched.tick():
        pass
    lab.instance.add_dynamic_partitions(batched.asset.partitions_def.name, [batched.launched[0]])

    with pytest.raises(mx.MetaxyError, match="'example/transcript' has no batch"):
        batched.run(batched.launched[0])


# --------------------------------------------------------------------------- definitions


def test_dagster_resolves_the_requests_of_a_deployed_sensor(lab, batched, tmp_path):
    sensor = mxd.increment_partitions_sensor(
        batched.asset, name="planner", run_tags={"team": "media"}
    )
    definitions = dg.Definitions(
        assets=[batched.video, batched.asset], sensors=[sensor], resources=lab.resources
    )
    with (
        dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
        dg.build_sensor_context(
            instance=instance,
            instance_ref=instance.get_ref(),
            definitions=definitions,
            resources={"metaxy_store": lab.store},
        ) as context,
    ):
        deployed = definitions.get_repository_def().get_sensor_def("planner")
        said = deployed.evaluate_tick(context)

    assert [request.tags["team"] for request in said.run_requests] == ["media", "media"]
    assert all(
        request.partition_key == request.run_key == request.tags["dagster/partition"]
        for request in said.run_requests
    )


def test_the_sensor_is_named_after_its_asset(media, batched):
    assert batched.sensor.name == "partitions_of_example_transcript"
    assert batched.asset.partitions_def.name == "example__transcript__batches"
    metadata = batched.asset.specs_by_key[batched.asset.key].metadata
    assert (metadata["metaxy/batch_size"], metadata["metaxy/max_batches"]) == (2, 2)


def test_an_asset_that_got_another_key_keeps_its_batches(lab, media, batched):
    other = dg.AssetKey(["left", "transcript"])
    renamed = batched.asset.with_attributes(asset_key_replacements={batched.asset.key: other})
    batched = Batched(lab, renamed, batched.video)

    assert batched.sensor.name == "partitions_of_left_transcript"
    assert batched.tick() == 2
    assert lab.processed == [["a", "b"], ["c", "d"]]


def test_a_sensor_of_an_asset_without_batches_is_refused(lab, media):
    with pytest.raises(mxd.AssetError, match="'example/transcript', which has no partitions"):
        mxd.increment_partitions_sensor(lab.transcript(media))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": 5, "max_batches": 0}, "max_batches=0"),
        ({"batch_size": 5, "buckets": 2}, "batch_size= and buckets="),
        ({"batch_size": 5, "chunk_size": 2}, "batch_size= and chunk_size="),
        ({"batch_size": 5, "orphans": "delete"}, "orphans='delete'"),
        ({"batch_size": 5, "limit": 2}, "and limit="),
    ],
)
def test_options_that_do_not_go_together_are_refused(media, options, said):
    with pytest.raises(mxd.AssetError, match=f"'example/transcript' has.*{said}"):
        mxd.metaxify(media.Transcript, **options)(lambda increment: None)


def test_a_root_has_no_batches(media):
    with pytest.raises(mxd.AssetError, match="root: the sensor that plans batches"):
        mxd.metaxify(media.Video, batch_size=5)(lambda: None)


def test_a_batch_s_run_loads_the_upstream_records_of_the_batch(lab, media):
    lab.samples = dict.fromkeys("abcde", ("1", "1"))
    seen = []

    @mxd.metaxify(media.Transcript, batch_size=2)
    def transcript(increment: mx.Increment, video: pl.DataFrame):
        seen.append((sorted(video["video_id"]), sorted(increment.new["video_id"])))
        return lab.transcribed(increment.new)

    video = lab.video(media)
    lab.run(video)
    Batched(lab, transcript, video).tick()

    assert seen == [(["a", "b"],) * 2, (["c", "d"],) * 2, (["e"],) * 2]
