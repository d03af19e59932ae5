"""Reading gives records as users know them, lazily, in the library they ask for."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from metaxy_core import system_columns as sc
from metaxy_core.definition import FeatureDefinition
from metaxy_core.engine.filters import filtered
from metaxy_core.engine.history import Moment, until
from metaxy_core.engine.upstream import Source, latest_rows, live_records
from metaxy_core.errors import InvalidWrite, UnknownColumn
from metaxy_core.specs.filter import parse_filter
from metaxy_core.store.backends.base import Backend, Snapshot
from metaxy_core.store.members import Members
from metaxy_core.store.sources import Sources, source_key

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


@dataclass(frozen=True)
class Selected:
    """Rows that are going to be read.

    Attributes:
        build: makes the expression.
        key: what decides about its SQL; None where that is not worth remembering.
    """

    build: Callable[[], ir.Table]
    key: Hashable = None


@dataclass(frozen=True)
class Query:
    """What records are made from, each time that they are asked for.

    Attributes:
        backend: where they are.
        rows: the rows as on disk, in a snapshot; the first so many by id, or all of them.
        present: such rows in the shape that users see.
        given: frames that the rows are found with, by the names that SQL knows them under.
    """

    backend: Backend
    rows: Callable[[Snapshot, int | None], Selected]
    present: Callable[[pa.Table], pa.Table]
    given: Mapping[str, pa.Table] = field(default_factory=dict)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Where to read the rows."""
        with ExitStack() as closing:
            for name, frame in self.given.items():
                closing.callback(self.backend.drop, self.backend.stage(name, frame))
            yield closing.enter_context(self.backend.snapshot())

    def sql(self, snapshot: Snapshot, limit: int | None) -> str:
        """The statement that gives the rows."""
        selected = self.rows(snapshot, limit)
        return self.backend.sql(selected.build, selected.key)


class Records:
    """Records of one feature, read when they are asked for.

    Every call reads the store anew, in one snapshot.
    """

    def __init__(self, name: str, query: Query, limit: int | None = None) -> None:
        self._name = name
        self._query = query
        self._limit = limit

    def __repr__(self) -> str:
        return f"Records({self._name!r})"

    def to_arrow(self) -> pa.Table:
        """The records as a PyArrow table."""
        with self._query.backend.turn, self._query.snapshot() as snapshot:
            found = snapshot.fetch(self._query.sql(snapshot, self._limit))
        return self._query.present(found)

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

    def count(self) -> int:
        """How many records there are, without reading them."""
        with self._query.backend.turn, self._query.snapshot() as snapshot:
            rows = self._query.rows(snapshot, self._limit).build()
            counted = rows.agg(records=rows.count())
            found = snapshot.fetch(self._query.backend.sql(lambda: counted))
        return int(found["records"][0].as_py())

    def first(self, rows: int) -> Records:
        """The first so many of them, by id.

        Args:
            rows: how many, at most.
        """
        if type(rows) is not int or rows < 0:
            raise InvalidWrite.from_argument("rows", rows, "a whole number of rows")
        return Records(self._name, self._query, rows)

    def batches(self, size: int = 10_000) -> Generator[pa.Table]:
        """The records in PyArrow tables of at most ``size`` rows, streamed.

        All of them are of one moment, and the store is free for others while they are worked on.

        Args:
            size: rows per table.

        Yields:
            Tables with at least one row.
        """
        if type(size) is not int or size < 1:
            raise InvalidWrite.from_argument("size", size, "a whole number of rows from 1")
        backend = self._query.backend
        with backend.turn, self._query.snapshot() as snapshot:
            kept = snapshot.keep(self._query.sql(snapshot, self._limit))
        try:
            for batch in backend.stream(backend.sql(lambda: kept), size):
                if batch.num_rows:
                    yield self._query.present(batch)
        finally:
            backend.drop(kept)


class Reading:
    """One call of ``read``."""

    def __init__(
        self,
        backend: Backend,
        sources: Sources,
        definition: FeatureDefinition,
        columns: Sequence[str] | None = None,
        filters: str | None = None,
        members: Members | None = None,
    ) -> None:
        self._backend = backend
        self._sources = sources
        self._definition = definition
        self._members = members
        self._columns = columns
        self._filter = None if filters is None else parse_filter(filters)

    def records(self, *, history: bool, include_deleted: bool, as_of: Moment | None) -> Records:
        """The records, not read yet."""
        members = self._members
        portion = None if members is None else members.portion
        grain = () if portion is None else portion.plan.grain

        def selected(snapshot: Snapshot, limit: int | None) -> Selected:
            source = self._sources.open(snapshot, self._definition, kept_columns=grain)
            self._check_columns(source.rows.columns)
            if members is not None:
                members.check_types(source.rows)

            def build() -> ir.Table:
                at = source if as_of is None or not source.written else until(source, as_of)
                at = at if portion is None else portion.work(at)
                rows = at.rows if history else latest_rows(at)
                rows = rows if portion is None else portion.of(rows)
                if not include_deleted:
                    rows = rows.filter(~rows[sc.DELETED])
                return self._finished(rows, source, limit)

            columns = None if self._columns is None else tuple(self._columns)
            options = (history, include_deleted, as_of, limit)
            among = None if portion is None else portion.key
            key = ("read", source_key(source), columns, self._filter, options, among)
            return Selected(build, key)

        def present(found: pa.Table) -> pa.Table:
            frame = presented(self._definition, found)
            return frame if self._columns is None else frame.select(list(self._columns))

        given = {} if members is None else members.given
        query = Query(self._backend, selected, present, given)
        return Records(str(self._definition.key), query)

    def _finished(self, rows: ir.Table, source: Source, limit: int | None) -> ir.Table:
        """Rows with their commits, filtered and cut to what is wanted."""
        add = with_commits if source.written else without_commits
        rows = add(rows, source)
        needed = self._needed(rows.columns)
        rows = filtered(with_deletion(rows), self._filter, self._definition.key, FILTERABLE)
        if limit is not None:
            order = (*self._definition.spec.id_columns, sc.COMMIT)
            rows = rows.order_by([rows[name] for name in order]).limit(limit)
        return rows.select(*needed)

    def count(self) -> int:
        """The number of live records."""
        with self._backend.snapshot() as snapshot:
            source = self._sources.open(snapshot, self._definition)
            sql = self._backend.sql(lambda: _counted(source), ("count", source_key(source)))
            return int(snapshot.fetch(sql)["records"][0].as_py())

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


def _counted(source: Source) -> ir.Table:
    records = live_records(source)
    return records.agg(records=records.count())


def with_commits(rows: ir.Table, source: Source) -> ir.Table:
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


def without_commits(rows: ir.Table, _: Source) -> ir.Table:
    """The same columns where nothing was ever written, and there may be no catalog."""
    import ibis

    return rows.mutate(
        **{
            sc.FEATURE_VERSION: ibis.null("string"),
            sc.CREATED_AT: ibis.null("timestamp('UTC', 6)"),
            sc.MATERIALIZATION_ID: ibis.null("string"),
        }
    )


def with_deletion(rows: ir.Table) -> ir.Table:
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
