"""Columns of every type come back as they were given, declared or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import WrongColumnType

if TYPE_CHECKING:
    from tests.conftest import Project


class Quality(Enum):
    LOW = "low"


@dataclass(frozen=True)
class Kind:
    """An annotation, values of it, and the Polars type they are read back with."""

    annotation: Any
    values: tuple[Any, Any]
    dtype: Any


NAIVE = datetime.fromisoformat("2026-01-02T03:04:05.000006")
SUMMER = datetime.fromisoformat("2026-07-02T03:04:05")

KINDS: Mapping[str, Kind] = {
    "str": Kind(str, ("ä", ""), pl.String),
    "int": Kind(int, (2**62, -1), pl.Int64),
    "float": Kind(float, (0.1, -1e300), pl.Float64),
    "bool": Kind(bool, (True, False), pl.Boolean),
    "bytes": Kind(bytes, (b"\x00\xff", b""), pl.Binary),
    "datetime": Kind(datetime, (NAIVE, SUMMER), pl.Datetime("us")),
    "date": Kind(date, (date(2026, 1, 2), date(1, 1, 1)), pl.Date),
    "time": Kind(time, (time(3, 4, 5, 6), time(0)), pl.Time),
    "timedelta": Kind(
        timedelta, (timedelta(days=40, microseconds=1), timedelta(-1)), pl.Duration("us")
    ),
    "decimal": Kind(Decimal, (Decimal("1.50"), Decimal("-0.01")), pl.Decimal(38, 18)),
    "list of str": Kind(list[str], (["x", "y"], []), pl.List(pl.String)),
    "list of float": Kind(list[float], ([0.5, None], [1.0]), pl.List(pl.Float64)),
    "list of lists": Kind(list[list[int]], ([[1], []], []), pl.List(pl.List(pl.Int64))),
    "tuple": Kind(tuple[int, ...], ([1, 2], [3]), pl.List(pl.Int64)),
    "literal": Kind(Literal["a", "b"], ("a", "b"), pl.String),
    "enum": Kind(Quality, ("low", "low"), pl.String),
    "uuid": Kind(UUID, (str(UUID(int=1)), str(UUID(int=2))), pl.String),
    "path": Kind(Path, ("a/b", "c"), pl.String),
    "int or float": Kind(int | float, (1.5, 2.0), pl.Float64),
}

TAKEN_OVER: Mapping[str, Kind] = {
    **{name: kind for name, kind in KINDS.items() if name not in {"decimal", "int or float"}},
    "int8": Kind(None, (1, -1), pl.Int8),
    "uint64": Kind(None, (2**64 - 1, 0), pl.UInt64),
    "float32": Kind(None, (0.5, -2.0), pl.Float32),
    "decimal": Kind(None, (Decimal("1.50"), Decimal("-0.01")), pl.Decimal(10, 2)),
    "datetime in a zone": Kind(
        None,
        (NAIVE.replace(tzinfo=UTC), SUMMER.replace(tzinfo=UTC)),
        pl.Datetime("us", "UTC"),
    ),
    "nanoseconds": Kind(None, (NAIVE, SUMMER), pl.Datetime("ns")),
    "struct": Kind(
        None, ({"w": 1, "tags": ["x"]}, {"w": None, "tags": []}),
        pl.Struct({"w": pl.Int64, "tags": pl.List(pl.String)}),
    ),
    "list of structs": Kind(None, ([{"x": 1.5}], []), pl.List(pl.Struct({"x": pl.Float64}))),
    "array": Kind(None, ([1.0, 2.0], [3.0, 4.0]), pl.Array(pl.Float32, 2)),
}  # fmt: skip


def written_twice(project: Project, feature: type[mx.Feature], kind: Kind) -> pl.DataFrame:
    """Two records and then one without a value, read back."""
    pairs = project.samples(v1="a", v2="a")
    values = pl.Series("value", kind.values, dtype=kind.dtype)
    project.store.write(feature, pairs.with_columns(values))
    empty = project.samples(v3="a").with_columns(pl.lit(None, dtype=kind.dtype).alias("value"))
    project.store.write(feature, empty)
    return project.store.read(feature, columns=["id", "value"]).to_polars().sort("id")


def expected(kind: Kind) -> pl.DataFrame:
    values = pl.Series("value", [*kind.values, None], dtype=kind.dtype)
    return pl.DataFrame({"id": ["v1", "v2", "v3"], "value": values})


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_declared_column_comes_back_as_it_was_given(project: Project, kind: Kind) -> None:
    video = project.feature("video", columns={"value": kind.annotation | None})
    found = written_twice(project, video, kind)
    assert found.schema == {"id": pl.String, "value": kind.dtype}
    assert found.equals(expected(kind))


@pytest.mark.parametrize("kind", TAKEN_OVER.values(), ids=TAKEN_OVER)
def test_an_undeclared_column_comes_back_as_it_was_given(project: Project, kind: Kind) -> None:
    found = written_twice(project, project.feature("video"), kind)
    values = kind.dtype
    if isinstance(values, pl.Array):
        found = found.with_columns(pl.col("value").cast(values))
    assert found.schema == {"id": pl.String, "value": values}
    assert found.equals(expected(kind))


@pytest.mark.parametrize("kind", TAKEN_OVER.values(), ids=TAKEN_OVER)
def test_a_column_of_any_type_is_carried_to_an_increment(project: Project, kind: Kind) -> None:
    video = project.feature("video")
    copy = project.feature("copy", deps=[video])
    stored = written_twice(project, video, kind)
    increment = project.store.resolve_update(copy)
    carried = increment.new.select("id", "value").sort("id")
    assert carried.equals(stored)
    project.store.write(copy, increment.new)
    again = project.store.read(copy, columns=["id", "value"]).to_polars().sort("id")
    assert again.equals(stored)


def test_a_column_of_any_annotation_is_taken_over(project: Project) -> None:
    video = project.feature("video", columns={"value": Any})
    found = written_twice(project, video, Kind(Any, (1, 2), pl.Int64))
    assert found["value"].to_list() == [1, 2, None]


def test_a_declared_datetime_in_a_zone_keeps_its_instant(project: Project) -> None:
    video = project.feature("video", columns={"seen": datetime})
    seen = pl.Series("seen", [datetime(2026, 7, 2, 12, tzinfo=UTC)])
    frame = project.samples(v1="a").with_columns(seen.dt.convert_time_zone("Asia/Tokyo"))
    project.store.write(video, frame)
    (found,) = project.store.read(video).to_polars()["seen"]
    assert found == datetime(2026, 7, 2, 12, tzinfo=UTC)


def test_a_date_is_midnight_where_a_datetime_is_declared(project: Project) -> None:
    video = project.feature("video", columns={"seen": datetime})
    frame = project.samples(v1="a").with_columns(seen=pl.lit(date(2026, 7, 2)))
    project.store.write(video, frame)
    assert project.records(video) == [
        {"id": "v1", "seen": datetime.fromisoformat("2026-07-02T00:00:00")}
    ]


@pytest.mark.parametrize("first_zone", ["UTC", None], ids=str)
def test_datetimes_with_and_without_a_zone_do_not_mix(
    project: Project, first_zone: str | None
) -> None:
    video = project.feature("video", columns={"seen": datetime})
    naive = pl.Series("seen", [NAIVE])
    zoned = naive.dt.replace_time_zone("Asia/Tokyo")
    first, second = (zoned, naive) if first_zone else (naive, zoned)
    project.store.write(video, project.samples(v1="a").with_columns(first))
    with project.refuses(WrongColumnType, "'seen'", "'video'", "zone", "Cast it"):
        project.store.write(video, project.samples(v2="a").with_columns(second))


def test_numbers_of_another_width_fit_the_stored_column(project: Project) -> None:
    video = project.feature("video")
    for n, dtype in enumerate([pl.Int64, pl.Int8, pl.UInt32]):
        value = pl.lit(n, dtype=dtype).alias("size")
        project.store.write(video, project.samples(**{f"v{n}": "a"}).with_columns(value))
    assert [row["size"] for row in project.records(video)] == [0, 1, 2]
