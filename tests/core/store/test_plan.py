"""A plan: what a run of the whole graph would recompute, before anything runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import (
    DuplicateIds,
    InvalidKey,
    InvalidSamples,
    InvalidSpec,
    InvalidWrite,
    UnknownFeature,
    UnknownField,
    WrongColumnType,
)

BOTH = {f"v{n}": {"audio": f"a{n}", "frames": f"f{n}"} for n in range(4)}


def reading(feature: Any, *fields: str) -> list[mx.FieldSpec]:
    return [mx.FieldSpec(key="out", deps=[mx.FieldDep(feature=feature, fields=list(fields))])]


def figures(plan: mx.Plan) -> dict[str, tuple[int, ...]]:
    """Records, recomputed, orphaned, spared by fields, table level."""
    return {
        str(f.feature): (f.records, f.recompute, f.orphaned, f.spared_by_fields, f.table_level)
        for f in plan
    }


def processed(project) -> None:
    """video -> crop -> faces (frames) -> gallery; video -> speech (audio); all processed."""
    video = project.feature("video", fields=["audio", "frames"])
    crop = project.feature("crop", deps=[video], fields=["audio", "frames"])
    faces = project.feature("faces", deps=[crop], fields=reading("crop", "frames"))
    gallery = project.feature("gallery", deps=[faces])
    speech = project.feature("speech", deps=[video], fields=reading("video", "audio"))
    project.process(video, project.samples(**BOTH))
    for feature in (crop, faces, gallery, speech):
        project.process(feature)


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[mx.MetadataStore, list[Any]]]:
    """A place for what `processed` makes, for all tests that only read it."""
    with mx.DuckDBMetadataStore(":memory:") as store:
        yield store, []


@pytest.fixture
def media(project, shared):
    """What `processed` makes; not to be written to."""
    store, definitions = shared
    with mx.FeatureGraph(definitions).use() as graph:
        media = type(project)(store)
        if not definitions:
            processed(media)
            definitions.extend(graph)
        yield media


# ------------------------------------------------------------------ nothing, and changes of code


def test_of_a_processed_graph_nothing_is_recomputed(media):
    plan = media.store.plan()
    assert figures(plan) == dict.fromkeys(
        ("video", "crop", "speech", "faces", "gallery"), (4, 0, 0, 0, 0)
    )
    assert plan.total.saved == 0


def test_in_an_empty_store_there_is_nothing_to_plan(project):
    video = project.feature("video")
    project.feature("crop", deps=[video])
    assert figures(project.store.plan()) == {"video": (0, 0, 0, 0, 0), "crop": (0, 0, 0, 0, 0)}


def test_a_bump_of_audio_spares_what_reads_the_frames(media):
    assert figures(media.store.plan(changed=["video.audio"])) == {
        "video": (4, 4, 0, 0, 4),
        "crop": (4, 4, 0, 0, 4),
        "speech": (4, 4, 0, 0, 4),
        "faces": (4, 0, 0, 4, 4),
        "gallery": (4, 0, 0, 4, 4),
    }


def test_a_bump_of_a_feature_is_one_of_all_its_fields(media):
    plan = media.store.plan(changed="crop")
    assert figures(plan) == {
        "video": (4, 0, 0, 0, 0),
        "crop": (4, 4, 0, 0, 4),
        "speech": (4, 0, 0, 0, 0),
        "faces": (4, 4, 0, 0, 4),
        "gallery": (4, 4, 0, 0, 4),
    }
    assert {str(k): n for k, n in plan["crop"].changed_fields.items()} == {"audio": 4, "frames": 4}


def test_fields_that_change_are_counted(media):
    plan = media.store.plan(changed=["video.audio"])
    assert {str(k): n for k, n in plan["crop"].changed_fields.items()} == {"audio": 4, "frames": 0}


def test_several_changes_add_up(media):
    plan = media.store.plan(changed=["video.audio", "faces.out"])
    assert plan["faces"].recompute == plan["gallery"].recompute == 4


def test_a_bump_that_is_in_the_code_already_is_planned_without_saying_so(media):
    media.feature("video", fields={"audio": "2", "frames": "1"})
    assert figures(media.store.plan()) == figures(media.store.plan(changed=["video.audio"]))


def test_records_that_were_rewritten_after_a_bump_do_not_move_again(project):
    processed(project)
    video = project.feature("video", fields={"audio": "2", "frames": "1"})
    stale = project.store.resolve_update(video, project.samples(**BOTH)).stale
    project.store.write(video, stale.filter(pl.col("id") < "v2"))
    plan = project.store.plan()
    assert (plan["video"].stale, plan["crop"].stale, plan["faces"].stale) == (2, 4, 0)


def test_a_field_added_to_a_root_moves(media):
    media.feature("video", fields=["audio", "frames", "title"])
    plan = media.store.plan()
    assert (plan["video"].stale, plan["speech"].stale) == (4, 0)


def test_a_plan_changes_nothing_in_the_store(media):
    before = media.state()
    media.store.plan(changed=["video"])
    assert media.state() == before


def test_what_is_blocked_today_is_counted_as_what_it_will_be(media):
    video = media.feature("video", fields={"audio": "2", "frames": "1"})
    assert (
        media.counts(media.feature("crop", deps=[video], fields=["audio", "frames"])).blocked == 4
    )
    assert media.store.plan()["crop"].stale == 4


def test_an_upstream_that_kept_its_data_version_is_taken_to_move(project):
    """An early cutoff cannot be known before: a plan is an upper bound."""
    video = project.feature("video")
    crop = project.feature("crop", deps=[video])
    project.process(video, project.samples(a="1"))
    found = project.store.resolve_update(crop).new
    same = found.with_columns(metaxy_data_version_by_field=pl.struct(default=pl.lit("same")))
    project.store.write(crop, same)
    below = project.feature("below", deps=[crop])
    project.process(below)
    assert project.store.plan()["below"].recompute == 0
    assert project.store.plan(changed=["crop"])["below"].recompute == 1


def test_a_data_version_stays_where_its_field_does_not_move(project):
    video = project.feature("video", fields=["audio", "frames"])
    crop = project.feature("crop", deps=[video], fields=["audio", "frames"])
    project.process(video, project.samples(**BOTH))
    found = project.store.resolve_update(crop).new
    own = pl.struct(audio=pl.lit("a"), frames=pl.lit("f"))
    project.store.write(crop, found.with_columns(metaxy_data_version_by_field=own))
    faces = project.feature("faces", deps=[crop], fields=reading("crop", "frames"))
    project.process(faces)
    assert project.store.plan(changed=["video.audio"])["faces"].recompute == 0


# ------------------------------------------------------------------ samples


def test_samples_tell_what_is_new_stale_and_orphaned(media):
    given = {"v0": BOTH["v0"], "v1": {"audio": "other", "frames": "f1"}, "v9": BOTH["v3"]}
    plan = media.store.plan(samples={"video": media.samples(**given)})
    video = plan["video"]
    assert (video.records, video.new, video.stale, video.orphaned) == (3, 1, 1, 2)
    assert (plan["crop"].new, plan["crop"].stale) == (1, 1)
    assert (plan["faces"].new, plan["faces"].stale, plan["faces"].spared_by_fields) == (1, 0, 1)


def test_orphans_stay_as_long_as_nobody_deletes_them(media):
    samples = {"video": media.samples(v0=BOTH["v0"])}
    kept = media.store.plan(samples=samples)
    assert (kept["video"].orphaned, kept["crop"].orphaned, kept["crop"].records) == (3, 0, 4)
    deleted = media.store.plan(samples=samples, orphans="delete")
    assert (deleted["crop"].orphaned, deleted["crop"].records) == (3, 1)


def test_samples_plan_a_graph_that_was_never_written(project):
    video = project.feature("video", columns={"n": int})
    crop = project.feature("crop", deps=[mx.FeatureDep(feature=video, filter="n > 1")])
    project.feature("sheet", deps=[crop])
    samples = project.samples(a="1", b="1", c="1").with_columns(n=pl.Series([1, 2, 3]))
    plan = project.store.plan(samples={video: samples})
    assert figures(plan) == {
        "video": (3, 3, 0, 0, 3),
        "crop": (2, 2, 0, 0, 2),
        "sheet": (2, 2, 0, 0, 2),
    }


def test_a_recomputed_record_has_the_columns_of_its_sample(project):
    video = project.feature("video", columns={"n": int})
    project.feature("crop", deps=[mx.FeatureDep(feature=video, filter="n > 1")])
    samples = project.samples(a="1").with_columns(n=pl.lit(1))
    project.process(video, samples)
    again = project.samples(a="2").with_columns(n=pl.lit(2))
    assert project.store.plan(samples={"video": again})["crop"].new == 1


def test_two_roots_have_samples_each(project):
    left, right = project.feature("left"), project.feature("right")
    project.feature("pair", deps=[left, right])
    samples = {left: project.samples(a="1", b="1"), right: project.samples(b="1", c="1")}
    assert project.store.plan(samples=samples)["pair"].new == 1


def test_ids_that_are_numbers(project):
    video, notes = project.feature("video", extra="allow"), project.feature("notes")
    project.feature("crop", deps=[video, mx.FeatureDep(feature=notes, optional=True)])
    samples = pl.DataFrame({"id": [1, 2], "metaxy_provenance_by_field": [{"default": "a"}] * 2})
    assert project.store.plan(samples={video: samples})["crop"].new == 2


def test_columns_of_every_type_are_carried_along(project):
    types = {"n": int, "day": dt.date, "at": dt.time, "took": dt.timedelta, "words": list[str]}
    values = [1, dt.date(2026, 1, 1), dt.time(1, 2, 3), dt.timedelta(seconds=1), ["a"]]
    video = project.feature("video", columns=types)
    crop = project.feature("crop", deps=[video], extra="allow")
    project.feature("sheet", deps=[mx.FeatureDep(feature=crop, filter="n = 1")])
    columns = {name: pl.lit(value) for name, value in zip(types, values, strict=True)}
    samples = project.samples(a="1").with_columns(**columns)
    project.process(video, samples)
    project.process(crop)
    assert project.store.plan(changed=["video"])["sheet"].recompute == 1


def test_a_plan_of_no_feature_is_empty(media):
    plan = media.store.plan([])
    assert (len(plan), plan.total.records, plan.to_polars().height) == (0, 0, 0)
    assert "Recomputes 0 of 0 records" in str(plan)


# ------------------------------------------------------------------ lineage


@pytest.fixture
def scenes(project):
    """talk -> scene (expansion) -> series (aggregation), two talks processed."""
    talk = project.feature("talk", columns={"series": str})
    scene = project.feature(
        "scene",
        ids=["scene_id"],
        columns={"id": str, "series": str},
        deps=[mx.FeatureDep(feature=talk, lineage=mx.expansion())],
    )
    series = project.feature(
        "series",
        ids=["series"],
        deps=[mx.FeatureDep(feature=scene, lineage=mx.aggregation(on=["series"]))],
    )
    project.process(talk, talks(project, a="1", b="1"))
    work = project.store.resolve_update(scene).new
    children = pl.DataFrame({"id": ["a", "a", "b"], "scene_id": ["a1", "a2", "b1"]})
    project.store.write(scene, children.join(work, on="id"), processed=work)
    project.process(series)
    return project


def talks(project, **versions: str) -> pl.DataFrame:
    samples = project.samples(**versions)
    return samples.with_columns(series=pl.col("id").replace_strict({"a": "sea"}, default="sky"))


def test_an_expansion_is_counted_by_its_parents(scenes):
    plan = scenes.store.plan(changed=["talk"])
    assert figures(plan) == {
        "talk": (2, 2, 0, 0, 2),
        "scene": (2, 2, 0, 0, 2),
        "series": (2, 2, 0, 0, 2),
    }


def test_children_of_a_stale_parent_move_and_those_of_others_stay(scenes):
    plan = scenes.store.plan(samples={"talk": talks(scenes, a="2", b="1")})
    assert (plan["scene"].stale, plan["series"].stale) == (1, 1)
    assert not plan["series"].at_least


def test_children_of_new_parents_are_not_known(scenes):
    plan = scenes.store.plan(samples={"talk": talks(scenes, a="1", b="1", c="1")})
    assert (plan["scene"].new, plan["scene"].at_least) == (1, False)
    assert (plan["series"].recompute, plan["series"].at_least) == (0, True)
    assert ">= 0" in str(plan)
    assert "Recomputes at least 2 of 8 records" in str(plan)


def test_orphans_of_an_expansion_are_children(scenes):
    plan = scenes.store.plan(samples={"talk": talks(scenes, b="1")}, orphans="delete")
    assert plan["scene"].orphaned == 2
    assert plan["series"].orphaned == 1


def test_a_group_whose_members_change_in_an_unread_field_is_spared_by_fields(project):
    video = project.feature("video", fields=["audio", "frames"], columns={"series": str})
    dep = mx.FeatureDep(feature=video, lineage=mx.aggregation(on=["series"]))
    series = project.feature("series", ids=["series"], deps=[dep], fields=reading(video, "frames"))
    given = project.samples(**BOTH).with_columns(series=pl.Series(["x", "x", "y", "y"]))
    project.process(video, given)
    project.process(series)
    assert figures(project.store.plan(changed=["video.audio"]))["series"] == (2, 0, 0, 2, 2)


def test_a_filter_on_a_column_that_is_yet_to_be_computed_makes_a_lower_bound(project):
    video = project.feature("video", columns={"etag": str, "seconds": float})
    project.feature("crop", deps=[mx.FeatureDep(feature=video, filter="seconds > 1")])
    samples = project.samples(a="1").with_columns(etag=pl.lit("x"))
    plan = project.store.plan(samples={video: samples})
    assert (plan["crop"].recompute, plan["crop"].at_least) == (0, True)


@pytest.mark.parametrize("filter_", ["seconds > 1", "seconds LIKE 'x%'"])
def test_a_filter_on_a_column_that_nobody_knows_yet_makes_a_lower_bound(project, filter_):
    video = project.feature("video", extra="allow")
    project.feature("crop", deps=[mx.FeatureDep(feature=video, filter=filter_)])
    plan = project.store.plan(samples={video: project.samples(a="1")})
    assert (plan["crop"].recompute, plan["crop"].at_least) == (0, True)


def test_an_optional_record_that_appears_makes_stale(project):
    video, notes = project.feature("video"), project.feature("notes")
    crop = project.feature("crop", deps=[video, mx.FeatureDep(feature=notes, optional=True)])
    project.process(video, project.samples(a="1", b="1"))
    project.process(crop)
    assert project.store.plan(samples={notes: project.samples(b="1")})["crop"].stale == 1


# ------------------------------------------------------------------ costs


def test_costs_are_those_of_what_is_recomputed(project):
    def feature(key, cost, unit, *fields, deps=()):
        options = {"fields": fields, "cost_per_record": cost, "cost_unit": unit}
        spec = mx.FeatureSpec(key=key, id_columns=["id"], deps=deps, **options)
        return type(key, (mx.Feature,), {"__module__": "project"}, spec=spec)

    video = feature("video", None, "", "audio", "frames")
    crop = feature("crop", 2, "GPU s", "audio", "frames", deps=[video])
    faces = feature("faces", 3.5, "GPU s", *reading(video, "frames"), deps=[video])
    notes = feature("notes", 1, "cent", "audio", deps=[video])
    project.process(video, project.samples(**BOTH))
    for each in (crop, faces, notes):
        project.process(each)

    plan = project.store.plan(changed=["video.audio"])

    assert [plan[f].cost for f in (video, crop, faces, notes)] == [None, 8, 0, 4]
    assert plan["faces"].table_level_cost == 14
    assert plan.total.cost == {"GPU s": 8, "cent": 4}
    assert plan.total.saved_cost == {"GPU s": 14, "cent": 0}
    assert str(plan).endswith(
        "Recomputes 12 of 16 records for 8 GPU s and 4 cent; a table-level run would recompute 16 "
        "for 22 GPU s and 4 cent. Saves 4 records and 14 GPU s and 0 cent."
    )


@pytest.mark.parametrize("cost", [-1, float("nan"), float("inf"), "2", True])
def test_a_cost_is_a_finite_number_from_zero(cost):
    with pytest.raises(InvalidSpec, match="FeatureSpec 'video': cost_per_record"):
        mx.FeatureSpec(key="video", cost_per_record=cost)


def test_a_cost_is_part_of_no_version():
    from metaxy_core.definition import FeatureDefinition

    plain, costly = (
        mx.FeatureGraph([FeatureDefinition(spec=mx.FeatureSpec(key="video", **options))])
        for options in ({}, {"cost_per_record": 2, "cost_unit": "GPU s"})
    )
    assert plain.versions == costly.versions


# ------------------------------------------------------------------ the result


def test_a_plan_lists_the_features_that_are_asked_for(media):
    plan = media.store.plan(["faces", "speech"], changed=["video.audio"])
    assert [str(f.feature) for f in plan] == ["speech", "faces"]
    assert (plan.total.records, plan.total.recompute) == (8, 4)
    assert figures(media.store.plan("faces", changed=["video"])) == {"faces": (4, 4, 0, 0, 4)}
    assert [str(f.feature) for f in media.store.plan(media.store.plan()["faces"].feature)] == [
        "faces"
    ]


def test_a_plan_is_a_frame(media):
    frame = media.store.plan(changed=["video.audio"]).to_polars()
    assert frame.select("feature", "recompute", "spared", "cost").rows()[:2] == [
        ("video", 4, 0, None),
        ("crop", 4, 0, None),
    ]
    assert frame["changed_fields"].to_list()[0] == [
        {"field": "audio", "records": 4},
        {"field": "frames", "records": 0},
    ]


def test_a_plan_is_a_dict(media):
    found = media.store.plan(["faces"], changed=["video.audio"]).to_dict()
    assert found["features"] == [
        {
            "feature": "faces", "records": 4, "recompute": 0, "new": 0, "stale": 0, "orphaned": 0,
            "spared": 4, "spared_by_fields": 4, "changed_fields": {"out": 0}, "cost": None,
            "table_level": 4, "table_level_cost": None, "cost_unit": "", "at_least": False,
        }
    ]  # fmt: skip
    assert (found["total"]["recompute"], found["total"]["saved"]) == (0, 4)


def test_a_plan_is_a_table(media):
    lines = str(media.store.plan(["crop", "faces"], changed=["video.audio"])).splitlines()
    assert [line.split() for line in lines[1:3]] == [
        ["crop", "4", "4", "audio:", "4", "0", "0", "0", "4"],
        ["faces", "4", "0", "0", "4", "4", "4"],
    ]
    assert lines[3] == (
        "Recomputes 4 of 8 records; a table-level run would recompute 8. Saves 4 records."
    )


def test_progress_is_told_feature_by_feature(media):
    begun: list[mx.FeatureKey] = []
    media.store.plan(["faces"], begin=begun.append)
    assert list(map(str, begun)) == ["video", "crop", "faces"]


def test_a_class_brings_its_own_graph(media):
    own = media.feature("own")
    with mx.FeatureGraph().use():
        assert media.store.plan(own)["own"].records == 0


def test_nothing_is_left_in_the_connection(media):
    def tables() -> list[str]:
        connection = media.store._parts.backend.connection
        return [name for (name,) in connection.execute("SHOW TABLES").fetchall()]

    before = tables()
    media.store.plan(changed=["video"], samples={"video": media.samples(**BOTH)})
    assert tables() == before
    wrong = pl.DataFrame({"id": [1], "metaxy_provenance_by_field": [BOTH["v0"]]})
    with pytest.raises(WrongColumnType):
        media.store.plan(samples={"video": wrong})
    with pytest.raises(ZeroDivisionError):
        media.store.plan(begin=lambda key: 1 // (str(key) != "faces"))
    media.store.plan(["video"])
    assert tables() == before


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"changed": ["crpo"]}, UnknownFeature, "did you mean 'crop'?"),
        ({"changed": ["crpo.audio"]}, UnknownFeature, "did you mean 'crop'?"),
        ({"changed": ["video.audoi"]}, UnknownField, "'video' has no field 'audoi'; did you mean"),
        ({"changed": ["video."]}, InvalidKey, "FieldKey"),
        ({"changed": [None]}, InvalidKey, "None is no FeatureKey"),
        ({"features": ["crpo"]}, UnknownFeature, "did you mean 'crop'?"),
        ({"samples": {"crpo": pl.DataFrame()}}, UnknownFeature, "did you mean 'crop'?"),
        ({"samples": {"crop": pl.DataFrame()}}, InvalidSamples, "'crop' has deps"),
        ({"samples": {"video": None}}, InvalidSamples, "'video' is a root feature"),
        ({"orphans": "drop"}, InvalidWrite, "orphans is 'drop'; give 'keep' or 'delete'"),
    ],
)
def test_what_cannot_be_planned_is_refused(media, options, error, said):
    with media.refuses(error, said):
        media.store.plan(**options)


def test_samples_are_checked_as_for_an_increment(media):
    given = media.samples(**BOTH)
    with media.refuses(DuplicateIds, "The samples for 'video'"):
        media.store.plan(samples={"video": pl.concat([given, given])})


def test_a_feature_that_the_plan_does_not_list(media):
    with pytest.raises(UnknownFeature, match="does not list feature 'crpo'; did you mean 'crop'?"):
        media.store.plan()["crpo"]
