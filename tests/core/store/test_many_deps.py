"""Features with several deps: joins, diamonds, ids of several columns, carried columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import ColumnCollision, UnknownColumn

if TYPE_CHECKING:
    from tests.conftest import Project


def test_a_feature_and_its_own_upstream_may_both_be_deps(project: Project) -> None:
    video = project.feature("video")
    crop = project.feature("crop", deps=[video])
    both = project.feature("both", deps=[video, crop])
    project.store.write(video, project.samples(v1="a"))
    project.process(crop)
    assert project.process(both) == mx.Counts(new=1)
    project.store.write(video, project.samples(v1="b"))
    assert project.process(both) == mx.Counts(stale=1)
    project.process(crop)
    assert project.process(both) == mx.Counts(stale=1)
    assert not project.counts(both)


def test_a_record_needs_all_of_its_required_deps(project: Project) -> None:
    video, audio = project.feature("video"), project.feature("audio")
    both = project.feature("both", deps=[video, audio])
    project.store.write(video, project.samples(v1="a", v2="a"))
    assert project.counts(both) == mx.Counts()
    project.store.write(audio, project.samples(v2="a", v3="a"))
    assert project.rows(project.store.resolve_update(both).new) == [{"id": "v2"}]


def test_a_dep_may_be_identified_by_part_of_the_ids(project: Project) -> None:
    show = project.feature("show", ids=["show"], columns={"title": str})
    clip = project.feature("clip", ids=["show", "number"], columns={"path": str})
    scene = project.feature("scene", ids=["show", "number"], deps=[clip, show])
    version = pl.struct(default=pl.lit("a")).alias("metaxy_provenance_by_field")
    shows = pl.DataFrame({"show": ["s1", "s2"], "title": ["One", "Two"]})
    clips = pl.DataFrame({"show": ["s1", "s1", "s2"], "number": [1, 2, 1], "path": ["a", "b", "c"]})
    project.store.write(show, shows.with_columns(version))
    project.store.write(clip, clips.with_columns(version))

    assert project.rows(project.store.resolve_update(scene).new) == [
        {"show": "s1", "number": 1, "path": "a", "title": "One"},
        {"show": "s1", "number": 2, "path": "b", "title": "One"},
        {"show": "s2", "number": 1, "path": "c", "title": "Two"},
    ]
    project.process(scene)
    changed = shows.head(1).with_columns(
        pl.struct(default=pl.lit("b")).alias(version.meta.output_name())
    )
    project.store.write(show, changed)
    assert project.counts(scene) == mx.Counts(stale=2)


def test_ids_may_be_renamed_on_the_way(project: Project) -> None:
    video = project.feature("video", ids=["video_id"], columns={"id": int})
    renamed = mx.FeatureDep(feature=video, rename={"video_id": "id", "id": "number"})
    copy = project.feature("copy", deps=[renamed])
    samples = project.samples(v1="a").rename({"id": "video_id"}).with_columns(id=pl.lit(7))
    project.store.write(video, samples)
    assert project.rows(project.store.resolve_update(copy).new) == [{"id": "v1", "number": 7}]
    assert project.process(copy) == mx.Counts(new=1)
    assert not project.counts(copy)


def test_only_the_chosen_columns_are_carried(project: Project) -> None:
    columns = {"path": str, "size": int, "note": str}
    video = project.feature("video", columns=columns)
    some = mx.FeatureDep(feature=video, columns=["size", "path"], rename={"size": "bytes"})
    chosen = project.feature("chosen", deps=[some])
    none = project.feature("none", deps=[mx.FeatureDep(feature=video, columns=[])])
    rows = pl.DataFrame({"path": ["p"], "size": [3], "note": ["n"]})
    project.store.write(video, pl.concat([project.samples(v1="a"), rows], how="horizontal"))
    new = project.store.resolve_update(chosen).new
    assert new.columns[:3] == ["id", "bytes", "path"]
    assert project.rows(new) == [{"id": "v1", "bytes": 3, "path": "p"}]
    assert project.rows(project.store.resolve_update(none).new) == [{"id": "v1"}]


def test_columns_of_two_deps_with_one_name_are_refused_when_they_are_declared(
    project: Project,
) -> None:
    video = project.feature("video", columns={"path": str})
    audio = project.feature("audio", columns={"path": str})
    with pytest.raises(ColumnCollision, match=r"'path' from both 'video' and 'audio'; rename it"):
        project.feature("both", deps=[video, audio])
    renamed = mx.FeatureDep(feature=audio, rename={"path": "audio_path"})
    both = project.feature("both", deps=[video, renamed])
    for root in (video, audio):
        project.store.write(
            root, project.samples(v1="a").with_columns(path=pl.lit(str(root.spec.key)))
        )
    assert project.rows(project.store.resolve_update(both).new) == [
        {"id": "v1", "path": "video", "audio_path": "audio"}
    ]


def test_columns_of_two_deps_that_only_the_store_knows_are_refused_when_they_meet(
    project: Project,
) -> None:
    video, audio = project.feature("video"), project.feature("audio")
    both = project.feature("both", deps=[video, audio])
    for root in (video, audio):
        project.store.write(root, project.samples(v1="a").with_columns(path=pl.lit("p")))
    with project.refuses(ColumnCollision, "'both'", "'path'", "'video'", "'audio'", "rename"):
        project.store.resolve_update(both)


def test_a_column_that_only_the_store_knows_does_not_replace_a_renamed_id(
    project: Project,
) -> None:
    video = project.feature("video", ids=["video_id"])
    copy = project.feature("copy", deps=[mx.FeatureDep(feature=video, rename={"video_id": "id"})])
    samples = project.samples(v1="a").rename({"id": "video_id"}).with_columns(id=pl.lit("wrong"))
    project.store.write(video, samples)
    with project.refuses(ColumnCollision, "'copy'", "'id'", "'video'", "rename"):
        project.store.resolve_update(copy)


def test_a_chosen_column_that_is_nowhere_is_named(project: Project) -> None:
    video = project.feature("video")
    copy = project.feature("copy", deps=[mx.FeatureDep(feature=video, columns=["paht"])])
    project.store.write(video, project.samples(v1="a").with_columns(path=pl.lit("p")))
    with project.refuses(UnknownColumn, "'paht'", "'video'", "did you mean 'path'?"):
        project.store.resolve_update(copy)


@pytest.mark.parametrize("option", [{"columns": ["path"]}, {"filter": "path = 'p'"}], ids=str)
def test_an_upstream_that_was_never_written_calls_for_nothing_whatever_is_wanted_of_it(
    project: Project, option: dict[str, Any]
) -> None:
    video = project.feature("video")
    copy = project.feature("copy", deps=[mx.FeatureDep(feature=video, **option)])
    assert not project.counts(copy)


def test_a_field_with_a_name_of_its_own_reads_every_field_of_every_dep(project: Project) -> None:
    video = project.feature("video", fields=["audio", "frames"])
    label = project.feature("label", fields=["name"])
    caption = project.feature("caption", deps=[video, label], fields=["caption"])
    project.store.write(video, project.samples(v1={"audio": "a", "frames": "f"}))
    project.store.write(label, project.samples(v1={"name": "n"}))
    project.process(caption)
    for feature, fields in ((video, {"audio": "a", "frames": "F"}), (label, {"name": "N"})):
        project.store.write(feature, project.samples(v1=fields))
        assert project.process(caption) == mx.Counts(stale=1)


def test_a_field_reads_the_upstream_fields_of_its_name_and_no_others(project: Project) -> None:
    video = project.feature("video", fields=["audio", "frames"])
    sound = project.feature("sound", fields=["audio"])
    mixed = project.feature("mixed", deps=[video, sound], fields=["audio"])
    project.store.write(video, project.samples(v1={"audio": "a", "frames": "f"}))
    project.store.write(sound, project.samples(v1={"audio": "s"}))
    project.process(mixed)
    project.store.write(video, project.samples(v1={"audio": "a", "frames": "F"}))
    assert not project.counts(mixed)
    project.store.write(sound, project.samples(v1={"audio": "S"}))
    assert project.counts(mixed) == mx.Counts(stale=1)


def test_a_field_that_reads_nothing_never_goes_stale(project: Project) -> None:
    video = project.feature("video")
    constant = mx.FieldSpec(key="constant", deps=[])
    copy = project.feature("copy", deps=[video], fields=[constant])
    project.store.write(video, project.samples(v1="a"))
    project.process(copy)
    project.store.write(video, project.samples(v1="b", v2="b"))
    assert project.counts(copy) == mx.Counts(new=1)


def test_a_chain_of_features_carries_a_change_to_its_end(project: Project) -> None:
    chain = [project.feature("f0")]
    for n in range(1, 12):
        chain.append(project.feature(f"f{n}", deps=[chain[-1]]))
    for version in ("a", "b"):
        counts = [project.process(chain[0], project.samples(v1=version))]
        counts += [project.process(feature) for feature in chain[1:]]
        assert set(counts) == {mx.Counts(new=1) if version == "a" else mx.Counts(stale=1)}
