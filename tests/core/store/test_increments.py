"""What an increment holds: new, stale and orphaned records, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import StoreClosed

if TYPE_CHECKING:
    from tests.conftest import Project


def videos(**versions: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": list(versions),
            "path": [f"{name}.mp4" for name in versions],
            "metaxy_provenance_by_field": [
                {"audio": audio, "frames": frames} for audio, frames in versions.values()
            ],
        },
        schema_overrides={
            "id": pl.String,
            "path": pl.String,
            "metaxy_provenance_by_field": pl.Struct({"audio": pl.String, "frames": pl.String}),
        },
    )


@pytest.fixture
def video(project: Project) -> type[mx.Feature]:
    return project.feature("video", fields=["audio", "frames"], columns={"path": str})


@pytest.fixture
def transcript(project: Project, video: type[mx.Feature]) -> type[mx.Feature]:
    reads = mx.FieldDep(feature=video, fields=["audio"])
    text = mx.FieldSpec(key="text", deps=[reads])
    return project.feature("transcript", deps=[video], fields=[text])


@pytest.fixture
def summary(project: Project, video: type[mx.Feature]) -> type[mx.Feature]:
    return project.feature("summary", deps=[video], fields=["audio", "frames"])


def test_a_root_s_samples_are_new_until_they_are_written(
    project: Project, video: type[mx.Feature]
) -> None:
    increment = project.store.resolve_update(video, videos(v1=("a1", "f1"), v2=("a2", "f2")))
    assert project.rows(increment.new) == [
        {"id": "v1", "path": "v1.mp4"},
        {"id": "v2", "path": "v2.mp4"},
    ]
    assert (increment.stale.height, increment.orphaned.height) == (0, 0)

    project.store.write(video, increment.new)

    assert not project.counts(video, videos(v1=("a1", "f1"), v2=("a2", "f2")))
    assert project.records(video) == project.rows(increment.new)


def test_one_call_gives_new_stale_and_orphaned_records_together(
    project: Project, video: type[mx.Feature]
) -> None:
    project.store.write(video, videos(kept=("a", "f"), moved=("a", "f"), gone=("a", "f")))

    increment = project.store.resolve_update(
        video, videos(kept=("a", "f"), moved=("a", "F"), fresh=("a", "f"))
    )

    assert increment.counts == mx.Counts(new=1, stale=1, orphaned=1)
    assert project.rows(increment.new) == [{"id": "fresh", "path": "fresh.mp4"}]
    assert project.rows(increment.stale) == [
        {"id": "moved", "path": "moved.mp4", "metaxy_changed_fields": ["frames"]}
    ]
    assert project.rows(increment.orphaned) == [{"id": "gone", "path": "gone.mp4"}]


def test_a_change_of_frames_leaves_what_reads_only_audio_alone(
    project: Project, video: type[mx.Feature], transcript: type[mx.Feature]
) -> None:
    project.store.write(video, videos(v1=("a1", "f1")))
    project.process(transcript)

    project.store.write(video, videos(v1=("a1", "f2")))

    assert not project.counts(transcript)


def test_a_change_of_audio_makes_what_reads_it_stale(
    project: Project, video: type[mx.Feature], transcript: type[mx.Feature]
) -> None:
    project.store.write(video, videos(v1=("a1", "f1"), v2=("a1", "f1")))
    project.process(transcript)

    project.store.write(video, videos(v2=("a2", "f1")))

    assert project.rows(project.store.resolve_update(transcript).stale) == [
        {"id": "v2", "path": "v2.mp4", "metaxy_changed_fields": ["text"]}
    ]


def test_a_stale_record_tells_which_of_its_fields_changed(
    project: Project, video: type[mx.Feature], summary: type[mx.Feature]
) -> None:
    project.store.write(
        video, videos(sound=("a", "f"), picture=("a", "f"), both=("a", "f"), none=("a", "f"))
    )
    project.process(summary)

    project.store.write(video, videos(sound=("A", "f"), picture=("a", "F"), both=("A", "F")))

    increment = project.store.resolve_update(summary)
    assert increment.changes == {"audio": 2, "frames": 2}
    assert project.rows(increment.stale) == [
        {"id": "both", "path": "both.mp4", "metaxy_changed_fields": ["audio", "frames"]},
        {"id": "picture", "path": "picture.mp4", "metaxy_changed_fields": ["frames"]},
        {"id": "sound", "path": "sound.mp4", "metaxy_changed_fields": ["audio"]},
    ]


def test_a_version_that_returns_to_its_former_value_is_stale_and_then_settled(
    project: Project, video: type[mx.Feature], transcript: type[mx.Feature]
) -> None:
    for audio in ("a1", "a2"):
        project.store.write(video, videos(v1=(audio, "f")))
        project.process(transcript)

    project.store.write(video, videos(v1=("a1", "f")))

    assert project.process(transcript) == mx.Counts(stale=1)
    assert not project.counts(transcript)


def test_a_record_deleted_upstream_is_orphaned_with_its_stored_row(
    project: Project, video: type[mx.Feature]
) -> None:
    thumb = project.feature("thumb", deps=[video], fields=["frames"], columns={"size": int})
    project.store.write(video, videos(v1=("a", "f"), v2=("a", "f")))
    project.process(thumb, size=7)

    project.store.delete(video, pl.DataFrame({"id": ["v2"]}))

    increment = project.store.resolve_update(thumb)
    assert increment.counts == mx.Counts(orphaned=1)
    stored = project.store.read(thumb, filters="id = 'v2'").to_polars()
    kept = increment.orphaned.columns
    assert increment.orphaned.equals(stored.select(kept))
    assert {"id", "size", "metaxy_provenance", "metaxy_commit"} <= set(kept)


def test_samples_without_a_row_orphan_every_record(
    project: Project, video: type[mx.Feature]
) -> None:
    project.store.write(video, videos(v1=("a", "f"), v2=("a", "f")))
    assert project.process(video, videos()) == mx.Counts(orphaned=2)
    assert project.records(video) == []


def test_nothing_upstream_means_nothing_to_do(
    project: Project, transcript: type[mx.Feature]
) -> None:
    increment = project.store.resolve_update(transcript)
    assert not increment.counts
    assert (increment.new.height, increment.stale.height, increment.orphaned.height) == (0, 0, 0)
    assert list(increment.batches()) == []
    assert project.records(transcript) == []
    assert project.store.history(transcript).last is None


def test_an_increment_is_of_one_moment(
    project: Project, video: type[mx.Feature], transcript: type[mx.Feature]
) -> None:
    project.store.write(video, videos(v1=("a", "f")))
    increment = project.store.resolve_update(transcript)

    project.store.write(video, videos(v1=("A", "f"), v2=("a", "f")))

    assert project.rows(increment.new) == [{"id": "v1", "path": "v1.mp4"}]
    assert increment.counts == mx.Counts(new=1)


def test_increments_held_at_once_do_not_mix(
    project: Project, video: type[mx.Feature], transcript: type[mx.Feature]
) -> None:
    project.store.write(video, videos(v1=("a", "f")))
    first = project.store.resolve_update(transcript)
    project.store.write(video, videos(v2=("a", "f")))
    second = project.store.resolve_update(transcript)
    assert [row["id"] for row in project.rows(first.new)] == ["v1"]
    first.close()
    third = project.store.resolve_update(video, videos(v3=("a", "f")))
    assert [row["id"] for row in project.rows(second.new)] == ["v1", "v2"]
    assert [row["id"] for row in project.rows(third.new)] == ["v3"]


def test_work_on_an_outdated_increment_is_stale_at_once(
    project: Project, video: type[mx.Feature], transcript: type[mx.Feature]
) -> None:
    project.store.write(video, videos(v1=("a1", "f")))
    increment = project.store.resolve_update(transcript)
    project.store.write(video, videos(v1=("a2", "f")))

    project.store.write(transcript, increment.new)

    assert project.counts(transcript) == mx.Counts(stale=1)


def test_batches_give_new_and_stale_records_once_each(
    project: Project, video: type[mx.Feature]
) -> None:
    project.store.write(video, videos(v1=("a", "f"), v2=("a", "f")))
    samples = videos(v1=("A", "f"), v2=("a", "f"), v3=("a", "f"), v4=("a", "f"), v5=("a", "f"))

    frames = list(project.store.resolve_update(video, samples).batches(2))

    assert [frame.height for frame in frames] == [2, 2]
    assert project.rows(pl.concat(frames)) == [
        {"id": "v1", "path": "v1.mp4", "metaxy_changed_fields": ["audio"]},
        {"id": "v3", "path": "v3.mp4", "metaxy_changed_fields": ["audio", "frames"]},
        {"id": "v4", "path": "v4.mp4", "metaxy_changed_fields": ["audio", "frames"]},
        {"id": "v5", "path": "v5.mp4", "metaxy_changed_fields": ["audio", "frames"]},
    ]


def test_each_batch_can_be_written_before_the_next_is_fetched(
    project: Project, video: type[mx.Feature], transcript: type[mx.Feature]
) -> None:
    project.store.write(video, videos(**{f"v{n}": ("a", "f") for n in range(7)}))
    left = []
    for frame in project.store.resolve_update(transcript).batches(3):
        project.store.write(transcript, frame)
        left.append(project.counts(transcript).new)
    assert left == [4, 1, 0]


def test_writing_part_of_an_increment_leaves_the_rest(
    project: Project, video: type[mx.Feature], transcript: type[mx.Feature]
) -> None:
    project.store.write(video, videos(v1=("a", "f"), v2=("a", "f")))
    new = project.store.resolve_update(transcript).new

    project.store.write(transcript, new.filter(pl.col("id") == "v2"))

    rest = project.store.resolve_update(transcript)
    assert rest.counts == mx.Counts(new=1)
    assert project.rows(rest.new) == [{"id": "v1", "path": "v1.mp4"}]


def test_the_seeds_names_for_an_increment_and_a_store_are_the_same_thing(
    project: Project, video: type[mx.Feature]
) -> None:
    project.store.write_metadata(video, videos(kept=("a", "f"), gone=("a", "f")))
    diff = project.store.resolve_update(video, videos(kept=("A", "f"), fresh=("a", "f")))
    assert diff.added.equals(diff.new)
    assert diff.changed.equals(diff.stale)
    assert diff.removed.equals(diff.orphaned)
    assert project.store.read_metadata(video).to_polars().height == 2


def test_a_result_fetched_after_the_store_was_closed_says_so(
    project: Project, video: type[mx.Feature]
) -> None:
    increment = project.store.resolve_update(video, videos(v1=("a", "f")))
    project.store.close()
    with pytest.raises(StoreClosed, match="fetch results before its `with` block ends"):
        _ = increment.new


def test_any_name_of_a_feature_will_do(project: Project) -> None:
    video = project.feature("example/video", fields=["audio"])
    samples = pl.DataFrame({"id": ["v1"], "metaxy_provenance_by_field": [{"audio": "a"}]})
    names = [
        video,
        video.spec,
        mx.FeatureKey("example/video"),
        ["example", "video"],
        "example/video",
    ]
    assert [project.store.resolve_update(name, samples).counts.new for name in names] == [1] * 5


def test_a_closed_increment_gives_nothing_of_another(project: Project) -> None:
    video = project.feature("video")
    first = project.store.resolve_update(video, project.samples(v1="a"))
    first.close()
    second = project.store.resolve_update(video, project.samples(v2="a"))
    with pytest.raises(StoreClosed, match="resolve 'video' again"):
        _ = first.new
    with pytest.raises(StoreClosed, match="is closed"):
        next(first.batches())
    assert second.new["id"].to_list() == ["v2"]
