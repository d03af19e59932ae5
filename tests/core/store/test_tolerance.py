"""Outputs that did not materially change keep their data versions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import InvalidWrite, MissingColumn

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]
COLUMNS = {"score": float, "label": str | None}


@pytest.fixture
def video(project: Project) -> FeatureClass:
    return project.feature("video")


@pytest.fixture
def detection(project: Project, video: FeatureClass) -> FeatureClass:
    return project.feature("detection", fields=["boxes", "label"], deps=[video], columns=COLUMNS)


@pytest.fixture
def review(project: Project, detection: FeatureClass) -> FeatureClass:
    made = project.feature("review", deps=[detection])
    project.store.write("video", project.samples(v1="a", v2="a", v3="a"))
    return made


def detect(
    project: Project, detection: FeatureClass, same: Any = None, **scores: float | None
) -> None:
    """Detect again in what is new or stale, with these scores."""
    frame = pl.concat(list(project.store.resolve_update(detection).batches()))
    found = pl.DataFrame({"id": list(scores), "score": list(scores.values())})
    frame = frame.join(found, on="id").with_columns(label=pl.lit("cat"))
    project.store.write(detection, frame, same=same)


def stale(project: Project, feature: FeatureClass) -> dict[str, list[str]]:
    rows = project.store.resolve_update(feature).stale
    return dict(rows.select("id", "metaxy_changed_fields").sort("id").iter_rows())


def recomputed(
    project: Project,
    detection: FeatureClass,
    review: FeatureClass,
    same: Any,
    **scores: float | None,
) -> list[str]:
    """What has to be reviewed again once everything was detected again."""
    detect(project, detection, v1=0.5, v2=0.5, v3=0.5)
    project.process(review)
    project.store.write("video", project.samples(v1="b", v2="b", v3="b"))
    detect(project, detection, same, **scores)
    assert project.store.resolve_update(detection).counts == mx.Counts()
    return list(stale(project, review))


def test_a_small_difference_triggers_no_review(
    project: Project, detection: FeatureClass, review: FeatureClass
) -> None:
    same = mx.Same(columns=["score"], threshold=0.1)
    found = recomputed(project, detection, review, same, v1=0.55, v2=0.7, v3=0.4)
    assert found == ["v2"]
    scores = {row["id"]: row["score"] for row in project.records(detection)}
    assert scores == {"v1": 0.55, "v2": 0.7, "v3": 0.4}


def test_without_a_rule_everything_is_reviewed_again(
    project: Project, detection: FeatureClass, review: FeatureClass
) -> None:
    assert recomputed(project, detection, review, None, v1=0.5, v2=0.5, v3=0.5) == [
        "v1", "v2", "v3",
    ]  # fmt: skip


def test_a_function_of_the_former_and_the_new_rows_decides(
    project: Project, detection: FeatureClass, review: FeatureClass
) -> None:
    seen: list[tuple[list[str], list[str]]] = []

    def same(former: pl.DataFrame, new: pl.DataFrame) -> pl.Series:
        seen.append((former["id"].to_list(), new["id"].to_list()))
        assert former.columns == new.columns == ["id", "score", "label"]
        return former["score"].ceil() == new["score"].ceil()

    found = recomputed(project, detection, review, same, v1=0.6, v2=1.7, v3=0.7)
    assert found == ["v2"]
    assert len(seen) == 1
    assert seen[0][0] == seen[0][1]
    assert sorted(seen[0][0]) == ["v1", "v2", "v3"]


def test_a_rule_may_be_about_one_field_only(project: Project, detection: FeatureClass) -> None:
    project.store.write("video", project.samples(v1="a"))
    reads = mx.FieldSpec(key="x", deps=[mx.FieldDep(feature=detection, fields=["boxes"])])
    boxes = project.feature("on_boxes", fields=[reads], deps=[detection])
    reads = mx.FieldSpec(key="x", deps=[mx.FieldDep(feature=detection, fields=["label"])])
    label = project.feature("on_label", fields=[reads], deps=[detection])
    detect(project, detection, v1=0.5)
    project.process(boxes)
    project.process(label)
    project.store.write("video", project.samples(v1="b"))
    detect(project, detection, mx.Same(columns=["score"], fields=["boxes"]), v1=0.5)
    assert (stale(project, boxes), stale(project, label)) == ({}, {"v1": ["x"]})


def test_a_version_is_kept_over_several_recomputations(
    project: Project, detection: FeatureClass, review: FeatureClass
) -> None:
    same = mx.Same(columns=["score"], threshold=0.1)
    assert recomputed(project, detection, review, same, v1=0.5, v2=0.5, v3=0.5) == []
    project.store.write("video", project.samples(v1="c", v2="c"))
    detect(project, detection, same, v1=0.5, v2=0.9)
    assert list(stale(project, review)) == ["v2"]


def test_a_version_that_the_frame_sets_stays(
    project: Project, detection: FeatureClass, review: FeatureClass
) -> None:
    detect(project, detection, v1=0.5)
    project.process(review)
    project.store.write("video", project.samples(v1="b"))
    frame = (
        project.store.resolve_update(detection)
        .stale.filter(id="v1")
        .with_columns(
            score=pl.lit(0.5),
            label=pl.lit("cat"),
            metaxy_data_version_by_field=pl.struct(boxes=pl.lit("mine")),
        )
    )
    project.store.write(detection, frame, same=mx.Same(columns=["score"]))
    assert list(stale(project, review)) == ["v1"]


def test_a_record_deleted_before_is_not_the_same(
    project: Project, detection: FeatureClass, review: FeatureClass
) -> None:
    detect(project, detection, v1=0.5)
    before = project.store.read(detection, columns=["metaxy_data_version"]).to_polars().item()
    project.store.delete(detection, filters="id = 'v1'")
    project.store.write("video", project.samples(v1="b"))
    detect(project, detection, mx.Same(columns=["score"]), v1=0.5)
    after = project.store.read(detection, columns=["metaxy_data_version"]).to_polars().item()
    assert after != before


def test_a_root_compares_its_samples(project: Project) -> None:
    clip = project.feature("clip", columns={"duration": float})
    crop = project.feature("crop", deps=[clip])
    same = mx.Same(columns=["duration"], threshold=0.5)
    project.store.write(clip, project.samples(v1="a", v2="a").with_columns(duration=pl.lit(1.0)))
    project.process(crop)
    again = project.samples(v1="b", v2="b").with_columns(duration=pl.Series([1.2, 3.0]))
    project.store.write(clip, again, same=same)
    assert list(stale(project, crop)) == ["v2"]
    assert project.counts(clip, project.samples(v1="b", v2="b").with_columns(duration=1.0)) == (
        mx.Counts()
    )


def test_children_of_an_expansion_are_compared_one_by_one(
    project: Project, video: FeatureClass
) -> None:
    dep = mx.FeatureDep(feature=video, lineage=mx.expansion())
    scene = project.feature("scene", ids=["scene"], deps=[dep], columns={"length": int})
    crop = project.feature("crop", ids=["scene"], deps=[scene])
    lengths = pl.DataFrame({"scene": ["s1", "s2"], "length": [1, 1]})
    for version, length in (("a", [1, 1]), ("b", [1, 2])):
        project.store.write(video, project.samples(v1=version))
        work = pl.concat(list(project.store.resolve_update(scene).batches()))
        children = work.join(lengths.with_columns(length=pl.Series(length)), how="cross")
        project.store.write(scene, children, processed=work, same=mx.Same(columns=["length"]))
        if version == "a":
            project.process(crop)
    assert project.store.resolve_update(crop).stale["scene"].to_list() == ["s2"]


@pytest.mark.parametrize(
    ("kind", "former", "new", "threshold", "expected"),
    [
        (pl.Float64, 1.0, 1.5, 0.5, True),
        (pl.Float64, 1.0, 1.6, 0.5, False),
        (pl.Float64, math.nan, math.nan, 0.0, True),
        (pl.Float64, math.nan, 1.0, 9.0, False),
        (pl.Float64, math.inf, math.inf, 0.5, True),
        (pl.Float64, None, None, 0.0, True),
        (pl.Float64, None, 0.0, 9.0, False),
        (pl.Int64, 2**62, 2**62 + 1, 0.0, False),
        (pl.Int64, 3, 5, 2, True),
        (pl.Int64, 2**60, 2**60 + 50, 0.5, False),
        (pl.Int64, -(2**62), 2**62, 1e18, False),
        (pl.UInt64, 2**63, 2**63 + 1, 1.5, True),
        (pl.String, "a", "a", 9.0, True),
        (pl.String, "a", "b", 9.0, False),
        (pl.List(pl.Float64), [1.0, 2.0], [1.1, 2.1], 0.2, True),
        (pl.List(pl.Float64), [1.0, 2.0], [1.1, 2.5], 0.2, False),
        (pl.List(pl.Float64), [1.0], [1.0, 2.0], 9.0, False),
        (pl.List(pl.Float64), [], [], 0.0, True),
        (pl.List(pl.Float64), [None], [None], 0.0, True),
        (pl.List(pl.List(pl.Int64)), [[1, 2], [3]], [[1, 2], [4]], 1, True),
        (pl.List(pl.List(pl.Int64)), [[1, 2], [3]], [[1], [2, 3]], 9, False),
        (pl.Struct({"x": pl.Float64}), {"x": 1.0}, {"x": 1.2}, 0.5, True),
        (pl.Struct({"x": pl.Float64}), {"x": 1.0}, {"x": 2.0}, 0.5, False),
        (pl.Boolean, True, False, 9.0, False),
    ],
)
def test_what_agrees_within_a_threshold(
    project: Project,
    kind: Any,
    former: object,
    new: object,
    threshold: float,
    expected: bool,
) -> None:
    clip = project.feature("clip")
    versions = []
    for version, value in (("a", former), ("b", new)):
        frame = project.samples(other=version, v1=version, zero=version).with_columns(
            value=pl.Series([None, value, None], dtype=kind)
        )
        project.store.write(clip, frame, same=mx.Same(columns=["value"], threshold=threshold))
        stored = project.store.read(clip, columns=["metaxy_data_version"], filters="id = 'v1'")
        versions.append(stored.to_polars().item())
    assert (versions[0] == versions[1]) is expected


@pytest.mark.parametrize(
    ("same", "error", "said"),
    [
        (mx.Same, InvalidWrite, ["says not what to compare"]),
        (lambda: mx.Same(columns="score"), InvalidWrite, ["give a list of columns"]),
        (lambda: mx.Same(columns=["score"], compare=len), InvalidWrite, ["says not what"]),  # type: ignore[arg-type]
        (lambda: mx.Same(columns=["score"], threshold=-1), InvalidWrite, ["a number from 0 on"]),
        (lambda: mx.Same(columns=["score"], threshold=math.nan), InvalidWrite, ["threshold"]),
        (lambda: mx.Same(columns=["score"], fields=["boxs"]), InvalidWrite, ["boxes, label"]),
        (lambda: mx.Same(columns=["scor"]), MissingColumn, ["'scor'", "named by same="]),
        (lambda: "score", InvalidWrite, ["same is 'score'"]),
        (lambda: [3], InvalidWrite, ["same is 3"]),
        (lambda: lambda old, new: [True], InvalidWrite, ["each of the 3 rows"]),
        (lambda: lambda old, new: True, InvalidWrite, ["true or false for each"]),
        (lambda: lambda old, new: ["yes"] * 3, InvalidWrite, ["true or false for each"]),
    ],
)
def test_a_rule_that_cannot_be_applied_is_refused(
    project: Project,
    detection: FeatureClass,
    review: FeatureClass,
    same: Any,
    error: type[mx.MetaxyError],
    said: list[str],
) -> None:
    detect(project, detection, v1=0.5, v2=0.5, v3=0.5)
    project.store.write("video", project.samples(v1="b", v2="b", v3="b"))
    with project.refuses(error, *said):
        detect(project, detection, same(), v1=0.5, v2=0.5, v3=0.5)


def test_an_error_of_the_function_leaves_the_store_as_it_was(
    project: Project, detection: FeatureClass, review: FeatureClass
) -> None:
    def broken(former: pl.DataFrame, new: pl.DataFrame) -> list[bool]:
        raise ZeroDivisionError

    detect(project, detection, v1=0.5)
    project.store.write("video", project.samples(v1="b"))
    before = project.state()
    with pytest.raises(ZeroDivisionError):
        detect(project, detection, broken, v1=0.5)
    assert project.state() == before
