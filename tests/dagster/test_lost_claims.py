"""What a run left to another one is asked for where that one comes to no good end."""

import time

import dagster as dg
import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd


class Daemon:
    """A sensor that keeps transcripts up to date; its first request was answered."""

    def __init__(self, lab, media):
        self.lab, self.media, self.cursor = lab, media, None
        self.sensor = mxd.upstream_change_sensor(of=media.Transcript)
        lab.run(lab.video(media))
        assert self.tick() == 1

    def evaluate(self):
        context = dg.build_sensor_context(
            instance=self.lab.instance,
            cursor=self.cursor,
            resources={"metaxy_store": self.lab.store},
        )
        return self.sensor.evaluate_tick(context)

    def tick(self):
        said = self.evaluate()
        self.cursor = said.cursor
        return len(said.run_requests)

    def claim(self, run_id, seconds=600):
        """Hold one transcript, as a run of the asset does."""
        with self.lab.store.open() as store:
            claim = mx.Claim(f"{run_id} example/transcript", seconds=seconds)
            store.resolve_update(self.media.Transcript, claim=claim, limit=1)

    def release(self, run_id):
        with self.lab.store.open() as store:
            store.release_claims(f"{run_id} example/transcript")


class Crash(Exception):
    pass


@pytest.fixture
def daemon(lab, media):
    return Daemon(lab, media)


def run_of_one(lab, media, inside, *, fails):
    """A run that takes one transcript, and during which something else happens."""

    @mxd.metaxify(media.Transcript, limit=1)
    def transcript(increment: mx.Increment) -> pl.DataFrame:
        inside()
        if fails:
            raise Crash
        return lab.transcribed(increment.new)

    return lab.run(transcript, raise_on_error=False)


def test_what_was_left_to_a_run_that_failed_is_requested_once(lab, media, daemon):
    def inside():
        lab.run(lab.transcript(media))
        assert daemon.tick() == 0

    failed = run_of_one(lab, media, inside, fails=True)

    first, again = daemon.evaluate(), daemon.evaluate()
    (request,) = first.run_requests
    assert request.run_key == again.run_requests[0].run_key
    assert request.tags["metaxy/left_to"] == f"{failed.run_id} example/transcript"
    assert lab.processed == [["b"]]
    assert [daemon.tick() for _ in range(3)] == [1, 0, 0]


def test_what_was_left_to_a_run_that_succeeded_is_not_requested(lab, media, daemon):
    def inside():
        lab.run(lab.transcript(media))
        assert daemon.tick() == 0

    run_of_one(lab, media, inside, fails=False)

    assert [daemon.tick() for _ in range(2)] == [0, 0]


def test_a_run_that_failed_and_was_left_nothing_is_not_requested(lab, media, daemon):
    run_of_one(lab, media, daemon.tick, fails=True)

    assert [daemon.tick() for _ in range(2)] == [0, 0]


def test_a_run_that_succeeded_before_the_one_that_left_it_records_is_not_requested(
    lab, media, daemon
):
    done = lab.run(lab.video(media)).run_id
    daemon.claim(done)
    assert daemon.tick() == 0
    lab.run(lab.transcript(media))
    daemon.release(done)

    assert [daemon.tick() for _ in range(2)] == [0, 0]


def test_what_was_left_to_a_killed_run_is_requested_when_its_claim_is_over(lab, media, daemon):
    job = dg.Definitions(assets=lab.assets(media), resources=lab.resources)
    killed = lab.instance.create_run_for_job(
        job.resolve_implicit_global_asset_job_def(), status=dg.DagsterRunStatus.STARTED
    )
    daemon.claim(killed.run_id, seconds=3)
    lab.run(lab.transcript(media))
    assert [daemon.tick() for _ in range(2)] == [0, 0]

    time.sleep(3)

    assert [daemon.tick() for _ in range(2)] == [1, 0]


def test_it_waits_for_others_that_hold_records(lab, media, daemon):
    """What they leave is told at their end."""

    def inside():
        lab.run(lab.transcript(media))
        daemon.tick()

    lab.samples["c"] = ("1", "1")
    lab.run(lab.video(media))
    daemon.tick()
    failed = run_of_one(lab, media, inside, fails=True)
    daemon.claim("another")
    assert [daemon.tick() for _ in range(2)] == [0, 0]
    daemon.release("another")

    (request,) = daemon.evaluate().run_requests
    assert request.tags["metaxy/left_to"].startswith(failed.run_id)
