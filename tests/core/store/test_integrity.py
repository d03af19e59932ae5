"""What is wrong with a table is found, whoever did it, and a sound table is found sound."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest

import metaxy_core as mx


def clip(**columns: object) -> type[mx.Feature]:
    """A feature ``clip`` with an id, an etag and further columns."""
    spec = mx.FeatureSpec(
        key="clip", id_columns=["id"], fields=[mx.FieldSpec(key="audio", version_from=["etag"])]
    )
    annotations = {"id": str, "etag": str, **columns}
    return type(mx.Feature)(
        "Clip", (mx.Feature,), {"__annotations__": annotations, "__module__": __name__}, spec=spec
    )


def clips(*names: str) -> pl.DataFrame:
    return pl.DataFrame({"id": list(names), "etag": ["1"] * len(names)})


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A store with the clips a, b and c."""
    path = tmp_path / "store.duckdb"
    with mx.DuckDBMetadataStore(path) as store:
        store.write(clip(), clips("a", "b", "c"))
    return path


def tampered(file: Path, feature: type[mx.Feature], *statements: str) -> mx.Integrity:
    """The integrity after somebody went past the store."""
    with duckdb.connect(str(file)) as connection:
        for statement in statements:
            connection.execute(statement)
    with mx.DuckDBMetadataStore(file) as store:
        return store.integrity(feature)


def test_what_was_only_written_by_the_store_is_sound(store: mx.MetadataStore) -> None:
    feature = clip()
    store.write(feature, clips("a", "b"))
    store.write(feature, clips("b", "c"))
    store.delete(feature, filters="id = 'a'")
    found = store.integrity(feature)
    assert found == mx.Integrity(found.feature, records=2)
    assert found


def test_what_was_never_written_is_sound(store: mx.MetadataStore) -> None:
    found = store.integrity(clip())
    assert (bool(found), found.records) == (True, 0)


def test_columns_of_every_type_are_as_declared(store: mx.MetadataStore) -> None:
    values = {
        "flag": True, "number": 1, "share": 0.5, "raw": b"x",
        "zoned": dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "day": dt.date(2026, 1, 1),
        "hour": dt.time(1), "length": dt.timedelta(1), "price": Decimal("1.5"), "path": "p",
    }  # fmt: skip
    feature = clip(**{name: type(value) for name, value in values.items()}, tags=list[str])
    store.write(
        feature, clips("a").with_columns(tags=["x"], **{n: pl.lit(v) for n, v in values.items()})
    )
    assert store.integrity(feature).columns == ()


def test_an_id_that_is_there_twice_is_named(file: Path) -> None:
    found = tampered(file, clip(), "INSERT INTO clip SELECT * FROM clip WHERE id = 'b'")
    assert (found.records, found.repeated, found.repeated_ids) == (4, 1, ("b",))
    assert not found


def test_a_null_id_is_counted(file: Path) -> None:
    found = tampered(file, clip(), "UPDATE clip SET id = NULL WHERE id = 'b'")
    assert (found.null_ids, bool(found)) == (1, False)


def test_a_record_without_provenance_is_named(file: Path) -> None:
    statement = "UPDATE clip SET metaxy_provenance__audio = NULL WHERE id = 'c'"
    found = tampered(file, clip(), statement)
    assert (found.incomplete, found.incomplete_ids) == (1, ("c",))
    assert found.without_provenance == {mx.FieldKey("audio"): 1}


def test_a_record_of_no_known_commit_is_named(file: Path) -> None:
    found = tampered(file, clip(), "UPDATE clip SET metaxy_commit = 77 WHERE id = 'a'")
    assert (found.incomplete_ids, found.unrecorded) == (("a",), 1)


@pytest.mark.parametrize(
    ("statement", "mismatch"),
    [
        ("ALTER TABLE clip DROP COLUMN etag", "etag is missing"),
        ("ALTER TABLE clip ALTER etag TYPE BIGINT", "etag is int64 and not string"),
        ("UPDATE clip SET etag = NULL WHERE id <> 'a'", "etag is NULL in 2 record(s)"),
        ("ALTER TABLE clip ALTER metaxy_provenance__audio TYPE VARCHAR",
         "metaxy_provenance__audio is string and not int64"),
    ],
)  # fmt: skip
def test_a_column_that_is_not_as_declared_is_told(
    file: Path, statement: str, mismatch: str
) -> None:
    found = tampered(file, clip(), statement)
    assert [str(each) for each in found.columns] == [mismatch]
    assert not found


def test_a_column_of_a_former_definition_is_left_alone(file: Path) -> None:
    found = tampered(file, clip(), "ALTER TABLE clip ADD COLUMN old INTEGER")
    assert found.columns == ()


