"""A feature's table with what the catalog knows of it, whether it was ever written or not."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from metaxy_core import system_columns as sc
from metaxy_core.definition import FeatureDefinition
from metaxy_core.engine.upstream import Source
from metaxy_core.errors import NotAStore
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.keys import FeatureKey, FieldKey
from metaxy_core.store.backends.base import Backend, Snapshot
from metaxy_core.store.catalog import Catalog
from metaxy_core.store.histories import History
from metaxy_core.store.layers import LayeredSnapshot
from metaxy_core.store.schema import arrow_type
from metaxy_core.store.tables import CatalogTables
from metaxy_core.store.unions import rows_union

if TYPE_CHECKING:
    import ibis.expr.types as ir

FEW: Final = 5_000
"""So few rows are read as if some were superseded and deleted: one statement does for them all."""


class Sources:
    """Opens the tables of features inside a snapshot."""

    def __init__(self, backend: Backend, tables: CatalogTables, catalog: Catalog) -> None:
        self._backend = backend
        self._tables = tables
        self._catalog = catalog

    def open(
        self,
        snapshot: Snapshot,
        definition: FeatureDefinition,
        *,
        history: History | None = None,
        code_versions: tuple[tuple[FieldKey, str], ...] = (),
        ids_like: pa.Schema | None = None,
        kept_columns: tuple[str, ...] = (),
    ) -> Source:
        """A feature's table; one that was never written is an empty one.

        Args:
            snapshot: where to read.
            definition: the feature.
            history: what the catalog knows of its commits, where the caller has asked already.
            code_versions: current code versions of the fields that are going to be read.
            ids_like: types of the id columns, where the table does not exist yet.
            kept_columns: further columns that it has to have.
        """
        history = history or self.histories(snapshot, [definition.key])[definition.key]
        rows = self.rows(snapshot, definition)
        written = rows is not None
        if rows is None:
            names = (*definition.spec.id_columns, *kept_columns)
            rows = self._never_written(definition, definition.table, names, ids_like)
        completed = _completed(definition, rows, ids_like)
        few = written and history.rows < FEW
        return Source(
            feature=definition.key,
            id_columns=definition.spec.id_columns,
            rows=completed,
            commits=self._catalog.commits(snapshot),
            superseding=history.superseding or few,
            deleting=history.deleting or few,
            outdated=history.outdated(code_versions),
            written=written,
            absent=_absent(rows, completed),
        )

    def open_work(self, snapshot: Snapshot, plan: FeaturePlan, own: Source) -> Source:
        """What a feature has processed: its records, or the parents of an expansion."""
        if not plan.expands:
            return own
        name = sc.parents_table(plan.definition.table)
        rows = self._over(snapshot, plan.definition, name, plan.grain)
        if rows is None:
            like = own.rows.schema().to_pyarrow()
            rows = self._never_written(plan.definition, name, plan.grain, like)
        completed = _with_nulls(rows, _version_columns(plan.definition))
        absent = _absent(rows, completed)
        return replace(own, id_columns=plan.grain, rows=completed, absent=absent)

    def open_attempts(self, snapshot: Snapshot, plan: FeaturePlan, work: Source) -> ir.Table | None:
        """The failed attempts at a feature's work; None where there was never one."""
        rows = snapshot.table(sc.attempts_table(plan.definition.table))
        if rows is None:
            return None
        ids = {name: work.rows.schema()[name] for name in plan.grain}
        return _with_nulls(rows, {**ids, **_version_columns(plan.definition)})

    def rows(self, snapshot: Snapshot, definition: FeatureDefinition) -> ir.Table | None:
        """Every row of a feature, those of fallbacks too; None where it was never written.

        Raises:
            NotAStore: a database has a table of this name that no store made.
            WrongColumnType: a column has another type in a fallback.
        """
        ids = definition.spec.id_columns
        return self._over(snapshot, definition, definition.table, ids)

    def _over(
        self, snapshot: Snapshot, definition: FeatureDefinition, name: str, ids: Sequence[str]
    ) -> ir.Table | None:
        if not isinstance(snapshot, LayeredSnapshot):
            rows = snapshot.table(name)
            check_own(definition, rows)
            return rows
        if name not in snapshot.unions:
            parts = []
            for layer in self._tables.layers(snapshot):
                rows = layer.tables.table(name)
                check_own(definition, rows, layer.address if layer.depth else None)
                if rows is not None:
                    parts.append((layer, rows))
            snapshot.unions[name] = rows_union(definition.key, ids, parts) if parts else None
        return snapshot.unions[name]

    def histories(
        self, snapshot: Snapshot, features: Sequence[FeatureKey]
    ) -> dict[FeatureKey, History]:
        """What the catalog knows of some features' commits."""
        return self._catalog.histories(snapshot, features)

    def _never_written(
        self,
        definition: FeatureDefinition,
        table: str,
        names: Sequence[str],
        ids_like: pa.Schema | None,
    ) -> ir.Table:
        columns = {name: _id_type(definition, name, ids_like) for name in names}
        schema = pa.schema([*columns.items(), (sc.COMMIT, pa.int64()), (sc.DELETED, pa.bool_())])
        return self._backend.stage(f"{table}__never_written", schema.empty_table())


def check_own(
    definition: FeatureDefinition, rows: ir.Table | None, fallback: str | None = None
) -> None:
    """A table of a feature's name that is not ours is left alone."""
    if rows is not None and not {sc.COMMIT, sc.DELETED} <= set(rows.columns):
        where = "The database" if fallback is None else f"The fallback {fallback!r}"
        raise NotAStore(
            f"{where} has a table {definition.table!r} that no store made, so feature "
            f"'{definition.key}' cannot use this name. Rename the table or the feature, or give "
            f"the store a file of its own."
        )


def source_key(source: Source) -> Hashable:
    """What decides about the SQL made from a source."""
    return (
        source.feature,
        source.id_columns,
        source.rows.op(),
        source.commits.op(),
        source.superseding,
        source.deleting,
        source.outdated,
        source.written,
        source.absent,
    )


def _id_type(definition: FeatureDefinition, name: str, ids_like: pa.Schema | None) -> pa.DataType:
    if ids_like is not None and name in ids_like.names:
        return ids_like.field(name).type
    column = definition.column(name)
    declared = None if column is None else arrow_type(column.type)
    return declared or pa.string()


def _completed(
    definition: FeatureDefinition, rows: ir.Table, ids_like: pa.Schema | None
) -> ir.Table:
    """The table with the columns that the definition has and the table does not have yet."""
    import ibis

    declared = {
        column.name: ibis.dtype(arrow_type(column.type) or pa.string())
        for column in definition.value_columns
    }
    ids = {
        name: ibis.dtype(_id_type(definition, name, ids_like))
        for name in definition.spec.id_columns
    }
    return _with_nulls(rows, {**ids, **declared, **_version_columns(definition)})


def _version_columns(definition: FeatureDefinition) -> dict[str, str]:
    names = (sc.provenance, sc.data_version)
    return {name(field): "int64" for field in definition.spec.field_keys for name in names}


def _absent(rows: ir.Table, completed: ir.Table) -> frozenset[str]:
    return frozenset(completed.columns) - frozenset(rows.columns)


def _with_nulls(rows: ir.Table, columns: Mapping[str, Any]) -> ir.Table:
    import ibis

    missing = {n: ibis.null(kind) for n, kind in columns.items() if n not in rows.columns}
    return rows.mutate(**missing) if missing else rows
