"""The chunks of a run hold their records together, and each gives back its own when it fails."""

import os
import signal

import dagster as dg
import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd
from metaxy_core import errors


class Crash(Exception):
    pass


@pytest.fixture
def clips(lab, media):
    """Five clips to transcribe, and the asset that gives them."""
    lab.samples = dict.fromkeys("abcde", ("1", "1"))
    return lab.video(media)


def held(lab, media):
    """How many transcripts are claimed and not written."""
    with lab.store.open() as store:
        return sum(claim.records for claim in store.claims(media.Transcript) if claim.live)


def chunked(lab, media, work, **options):
    """Chunks of two; before its work each notes its records, and those that its run holds."""

    @mxd.metaxify(media.Transcript, chunk_size=2, **options)
    def transcript(increment: mx.Increment):
        lab.processed.append(sorted(increment.new["video_id"]))
        seen.append(held(lab, media))
        work(lab.processed[-1])
        return lab.transcribed(increment.new)

    seen: list[int] = []
    return transcript, seen


def test_a_chunk_that_fails_gives_back_its_records_and_no_others(lab, media, clips):
    def fail(names):
        if "a" in names:
            raise Crash

    asset, seen = chunked(lab, media, fail)

    assert not lab.run(clips, asset, raise_on_error=False).success

    assert lab.processed == [["a", "b"], ["c", "d"], ["e"]]
    assert seen == [5, 3, 1]
    assert held(lab, media) == 0


def test_what_a_failed_chunk_gave_back_may_be_done_by_another_run_meanwhile(lab, media, clips):
    def fail(names):
        if "a" in names:
            raise Crash
        if "e" in names:
            lab.run(lab.transcript(media))

    asset, _ = chunked(lab, media, fail)

    lab.run(clips, asset, raise_on_error=False)

    assert lab.processed == [["a", "b"], ["c", "d"], ["e"], ["a", "b"]]
    assert lab.records(media.Transcript) == lab.texts(*"abcde")


def test_a_chunk_that_is_tried_again_holds_its_records_again(lab, media, clips):
    left = [Crash()]

    def fail_once(names):
        if "c" in names and left:
            raise left.pop()

    policy = dg.RetryPolicy(max_retries=1)
    asset, seen = chunked(lab, media, fail_once, retry_policy=policy)

    assert lab.run(clips, asset).success

    assert lab.processed == [["a", "b"], ["c", "d"], ["e"], ["c", "d"]]
    assert seen == [5, 3, 1, 2]
    assert held(lab, media) == 0


@pytest.mark.parametrize("options", [{}, {"chunk_size": 2}])
def test_a_run_that_is_interrupted_gives_back_everything(lab, media, clips, options):
    seen = []

    @mxd.metaxify(media.Transcript, **options)
    def transcript(increment: mx.Increment):
        for frame in increment.batches(2):
            seen.append((len(frame), held(lab, media)))
            os.kill(os.getpid(), signal.SIGINT)
            yield lab.transcribed(frame)

    with pytest.raises((KeyboardInterrupt, dg.DagsterExecutionInterruptedError)):
        lab.run(clips, transcript)

    assert seen == [(2, 5)]
    assert held(lab, media) == 0


def test_a_plan_that_cannot_be_kept_holds_nothing(lab, media, clips, monkeypatch):
    def locked(self, *arguments, **options):
        raise errors.StoreLocked("The store is held.")

    monkeypatch.setattr(mx.DuckDBMetadataStore, "plan_batches", locked)

    failed = lab.run(clips, lab.transcript(media, chunk_size=2), raise_on_error=False)

    assert not failed.success
    assert held(lab, media) == 0


def test_what_changed_while_a_chunk_computed_it_is_left_to_who_took_it_since(lab, media, clips):
    """The chunk's second look is not covered by the claim of the plan, which the write ended."""
    lab.run(clips)
    taken = []

    @mxd.metaxify(media.Transcript, chunk_size=5)
    def transcript(increment: mx.Increment):
        frame = pl.concat(list(increment.batches()))
        lab.processed.append(sorted(frame["video_id"]))
        yield lab.transcribed(frame)
        if not taken:
            lab.samples["a"], lab.samples["b"] = ("2", "1"), ("2", "1")
            lab.run(clips)
            with lab.store.open() as store:
                claim = mx.Claim("another run", seconds=600)
                other = store.resolve_update(media.Transcript, claim=claim, limit=1)
                taken.extend(other.stale["video_id"])

    assert lab.run(clips, transcript, selection=[transcript]).success

    assert taken == ["a"]
    assert lab.processed == [list("abcde"), ["b"]]
