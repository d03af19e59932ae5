"""Reading gives records as users know them, lazily, in the library they ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from metaxy_core import system_columns as sc
from metaxy_core.definition import FeatureDefinition
from metaxy_core.engine.filters import filtered
from metaxy_core.engine.upstream import Source, latest_rows, live_records
from metaxy_core.errors import UnknownColumn
from metaxy_core.specs.filter import parse_filter
from metaxy_core.store.backends.base import Backend
from metaxy_core.store.sources import Sources

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd
    import polars as pl
    import pyarrow as pa

SYSTEM = (
    sc.PROVENANCE_BY_FIELD,
    sc.DATA_VERSION_BY_FIELD,
    sc.PROVENANCE,
    sc.DATA_VERSION,
    sc.FEATURE_VERSION,
    sc.COMMIT,
    sc.CREATED_AT,
    sc.DELETED_AT,
    sc.MATERIALIZATION_ID,
)

FILTERABLE = (
    sc.FEATURE_VERSION,
    sc.COMMIT,
    sc.CREATED_AT,
    sc.DELETED_AT,
    sc.MATERIALIZATION_ID,
)


class Records:
    """Records of one feature, read when they are asked for.

    Every ``to_…`` call reads the store anew, in one snapshot.
    """

    def __init__(self, name: str, fetch: Callable[[], pa.Table]) -> None:
        self._name = name
        self._fetch = fetch

    def __repr__(self) -> str:
        return f"Records({self._name!r})"

    def to_arrow(self) -> pa.Table:
        """The records as a PyArrow table."""
        return self._fetch()

    def to_polars(self) -> pl.DataFrame:
        """The records as a Polars frame."""
        import polars as pl

        return pl.DataFrame(self.to_arrow())

    def to_pandas(self) -> pd.DataFrame:
        """The records as a pandas frame."""
        return self.to_arrow().to_pandas()

    def to_ibis(self) -> ir.Table:
        """The records, as they are now, as an Ibis table in memory."""
        import ibis

        return ibis.memtable(self.to_arrow())


class Reading:
    """One call of ``read``."""

    def __init__(
        self,
        backend: Backend,
        sources: Sources,
        definition: FeatureDefinition,
        columns: Sequence[str] | None,
        filters: str | None,
    ) -> None:
        self._backend = backend
        self._sources = sources
        self._definition = definition
        self._columns = columns
        self._filter = None if filters is None else parse_filter(filters)

    def records(self, *, history: bool, include_deleted: bool) -> Records:
        """The records, not read yet."""

        def fetch() -> pa.Table:
            with self._backend.snapshot() as snapshot:
                source = self._sources.open(snapshot, self._definition)
                self._check_columns(source.rows.columns)
                rows = source.rows if history else latest_rows(source)
                if not include_deleted:
                    rows = rows.filter(~rows[sc.DELETED])
                written = snapshot.has(self._definition.table)
                rows = _with_commits(rows, source) if written else _without_commits(rows)
                needed = self._needed(rows.columns)
                rows = filtered(
                    _with_deletion(rows), self._filter, self._definition.key, FILTERABLE
                )
                wanted = rows.select(*needed)
                found = snapshot.fetch(self._backend.sql(lambda: wanted))
            frame = presented(self._definition, found)
            return frame if self._columns is None else frame.select(list(self._columns))

        return Records(str(self._definition.key), fetch)

    def count(self) -> int:
        """The number of live records."""
        with self._backend.snapshot() as snapshot:
            source = self._sources.open(snapshot, self._definition)
            records = live_records(source)
            counted = records.agg(records=records.count())
            return int(snapshot.fetch(self._backend.sql(lambda: counted))["records"][0].as_py())

    def _check_columns(self, available: Sequence[str]) -> None:
        if self._columns is None:
            return
        known = [*_user_columns(available), *SYSTEM]
        repeated = len(set(self._columns)) < len(self._columns)
        if isinstance(self._columns, str) or not self._columns or repeated:
            raise UnknownColumn(
                f"read(columns={self._columns!r}) of '{self._definition.key}' is no list of names, "
                f"each once; choose among {', '.join(known)}, or leave columns out to get all."
            )
        for name in self._columns:
            if name not in known:
                raise UnknownColumn.from_available(
                    self._definition.key, name, known, "read(columns=...)"
                )

    def _needed(self, available: Sequence[str]) -> list[str]:
        """The stored columns from which the wanted ones are made."""
        if self._columns is None or set(self._columns) & set(SYSTEM):
            return [n for n in available if n in (self._columns or available) or sc.is_reserved(n)]
        return list(self._columns)


def _with_commits(rows: ir.Table, source: Source) -> ir.Table:
    """Rows with what their commits say joined in."""
    commits = source.commits.filter(source.commits.feature == str(source.feature)).select(
        sc.COMMIT,
        **{
            sc.FEATURE_VERSION: "feature_version",
            sc.CREATED_AT: "created_at",
            sc.MATERIALIZATION_ID: "materialization_id",
        },
    )
    return rows.left_join(commits, sc.COMMIT).select(
        *rows.columns, sc.FEATURE_VERSION, sc.CREATED_AT, sc.MATERIALIZATION_ID
    )


def _without_commits(rows: ir.Table) -> ir.Table:
    """The same columns where nothing was ever written, and there may be no catalog."""
    import ibis

    return rows.mutate(
        **{
            sc.FEATURE_VERSION: ibis.null("string"),
            sc.CREATED_AT: ibis.null("timestamp('UTC', 6)"),
            sc.MATERIALIZATION_ID: ibis.null("string"),
        }
    )


def _with_deletion(rows: ir.Table) -> ir.Table:
    """Rows with the time at which they were deleted, so that a filter can read it."""
    import ibis

    deleted_at = ibis.cases((rows[sc.DELETED], rows[sc.CREATED_AT]), else_=None)
    return rows.mutate(**{sc.DELETED_AT: deleted_at.cast(rows[sc.CREATED_AT].type())})


def presented(definition: FeatureDefinition, rows: pa.Table) -> pa.Table:
    """Rows as on disk, in the shape that users see."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from metaxy_core.store.columns import (
        record_version,
        single_chunk,
        to_hex,
        versions_struct,
    )

    if not any(sc.is_reserved(name) for name in rows.column_names):
        return rows
    fields = definition.spec.field_keys
    provenance = {field: single_chunk(rows[sc.provenance(field)]) for field in fields}
    data = {
        field: pc.coalesce(single_chunk(rows[sc.data_version(field)]), own)
        for field, own in provenance.items()
    }
    frame = rows.select(_user_columns(rows.column_names))
    frame = frame.append_column(sc.PROVENANCE_BY_FIELD, versions_struct(provenance))
    frame = frame.append_column(sc.DATA_VERSION_BY_FIELD, versions_struct(data))
    for name, versions in ((sc.PROVENANCE, provenance), (sc.DATA_VERSION, data)):
        frame = frame.append_column(name, to_hex(record_version(definition.key, versions)))
    for name in (sc.FEATURE_VERSION, sc.COMMIT, sc.CREATED_AT):
        if name in rows.column_names:
            frame = frame.append_column(name, rows[name])
    if sc.CREATED_AT in rows.column_names:
        deleted, when = single_chunk(rows[sc.DELETED]), single_chunk(rows[sc.CREATED_AT])
        deleted_at = pc.if_else(deleted, when, pa.scalar(None, when.type))
        frame = frame.append_column(sc.DELETED_AT, deleted_at)
        frame = frame.append_column(sc.MATERIALIZATION_ID, rows[sc.MATERIALIZATION_ID])
    return frame


def _user_columns(names: Sequence[str]) -> list[str]:
    return [name for name in names if not sc.is_reserved(name)]
