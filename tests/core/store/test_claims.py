"""Claims: runs at the same time take disjoint records, and what a run leaves comes back."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import DataError, InvalidWrite, ReadOnlyStore
from tests.conftest import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FeatureClass = type[mx.Feature]

START = dt.datetime(2026, 11, 21, 8, 0, tzinfo=dt.UTC)
"""When the claims of these tests are made; what depends on time says how many seconds later."""


def claim(owner: str, seconds: float = 60, *, later: float = 0) -> mx.Claim:
    return mx.Claim(owner, seconds, at=START + dt.timedelta(seconds=later))


def later(seconds: float) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


def ids(increment: mx.Increment) -> list[str]:
    return sorted([*increment.new["id"], *increment.stale["id"]])


def held(store: mx.MetadataStore, feature: Any = None) -> dict[str, int]:
    """How many records each owner holds."""
    return {found.owner: found.records for found in store.claims(feature, at=START)}


@pytest.fixture
def video(project: Project) -> FeatureClass:
    return project.feature("video")


@pytest.fixture
def crop(project: Project, video: FeatureClass) -> FeatureClass:
    """A feature with four new records."""
    made = project.feature("crop", deps=[video])
    project.store.write(video, project.samples(v1="a", v2="a", v3="a", v4="a"))
    return made


# --------------------------------------------------------------------------- taking


def test_what_an_owner_has_already_is_not_claimed_again_but_for_longer(
    project: Project, crop: FeatureClass
) -> None:
    project.store.resolve_update(crop, claim=claim("a"))
    (before,) = project.store.claims(crop, at=START)

    among = pl.DataFrame({"id": ["v1", "v2"]})
    for after, seconds in ((5, 60), (10, 70), (65, 125)):
        found = project.store.resolve_update(crop, among=among, claim=claim("a", later=after))
        (now,) = project.store.claims(crop, at=START)
        assert ids(found) == ["v1", "v2"]
        assert (now.records, now.claimed_at) == (4, before.claimed_at)
        assert now.expires_at == later(seconds)


def test_claims_are_listed_without_counting_their_records(
    project: Project, crop: FeatureClass
) -> None:
    project.store.resolve_update(crop, claim=claim("a"))
    (told,) = project.store.claims(crop, at=START, counted=False)
    assert (told.owner, told.records, told.live) == ("a", None, True)
    assert project.store.claims("video", counted=False) == ()


def test_two_owners_take_disjoint_records(project: Project, crop: FeatureClass) -> None:
    first = project.store.resolve_update(crop, limit=2, claim=claim("a"))
    second = project.store.resolve_update(crop, limit=1, claim=claim("b"))
    third = project.store.resolve_update(crop, claim=claim("c"))
    assert (ids(first), first.claimed) == (["v1", "v2"], 0)
    assert (ids(second), second.claimed) == (["v3"], 2)
    assert (ids(third), third.claimed) == (["v4"], 3)
    assert second.counts == mx.Counts(new=1)
    assert sorted(row for batch in second.batches() for row in batch["id"]) == ["v3"]


def test_a_run_that_comes_too_late_gets_nothing(project: Project, crop: FeatureClass) -> None:
    project.store.resolve_update(crop, claim=claim("a"))
    found = project.store.resolve_update(crop, claim=claim("b"))
    assert (found.counts, found.claimed) == (mx.Counts(), 4)
    assert held(project.store) == {"a": 4}


def test_the_same_owner_is_given_its_records_again_and_first(
    project: Project, crop: FeatureClass
) -> None:
    project.store.resolve_update(crop, filters="id >= 'v3'", claim=claim("a"))
    assert ids(project.store.resolve_update(crop, limit=3, claim=claim("a"))) == ["v1", "v3", "v4"]
    assert held(project.store) == {"a": 3}
    assert ids(project.store.resolve_update(crop, limit=1, claim=claim("b"))) == ["v2"]


def test_only_what_passes_the_filter_is_claimed(project: Project, crop: FeatureClass) -> None:
    project.store.resolve_update(crop, filters="id <> 'v1'", claim=claim("a"))
    found = project.store.resolve_update(crop, filters="id <= 'v2'", claim=claim("b"))
    assert (ids(found), found.claimed) == (["v1"], 1)


def test_only_the_given_records_are_claimed(project: Project, crop: FeatureClass) -> None:
    some = pl.DataFrame({"id": ["v2", "v3"]})
    project.store.resolve_update(crop, claim=claim("a"), limit=2)
    found = project.store.resolve_update(crop, among=some, claim=claim("b"))
    assert (ids(found), found.claimed) == (["v3"], 1)
    assert held(project.store, crop) == {"a": 2, "b": 1}


def test_stale_records_are_claimed_as_new_ones_are(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    project.process(crop)
    project.store.write(video, project.samples(v1="b", v2="b"))
    first = project.store.resolve_update(crop, limit=1, claim=claim("a"))
    second = project.store.resolve_update(crop, claim=claim("b"))
    assert (ids(first), ids(second), second.claimed) == (["v1"], ["v2"], 1)
    assert second.stale["metaxy_changed_fields"].to_list() == [["default"]]
    assert second.changes == {"default": 1}


def test_without_a_claim_everything_is_given(project: Project, crop: FeatureClass) -> None:
    project.store.resolve_update(crop, claim=claim("a"))
    found = project.store.resolve_update(crop)
    assert (found.counts.new, found.claimed) == (4, 0)


def test_orphaned_and_blocked_records_are_seen_by_all_and_claimed_by_none(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    project.store.write(crop, project.store.resolve_update(crop, limit=2).new)
    project.store.delete(video, filters="id = 'v1'")
    for owner in ("a", "b"):
        found = project.store.resolve_update(crop, limit=1, claim=claim(owner))
        assert (found.counts.orphaned, found.orphaned["id"].to_list()) == (1, ["v1"])
    assert held(project.store) == {"a": 1, "b": 1}
    project.feature("video", fields={"default": "2"})
    found = project.store.resolve_update(crop, claim=claim("c"))
    assert (found.counts, found.claimed) == (mx.Counts(orphaned=1, blocked=3), 0)
    assert held(project.store) == {"a": 1, "b": 1}


def test_what_failed_too_often_is_not_claimed(project: Project, crop: FeatureClass) -> None:
    project.store.record_failure(crop, ["v1"], "broken")
    found = project.store.resolve_update(crop, limit=1, max_attempts=1, claim=claim("a"))
    assert (ids(found), found.failed) == (["v2"], 1)
    found = project.store.resolve_update(crop, max_attempts=1, claim=claim("b"))
    assert (ids(found), found.failed, found.claimed) == (["v3", "v4"], 1, 1)


def test_roots_are_claimed_by_their_samples(project: Project, video: FeatureClass) -> None:
    samples = project.samples(v1="a", v2="a", v3="a")
    first = project.store.resolve_update(video, samples, limit=2, claim=claim("a"))
    second = project.store.resolve_update(video, samples, claim=claim("b"))
    assert (ids(first), ids(second), second.claimed) == (["v1", "v2"], ["v3"], 2)
    project.store.write(video, second.new)
    assert project.store.count(video) == 1


# --------------------------------------------------------------------------- kinds of ids


def test_an_expansion_is_claimed_by_its_parents(project: Project, video: FeatureClass) -> None:
    dep = mx.FeatureDep(feature=video, lineage=mx.expansion())
    scene = project.feature("scene", ids=["scene"], deps=[dep])
    project.store.write(video, project.samples(v1="a", v2="a", v3="a"))
    first = project.store.resolve_update(scene, limit=1, claim=claim("a"))
    second = project.store.resolve_update(scene, limit=1, claim=claim("b"))
    assert (ids(first), ids(second)) == (["v1"], ["v2"])

    children = first.new.join(pl.DataFrame({"scene": ["v1.0", "v1.1"]}), how="cross")
    project.store.write(scene, children, processed=first.new)
    assert held(project.store) == {"a": 0, "b": 1}
    project.store.write(video, project.samples(v1="b"))
    third = project.store.resolve_update(scene, claim=claim("c"))
    assert (ids(third), third.claimed) == (["v1", "v3"], 1)


def test_a_parent_without_children_that_was_processed_is_free_again(
    project: Project, video: FeatureClass
) -> None:
    dep = mx.FeatureDep(feature=video, lineage=mx.expansion())
    scene = project.feature("scene", ids=["id", "scene"], deps=[dep])
    project.store.write(video, project.samples(v1="a"))
    found = project.store.resolve_update(scene, claim=claim("a"))
    none = found.new.with_columns(scene=pl.lit("")).head(0)
    project.store.write(scene, none, processed=found.new)
    project.store.write(video, project.samples(v1="b"))
    assert ids(project.store.resolve_update(scene, claim=claim("b"))) == ["v1"]


def test_groups_are_claimed_as_wholes(project: Project) -> None:
    clip = project.feature("clip", columns={"talk": str | None})
    dep = mx.FeatureDep(feature=clip, lineage=mx.aggregation(on=["talk"]))
    talk = project.feature("talk", ids=["talk"], deps=[dep])
    samples = project.samples(c1="a", c2="a", c3="a", c4="a")
    names = pl.Series("talk", ["t1", "t1", "t2", None])
    project.store.write(clip, samples.with_columns(names))
    first = project.store.resolve_update(talk, limit=1, claim=claim("a"))
    second = project.store.resolve_update(talk, claim=claim("b"))
    assert (first.new["talk"].to_list(), second.new["talk"].to_list()) == (["t1"], ["t2"])


def test_ids_of_several_columns_are_told_apart(project: Project) -> None:
    frame = project.feature("frame", ids=["id", "number"])
    samples = pl.DataFrame(
        {
            "id": ["a", "a", "b"],
            "number": [1, 2, 1],
            "metaxy_provenance_by_field": [{"default": "x"}] * 3,
        }
    )
    first = project.store.resolve_update(frame, samples, limit=2, claim=claim("a"))
    second = project.store.resolve_update(frame, samples, claim=claim("b"))
    assert sorted(first.new.select("id", "number").rows()) == [("a", 1), ("a", 2)]
    assert second.new.select("id", "number").rows() == [("b", 1)]


LARGE = [1, 2**63 - 1, 2**63, 2**64 - 1]
DAYS = [dt.date(2026, 1, day) for day in range(1, 5)]


@pytest.mark.parametrize(
    "values",
    [
        pl.Series(LARGE, dtype=pl.UInt64),
        pl.Series([-128, -1, 0, 127], dtype=pl.Int8),
        pl.Series([b"\0", b"\x01", b"\xfe", b"\xff"]),
        pl.Series(DAYS),
        pl.Series([f"{day}T00:00:00" for day in DAYS]).str.to_datetime(time_zone="UTC"),
    ],
    ids=["uint64", "int8", "bytes", "date", "time"],
)
def test_ids_of_any_type_are_claimed(project: Project, values: pl.Series) -> None:
    video = project.feature("video")
    provenance = [{"default": "x"}] * 4
    samples = pl.DataFrame({"id": values, "metaxy_provenance_by_field": provenance})
    first = project.store.resolve_update(video, samples, limit=3, claim=claim("a"))
    second = project.store.resolve_update(video, samples, claim=claim("b"))
    assert sorted(first.new["id"].to_list()) == values.to_list()[:3]
    assert second.new["id"].to_list() == values.to_list()[3:]


def test_integers_that_grow_wider_are_the_same_ids(project: Project) -> None:
    video = project.feature("video")
    provenance = [{"default": "x"}] * 2
    samples = pl.DataFrame({"id": [1, 2], "metaxy_provenance_by_field": provenance})
    narrow = samples.with_columns(pl.col("id").cast(pl.Int16))
    project.store.resolve_update(video, narrow, limit=1, claim=claim("a"))
    wide = samples.with_columns(pl.col("id").cast(pl.UInt64))
    found = project.store.resolve_update(video, wide, claim=claim("b"))
    assert (found.new["id"].to_list(), found.claimed) == ([2], 1)


@pytest.mark.parametrize("names", [["clip"], ["id", "clip"]])
def test_claims_of_records_that_had_other_ids_do_not_count(
    project: Project, names: list[str]
) -> None:
    samples = project.samples(v1="a", v2="a")
    project.store.resolve_update(project.feature("video"), samples, claim=claim("a"))
    renamed = project.feature("video", ids=names)
    samples = samples.with_columns(clip="id")
    found = project.store.resolve_update(renamed, samples, limit=1, claim=claim("b"))
    assert (found.counts.new, found.claimed) == (1, 0)
    again = project.store.resolve_update(renamed, samples, claim=claim("c"))
    assert (again.counts.new, again.claimed) == (1, 1)


def test_claims_of_records_whose_ids_had_another_type_do_not_count(project: Project) -> None:
    video = project.feature("video")
    project.store.resolve_update(video, project.samples(v1="a"), claim=claim("a"))
    provenance = [{"default": "a"}] * 2
    numbered = pl.DataFrame({"id": [1, 2], "metaxy_provenance_by_field": provenance})
    found = project.store.resolve_update(video, numbered, limit=1, claim=claim("b"))
    assert (found.new["id"].to_list(), found.claimed) == ([1], 0)
    assert held(project.store) == {"b": 1}


# --------------------------------------------------------------------------- time


def test_a_claim_lapses_when_its_time_is_over(project: Project, crop: FeatureClass) -> None:
    project.store.resolve_update(crop, limit=3, claim=claim("a", 60))
    found = project.store.resolve_update(crop, limit=1, claim=claim("b", 600, later=59.9))
    assert (ids(found), found.claimed) == (["v4"], 3)
    found = project.store.resolve_update(crop, claim=claim("c", later=60))
    assert (ids(found), found.claimed) == (["v1", "v2", "v3"], 1)


def test_lapsed_claims_are_listed_until_the_next_claim(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    samples = project.samples(w1="a")
    project.store.resolve_update(video, samples, claim=claim("a", 60))
    project.store.resolve_update(crop, limit=1, claim=claim("b", 60))
    listed = project.store.claims(at=later(60))
    assert [(found.owner, str(found.feature), found.live) for found in listed] == [
        ("b", "crop", False),
        ("a", "video", False),
    ]
    project.store.resolve_update(crop, limit=2, claim=claim("c", later=60))
    listed = project.store.claims(at=later(60))
    assert listed == (
        mx.HeldClaim("c", mx.FeatureKey("crop"), 2, later(60), later(120), live=True),
    )


def test_a_claim_that_is_forgotten_is_logged(
    project: Project, crop: FeatureClass, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "metaxy_core")
    project.store.resolve_update(crop, limit=1, claim=claim("a", 60))
    project.store.resolve_update(crop, claim=claim("b", later=60))
    project.store.release_claims("b")
    assert caplog.messages == [
        "The claim of 'a' on records of 'crop' is over",
        "The claim of 'b' on records of 'crop' was released",
    ]


def test_a_claim_holds_for_the_time_that_was_asked_for_last_or_longer(
    project: Project, crop: FeatureClass
) -> None:
    project.store.resolve_update(crop, limit=1, claim=claim("a", 100))
    project.store.resolve_update(crop, limit=1, claim=claim("a", 10, later=20))
    assert project.store.claims()[0].expires_at == later(100)
    project.store.resolve_update(crop, limit=1, claim=claim("a", 100, later=20))
    assert project.store.claims()[0].expires_at == later(120)


def test_an_extended_claim_holds_for_longer(project: Project, crop: FeatureClass) -> None:
    project.store.resolve_update(crop, limit=3, claim=claim("a", 60))
    assert project.store.extend_claim("a", 60, at=later(30)) == 3
    assert project.store.extend_claim("a", 1, at=later(31)) == 3
    found = project.store.resolve_update(crop, claim=claim("b", later=80))
    assert (ids(found), found.claimed) == (["v4"], 3)


def test_a_lapsed_claim_is_taken_up_again_unless_somebody_claimed_since(
    project: Project, crop: FeatureClass
) -> None:
    project.store.resolve_update(crop, limit=2, claim=claim("a", 60))
    assert project.store.extend_claim("a", 60, at=later(100)) == 2
    assert project.store.resolve_update(crop, claim=claim("b", 10, later=110)).claimed == 2
    project.store.resolve_update(crop, limit=1, claim=claim("c", later=200))
    assert project.store.extend_claim("a", 60, at=later(201)) == 0


def test_a_time_without_a_zone_is_utc(project: Project, crop: FeatureClass) -> None:
    naive = START.replace(tzinfo=None)
    project.store.resolve_update(crop, claim=mx.Claim("a", 60, at=naive))
    (found,) = project.store.claims(at=naive + dt.timedelta(seconds=59))
    assert (found.claimed_at, found.expires_at, found.live) == (START, later(60), True)
    east = dt.timezone(dt.timedelta(hours=5))
    assert not project.store.claims(at=later(60).astimezone(east))[0].live


def test_a_claim_is_made_now_unless_it_says_when(project: Project, crop: FeatureClass) -> None:
    before = dt.datetime.now(dt.UTC)
    project.store.resolve_update(crop, claim=mx.Claim("a"))
    (found,) = project.store.claims()
    assert before <= found.claimed_at <= dt.datetime.now(dt.UTC)
    assert found.expires_at - found.claimed_at == dt.timedelta(hours=1)
    assert found.live


# --------------------------------------------------------------------------- written records


def test_a_written_record_is_free_when_it_becomes_stale_again(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    found = project.store.resolve_update(crop, claim=claim("a"))
    project.store.write(crop, found.new.filter(pl.col("id") <= "v2"))
    assert held(project.store) == {"a": 2}
    project.store.write(video, project.samples(v1="b", v3="b"))
    found = project.store.resolve_update(crop, claim=claim("b"))
    assert (ids(found), found.claimed) == (["v1"], 2)


def test_a_record_that_was_written_and_deleted_is_free(
    project: Project, crop: FeatureClass
) -> None:
    found = project.store.resolve_update(crop, limit=1, claim=claim("a"))
    project.store.write(crop, found.new)
    project.store.delete(crop, filters="id = 'v1'")
    assert ids(project.store.resolve_update(crop, limit=1, claim=claim("b"))) == ["v1"]


def test_an_erased_record_is_free(project: Project, crop: FeatureClass) -> None:
    found = project.store.resolve_update(crop, limit=2, claim=claim("a"))
    project.store.write(crop, found.new)
    project.store.delete(crop, filters="id = 'v1'", hard=True)
    assert ids(project.store.resolve_update(crop, limit=1, claim=claim("b"))) == ["v1"]


def test_a_parent_whose_children_are_erased_is_free(project: Project, video: FeatureClass) -> None:
    dep = mx.FeatureDep(feature=video, lineage=mx.expansion())
    scene = project.feature("scene", ids=["scene"], deps=[dep])
    project.store.write(video, project.samples(v1="a", v2="a"))
    found = project.store.resolve_update(scene, claim=claim("a"))
    project.store.write(scene, found.new.filter(id="v1").with_columns(scene=pl.lit("v1.0")))
    project.store.delete(scene, filters="scene = 'v1.0'", hard=True)
    found = project.store.resolve_update(scene, claim=claim("b"))
    assert (ids(found), found.claimed) == (["v1"], 1)


def test_compaction_does_not_bring_a_claim_back(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    project.process(crop)
    project.store.write(video, project.samples(v1="b"))
    found = project.store.resolve_update(crop, claim=claim("a"))
    project.store.write(crop, found.stale)
    project.store.compact(crop)
    project.store.write(video, project.samples(v1="c"))
    assert ids(project.store.resolve_update(crop, claim=claim("b"))) == ["v1"]


def test_an_upstream_change_leaves_a_claimed_record_with_its_owner(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    project.store.resolve_update(crop, limit=1, claim=claim("a"))
    project.store.write(video, project.samples(v1="b"))
    assert ids(project.store.resolve_update(crop, claim=claim("b"))) == ["v2", "v3", "v4"]


def test_a_write_under_a_lost_claim_is_kept(project: Project, crop: FeatureClass) -> None:
    late = project.store.resolve_update(crop, limit=2, claim=claim("a", 60))
    project.store.resolve_update(crop, limit=1, claim=claim("b", later=60))
    project.store.write(crop, late.new)
    found = project.store.resolve_update(crop, claim=claim("b", later=61))
    assert (ids(found), found.claimed) == (["v3", "v4"], 0)


def test_a_worker_with_one_owner_walks_through_the_backlog(
    project: Project, crop: FeatureClass
) -> None:
    given = []
    while rows := project.store.resolve_update(crop, limit=2, claim=claim("a")).new.to_dicts():
        given.append(sorted(row["id"] for row in rows))
        project.store.write(crop, project.store.resolve_update(crop, limit=2, claim=claim("a")).new)
    assert given == [["v1", "v2"], ["v3", "v4"]]
    assert held(project.store) == {"a": 0}


# --------------------------------------------------------------------------- giving back


def test_released_records_are_free_at_once(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    found = project.store.resolve_update(crop, limit=3, claim=claim("a"))
    project.store.resolve_update(video, project.samples(w1="a"), claim=claim("a"))
    project.store.resolve_update(crop, claim=claim("b"))
    project.store.write(crop, found.new.filter(id="v1"))
    assert project.store.release_claims("a") == 3
    assert held(project.store) == {"b": 1}
    found = project.store.resolve_update(crop, claim=claim("c"))
    assert (ids(found), found.claimed) == (["v2", "v3"], 1)


def test_some_of_the_records_are_given_back(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    found = project.store.resolve_update(crop, limit=3, claim=claim("a"))
    project.store.resolve_update(video, project.samples(w1="a"), claim=claim("a"))
    project.store.resolve_update(crop, claim=claim("b"))
    project.store.write(crop, found.new.filter(id="v1"))
    some = pl.DataFrame({"id": ["v1", "v2", "v4", "unknown"]})
    assert project.store.release_claims("a", crop, among=some) == 1
    assert held(project.store, crop) == {"a": 1, "b": 1}
    assert held(project.store, video) == {"a": 1}
    found = project.store.resolve_update(crop, claim=claim("c"))
    assert (ids(found), found.claimed) == (["v2"], 2)


def test_a_claim_whose_last_records_are_given_back_is_gone(
    project: Project, crop: FeatureClass
) -> None:
    found = project.store.resolve_update(crop, claim=claim("a"))
    project.store.write(crop, found.new.head(1))
    assert project.store.release_claims("a", crop, among=found.new) == 3
    assert project.store.claims() == ()


def test_the_records_of_one_feature_are_given_back(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    project.store.resolve_update(crop, claim=claim("a"))
    project.store.resolve_update(video, project.samples(w1="a"), claim=claim("a"))
    assert project.store.release_claims("a", video) == 1
    assert held(project.store) == {"a": 4}


@pytest.mark.parametrize("among", [["v1"], mx.Bucket(0, of=2), pl.DataFrame({"name": ["v1"]})])
def test_what_is_given_back_is_a_frame_of_ids(
    project: Project, crop: FeatureClass, among: Any
) -> None:
    project.store.resolve_update(crop, claim=claim("a"))
    with pytest.raises(DataError, match="crop|among"):
        project.store.release_claims("a", crop, among=among)
    assert held(project.store) == {"a": 4}


def test_records_are_given_back_with_their_feature(project: Project, crop: FeatureClass) -> None:
    frame = pl.DataFrame({"id": ["v1"]})
    with pytest.raises(InvalidWrite, match="feature is None; .*'among'"):
        project.store.release_claims("a", among=frame)


def test_claims_that_are_over_can_be_forgotten(
    project: Project, video: FeatureClass, crop: FeatureClass
) -> None:
    project.store.resolve_update(crop, limit=1, claim=claim("a", 60))
    project.store.resolve_update(crop, limit=1, claim=claim("b", 90))
    project.store.resolve_update(video, project.samples(w1="a"), claim=claim("a", 60))
    assert project.store.forget_lapsed_claims(at=later(59)) == 0
    assert project.store.forget_lapsed_claims(at=later(60)) == 2
    assert held(project.store) == {"b": 1}


def test_an_owner_without_claims_has_nothing_to_extend_or_release(
    project: Project, crop: FeatureClass
) -> None:
    assert project.store.claims() == ()
    assert project.store.extend_claim("a") == project.store.release_claims("a") == 0
    project.store.resolve_update(crop, claim=claim("a"))
    assert project.store.extend_claim("b") == project.store.release_claims("b") == 0
    assert held(project.store, crop) == {"a": 4}
    assert held(project.store, "video") == {}


def test_who_finds_nothing_to_do_claims_nothing(project: Project, crop: FeatureClass) -> None:
    project.process(crop)
    found = project.store.resolve_update(crop, claim=claim("a"))
    assert (found.counts, found.claimed) == (mx.Counts(), 0)
    assert project.store.claims() == ()


# --------------------------------------------------------------------------- settled features


def many(project: Project, video: FeatureClass, value: str, count: int = 200) -> None:
    project.store.write(video, project.samples(**{f"v{n:03}": value for n in range(count)}))


def test_records_that_others_hold_are_not_settled(
    project: Project, video: FeatureClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metaxy_core.store.settling.LIMITS.rows", 0)
    monkeypatch.setattr("metaxy_core.store.settling.LIMITS.share", 1.0)
    monkeypatch.setattr("metaxy_core.store.settling.LIMITS.left", 1.0)
    crop = project.feature("crop", deps=[video])
    many(project, video, "a")
    project.process(crop)
    project.store.write(video, project.samples(v001="b", v002="b"))
    assert ids(project.store.resolve_update(crop, limit=1, claim=claim("a"))) == ["v001"]
    found = project.store.resolve_update(crop, claim=claim("b"))
    assert (ids(found), found.claimed) == (["v002"], 1)
    project.store.write(crop, found.stale)
    assert ids(project.store.resolve_update(crop)) == ["v001"]
    found = project.store.resolve_update(crop, claim=claim("c", later=60))
    assert ids(found) == ["v001"]
    project.store.write(crop, found.stale)
    assert project.counts(crop) == mx.Counts()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "metadata.duckdb"


@pytest.fixture
def filed(file: Path) -> Iterator[Project]:
    """A project whose store is a file, with one new record of `crop`."""
    with mx.DuckDBMetadataStore(file) as store:
        project = Project(store)
        video = project.feature("video")
        project.feature("crop", deps=[video])
        store.write(video, project.samples(v1="a"))
        yield project


def test_a_settled_feature_costs_no_write(filed: Project, file: Path) -> None:
    filed.store.write("crop", filed.store.resolve_update("crop").new)
    assert not filed.store.resolve_update("crop").counts
    before = file.stat().st_mtime_ns
    assert not filed.store.resolve_update("crop", claim=claim("a")).counts
    assert file.stat().st_mtime_ns == before


def test_where_others_hold_everything_nothing_is_written(filed: Project, file: Path) -> None:
    filed.store.resolve_update("crop", claim=claim("a"))
    before = file.stat().st_mtime_ns
    assert filed.store.resolve_update("crop", claim=claim("b")).claimed == 1
    assert file.stat().st_mtime_ns == before


# --------------------------------------------------------------------------- stores


def test_a_read_only_store_takes_no_claims_and_shows_them(filed: Project, file: Path) -> None:
    filed.store.resolve_update("crop", claim=claim("a"))
    with mx.DuckDBMetadataStore(file, read_only=True) as store:
        for call in (
            lambda: store.resolve_update("crop", claim=claim("b")),
            lambda: store.extend_claim("a"),
            lambda: store.release_claims("a"),
        ):
            with pytest.raises(ReadOnlyStore, match="opened with read_only=True"):
                call()
        assert held(store) == {"a": 1}


def test_claims_stand_in_the_store_over_its_fallbacks(tmp_path: Path, project: Project) -> None:
    prod, video = project.store, project.feature("video")
    crop = project.feature("crop", deps=[video])
    prod.write(video, project.samples(v1="a", v2="a", v3="a"))
    prod.write(crop, prod.resolve_update(crop, limit=1).new)
    prod.resolve_update(crop, limit=1, claim=claim("production"))
    with mx.DuckDBMetadataStore(tmp_path / "dev.duckdb", fallback=prod) as dev:
        first = dev.resolve_update(crop, limit=1, claim=claim("a"))
        second = dev.resolve_update(crop, claim=claim("b"))
        assert (ids(first), ids(second), second.claimed) == (["v2"], ["v3"], 1)
        dev.write(crop, first.new)
        assert held(dev) == {"a": 0, "b": 1}
    assert held(prod) == {"production": 1}


def test_a_store_without_a_table_of_claims_gets_one(filed: Project, file: Path) -> None:
    assert filed.store.claims() == ()
    assert ids(filed.store.resolve_update("crop", claim=claim("a"))) == ["v1"]
    with mx.DuckDBMetadataStore(file) as store:
        assert held(store) == {"a": 1}


# --------------------------------------------------------------------------- races


def before_the_next_change(store: mx.MetadataStore, happens: Callable[[], object]) -> None:
    """Let something happen after a comparison and before the transaction that claims."""
    backend: Any = store.backend
    transaction = backend.transaction

    def opened(**options: Any) -> Any:
        backend.transaction = transaction
        happens()
        return transaction(**options)

    backend.transaction = opened


@pytest.fixture
def other(filed: Project, file: Path) -> Iterator[mx.MetadataStore]:
    """The same file in the hands of another run; there is a second new record."""
    filed.store.write("video", filed.samples(v2="a"))
    with mx.DuckDBMetadataStore(file) as store:
        yield store


def test_what_another_run_claims_after_the_comparison_is_left_out(
    filed: Project, other: mx.MetadataStore
) -> None:
    take = lambda: other.resolve_update("crop", limit=1, claim=claim("b"))
    before_the_next_change(filed.store, take)
    found = filed.store.resolve_update("crop", claim=claim("a"))
    assert (ids(found), found.claimed) == (["v2"], 1)
    assert held(other) == {"a": 1, "b": 1}


def test_what_another_run_writes_after_the_comparison_is_not_computed_again(
    filed: Project, other: mx.MetadataStore
) -> None:
    def work() -> None:
        other.write("crop", other.resolve_update("crop", limit=1, claim=claim("b")).new)

    before_the_next_change(filed.store, work)
    found = filed.store.resolve_update("crop", claim=claim("a"))
    assert (ids(found), found.counts, found.claimed) == (["v2"], mx.Counts(new=1), 0)


def test_a_run_to_which_another_leaves_nothing_claims_nothing(
    filed: Project, other: mx.MetadataStore
) -> None:
    before_the_next_change(filed.store, lambda: other.resolve_update("crop", claim=claim("b")))
    found = filed.store.resolve_update("crop", limit=1, claim=claim("a"))
    assert (found.counts, found.claimed) == (mx.Counts(), 2)
    assert held(other) == {"b": 2}


def test_a_claim_that_cannot_be_written_changes_nothing(
    filed: Project, other: mx.MetadataStore
) -> None:
    def fail() -> None:
        raise RuntimeError("the disk is away")

    before_the_next_change(filed.store, fail)
    with pytest.raises(RuntimeError, match="the disk is away"):
        filed.store.resolve_update("crop", claim=claim("a"))
    assert held(other) == {}
    assert ids(filed.store.resolve_update("crop", claim=claim("b"))) == ["v1", "v2"]


# --------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("owner", ["", None, 7, "a\0b", "x" * 1_001])
def test_an_owner_is_a_text(project: Project, crop: FeatureClass, owner: Any) -> None:
    for call in (
        lambda: project.store.resolve_update(crop, claim=mx.Claim(owner)),
        lambda: project.store.extend_claim(owner),
        lambda: project.store.release_claims(owner),
    ):
        with project.refuses(InvalidWrite, "owner is", "a run's id"):
            call()


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 10**400, True, "60", None])
def test_seconds_are_a_number(project: Project, seconds: Any) -> None:
    with project.refuses(InvalidWrite, "seconds is", "a number above 0"):
        mx.Claim("a", seconds)
    with project.refuses(InvalidWrite, "seconds is"):
        project.store.extend_claim("a", seconds)


@pytest.mark.parametrize("at", ["2026-11-21", 7, dt.date(2026, 11, 21), dt.datetime.max])  # noqa: DTZ901
def test_at_is_a_time(project: Project, at: Any) -> None:
    with project.refuses(InvalidWrite, "at is", "a datetime"):
        mx.Claim("a", at=at)
    with project.refuses(InvalidWrite, "at is"):
        project.store.claims(at=at)


def test_a_claim_is_a_claim(project: Project, crop: FeatureClass) -> None:
    with project.refuses(InvalidWrite, "claim is 'a'", "mx.Claim(owner, seconds)"):
        project.store.resolve_update(crop, claim="a")
    assert project.store.claims() == ()
