"""A rebase carries records over to a definition that was refactored, and computes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core import errors

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Project

FeatureClass = type[mx.Feature]
DONE = mx.Counts()


def video(project: Project, **code_versions: int) -> FeatureClass:
    """A root whose fields all have the version that its etag tells."""
    fields = [
        mx.FieldSpec(key=name, code_version=code, version_from=["etag"])
        for name, code in code_versions.items()
    ]
    return project.feature("video", fields=fields, columns={"etag": str})


def videos(**etags: str) -> pl.DataFrame:
    return pl.DataFrame({"id": list(etags), "etag": list(etags.values())})


def versions(project: Project, feature: FeatureClass, field: str) -> dict[str, str]:
    """The data version of a field, by id."""
    frame = project.store.read(feature).to_polars().unnest("metaxy_data_version_by_field")
    return dict(frame.select("id", field).sort("id").iter_rows())


def tally(rebase: mx.Rebase) -> tuple[int, int, int]:
    return rebase.records, rebase.left, rebase.already


@pytest.fixture
def text(project: Project) -> FeatureClass:
    """Two videos with a field `sound`, and the text of both."""
    project.store.write(video(project, sound=1), videos(a="1", b="1"))
    text = project.feature("text", deps=[mx.FeatureDep(feature="video", columns=[])])
    project.process(text)
    return text


# --------------------------------------------------------------------------- what it does


@pytest.mark.usefixtures("text")
def test_a_renamed_field_keeps_its_data_versions(project: Project) -> None:
    before = versions(project, video(project, sound=1), "sound")
    renamed = video(project, audio=1)
    assert project.counts(renamed, videos(a="1", b="1")) == mx.Counts(stale=2)

    rebase = project.store.rebase(renamed, fields={"audio": "sound"})

    assert tally(rebase) == (2, 0, 0)
    assert project.counts(renamed, videos(a="1", b="1")) == DONE
    assert versions(project, renamed, "audio") == before


@pytest.mark.usefixtures("text")
def test_a_field_split_in_two_gives_both_the_data_version_of_the_one(project: Project) -> None:
    before = versions(project, video(project, sound=1), "sound")
    split = video(project, speech=1, music=1)

    project.store.rebase(split, fields={"speech": "sound", "music": "sound"})

    assert project.counts(split, videos(a="1", b="1")) == DONE
    assert versions(project, split, "speech") == versions(project, split, "music") == before


def test_a_bump_whose_outputs_are_the_same_reaches_nothing_downstream(
    project: Project, text: FeatureClass
) -> None:
    bumped = video(project, sound=2)
    assert project.counts(text) == mx.Counts(blocked=2)

    assert tally(project.store.rebase(bumped)) == (2, 0, 0)

    assert project.counts(bumped, videos(a="1", b="1")) == DONE
    assert project.counts(text) == DONE


def test_a_bump_of_a_feature_with_deps(project: Project, text: FeatureClass) -> None:
    bumped = project.feature("text", deps=text.spec.deps, fields={"default": 2})
    assert project.counts(bumped) == mx.Counts(stale=2)
    assert tally(project.store.rebase(bumped)) == (2, 0, 0)
    assert project.counts(bumped) == DONE


def test_what_changes_after_a_rebase_spreads_as_ever(project: Project, text: FeatureClass) -> None:
    project.store.rebase(video(project, sound=2))
    assert project.process(video(project, sound=2), videos(a="2", b="1")) == mx.Counts(stale=1)
    assert project.process(text) == mx.Counts(stale=1)


def test_columns_and_history_are_kept(project: Project, text: FeatureClass) -> None:
    renamed = video(project, audio=1)
    rebase = project.store.rebase(renamed, fields={"audio": "sound"}, materialization_id="job")

    assert project.records(renamed) == [{"id": "a", "etag": "1"}, {"id": "b", "etag": "1"}]
    assert len(project.records(renamed, history=True)) == 4
    commit = rebase.commit
    assert commit is not None
    assert (commit.operation, commit.rows, commit.superseded) == ("rebase", 2, 2)
    assert commit.feature_version == rebase.to_version
    assert commit.materialization_id == "job"
    assert project.store.history(renamed).last == commit
    assert project.store.history(text).last.id < commit.id


def test_a_data_version_that_was_set_stays(project: Project) -> None:
    frame = project.samples(a="1").with_columns(
        metaxy_data_version_by_field=pl.struct(default=pl.lit("00000000000000aa"))
    )
    project.store.write(project.feature("clip"), frame)

    bumped = project.feature("clip", fields={"default": 2})
    project.store.rebase(bumped, samples=project.samples(a="1"))

    assert versions(project, bumped, "default") == {"a": "00000000000000aa"}


def test_a_second_rebase_finds_nothing_to_do(project: Project, text: FeatureClass) -> None:
    bumped = project.feature("text", deps=text.spec.deps, fields={"default": 2})
    project.store.rebase(bumped)
    before = project.state()

    again = project.store.rebase(bumped)

    assert (tally(again), again.commit) == ((0, 0, 2), None)
    assert project.state() == before


def test_a_dry_run_counts_and_leaves_the_store_as_it_is(
    project: Project, text: FeatureClass
) -> None:
    bumped = project.feature("text", deps=text.spec.deps, fields={"default": 2})
    before = project.state()

    dry = project.store.rebase(bumped, dry_run=True)

    assert (tally(dry), dry.commit) == ((2, 0, 0), None)
    assert project.state() == before
    assert project.store.migrations() == ()
    assert project.store.recorded_graph().versions[text.spec.key].feature == dry.from_version


def test_a_store_that_is_read_only_can_be_asked(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "metadata.duckdb"
    with mx.DuckDBMetadataStore(path) as store:
        store.write(video(project, sound=1), videos(a="1"))
    bumped = video(project, sound=2)
    with mx.DuckDBMetadataStore(path, read_only=True) as store:
        assert tally(store.rebase(bumped, dry_run=True)) == (1, 0, 0)
        with pytest.raises(errors.ReadOnlyStore):
            store.rebase(bumped)


# --------------------------------------------------------------------------- what it leaves


def test_what_was_stale_new_or_orphaned_stays_so(project: Project, text: FeatureClass) -> None:
    root = video(project, sound=1)
    project.process(root, videos(a="1", b="2", c="1"))
    project.process(text)
    project.process(root, videos(a="1", b="3", d="1"))
    bumped = project.feature("text", deps=text.spec.deps, fields={"default": 2})

    assert tally(project.store.rebase(bumped)) == (1, 2, 0)

    assert project.counts(bumped) == mx.Counts(new=1, stale=1, orphaned=1)


def test_what_was_computed_by_the_new_code_is_left_alone(
    project: Project, text: FeatureClass
) -> None:
    bumped = project.feature("text", deps=text.spec.deps, fields={"default": 2})
    project.store.write(bumped, project.store.resolve_update(bumped, filters="id = 'a'").stale)

    assert tally(project.store.rebase(bumped)) == (1, 0, 1)

    assert project.counts(bumped) == DONE


def test_deleted_records_stay_deleted(project: Project, text: FeatureClass) -> None:
    project.store.delete(text, filters="id = 'a'")
    bumped = project.feature("text", deps=text.spec.deps, fields={"default": 2})
    assert tally(project.store.rebase(bumped)) == (1, 0, 0)
    assert project.counts(bumped) == mx.Counts(new=1)


def test_a_record_that_a_new_filter_excludes_is_left(project: Project, text: FeatureClass) -> None:
    dep = mx.FeatureDep(feature="video", columns=[], filter="id <> 'a'")
    filtered = project.feature("text", deps=[dep], fields={"default": 2})
    assert tally(project.store.rebase(filtered)) == (1, 1, 0)
    assert project.counts(filtered) == mx.Counts(orphaned=1)


def test_records_wait_for_the_upstream_that_lacks_the_renamed_field(
    project: Project, text: FeatureClass
) -> None:
    renamed = video(project, audio=1)
    assert tally(project.store.rebase(text)) == (0, 2, 0)

    project.store.rebase(renamed, fields={"audio": "sound"})

    assert tally(project.store.rebase(text)) == (2, 0, 0)
    assert project.counts(text) == DONE


def test_an_upstream_that_is_to_be_computed_again_does_not_hold_a_rebase_up(
    project: Project, text: FeatureClass
) -> None:
    root = video(project, sound=2)
    bumped = project.feature("text", deps=text.spec.deps, fields={"default": 2})
    assert project.counts(bumped) == mx.Counts(blocked=2)

    assert tally(project.store.rebase(bumped)) == (2, 0, 0)

    project.process(root, videos(a="1", b="1"))
    assert project.counts(bumped) == mx.Counts(stale=2)


# --------------------------------------------------------------------------- lineage


def scenes(project: Project, code: int) -> FeatureClass:
    dep = mx.FeatureDep(feature="video", columns=[], lineage=mx.expansion())
    return project.feature("scene", ids=["id", "n"], deps=[dep], fields={"default": code})


def series(project: Project, code: int = 1) -> FeatureClass:
    dep = mx.FeatureDep(feature="scene", lineage=mx.aggregation(on=["id"]))
    return project.feature("series", deps=[dep], fields={"default": code})


def expanded(project: Project) -> FeatureClass:
    """Three videos; `a` has two scenes, `b` has one, `c` has none."""
    project.store.write(video(project, sound=1), videos(a="1", b="1", c="1"))
    scene = scenes(project, 1)
    parents = project.store.resolve_update(scene).new
    numbers = pl.DataFrame({"id": ["a", "a", "b"], "n": [1, 2, 1]})
    project.store.write(scene, parents.join(numbers, on="id"), processed=parents)
    return scene


def test_an_expansion_keeps_its_children_and_remembers_its_parents(project: Project) -> None:
    before = project.records(expanded(project))
    scene = scenes(project, 2)
    assert project.counts(scene) == mx.Counts(stale=3)

    rebase = project.store.rebase(scene)

    assert tally(rebase) == (3, 0, 0)
    assert rebase.commit.rows == 3
    assert project.counts(scene) == DONE
    assert project.records(scene) == before


def test_a_stale_parent_keeps_its_children_stale(project: Project) -> None:
    scene = expanded(project)
    project.process(video(project, sound=1), videos(a="1", b="2", c="1"))
    scene = scenes(project, 2)

    assert tally(project.store.rebase(scene)) == (2, 1, 0)

    assert project.rows(project.store.resolve_update(scene).stale) == [
        {"id": "b", "metaxy_changed_fields": ["default"]}
    ]


def test_an_expansion_that_never_had_a_child(project: Project) -> None:
    project.store.write(video(project, sound=1), videos(a="1"))
    scene = scenes(project, 1)
    parents = project.store.resolve_update(scene).new
    project.store.write(scene, parents.head(0).with_columns(n=1), processed=parents)
    scene = scenes(project, 2)

    assert tally(project.store.rebase(scene)) == (1, 0, 0)

    assert project.counts(scene) == DONE
    assert project.store.count(scene) == 0


def test_a_rewritten_parent_replaces_children_that_were_rebased(project: Project) -> None:
    expanded(project)
    scene = scenes(project, 2)
    project.store.rebase(scene)
    project.process(video(project, sound=1), videos(a="2", b="1", c="1"))

    parents = project.store.resolve_update(scene).stale
    project.store.write(scene, parents.with_columns(n=7), processed=parents)

    assert project.records(scene) == [{"id": "a", "n": 7}, {"id": "b", "n": 1}]


def test_an_aggregation_sees_no_change_of_rebased_members(project: Project) -> None:
    expanded(project)
    group = series(project)
    project.process(group)

    project.store.rebase(scenes(project, 2))

    assert project.counts(group) == DONE


def test_an_aggregation_is_rebased_like_any_other(project: Project) -> None:
    expanded(project)
    project.process(series(project))
    group = series(project, 2)
    assert tally(project.store.rebase(group)) == (2, 0, 0)
    assert project.counts(group) == DONE


def test_a_missing_optional_record_is_no_change(project: Project, text: FeatureClass) -> None:
    extra = project.feature("extra")
    deps = [*text.spec.deps, mx.FeatureDep(feature=extra, optional=True)]
    both = project.feature("both", deps=deps)
    project.process(both)
    bumped = project.feature("both", deps=deps, fields={"default": 2})

    assert tally(project.store.rebase(bumped)) == (2, 0, 0)

    assert project.counts(bumped) == DONE


# --------------------------------------------------------------------------- roots with samples


def test_a_root_is_checked_against_its_samples(project: Project) -> None:
    project.store.write(project.feature("clip"), project.samples(a="1", b="1", c="1"))
    bumped = project.feature("clip", fields={"default": 2})
    today = project.samples(a="1", b="2", d="1")

    assert tally(project.store.rebase(bumped, samples=today)) == (1, 2, 0)

    assert project.counts(bumped, today) == mx.Counts(new=1, stale=1, orphaned=1)


@pytest.mark.parametrize("name", ["sound", "audio"])
def test_samples_may_use_the_former_name_or_the_current(project: Project, name: str) -> None:
    project.store.write(project.feature("clip", fields=["sound"]), project.samples(a={"sound": 1}))
    renamed = project.feature("clip", fields=["audio"])

    rebase = project.store.rebase(
        renamed, fields={"audio": "sound"}, samples=project.samples(a={name: 1})
    )

    assert tally(rebase) == (1, 0, 0)
    assert project.counts(renamed, project.samples(a={"audio": 1})) == DONE


def test_samples_of_a_split_field_bring_its_former_version_too(project: Project) -> None:
    project.store.write(project.feature("clip", fields=["media"]), project.samples(a={"media": 1}))
    split = project.feature("clip", fields=["audio", "frames"])
    fields = {"audio": "media", "frames": "media"}
    new = {"audio": 7, "frames": 8}

    with project.refuses(errors.InvalidSamples, "clip", "not field 'media'"):
        project.store.rebase(split, fields=fields, samples=project.samples(a=new))
    project.store.rebase(split, fields=fields, samples=project.samples(a=new | {"media": 1}))

    assert project.counts(split, project.samples(a=new)) == DONE


def test_a_root_whose_columns_do_not_tell_needs_its_samples(project: Project) -> None:
    project.store.write(project.feature("clip"), project.samples(a="1"))
    bumped = project.feature("clip", fields={"default": 2})
    with project.refuses(errors.NeedsSamples, "'clip'", "store.rebase('clip', samples=frame)"):
        project.store.rebase(bumped)


def test_a_feature_with_deps_takes_no_samples(project: Project, text: FeatureClass) -> None:
    bumped = project.feature("text", deps=text.spec.deps, fields={"default": 2})
    with project.refuses(errors.InvalidSamples, "'text' has deps"):
        project.store.rebase(bumped, samples=project.samples(a="1"))


# --------------------------------------------------------------------------- which versions


def test_the_former_version_is_given_by_its_beginning(project: Project, text: FeatureClass) -> None:
    first = project.store.history(text).last.feature_version
    project.process(project.feature("text", deps=text.spec.deps, fields={"default": 2}))
    back = project.feature("text", deps=text.spec.deps, fields={"default": 3})

    assert tally(project.store.rebase(back, first[:6], dry_run=True)) == (0, 2, 0)
    assert tally(project.store.rebase(back)) == (2, 0, 0)


def test_the_former_upstream_is_found_among_all_that_it_was(project: Project) -> None:
    for fields in ({"sound": 1}, {"sound": 1, "frames": 1}, {"sound": 1}):
        project.process(video(project, **fields), videos(a="1", b="1"))
    deps = [mx.FeatureDep(feature="video", columns=[])]
    project.process(project.feature("text", deps=deps))  # reads all fields there are

    bumped = project.feature("text", deps=deps, fields={"default": 2})

    assert tally(project.store.rebase(bumped)) == (2, 0, 0)


def test_a_version_that_is_not_recorded_is_refused(project: Project, text: FeatureClass) -> None:
    known = project.store.history(text).last.feature_version
    bumped = project.feature("text", deps=text.spec.deps, fields={"default": 2})
    with project.refuses(errors.UnknownVersion, "'xyz'", "'text'", known):
        project.store.rebase(bumped, "xyz")


def test_an_empty_version_is_no_version(project: Project, text: FeatureClass) -> None:
    with project.refuses(errors.UnknownVersion, "'text'"):
        project.store.rebase(text, "")


def test_the_target_has_to_be_what_the_code_defines(project: Project, text: FeatureClass) -> None:
    former = project.store.history(text).last.feature_version
    bumped = project.feature("text", deps=text.spec.deps, fields={"default": 2})
    current = mx.FeatureGraph.active().versions[text.spec.key].feature
    with project.refuses(errors.UnknownVersion, former, current):
        project.store.rebase(bumped, to_version=former)
    assert project.store.rebase(bumped, to_version=current[:4]).records == 2


def test_there_has_to_be_an_earlier_version(project: Project, text: FeatureClass) -> None:
    with project.refuses(errors.InvalidRebase, "'text'", "never written under another definition"):
        project.store.rebase(text)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, ["'audio' of 'video'", "fields={'audio': 'sound'}"]),
        ({"adio": "sound"}, ["'adio'", "current definition", "did you mean 'audio'?"]),
        ({"audio": "sund"}, ["'sund'", "former definition", "did you mean 'sound'?"]),
    ],
)
@pytest.mark.usefixtures("text")
def test_a_field_needs_a_former_one(
    project: Project, fields: dict[str, str], said: list[str]
) -> None:
    renamed = video(project, audio=1)
    with project.refuses(errors.UnmappedField, *said):
        project.store.rebase(renamed, fields=fields)


def test_the_name_of_a_former_field_is_not_given_to_another(project: Project) -> None:
    project.store.write(video(project, sound=1, frames=1), videos(a="1"))
    swapped = video(project, sound=1, frames=1)
    version = project.store.history(swapped).last.feature_version
    with project.refuses(errors.UnmappedField, "'sound'", "'frames'", "recompute 'video'"):
        project.store.rebase(swapped, version, fields={"sound": "frames", "frames": "sound"})


@pytest.mark.parametrize("fields", ["audio=sound", ["audio"], 1])
def test_fields_are_a_mapping(project: Project, text: FeatureClass, fields: Any) -> None:
    with project.refuses(errors.InvalidWrite, "fields is", "mapping"):
        project.store.rebase(text, fields=fields)


def test_other_ids_are_other_records(project: Project) -> None:
    field = [mx.FieldSpec(key="default", version_from=["etag"])]
    columns = {"etag": str, "n": int}
    frame = videos(a="1").with_columns(n=1)
    project.store.write(project.feature("clip", fields=field, columns=columns), frame)
    finer = project.feature("clip", ids=["id", "n"], fields=field, columns=columns)
    with project.refuses(errors.InvalidRebase, "'clip'", "['id']", "['id', 'n']"):
        project.store.rebase(finer)


def test_code_that_goes_back_to_a_renamed_field_recomputes_it_and_blocks_nothing_for_ever(
    project: Project, text: FeatureClass
) -> None:
    project.store.rebase(video(project, audio=1), fields={"audio": "sound"})
    former = video(project, sound=1)
    assert project.counts(former, videos(a="1", b="1")) == mx.Counts(stale=2)
    project.process(former, videos(a="1", b="1"))
    assert project.counts(text) == DONE
