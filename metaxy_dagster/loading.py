"""A feature's records in whatever library an input is annotated with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaxy_dagster.errors import UnsupportedInput
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.resource import MetaxyStoreResource

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd
    import polars as pl
    import pyarrow as pa


@dataclass(frozen=True)
class StoredRecords:
    """Records of a feature that are read when they are asked for.

    Attributes:
        resource: where the store is.
        feature: the feature.
        columns: the columns wanted; None means all.
        filters: SQL text over the records' columns.
    """

    resource: MetaxyStoreResource
    feature: FeatureName
    columns: Sequence[str] | None = None
    filters: str | None = None

    def to_polars(self) -> pl.DataFrame:
        """The records as a Polars frame."""
        import polars as pl

        return pl.DataFrame(self.to_arrow())

    def to_polars_lazy(self) -> pl.LazyFrame:
        """The records as a Polars query that reads the store when it is collected."""
        from polars.io.plugins import register_io_source

        return register_io_source(self._scan, schema=self._schema)

    def to_pandas(self) -> pd.DataFrame:
        """The records as a pandas frame."""
        return self.to_arrow().to_pandas()

    def to_arrow(self) -> pa.Table:
        """The records as a PyArrow table."""
        return self._read(self.columns, self.filters)

    def to_ibis(self) -> ir.Table:
        """The records as an Ibis table in memory."""
        import ibis

        return ibis.memtable(self.to_arrow())

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
            "ibis.Table": self.to_ibis,
        }
        if annotation is Any or annotation is None:
            return self.to_polars()
        package = str(getattr(annotation, "__module__", "")).split(".")[0]
        convert = kinds.get(f"{package}.{getattr(annotation, '__qualname__', '')}")
        if convert is None:
            raise UnsupportedInput.from_annotation(name, annotation, list(kinds))
        return convert()

    def _read(self, columns: Sequence[str] | None, filters: str | None) -> pa.Table:
        with self.resource.open() as store:
            return store.read(self.feature, columns=columns, filters=filters).to_arrow()

    def _schema(self) -> pl.Schema:
        import polars as pl

        return pl.DataFrame(self._read(self.columns, "FALSE")).schema

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
        frame = pl.DataFrame(self._read(columns or self.columns, self.filters))
        frame = frame if predicate is None else frame.filter(predicate)
        yield frame if rows is None else frame.head(rows)