def test_several_id_columns_are_named_together(tmp_path: Path) -> None:
    class Frame(mx.Feature, spec=mx.FeatureSpec(
        key="frame", id_columns=["clip", "number"],
        fields=[mx.FieldSpec(key="pixels", version_from=["etag"])],
    )):  # fmt: skip
        clip: str
        number: int
        etag: str

    path = tmp_path / "frames.duckdb"
    with mx.DuckDBMetadataStore(path) as opened:
        frames = pl.DataFrame({"clip": ["a", "a"], "number": [1, 2], "etag": ["1", "1"]})
        opened.write(Frame, frames)
    found = tampered(path, Frame, "INSERT INTO frame SELECT * FROM frame WHERE number = 2")
    assert found.repeated_ids == (("a", 2),)
    found = tampered(path, Frame, "UPDATE frame SET clip = NULL WHERE number = 1")
    found = tampered(path, Frame, "UPDATE frame SET number = NULL WHERE number = 2")
    assert found.null_ids == 3


# ------------------------------------------------------------------ compaction, counted before


@pytest.mark.parametrize("keep", [None, dt.timedelta(0), dt.timedelta(days=1), 1, 2])
def test_as_many_rows_are_compactable_as_compaction_erases(
    store: mx.MetadataStore, keep: dt.timedelta | int | None
) -> None:
    feature = clip()
    for names in ("abc", "ab", "a"):
        store.write(feature, clips(*names))
    expected = store.compactable(feature, keep_history=keep)
    commit = store.compact(feature, keep_history=keep)
    assert expected == (0 if commit is None else commit.rows)
    assert expected == {None: 3, dt.timedelta(0): 3, dt.timedelta(days=1): 0, 1: 0, 2: 2}[keep]


def test_counting_what_is_compactable_erases_nothing(store: mx.MetadataStore) -> None:
    feature = clip()
    store.write(feature, clips("a"))
    store.write(feature, clips("a"))
    assert (store.compactable(feature), store.compactable(feature)) == (1, 1)
    assert store.read(feature, history=True).count() == 2


def test_nothing_is_compactable_before_the_first_write(store: mx.MetadataStore) -> None:
    assert store.compactable(clip()) == 0


# ------------------------------------------------------------------ a branch over production


def test_a_branch_over_production_is_sound_and_compacts_only_its_own_rows(
    tmp_path: Path,
) -> None:
    feature, path = clip(), tmp_path / "prod.duckdb"
    with mx.DuckDBMetadataStore(path) as prod:
        prod.write(feature, clips("a", "b"))
        prod.write(feature, clips("a"))
    with (
        mx.DuckDBMetadataStore(path, read_only=True) as prod,
        mx.DuckDBMetadataStore(tmp_path / "dev.duckdb", fallback=prod) as dev,
    ):
        assert dev.compactable(feature) == 0
        dev.write(feature, clips("b", "c"))
        dev.write(feature, clips("c"))
        found = dev.integrity(feature)
        assert (bool(found), found.records) == (True, 3)
        assert dev.compactable(feature) == dev.compact(feature).rows == 1


def test_a_sound_table_says_so_of_its_expansions_too(store: mx.MetadataStore) -> None:
    feature = clip()

    class Chunk(mx.Feature, spec=mx.FeatureSpec(
        key="chunk", id_columns=["id", "number"],
        deps=[mx.FeatureDep(feature=feature, lineage=mx.expansion(on=["id"]))],
    )):  # fmt: skip
        id: str
        number: int

    store.write(feature, clips("a"))
    for _ in range(2):
        parents = store.resolve_update(Chunk).new
        if not parents.height:
            parents = store.resolve_update(Chunk, stale_if="number = 0").stale
            parents = parents.drop("metaxy_changed_fields")
        children = parents.join(pl.DataFrame({"number": [0, 1]}), how="cross")
        store.write(Chunk, children, processed=parents)
    assert store.integrity(Chunk) == mx.Integrity(mx.FeatureKey("chunk"), records=2)
    assert store.compactable(Chunk) == store.compact(Chunk).rows == 3  # children, and the parent


def test_a_column_that_writes_would_refuse_is_told(file: Path) -> None:
    with mx.FeatureGraph().use():

        class Strict(mx.Feature, spec=mx.FeatureSpec(
            key="clip", id_columns=["id"],
            fields=[mx.FieldSpec(key="audio", version_from=["etag"])],
        ), extra="forbid"):  # fmt: skip
            id: str
            etag: str

    found = tampered(file, Strict, "ALTER TABLE clip ADD COLUMN old INTEGER")
    assert [str(each) for each in found.columns] == ["old is not declared"]
