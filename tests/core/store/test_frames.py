"""Every data library's frames are taken, as samples, as what is written and as what is deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import duckdb
import ibis
import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import metaxy_core as mx
from metaxy_core.errors import UnsupportedFrame

if TYPE_CHECKING:
    from tests.conftest import Project

Library = Callable[[pl.DataFrame], Any]

_connection = duckdb.connect()

LIBRARIES: dict[str, Library] = {
    "polars": lambda frame: frame,
    "polars lazy": lambda frame: frame.lazy(),
    "pandas": lambda frame: frame.to_pandas(),
    "pandas with Arrow types": lambda frame: frame.to_pandas(use_pyarrow_extension_array=True),
    "pyarrow table": lambda frame: frame.to_arrow(),
    "pyarrow table in chunks": lambda frame: pa.concat_tables(
        [frame.head(1).to_arrow(), frame.tail(frame.height - 1).to_arrow()]
    ),
    "pyarrow batch": lambda frame: frame.to_arrow().combine_chunks().to_batches()[0],
    "pyarrow reader": lambda frame: frame.to_arrow().to_reader(),
    "ibis": lambda frame: ibis.memtable(frame.to_arrow()),
    "duckdb relation": lambda frame: _connection.from_arrow(frame.to_arrow()),
    "narwhals": nw.from_native,
    "narwhals lazy": lambda frame: nw.from_native(frame.lazy()),
}


@pytest.fixture(params=LIBRARIES, ids=str)
def library(request: pytest.FixtureRequest) -> Library:
    return LIBRARIES[request.param]


@pytest.fixture
def video(project: Project) -> type[mx.Feature]:
    columns = {"path": str, "size": int, "score": float, "tags": list[str]}
    return project.feature("video", fields=["audio", "frames"], columns=columns)


@pytest.fixture
def samples(project: Project) -> pl.DataFrame:
    versions = {"v1": {"audio": "a|1", "frames": "f"}, "v2": {"audio": "a", "frames": ""}}
    return project.samples(**versions).with_columns(
        path=pl.Series(["p/1", "p/ä"]),
        size=pl.Series([1, 2**40]),
        score=pl.Series([0.5, -1.0]),
        tags=pl.Series([["x", "y"], []], dtype=pl.List(pl.String)),
    )


@pytest.fixture
def expected(
    project: Project, video: type[mx.Feature], samples: pl.DataFrame
) -> Iterator[pl.DataFrame]:
    """What a store holds after the samples were written from Polars."""
    with mx.DuckDBMetadataStore(":memory:") as store:
        store.write(video, store.resolve_update(video, samples).new)
        yield read(store, video)


def read(store: mx.MetadataStore, feature: type[mx.Feature]) -> pl.DataFrame:
    return store.read(feature).to_polars().drop("metaxy_created_at").sort("id")


@pytest.mark.slow
def test_samples_of_any_library_give_the_same_increment(
    project: Project,
    video: type[mx.Feature],
    samples: pl.DataFrame,
    expected: pl.DataFrame,
    library: Library,
) -> None:
    increment = project.store.resolve_update(video, library(samples))
    assert increment.counts == mx.Counts(new=2)
    project.store.write(video, increment.new)
    assert read(project.store, video).equals(expected)
    assert not project.counts(video, library(samples))


@pytest.mark.slow
def test_an_increment_turned_into_any_library_s_frame_can_be_written(
    project: Project,
    video: type[mx.Feature],
    samples: pl.DataFrame,
    expected: pl.DataFrame,
    library: Library,
) -> None:
    increment = project.store.resolve_update(video, samples)
    commit = project.store.write(video, library(increment.new))
    assert commit is not None
    assert commit.rows == 2
    assert read(project.store, video).equals(expected)


@pytest.mark.slow
def test_raw_samples_of_any_library_can_be_written(
    project: Project,
    video: type[mx.Feature],
    samples: pl.DataFrame,
    expected: pl.DataFrame,
    library: Library,
) -> None:
    project.store.write(video, library(samples))
    assert read(project.store, video).equals(expected)


def test_a_frame_of_any_library_names_what_to_delete(
    project: Project, video: type[mx.Feature], samples: pl.DataFrame, library: Library
) -> None:
    project.store.write(video, samples)
    gone = pl.DataFrame({"id": ["v1", "v9"]})
    commit = project.store.delete(video, library(gone))
    assert commit is not None
    assert commit.rows == 1
    assert [row["id"] for row in project.records(video)] == ["v2"]


def test_what_was_read_in_any_library_can_be_written_back(
    project: Project, video: type[mx.Feature], samples: pl.DataFrame, library: Library
) -> None:
    project.store.write(video, samples)
    before = read(project.store, video).drop("metaxy_commit")
    project.store.write(video, library(project.store.read(video).to_polars()))
    assert read(project.store, video).drop("metaxy_commit").equals(before)


def test_data_versions_set_in_any_library_are_the_same(
    project: Project, samples: pl.DataFrame, video: type[mx.Feature], library: Library
) -> None:
    override = pl.struct(audio=pl.lit("content"), frames=pl.lit(None, dtype=pl.String))
    frame = samples.with_columns(metaxy_data_version_by_field=override)
    project.store.write(video, library(frame))
    with mx.DuckDBMetadataStore(":memory:") as other:
        other.write(video, frame)
        assert read(project.store, video).equals(read(other, video))


@pytest.mark.parametrize("name", [name for name in LIBRARIES if "batch" not in name])
def test_an_increment_without_rows_makes_no_commit_in_any_library(
    project: Project, video: type[mx.Feature], samples: pl.DataFrame, name: str
) -> None:
    project.store.write(video, samples)
    nothing = project.store.resolve_update(video, samples).new
    before = project.state()
    assert project.store.write(video, LIBRARIES[name](nothing)) is None
    assert project.state() == before


@pytest.mark.parametrize("name", [name for name in LIBRARIES if "batch" not in name])
def test_samples_without_rows_orphan_everything_in_any_library(
    project: Project, video: type[mx.Feature], samples: pl.DataFrame, name: str
) -> None:
    project.store.write(video, samples)
    increment = project.store.resolve_update(video, LIBRARIES[name](samples.head(0)))
    assert increment.counts == mx.Counts(orphaned=2)


def test_a_pandas_frame_s_index_is_no_column(project: Project, samples: pl.DataFrame) -> None:
    video = project.feature("free", fields=["audio", "frames"])
    frame = samples.to_pandas()
    project.store.write(video, frame[frame["size"] <= 1])
    (row,) = project.records(video)
    assert list(row) == ["id", "path", "size", "score", "tags"]


def test_a_categorical_column_is_text(project: Project) -> None:
    video = project.feature("video", columns={"kind": str})
    kinds = pl.Series(["cat", "dog"])
    plain = project.samples(v1="a", v2="a").with_columns(kind=kinds)
    for kind in (kinds.cast(pl.Categorical), kinds.cast(pl.Enum(["cat", "dog"]))):
        project.store.write(video, plain.with_columns(kind=kind))
        assert [row["kind"] for row in project.records(video)] == ["cat", "dog"]
    categorical = plain.to_pandas().astype({"kind": "category", "id": "category"})
    project.store.write(video, categorical)
    assert project.records(video) == project.rows(plain)


def test_bytes_of_one_length_are_bytes(project: Project) -> None:
    video = project.feature("video")
    digest = pa.array([b"ab", None], pa.binary(2))
    frame = project.samples(v1="a", v2="a").to_arrow().append_column("digest", digest)
    project.store.write(video, frame)
    rows = project.store.read(video).to_polars().sort("id")
    assert rows["digest"].to_list() == [b"ab", None]


@pytest.mark.parametrize("library_name", ["pandas", "pandas with Arrow types", "pyarrow table"])
def test_a_duration_has_one_version_in_every_library(project: Project, library_name: str) -> None:
    field = mx.FieldSpec(key="default", version_from=["length"])
    clip = project.feature("clip", fields=[field], columns={"note": (str, "")})
    lengths = pl.Series([1_500_000, None, 90_000_000_000], dtype=pl.Duration("us"))
    samples = pl.DataFrame({"id": ["a", "b", "c"], "length": lengths})
    written = []
    for unit in ("us", "ms", "ns"):
        other = samples.with_columns(length=lengths.cast(pl.Duration(unit)))
        for frame in (other, LIBRARIES[library_name](other)):
            project.store.write(clip, frame)
            written.append(read(project.store, clip)["metaxy_provenance"].to_list())
    assert written == written[:1] * 6
    assert len(set(written[0])) == 3


@pytest.mark.parametrize("library_name", ["pandas", "pandas with Arrow types", "pyarrow table"])
def test_times_of_day_have_one_version_in_every_library(
    project: Project, library_name: str
) -> None:
    field = mx.FieldSpec(key="default", version_from=["at"])
    clip = project.feature("clip", fields=[field])
    at = pl.Series([0, 3_723_000_000_000, 3_723_000_001_000], dtype=pl.Time)
    samples = pl.DataFrame({"id": ["a", "b", "c"], "at": at})
    project.store.write(clip, samples)
    assert not project.counts(clip, LIBRARIES[library_name](samples))


@pytest.mark.parametrize(
    "frame",
    [
        None,
        [{"id": "v1"}],
        {"id": ["v1"]},
        "video.parquet",
        pl.Series("id", ["v1"]),
        pd.Series(["v1"], name="id"),
        pa.array(["v1"]),
        42,
    ],
    ids=lambda frame: type(frame).__module__.split(".")[0] + "." + type(frame).__name__,
)
def test_what_is_no_frame_is_refused(project: Project, frame: Any) -> None:
    video = project.feature("video")
    project.store.write(video, project.samples(v1="a"))
    name = type(frame).__qualname__
    with project.refuses(UnsupportedFrame, name, "'video'", "no data frame", "give a Polars"):
        project.store.write(video, frame)
    if frame is None:
        return
    with project.refuses(UnsupportedFrame, name, "'video'", "no data frame", "give a Polars"):
        project.store.resolve_update(video, frame)
    with project.refuses(UnsupportedFrame, name, "'video'", "no data frame", "give a Polars"):
        project.store.delete(video, frame)
