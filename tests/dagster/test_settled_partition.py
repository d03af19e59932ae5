"""One partition of a batched asset stays, on which rests what Dagster knows of it downstream."""

import dagster as dg
import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd
from tests.dagster.batches import Batched

SETTLED = "settled"


class Downstream:
    """A batched asset, and one that is requested where what it reads changed."""

    def __init__(self, lab, media):
        with media.graph.use():

            class Topic(
                mx.Feature,
                spec=mx.FeatureSpec(
                    key="example/topic", id_columns=["video_id"], deps=[media.Transcript]
                ),
            ):
                video_id: str

        self.lab, self.cursor = lab, None
        self.video = lab.video(media)
        self.transcript = lab.transcript(media, batch_size=1, max_batches=3)
        self.topic = mxd.metaxify(Topic, automation_condition=mxd.on_upstream_change())(
            lambda increment: increment.new
        )
        self.batched = Batched(lab, self.transcript, self.video)

    def arrive(self, *names):
        self.lab.samples |= dict.fromkeys(names, ("1", "1"))
        self.lab.run(self.video)

    def evaluate(self):
        """A tick of the conditions, and the run that it requests; gives how many these are."""
        assets = [self.video, self.transcript, self.topic]
        result = dg.evaluate_automation_conditions(
            dg.Definitions(assets=assets, resources=self.lab.resources),
            instance=self.lab.instance,
            cursor=self.cursor,
        )
        self.cursor = result.cursor
        if result.total_requested:
            self.lab.run(*assets, selection=[self.topic])
        return result.total_requested


@pytest.fixture
def downstream(lab, media):
    """What is downstream of two settled batches, whose condition was evaluated."""
    found = Downstream(lab, media)
    found.arrive("a", "b")
    found.batched.tick(), found.batched.tick()
    assert [found.evaluate(), found.evaluate()] == [1, 0]
    return found


@pytest.fixture
def batched(lab, media):
    """Two clips, a batch each."""
    video = lab.video(media)
    lab.run(video)
    return Batched(lab, lab.transcript(media, batch_size=1), video)


def version(lab, media):
    with lab.store.open() as store:
        return mxd.data_version(store, media.Transcript).value


def told(lab, partition=SETTLED):
    """The data versions that Dagster was told of a partition, the newest first."""
    wanted = dg.AssetRecordsFilter(lab.TRANSCRIPT, asset_partitions=[partition])
    records = lab.instance.fetch_materializations(wanted, limit=100).records
    return [record.asset_materialization.tags["dagster/data_version"] for record in records]


def partitions(batched):
    return batched.lab.instance.get_dynamic_partitions(batched.asset.partitions_def.name)


# --------------------------------------------------------------------------- downstream


def test_a_change_whose_partitions_are_gone_requests_once(downstream):
    downstream.arrive("c", "d")
    downstream.batched.tick(), downstream.batched.tick()

    assert downstream.batched.partitions == []
    assert [downstream.evaluate() for _ in range(3)] == [1, 0, 0]


def test_a_change_is_not_requested_again_when_its_partitions_go(downstream):
    downstream.arrive("c", "d")
    downstream.batched.tick()
    assert len(downstream.batched.partitions) == 2
    assert [downstream.evaluate() for _ in range(2)] == [1, 0]

    downstream.batched.tick()
    assert downstream.batched.partitions == []
    assert [downstream.evaluate() for _ in range(2)] == [0, 0]


def test_a_batch_that_was_not_run_yet_is_waited_for(downstream):
    downstream.arrive("c", "d")
    first, second = downstream.batched.accept(downstream.batched.evaluate())

    downstream.batched.run(first)
    assert downstream.evaluate() == 0
    downstream.batched.run(second)
    assert [downstream.evaluate() for _ in range(2)] == [1, 0]


def test_runs_that_changed_nothing_request_nothing(downstream):
    downstream.batched.run(SETTLED)
    downstream.batched.cursor = None
    downstream.batched.tick()

    assert downstream.evaluate() == 0


