"""Columns go by name, and a field or column that is added later is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from tests.conftest import Project


def sample(project: Project, **columns: Any) -> pl.DataFrame:
    return project.samples(v1="a").with_columns(**{k: pl.lit(v) for k, v in columns.items()})


def test_columns_go_by_name_whatever_their_order(project: Project) -> None:
    video = project.feature("video", columns={"path": str, "note": str})
    project.store.write(video, sample(project, path="p1", note="n1"))
    turned = sample(project, note="n2", path="p2").select(pl.all().reverse())
    project.store.write(video, turned.select(reversed(turned.columns)))
    assert project.records(video) == [{"id": "v1", "path": "p2", "note": "n2"}]


def test_a_declared_column_added_later_is_stored_and_null_before(project: Project) -> None:
    video = project.feature("video", columns={"path": str})
    project.store.write(video, sample(project, path="p"))
    project.feature("video", columns={"path": str, "size": int})
    assert project.records(video) == [{"id": "v1", "path": "p", "size": None}]

    second = project.samples(v2="a").with_columns(path=pl.lit("q"), size=pl.lit(3))
    project.store.write(video, second)

    assert project.records(video) == [
        {"id": "v1", "path": "p", "size": None},
        {"id": "v2", "path": "q", "size": 3},
    ]


def test_a_field_added_later_is_stale_in_earlier_records_only(project: Project) -> None:
    video = project.feature("video", fields=["audio"])
    project.store.write(video, project.samples(v1={"audio": "a"}))

    project.feature("video", fields=["audio", "frames"])
    samples = project.samples(v1={"audio": "a", "frames": "f"}, v2={"audio": "a", "frames": "f"})
    increment = project.store.resolve_update(video, samples)

    assert project.rows(increment.new) == [{"id": "v2"}]
    assert project.rows(increment.stale) == [{"id": "v1", "metaxy_changed_fields": ["frames"]}]


def test_a_field_added_later_is_stored_with_its_version(project: Project) -> None:
    video = project.feature("video", fields=["audio"])
    project.store.write(video, project.samples(v1={"audio": "a"}))
    project.feature("video", fields=["audio", "frames"])
    samples = project.samples(v1={"audio": "a", "frames": "f"})
    wanted = project.store.resolve_update(video, samples).stale

    project.store.write(video, wanted)

    stored = project.store.read(video).to_polars()
    key = ["id", "metaxy_provenance_by_field", "metaxy_provenance"]
    assert stored.select(key).equals(wanted.select(key))
    assert not project.counts(video, samples)
