"""Versions per record: what moves them, what must not, and that no two inputs share one."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.engine.hashing import hash_text

if TYPE_CHECKING:
    from tests.conftest import Project


def hashed_from(project: Project, *columns: str) -> type[mx.Feature]:
    field = mx.FieldSpec(key="default", version_from=columns)
    return project.feature("clip", fields=[field])


def provenance(project: Project, feature: type[mx.Feature]) -> dict[str, str]:
    frame = project.store.read(feature).to_polars()
    return dict(frame.select("id", pl.col("metaxy_provenance_by_field").struct[0]).iter_rows())


def test_a_provenance_is_the_hash_of_the_canonical_text(project: Project) -> None:
    video = project.feature("example/video", fields={"audio": 3})
    text = mx.FieldSpec(key="text", code_version="beta|1")
    transcript = project.feature("transcript", deps=[video], fields=[text])
    project.store.write(video, project.samples(v1={"audio": "a|1"}))
    project.process(transcript)

    audio = hash_text("v1|audio|3|s|a\\|1")
    assert provenance(project, video) == {"v1": f"{audio:016x}"}
    read = hash_text(f"v1|text|beta\\|1|example/video|audio|{audio}")
    assert provenance(project, transcript) == {"v1": f"{read:016x}"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("x|y", "z"), ("x", "y|z")),
        (("x\\", "|z"), ("x\\|", "z")),
        (("", "x"), ("x", "")),
        ((None, "x"), ("", "x")),
        ((None, "x"), ("\\N", "x")),
        ((None, "x"), ("NULL", "x")),
        (("a", None), (None, "a")),
        (("Ä", "x"), ("ä", "x")),
        ((" x", "y"), ("x ", "y")),
    ],
    ids=repr,
)
def test_two_different_samples_never_share_a_version(
    project: Project, first: tuple[str | None, ...], second: tuple[str | None, ...]
) -> None:
    clip = hashed_from(project, "etag", "size")
    frame = pl.DataFrame([("a", *first), ("b", *second)], ["id", "etag", "size"], orient="row")
    project.store.write(clip, frame)
    versions = provenance(project, clip)
    assert versions["a"] != versions["b"]


def test_fields_with_equal_versions_have_versions_of_their_own(project: Project) -> None:
    pair = project.feature("pair", fields=["x", "y"])
    project.store.write(pair, project.samples(v1={"x": "same", "y": "same"}))
    (versions,) = project.store.read(pair).to_polars()["metaxy_provenance_by_field"]
    assert versions["x"] != versions["y"]


@pytest.mark.parametrize(
    "value",
    [
        7,
        True,
        1.5,
        "text",
        b"\x00\xff",
        date(2026, 1, 2),
        datetime.fromisoformat("2026-01-02T03:00"),
        Decimal("1.50"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_type_of_column_can_make_a_version(project: Project, value: Any) -> None:
    clip = hashed_from(project, "etag")
    samples = pl.DataFrame({"id": ["a", "b"], "etag": [value, None]})
    assert project.process(clip, samples) == mx.Counts(new=2)
    assert not project.counts(clip, samples)
    versions = provenance(project, clip)
    assert versions["a"] != versions["b"]


def test_lists_and_structs_can_make_a_version(project: Project) -> None:
    clip = hashed_from(project, "tags", "shape")
    samples = pl.DataFrame(
        {"id": ["a", "b"], "tags": [["x", "y"], ["y", "x"]], "shape": [{"w": 1}, {"w": 1}]}
    )
    project.process(clip, samples)
    assert not project.counts(clip, samples)
    versions = provenance(project, clip)
    assert versions["a"] != versions["b"]


@pytest.mark.parametrize("first_type", [pl.Int8, pl.UInt32, pl.Int64], ids=str)
def test_the_width_of_an_integer_does_not_change_a_version(
    project: Project, first_type: type[pl.DataType]
) -> None:
    clip = hashed_from(project, "size")
    project.process(clip, pl.DataFrame({"id": ["a"], "size": pl.Series([5], dtype=first_type)}))
    assert not project.counts(clip, pl.DataFrame({"id": ["a"], "size": [5]}))


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_the_unit_of_a_timestamp_does_not_change_a_version(project: Project, unit: Any) -> None:
    clip = hashed_from(project, "seen")
    seen = pl.Series([datetime.fromisoformat("2026-01-02T03:04:05")])
    project.process(clip, pl.DataFrame({"id": ["a"], "seen": seen.dt.cast_time_unit(unit)}))
    assert not project.counts(clip, pl.DataFrame({"id": ["a"], "seen": seen}))


def test_timestamps_a_nanosecond_apart_have_versions_of_their_own(project: Project) -> None:
    clip = hashed_from(project, "seen")
    seen = pl.Series([1_700_000_000_000_000_001, 1_700_000_000_000_000_002]).cast(pl.Datetime("ns"))
    project.process(clip, pl.DataFrame({"id": ["a", "b"], "seen": seen}))
    versions = provenance(project, clip)
    assert versions["a"] != versions["b"]


def test_an_instant_has_one_version_in_every_zone(project: Project) -> None:
    clip = hashed_from(project, "seen")
    seen = pl.Series([datetime(2026, 1, 2, 3, tzinfo=UTC)])
    project.process(clip, pl.DataFrame({"id": ["a"], "seen": seen}))
    tokyo = seen.dt.convert_time_zone("Asia/Tokyo")
    assert not project.counts(clip, pl.DataFrame({"id": ["a"], "seen": tokyo}))


@pytest.mark.parametrize(("before", "after"), [(0.1, 0.2), (1.0, 1.0000000000000002)])
def test_floats_that_differ_have_versions_that_differ(
    project: Project, before: float, after: float
) -> None:
    clip = hashed_from(project, "score")
    project.process(clip, pl.DataFrame({"id": ["a"], "score": [before]}))
    stale = project.counts(clip, pl.DataFrame({"id": ["a"], "score": [after]}))
    assert stale == mx.Counts(stale=1)


def test_minus_zero_is_zero(project: Project) -> None:
    clip = hashed_from(project, "score")
    project.process(clip, pl.DataFrame({"id": ["a"], "score": [0.0]}))
    assert not project.counts(clip, pl.DataFrame({"id": ["a"], "score": [-0.0]}))


def test_a_version_given_as_a_number_is_the_one_given_as_text(project: Project) -> None:
    video = project.feature("video")
    project.store.write(video, project.samples(v1=12))
    assert not project.counts(video, project.samples(v1="12"))


def test_an_empty_text_is_a_version(project: Project) -> None:
    video = project.feature("video")
    project.store.write(video, project.samples(v1=""))
    assert not project.counts(video, project.samples(v1=""))
    assert project.counts(video, project.samples(v1=" ")) == mx.Counts(stale=1)


def test_the_id_is_no_part_of_a_version(project: Project) -> None:
    video = project.feature("video")
    project.store.write(video, project.samples(v1="same", v2="same"))
    assert len(set(provenance(project, video).values())) == 1


def test_a_column_that_makes_no_version_may_change(project: Project) -> None:
    field = mx.FieldSpec(key="default", version_from=["etag"])
    clip = project.feature("clip", fields=[field], columns={"path": str})
    project.process(clip, pl.DataFrame({"id": ["a"], "etag": ["1"], "path": ["old"]}))
    moved = pl.DataFrame({"id": ["a"], "etag": ["1"], "path": ["new"]})
    assert not project.counts(clip, moved)


def test_renaming_or_moving_a_dep_s_column_changes_no_version(project: Project) -> None:
    video = project.feature("video", columns={"path": str})
    copy = project.feature("copy", deps=[video])
    project.store.write(video, project.samples(v1="a").with_columns(path=pl.lit("p")))
    project.process(copy)

    project.feature("copy", deps=[mx.FeatureDep(feature=video, rename={"path": "video_path"})])

    assert not project.counts(copy)


def test_the_order_of_declaration_changes_no_version(project: Project) -> None:
    first = project.feature("first", fields=["a", "b"])
    second = project.feature("second", fields=["a", "b"])
    both = project.feature("both", deps=[first, second], fields=["a", "b"])
    project.store.write(first, project.samples(v1={"a": "1", "b": "2"}))
    project.store.write(second, project.samples(v1={"a": "3", "b": "4"}))
    project.process(both)
    before = project.store.history(both).last

    project.feature("first", fields=["b", "a"])
    project.feature("both", deps=[second, first], fields=["b", "a"])

    assert not project.counts(both)
    assert before is not None
    assert mx.FeatureGraph.active().versions[both.spec.key].feature == before.feature_version