def test_what_was_never_computed_is_missing(lab, media):
    found = Downstream(lab, media)
    found.arrive("a")
    said = found.batched.evaluate()
    assert not said.asset_events
    found.batched.accept(said)

    assert SETTLED in partitions(found.batched)
    assert found.evaluate() == 0


# --------------------------------------------------------------------------- what is told


def test_it_stays_with_the_state_of_the_whole_feature(lab, media, batched):
    first, second = batched.accept(batched.evaluate())
    batched.run(first)
    between = version(lab, media)
    batched.run(second)
    after = version(lab, media)
    batched.tick()

    assert partitions(batched) == [SETTLED]
    assert told(lab) == [after, between]


def test_a_removal_tells_nothing_new(lab, batched):
    batched.tick()

    assert batched.evaluate().asset_events == []


def test_a_lost_cursor_tells_nothing_new(lab, batched):
    batched.tick(), batched.tick()
    batched.cursor = None

    assert batched.evaluate().asset_events == []


def test_what_no_run_told_is_told_by_the_sensor(lab, media, batched):
    batched.tick(), batched.tick()
    with lab.store.open() as store:
        store.delete(media.Transcript, pl.DataFrame({"video_id": ["a"]}))

    first, again = batched.evaluate(), batched.evaluate()
    batched.accept(first), batched.accept(again)

    assert told(lab)[:2] == [version(lab, media)] * 2
    assert len(told(lab)) == 4
    assert isinstance(batched.evaluate(), dg.SensorResult)  # the deleted record has a batch now
    assert batched.evaluate().asset_events == []


def test_the_sensor_tells_nothing_while_a_batch_is_computed(lab, media, batched):
    said = []

    @mxd.metaxify(media.Transcript, batch_size=2)
    def transcript(increment: mx.Increment):
        for frame in increment.batches(1):
            yield lab.transcribed(frame)
            said.append(batched.evaluate().asset_events)

    batched = Batched(lab, transcript, batched.video)
    batched.tick()

    assert said == [[], []]
    assert told(lab) == [version(lab, media)]


def test_a_sensor_over_a_feature_that_was_computed_before_tells_of_it(lab, media):
    whole = lab.transcript(media)
    video = lab.video(media)
    lab.run(video, whole)
    batched = Batched(lab, lab.transcript(media, batch_size=1), video)

    batched.tick()

    assert partitions(batched) == [SETTLED]
    assert told(lab) == [version(lab, media)]


# --------------------------------------------------------------------------- run from the UI


def settled_run(batched, **section):
    config = {"ops": {"example__transcript": {"config": {"increment": section}}}}
    return batched.run(SETTLED, run_config=config)


def test_a_run_of_it_finds_nothing_to_do(lab, batched):
    batched.tick(), batched.tick()
    lab.processed.clear()

    result = settled_run(batched)

    assert lab.processed == []
    assert lab.counts(result, lab.TRANSCRIPT) == {"spared": 2}
    assert lab.metadata(result, lab.TRANSCRIPT)["metaxy/partition"] == SETTLED


def test_a_run_of_it_handles_what_is_in_no_batch(lab, media, batched):
    batched.accept(batched.evaluate())
    lab.samples |= dict.fromkeys("cd", ("1", "1"))
    lab.run(batched.video)

    settled_run(batched)

    assert lab.processed == [["c", "d"]]
    assert told(lab) == [version(lab, media)]
    assert len(batched.partitions) == 2


def test_a_run_of_it_computes_again_what_is_forced(lab, media, batched):
    batched.tick()
    lab.samples |= {"c": ("1", "1")}
    lab.run(batched.video)
    lab.processed.clear()
    batched.accept(batched.evaluate())

    settled_run(batched, force="video_id = 'a'")

    assert lab.processed == [["a"]]


def test_a_run_of_it_loads_inputs(lab, media, batched):
    seen = []

    @mxd.metaxify(media.Transcript, batch_size=1)
    def transcript(increment: mx.Increment, video: pl.DataFrame):
        seen.append(sorted(video["video_id"]))
        return lab.transcribed(increment.new)

    lab.instance.add_dynamic_partitions(batched.asset.partitions_def.name, [SETTLED])
    Batched(lab, transcript, batched.video).run(SETTLED)

    assert seen == [["a", "b"]]
