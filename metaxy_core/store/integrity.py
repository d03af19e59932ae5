"""The integrity of a feature is what its table must hold whatever was written and by whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from metaxy_core import system_columns as sc
from metaxy_core.definition import FeatureDefinition
from metaxy_core.engine import integrity
from metaxy_core.engine.checks import repeated_ids
from metaxy_core.engine.upstream import Source, live_records
from metaxy_core.keys import FeatureKey, FieldKey
from metaxy_core.store.backends.base import Snapshot
from metaxy_core.store.identity import SHOWN, shown_ids
from metaxy_core.store.parts import Parts
from metaxy_core.store.schema import agrees, arrow_type

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

_VERSION: Final = "int64"


@dataclass(frozen=True)
class ColumnMismatch:
    """A column whose table is not as declared.

    Attributes:
        column: its name.
        declared: the type that the definition calls for; None where it has no such column.
        stored: the type in the store; None where the table has no such column.
        nulls: how many records have NULL there, where the definition allows none.
    """

    column: str
    declared: str | None
    stored: str | None
    nulls: int = 0

    def __str__(self) -> str:
        if self.stored is None:
            return f"{self.column} is missing"
        if self.declared is None:
            return f"{self.column} is not declared"
        if self.nulls:
            return f"{self.column} is NULL in {self.nulls} record(s)"
        return f"{self.column} is {self.stored} and not {self.declared}"


@dataclass(frozen=True)
class Integrity:
    """What was found in the table of one feature.

    Attributes:
        feature: the feature.
        records: how many records are stored and not deleted.
        repeated: how many ids more than one of these has.
        repeated_ids: some of them.
        null_ids: how many records have a NULL id.
        incomplete: how many records lack the provenance of a field, or are of a commit that the
            catalog does not have.
        incomplete_ids: the ids of some of them.
        without_provenance: for each field that some records have no provenance of, how many.
        unrecorded: how many records are of a commit that the catalog does not have.
        columns: the columns that are not as declared.
    """

    feature: FeatureKey
    records: int = 0
    repeated: int = 0
    repeated_ids: tuple[object, ...] = ()
    null_ids: int = 0
    incomplete: int = 0
    incomplete_ids: tuple[object, ...] = ()
    without_provenance: Mapping[FieldKey, int] = field(default_factory=dict)
    unrecorded: int = 0
    columns: tuple[ColumnMismatch, ...] = ()

    def __bool__(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.repeated or self.null_ids or self.incomplete or self.columns)


def found_integrity(parts: Parts, snapshot: Snapshot, definition: FeatureDefinition) -> Integrity:
    """Look at every live record of a feature.

    Args:
        parts: the store.
        snapshot: where to read.
        definition: the feature.
    """
    source = parts.sources.open(snapshot, definition)
    if not source.written:
        return Integrity(definition.key)
    return _Looking(parts, snapshot, definition, source).integrity()


class _Looking:
    """One look at a feature's table."""

    def __init__(
        self, parts: Parts, snapshot: Snapshot, definition: FeatureDefinition, source: Source
    ) -> None:
        self._backend = parts.backend
        self._snapshot = snapshot
        self._definition = definition
        self._source = source
        self._versions = {f: sc.provenance(f) for f in definition.spec.field_keys}

    def integrity(self) -> Integrity:
        definition, source = self._definition, self._source
        required = [c.name for c in definition.value_columns if not c.nullable]
        ids = list(source.id_columns)
        versions = list(self._versions.values())
        (row,) = self._rows(integrity.tally(source, [*required, *versions], versions))
        repeated, repeated_count = self._ids(repeated_ids(live_records(source), ids))
        incomplete: tuple[object, ...] = ()
        if row[integrity.INCOMPLETE]:
            incomplete, _ = self._ids(integrity.incomplete(source, versions))
        nulls = {name: int(row[name]) for name in required if name not in source.absent}
        return Integrity(
            feature=definition.key,
            records=int(row[integrity.RECORDS]),
            repeated=repeated_count,
            repeated_ids=repeated,
            null_ids=int(row[integrity.NULL_IDS]),
            incomplete=int(row[integrity.INCOMPLETE]),
            incomplete_ids=incomplete,
            without_provenance={
                key: int(row[name]) for key, name in self._versions.items() if row[name]
            },
            unrecorded=int(row[integrity.UNRECORDED]),
            columns=tuple(self._mismatches(nulls)),
        )

    def _mismatches(self, nulls: Mapping[str, int]) -> Iterator[ColumnMismatch]:
        definition = self._definition
        stored = {each.name: each.type for each in _schema(self._source)}
        for column in definition.columns:
            kind, declared = stored.get(column.name), arrow_type(column.type)
            fits = kind is not None and (declared is None or agrees(kind, declared))
            if not fits or nulls.get(column.name):
                shown = column.type if declared is None else str(declared)
                missing = nulls.get(column.name, 0) if fits else 0
                yield ColumnMismatch(column.name, shown, _named(kind), missing)
        for name in self._versions.values():
            if _named(stored.get(name)) != _VERSION:
                yield ColumnMismatch(name, _VERSION, _named(stored.get(name)))
        for name in definition.spec.id_columns:
            if name not in stored and definition.column(name) is None:
                yield ColumnMismatch(name, "an id", None)
        yield from self._undeclared(stored)

    def _undeclared(self, stored: Mapping[str, pa.DataType]) -> Iterator[ColumnMismatch]:
        """Columns that writes would refuse; others may have been left by a former definition."""
        definition = self._definition
        if definition.extra != "forbid":
            return
        known = {*definition.spec.id_columns, *(column.name for column in definition.columns)}
        for name, kind in stored.items():
            if name not in known and not sc.is_reserved(name):
                yield ColumnMismatch(name, None, str(kind))

    def _ids(self, rows: ir.Table) -> tuple[tuple[object, ...], int]:
        """Some ids, and how many there are."""
        columns = list(self._source.id_columns)
        count = self._rows(rows.agg(ids=rows.count()))[0]["ids"]
        if not count:
            return (), 0
        some = rows.order_by(columns).limit(SHOWN)
        found = self._snapshot.fetch(self._backend.sql(lambda: some))
        return tuple(shown_ids(found.select(columns))), int(count)

    def _rows(self, rows: ir.Table) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._snapshot.fetch(
            self._backend.sql(lambda: rows)
        ).to_pylist()
        return found


def _named(kind: pa.DataType | None) -> str | None:
    return None if kind is None else str(kind)


def _schema(source: Source) -> pa.Schema:
    """The columns that are there, without those that were added as NULL."""
    import pyarrow as pa

    return pa.schema(
        [each for each in source.rows.schema().to_pyarrow() if each.name not in source.absent]
    )
