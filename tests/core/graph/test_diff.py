"""What changed between two graphs, down to the field, and why."""

from __future__ import annotations

from typing import Any

import pytest

from metaxy_core import FeatureDep, FeatureGraph, FeatureSpec, FieldDep, FieldSpec
from metaxy_core.definition import FeatureDefinition
from metaxy_core.errors import UnknownFeature
from metaxy_core.graph.diff import Change, EdgeDiff, diff_graphs
from metaxy_core.keys import FeatureKey, FieldKey

ADDED, REMOVED, CHANGED, UNCHANGED = Change


def feature(key: str, **options: Any) -> FeatureDefinition:
    return FeatureDefinition(spec=FeatureSpec(**{"key": key, "id_columns": ["id"], **options}))


def diff_of(old: list[FeatureDefinition], new: list[FeatureDefinition]) -> Any:
    return diff_graphs(FeatureGraph(old), FeatureGraph(new))


def keys(features: Any) -> list[str]:
    return [str(found.key) for found in features]


VIDEO = feature("video", fields=["audio", "frames"])


# ------------------------------------------------------------------ a bump of Video.audio


def test_a_bump_of_audio_changes_video_crop_and_speech_to_text(readme_graph):
    diff = diff_graphs(readme_graph(1), readme_graph(2))
    assert sorted(keys(diff.changed)) == ["example/crop", "example/video", "overview/stt"]


def test_a_bump_of_audio_leaves_face_detection_alone(readme_graph):
    diff = diff_graphs(readme_graph(1), readme_graph(2))
    assert keys(diff.unchanged) == ["example/face_detection"]
    assert diff["example/face_detection"].old == diff["example/face_detection"].new


def test_a_bump_of_audio_moves_only_audio_and_transcription(readme_graph):
    diff = diff_graphs(readme_graph(1), readme_graph(2))
    changes = {
        (str(f.key), str(field.key)): field.change for f in diff.features for field in f.fields
    }
    assert changes == {
        ("example/video", "audio"): CHANGED,
        ("example/video", "frames"): UNCHANGED,
        ("example/crop", "audio"): CHANGED,
        ("example/crop", "frames"): UNCHANGED,
        ("overview/stt", "transcription"): CHANGED,
        ("example/face_detection", "detections"): UNCHANGED,
    }


def test_versions_are_those_of_the_two_graphs(readme_graph):
    old, new = readme_graph(1), readme_graph(2)
    diff = diff_graphs(old, new)
    assert (diff.old, diff.new) == (old.versions.project, new.versions.project)
    for found in diff.features:
        before, after = old.versions[found.key], new.versions[found.key]
        assert (found.old, found.new) == (before.feature, after.feature)
        assert {f.key: (f.old, f.new) for f in found.fields} == {
            key: (before.fields[key], after.fields[key]) for key in before.fields
        }


def test_the_bumped_field_tells_its_code_versions(readme_graph):
    audio, _ = diff_graphs(readme_graph(1), readme_graph(2))["example/video"].fields
    assert audio.reasons == ("code version 1 → 2",)


def test_a_field_below_tells_which_upstream_field_changed(readme_graph):
    (transcription,) = diff_graphs(readme_graph(1), readme_graph(2))["overview/stt"].fields
    assert transcription.reasons == ("example/video.audio changed",)


# ------------------------------------------------------------------ features and fields


def test_a_graph_does_not_differ_from_itself(readme_graph):
    diff = diff_graphs(readme_graph(1), readme_graph(1))
    assert not diff
    assert len(diff.unchanged) == 4


def test_a_diff_with_any_change_is_true():
    assert diff_of([VIDEO], [])


def test_features_of_one_graph_only_are_added_or_removed():
    diff = diff_of([VIDEO, feature("old")], [VIDEO, feature("new")])
    assert (keys(diff.added), keys(diff.removed)) == (["new"], ["old"])
    assert (diff["new"].old, diff["old"].new) == (None, None)


def test_removed_features_come_last():
    diff = diff_of([feature("old"), VIDEO], [feature("new"), VIDEO])
    assert keys(diff.features) == ["new", "video", "old"]


def test_fields_of_an_added_feature_are_added():
    (default,) = diff_of([], [feature("new")])["new"].fields
    assert (default.change, default.reasons) == (ADDED, ())


def test_a_field_may_be_added_and_another_removed():
    diff = diff_of([VIDEO], [feature("video", fields=["audio", "subtitles"])])
    assert [(str(field.key), field.change) for field in diff["video"].fields] == [
        ("audio", UNCHANGED),
        ("subtitles", ADDED),
        ("frames", REMOVED),
    ]


