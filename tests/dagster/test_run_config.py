"""The launchpad narrows a run to a part of the increment, beside the config of the function."""

import dagster as dg
import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd


class Options(dg.Config):
    suffix: str = "!"


class Open(dg.PermissiveConfig):
    suffix: str = "!"


class Taken(dg.Config):
    increment: int = 1


def launched(lab, asset, *others, **config):
    """Run an asset as the launchpad would, with this config."""
    return lab.run(*others, asset, run_config={"ops": {asset.node_def.name: {"config": config}}})


@pytest.fixture
def many(lab, media):
    """Four clips to transcribe."""
    lab.samples = dict.fromkeys("abcd", ("1", "1"))
    lab.run(lab.video(media))
    return lab.transcript(media)


def test_a_limit_takes_the_first_records_and_leaves_the_others_to_the_next_run(lab, media, many):
    video = lab.video(media)
    result = launched(lab, many, video, increment={"limit": 3})
    lab.run(video, many)

    assert lab.processed == [["a", "b", "c"], ["d"]]
    assert lab.counts(result, lab.TRANSCRIPT) == {"new": 3, "processed": 3}


def test_a_default_limit_holds_until_the_launchpad_says_otherwise(lab, media):
    lab.samples = dict.fromkeys("abcd", ("1", "1"))
    video, transcript = lab.video(media), lab.transcript(media, limit=1)

    lab.run(video, transcript)
    launched(lab, transcript, video, increment={"limit": 2})
    launched(lab, transcript, video, increment={"limit": None})

    assert lab.processed == [["a"], ["b", "c"], ["d"]]


def test_filters_choose_among_the_records_that_need_work(lab, media, many):
    result = launched(lab, many, lab.video(media), increment={"filters": "path = 'c.mp4'"})

    assert lab.processed == [["c"]]
    assert lab.metadata(result, lab.TRANSCRIPT)["metaxy/filters"] == "path = 'c.mp4'"


def test_force_computes_records_again_that_are_up_to_date(lab, media, many):
    lab.run(lab.video(media), many)

    result = launched(lab, many, lab.video(media), increment={"force": "video_id IN ('a', 'd')"})

    assert lab.processed == [["a", "b", "c", "d"], ["a", "d"]]
    assert lab.counts(result, lab.TRANSCRIPT) == {"stale": 2, "processed": 2, "spared": 2}


def test_what_a_part_of_an_increment_leaves_is_not_called_spared(lab, media, many):
    lab.run(lab.video(media), many)
    lab.samples = dict.fromkeys("abcd", ("2", "1"))

    result = launched(lab, many, lab.video(media), increment={"limit": 1})

    metadata = lab.metadata(result, lab.TRANSCRIPT)
    assert metadata["metaxy/limit"] == 1
    assert "metaxy/spared" not in metadata


def test_the_plan_in_the_log_says_what_the_run_is_limited_to(lab, media, many):
    section = {"limit": 2, "filters": "path <> 'a.mp4'", "force": "text = ''"}
    result = launched(lab, many, lab.video(media), increment=section)

    messages = [record.user_message for record in lab.instance.all_logs(result.run_id)]
    assert (
        "example/transcript: 2 new, 0 stale, 0 orphaned, 0 blocked. This run handles: limit 2, "
        "filters path <> 'a.mp4', force text = ''." in messages
    )


@pytest.mark.parametrize("kind", [Options, Open])
def test_the_function_gets_its_own_config_without_the_section(lab, media, kind):
    seen = []

    def transcript(increment: mx.Increment, config):
        seen.append(config)
        return lab.transcribed(increment.new)

    transcript.__annotations__["config"] = kind
    asset = mxd.metaxify(media.Transcript)(transcript)

    launched(lab, asset, lab.video(media), suffix="?", increment={"limit": 1})

    assert seen == [kind(suffix="?")]
    assert type(seen[0]) is kind
    assert lab.records(media.Transcript) == lab.texts("a")


