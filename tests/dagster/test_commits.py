"""Every frame is committed as it comes, so that a crash loses only the frame in flight."""

import dagster as dg
import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd


class Crash(Exception):
    pass


def crashing_transcript(lab, media, *, at, **options):
    """Yields a frame for each record; raises instead of frame number ``at`` the first time."""
    attempts = []

    @mxd.metaxify(media.Transcript, **options)
    def transcript(increment: mx.Increment):
        attempts.append(increment.counts.to_process)
        for number, frame in enumerate(increment.batches(1)):
            if len(attempts) == 1 and number == at:
                raise Crash
            yield lab.transcribed(frame)

    return transcript, attempts


def test_each_yielded_frame_is_a_commit(lab, media):
    @mxd.metaxify(media.Transcript)
    def transcript(increment: mx.Increment):
        for frame in increment.batches(1):
            yield lab.transcribed(frame)

    result = lab.run(lab.video(media), transcript)

    assert sorted(lab.commits(media.Transcript)) == [["a"], ["b"]]
    assert lab.metadata(result, lab.TRANSCRIPT)["metaxy/commits"] == [2, 3]


def test_a_list_of_frames_is_as_many_commits(lab, media):
    @mxd.metaxify(media.Transcript)
    def transcript(increment: mx.Increment):
        return [lab.transcribed(frame) for frame in increment.batches(1)]

    lab.run(lab.video(media), transcript)

    assert sorted(lab.commits(media.Transcript)) == [["a"], ["b"]]


def test_frames_that_are_none_or_empty_make_no_commit(lab, media):
    @mxd.metaxify(media.Transcript)
    def transcript(increment: mx.Increment):
        yield None
        yield lab.transcribed(increment.new.clear())
        yield lab.transcribed(increment.new)

    lab.run(lab.video(media), transcript)

    assert lab.commits(media.Transcript) == [["a", "b"]]


def test_a_crash_keeps_the_commits_before_it_and_the_next_run_does_the_rest(lab, media):
    lab.samples = dict.fromkeys("abcde", ("1", "1"))
    transcript, attempts = crashing_transcript(lab, media, at=2)
    lab.run(lab.video(media))

    with pytest.raises(Crash):
        lab.run(lab.video(media), transcript)
    kept = lab.commits(media.Transcript)
    lab.run(lab.video(media), transcript)

    assert [len(ids) for ids in kept] == [1, 1]
    assert attempts == [5, 3]
    assert lab.records(media.Transcript) == lab.texts(*"abcde")


def test_a_retry_policy_goes_on_where_the_first_attempt_crashed(lab, media):
    lab.samples = dict.fromkeys("abc", ("1", "1"))
    policy = dg.RetryPolicy(max_retries=1)
    transcript, attempts = crashing_transcript(lab, media, at=2, retry_policy=policy)

    result = lab.run(lab.video(media), transcript)

    assert attempts == [3, 1]
    assert lab.records(media.Transcript) == lab.texts(*"abc")
    assert lab.counts(result, lab.TRANSCRIPT) == {"new": 1, "processed": 1, "spared": 2}


def test_a_frame_the_store_refuses_fails_the_step_and_keeps_the_others(lab, media):
    @mxd.metaxify(media.Transcript)
    def transcript(increment: mx.Increment):
        yield lab.transcribed(increment.new.head(1))
        yield increment.new.tail(1)

    with pytest.raises(mx.MetaxyError, match="has no column 'text'"):
        lab.run(lab.video(media), transcript)

    assert [len(ids) for ids in lab.commits(media.Transcript)] == [1]


def test_what_is_no_frame_is_refused_by_name(lab, media):
    @mxd.metaxify(media.Transcript)
    def transcript(increment: mx.Increment):
        return 3

    with pytest.raises(mx.MetaxyError, match=r"builtins\.int for 'example/transcript' is no data"):
        lab.run(lab.video(media), transcript)


def test_a_root_that_yields_samples_compares_and_commits_each_frame(lab, media):
    @mxd.metaxify(media.Video)
    def video():
        for name, versions in lab.samples.items():
            yield lab.clips({name: versions})

    lab.run(video)
    lab.samples = {"b": ("2", "1"), "c": ("1", "1")}
    result = lab.run(video)

    assert lab.commits(media.Video) == [["a"], ["b"], ["b"], ["c"]]
    assert lab.counts(result, lab.VIDEO) == {
        "new": 1, "stale": 1, "orphaned": 1, "processed": 2, "spared": 1,
    }  # fmt: skip


def test_a_root_that_crashes_keeps_the_samples_before(lab, media):
    broken = [True]

    @mxd.metaxify(media.Video)
    def video():
        for name in "abc":
            if name == "c" and broken:
                raise Crash(broken.pop())
            yield lab.clips({name: ("1", "1")})

    with pytest.raises(Crash):
        lab.run(video)
    lab.run(video)

    assert lab.commits(media.Video) == [["a"], ["b"], ["c"]]


def test_a_sample_in_two_frames_is_refused(lab, media):
    @mxd.metaxify(media.Video)
    def video():
        yield lab.clips({"a": ("1", "1"), "b": ("1", "1")})
        yield lab.clips({"b": ("2", "1")})

    with pytest.raises(mx.MetaxyError, match=r"'example/video' repeat 1 id\(s\), such as 'b'"):
        lab.run(video)


def test_frames_of_an_increment_are_written_by_a_root_as_they_are(lab, media):
    @mxd.metaxify(media.Video)
    def video(metaxy_store: mxd.MetaxyStoreResource) -> pl.DataFrame:
        with metaxy_store.open() as store:
            return store.resolve_update(media.Video, lab.clips(lab.samples)).new

    lab.run(video)
    lab.run(video)

    assert lab.commits(media.Video) == [["a", "b"]]