def test_a_field_tells_what_it_reads_now_and_what_no_longer():
    def crop(field: str) -> FeatureDefinition:
        reads = FieldSpec(key="cut", deps=[FieldDep(feature="video", fields=[field])])
        return feature("crop", deps=["video"], fields=[reads])

    (cut,) = diff_of([VIDEO, crop("audio")], [VIDEO, crop("frames")])["crop"].fields
    assert cut.reasons == ("now reads video.frames", "no longer reads video.audio")


def test_a_root_field_tells_which_columns_its_version_comes_from():
    def video(*columns: str) -> FeatureDefinition:
        return feature("video", fields=[FieldSpec(key="audio", version_from=columns)])

    (audio,) = diff_of([video("etag")], [video("etag", "size")])["video"].fields
    assert audio.reasons == ("version_from etag → etag, size",)


def test_descriptions_and_metadata_change_nothing():
    described = feature("video", fields=["audio", "frames"], description="d", metadata={"a": 1})
    assert not diff_of([VIDEO], [described])


def test_a_feature_in_neither_graph_has_no_diff():
    with pytest.raises(KeyError, match="nothing"):
        diff_of([VIDEO], [VIDEO])["nothing"]


def test_a_graph_that_lacks_a_dependency_cannot_be_compared():
    with pytest.raises(UnknownFeature, match="'crop' depends on 'video'"):
        diff_of([VIDEO], [feature("crop", deps=["video"])])


# ------------------------------------------------------------------ wiring


def rewired(old: dict[str, Any], new: dict[str, Any]) -> Any:
    return diff_of(
        [VIDEO, feature("sound"), feature("crop", **old)],
        [VIDEO, feature("sound"), feature("crop", **new)],
    )


def dep(**options: Any) -> dict[str, Any]:
    return {"deps": [FeatureDep(feature="video", **options)]}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({}, {"id_columns": ["id", "part"]}, ("id columns id → id, part",)),
        ({}, {"deps": ["video"]}, ("dep video added",)),
        ({"deps": ["video", "sound"]}, {"deps": ["video"]}, ("dep sound removed",)),
        (dep(), dep(optional=True), ("dep video is now optional",)),
        (dep(optional=True), dep(), ("dep video is now required",)),
        (dep(), dep(filter="size > 1"), ("filter of dep video: none → size > 1",)),
        (
            dep(filter="size > 1"),
            dep(filter="size > 2"),
            ("filter of dep video: size > 1 → size > 2",),
        ),
    ],
)
def test_wiring_is_told_in_words(old, new, words):
    found = rewired(old, new)["crop"]
    assert (found.change, found.wiring) == (CHANGED, words)


def test_a_filter_written_otherwise_is_the_same_filter():
    assert not rewired(dep(filter="size>1"), dep(filter=" size  > 1"))


def test_a_filter_over_several_lines_is_told_in_one():
    found = rewired(dep(), dep(filter="size > 1\n  AND size < 9"))["crop"]
    assert found.wiring == ("filter of dep video: none → size > 1 AND size < 9",)


def test_a_changed_filter_leaves_the_fields_versions_alone():
    (default,) = rewired(dep(), dep(filter="size > 1"))["crop"].fields
    assert default.change is UNCHANGED


def test_edges_tell_which_deps_came_went_and_changed():
    old = [VIDEO, feature("sound"), feature("crop", deps=["video", "sound"])]
    optional = FeatureDep(feature="video", optional=True)
    new = [VIDEO, feature("text"), feature("crop", deps=["text", optional])]
    video, sound, text, crop = map(FeatureKey, ("video", "sound", "text", "crop"))
    assert diff_of(old, new).edges == (
        EdgeDiff(text, crop, optional=False, change=ADDED),
        EdgeDiff(video, crop, optional=True, change=CHANGED),
        EdgeDiff(sound, crop, optional=False, change=REMOVED),
    )


def test_edges_of_an_unchanged_graph_are_unchanged(readme_graph):
    edges = diff_graphs(readme_graph(1), readme_graph(1)).edges
    assert {(str(edge.upstream), str(edge.downstream), edge.change) for edge in edges} == {
        ("example/video", "example/crop", UNCHANGED),
        ("example/crop", "example/face_detection", UNCHANGED),
        ("example/video", "overview/stt", UNCHANGED),
    }


def test_fields_are_in_the_order_of_their_declaration(readme_graph):
    fields = diff_graphs(readme_graph(1), readme_graph(2))["example/crop"].fields
    assert [field.key for field in fields] == [FieldKey("audio"), FieldKey("frames")]
