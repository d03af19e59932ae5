"""A feature's records in whatever library an input is annotated with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from metaxy_dagster.errors import UnsupportedInput
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.filtering import all_of
from metaxy_dagster.input_batches import BATCH_TYPES, batch_type, type_name
from metaxy_dagster.input_selection import InputSelection
from metaxy_dagster.resource import MetaxyStoreResource

if TYPE_CHECKING:
    import duckdb
    import ibis.expr.types as ir
    import pandas as pd
    import polars as pl
    import pyarrow as pa

_NO_ROWS = "FALSE"


@dataclass(frozen=True)
class StoredRecords:
    """Records of a feature that are read when they are asked for.

    Attributes:
        resource: where the store is.
        feature: the feature.
        selection: which of its records and columns.
        among: ids, or a bucket, of the records that are meant; None for all.
    """

    resource: MetaxyStoreResource
    feature: FeatureName
    selection: InputSelection = field(default_factory=InputSelection)
    among: Any = None

    def to_polars(self) -> pl.DataFrame:
        """The records as a Polars frame."""
        import polars as pl

        return pl.DataFrame(self.to_arrow())

    def to_polars_lazy(self) -> pl.LazyFrame:
        """The records as a Polars query that reads the store when it is collected."""
        from polars.io.plugins import register_io_source

        self._check()
        return register_io_source(self._scan, schema=self._schema)

    def to_pandas(self) -> pd.DataFrame:
        """The records as a pandas frame."""
        return self.to_arrow().to_pandas()

    def to_arrow(self) -> pa.Table:
        """The records as a PyArrow table."""
        return self._read(self.selection.columns, self.selection.filters)

    def to_arrow_reader(self) -> pa.RecordBatchReader:
        """The records as a PyArrow reader, which streams them from the store as it is read."""
        import pyarrow as pa

        schema = self._check()
        batches = (batch for table in self._tables() for batch in table.cast(schema).to_batches())
        return pa.RecordBatchReader.from_batches(schema, batches)

    def to_ibis(self) -> ir.Table:
        """The records as an Ibis table in memory."""
        import ibis

        return ibis.memtable(self.to_arrow())

    def to_duckdb(self) -> duckdb.DuckDBPyRelation:
        """The records as a relation in memory, on DuckDB's default connection.

        Relations of one connection can be joined, and ``duckdb.sql`` finds them by name.
        """
        import duckdb

        return duckdb.from_arrow(self.to_arrow())

    def to_batches(self, frame: str) -> Iterator[Any]:
        """The records in batches of a type, streamed: one batch is held at a time.

        Args:
            frame: the type, one of ``BATCH_TYPES``.
        """
        self._check()
        return _converted(self._tables(), frame)

    def to_annotated(self, name: str, annotation: Any) -> Any:
        """The records in the type of an annotation; Polars where there is none.

        Args:
            name: the input's name, for the message.
            annotation: its type.

        Raises:
            UnsupportedInput: there is no way to that type.
        """
        kinds: dict[str, Callable[[], Any]] = {
            "polars.DataFrame": self.to_polars,
            "polars.LazyFrame": self.to_polars_lazy,
            "pandas.DataFrame": self.to_pandas,
            "pyarrow.Table": self.to_arrow,
            "pyarrow.RecordBatchReader": self.to_arrow_reader,
            "ibis.Table": self.to_ibis,
            "duckdb.DuckDBPyRelation": self.to_duckdb,
        }
        if annotation is Any or annotation is None:
            return self.to_polars()
        batch = type_name(batch_type(annotation))
        if batch in BATCH_TYPES:
            return self.to_batches(batch)
        convert = kinds.get(type_name(annotation))
        if convert is None:
            known = [*kinds, *(f"Iterator[{frame}]" for frame in BATCH_TYPES)]
            raise UnsupportedInput.from_annotation(name, annotation, known)
        return convert()

    # ------------------------------------------------------------------ reading

    def _read(self, columns: Sequence[str] | None, filters: str | None) -> pa.Table:
        with self.resource.open() as store:
            found = store.read(self.feature, columns=columns, filters=filters, among=self.among)
            return found.to_arrow()

    def _tables(self) -> Iterator[pa.Table]:
        wanted = self.selection
        with self.resource.open() as store:
            records = store.read(
                self.feature, columns=wanted.columns, filters=wanted.filters, among=self.among
            )
            with closing(records.batches(wanted.batch_size)) as tables:
                yield from tables

    def _check(self) -> pa.Schema:
        """The schema; columns and filters that do not fit are told now, not when rows come."""
        return self._read(self.selection.columns, all_of(self.selection.filters, _NO_ROWS)).schema

    # ------------------------------------------------------------------ Polars

    def _schema(self) -> pl.Schema:
        import polars as pl

        return pl.DataFrame(self._read(self.selection.columns, _NO_ROWS)).schema

    def _scan(
        self,
        columns: list[str] | None,
        predicate: pl.Expr | None,
        rows: int | None,
        size: int | None,
    ) -> Iterator[pl.DataFrame]:
        """What Polars calls when the query is collected, with the columns it turned out to need."""
        import polars as pl

        del size
        frame = pl.DataFrame(self._read(columns or self.selection.columns, self.selection.filters))
        frame = frame if predicate is None else frame.filter(predicate)
        yield frame if rows is None else frame.head(rows)


def _converted(tables: Iterator[pa.Table], frame: str) -> Iterator[Any]:
    for table in tables:
        match frame:
            case "polars.DataFrame":
                import polars as pl

                yield pl.DataFrame(table)
            case "pandas.DataFrame":
                yield table.to_pandas()
            case "pyarrow.RecordBatch":
                yield from table.combine_chunks().to_batches()
            case _:
                yield table