def test_a_function_may_have_config_that_is_no_class_and_keeps_its_default_limit(lab, media):
    @mxd.metaxify(media.Transcript, limit=1)
    def transcript(increment: mx.Increment, config: dict[str, str]):
        return increment.new.with_columns(text=pl.lit(config["say"]))

    launched(lab, transcript, lab.video(media), say="hello")

    assert lab.records(media.Transcript) == [{"video_id": "a", "text": "hello"}]


def test_the_section_can_be_written_as_an_object(lab, media, many):
    launched(lab, many, lab.video(media), increment=mxd.IncrementConfig(limit=2).model_dump())

    assert lab.processed == [["a", "b"]]


def test_a_root_writes_only_the_part_of_its_samples_that_is_asked_for(lab, media):
    lab.samples = dict.fromkeys("abcd", ("1", "1"))
    video = lab.video(media)

    launched(lab, video, increment={"limit": 2})
    launched(lab, video, increment={"filters": "video_id > 'c'"})

    assert lab.commits(media.Video) == [["a", "b"], ["d"]]


def yielding(lab, media, **options):
    """A root that yields a frame for each sample."""

    @mxd.metaxify(media.Video, **options)
    def video():
        for name, versions in lab.samples.items():
            yield lab.clips({name: versions})

    return video


def test_a_limit_counts_over_all_frames_of_samples_and_no_sample_passes_for_an_orphan(lab, media):
    lab.samples = dict.fromkeys("abcd", ("1", "1"))
    video = yielding(lab, media, orphans="delete")
    lab.run(video)
    lab.samples = {"a": ("2", "1"), "b": ("2", "1"), "d": ("1", "1"), "e": ("1", "1")}

    result = launched(lab, video, increment={"limit": 1})

    assert lab.counts(result, lab.VIDEO) == {
        "stale": 1,
        "processed": 1,
        "orphaned": 1,
        "deleted": 1,
    }
    assert [row["video_id"] for row in lab.records(media.Video)] == ["a", "b", "d"]


def test_filters_keep_orphans_that_they_leave_out(lab, media):
    lab.samples = dict.fromkeys("abcd", ("1", "1"))
    video = yielding(lab, media, orphans="delete")
    lab.run(video)
    lab.samples = dict.fromkeys("bd", ("1", "1"))

    launched(lab, video, increment={"filters": "video_id < 'b'"})

    assert [row["video_id"] for row in lab.records(media.Video)] == ["b", "c", "d"]


@pytest.mark.parametrize(
    ("section", "error", "message"),
    [
        ({"limit": 0}, ValueError, "greater than or equal to 1"),
        ({"limit": "many"}, dg.DagsterInvalidConfigError, "limit"),
        ({"batch": 1}, dg.DagsterInvalidConfigError, "batch"),
        ({"filters": "etag = "}, mx.MetaxyError, "etag = "),
        ({"filters": "nothing = 1"}, mx.MetaxyError, "'nothing'"),
        ({"force": "path = 'a'"}, mx.MetaxyError, "'path'"),
    ],
)
def test_a_section_that_cannot_be_meant_fails_the_run_and_writes_nothing(
    lab, media, many, section, error, message
):
    with pytest.raises(error, match=message):
        launched(lab, many, lab.video(media), increment=section)

    assert lab.records(media.Transcript) == []


@pytest.mark.parametrize("limit", [0, -1, "10", 1.5, True])
def test_a_default_limit_is_a_number_of_records(media, limit):
    with pytest.raises(mxd.AssetError, match=r"'example/transcript' has limit="):
        mxd.metaxify(media.Transcript, limit=limit)(lambda increment: None)


def test_a_config_with_a_field_of_the_section_s_name_is_refused(media):
    def transcript(increment: mx.Increment, config: Taken):
        return increment.new

    with pytest.raises(mxd.AssetError, match="Taken, which has a field 'increment'"):
        mxd.metaxify(media.Transcript)(transcript)


def test_a_limit_over_an_asset_that_computes_by_itself_is_refused(media):
    spec = dg.AssetSpec("clip", metadata={"metaxy/feature": media.Video})

    with pytest.raises(mxd.AssetError, match="cannot use limit"):
        mxd.metaxify(media.Video, limit=3)(spec)
