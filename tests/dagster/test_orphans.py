"""Records that nothing calls for any more are kept, or deleted after the work."""

import pytest

import metaxy_core as mx
import metaxy_dagster as mxd


def test_orphans_are_counted_and_kept_by_default(lab, media):
    lab.run(lab.video(media))
    del lab.samples["b"]

    result = lab.run(lab.video(media))

    assert [row["video_id"] for row in lab.records(media.Video)] == ["a", "b"]
    assert lab.counts(result, lab.VIDEO) == {"orphaned": 1, "spared": 2}


def test_orphans_are_deleted_softly_where_asked_for(lab, media):
    lab.run(lab.video(media))
    del lab.samples["b"]

    result = lab.run(lab.video(media, orphans="delete"))

    assert [row["video_id"] for row in lab.records(media.Video)] == ["a"]
    assert len(lab.records(media.Video, include_deleted=True)) == 2
    assert lab.counts(result, lab.VIDEO) == {"orphaned": 1, "deleted": 1, "spared": 1}


def test_a_deletion_upstream_orphans_downstream_in_the_same_run(lab, media):
    assets = [lab.video(media, orphans="delete"), lab.transcript(media, orphans="delete")]
    lab.run(*assets)
    del lab.samples["b"]

    result = lab.run(*assets)

    assert lab.records(media.Transcript) == lab.texts("a")
    assert lab.processed == [["a", "b"]]
    assert lab.counts(result, lab.TRANSCRIPT) == {"orphaned": 1, "deleted": 1, "spared": 1}


def test_a_record_that_comes_back_is_new_again(lab, media):
    lab.run(lab.video(media))
    video = lab.video(media, orphans="delete")
    lab.samples = {"a": ("1", "1")}
    lab.run(video)
    lab.samples = {"a": ("1", "1"), "b": ("1", "1")}

    result = lab.run(video)

    assert [row["video_id"] for row in lab.records(media.Video)] == ["a", "b"]
    assert lab.counts(result, lab.VIDEO) == {"new": 1, "processed": 1, "spared": 1}


def test_orphans_are_known_when_all_frames_of_samples_have_come(lab, media):
    lab.samples = dict.fromkeys("abcd", ("1", "1"))
    lab.run(lab.video(media))

    @mxd.metaxify(media.Video, orphans="delete")
    def video():
        yield lab.clips({"a": ("1", "1")})
        yield lab.clips({"c": ("1", "1")})

    result = lab.run(video)

    assert [row["video_id"] for row in lab.records(media.Video)] == ["a", "c"]
    assert lab.counts(result, lab.VIDEO) == {"orphaned": 2, "deleted": 2, "spared": 2}


def test_orphans_stay_when_the_work_fails(lab, media):
    lab.run(*lab.assets(media))
    del lab.samples["b"]
    lab.samples["c"] = ("1", "1")
    lab.run(lab.video(media, orphans="delete"))

    @mxd.metaxify(media.Transcript, orphans="delete")
    def transcript(increment: mx.Increment):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lab.run(lab.video(media, orphans="delete"), transcript)

    assert lab.records(media.Transcript) == lab.texts("a", "b")
