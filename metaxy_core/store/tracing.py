"""A stored provenance is a hash; the upstream state that it was computed from is found here.

An increment is computed from one snapshot, so the state is that of some commit before the record's
own. The engine says what it would have expected at each of them, under the definition that was
recorded with the record; the newest one that gives the stored provenance is the state.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice, product
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from metaxy_core import system_columns as sc
from metaxy_core.definition import FeatureDefinition
from metaxy_core.engine import moments as past
from metaxy_core.engine.upstream import Source, latest_rows
from metaxy_core.errors import MetaxyError
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import DepPlan, FeaturePlan, plan_feature
from metaxy_core.keys import FeatureKey, FieldKey
from metaxy_core.store.backends.base import Snapshot
from metaxy_core.store.outline import Origin
from metaxy_core.store.parts import Parts
from metaxy_core.store.reading import with_commits
from metaxy_core.store.sources import source_key

if TYPE_CHECKING:
    import ibis.expr.types as ir

NOW: Final = 2**62
MOST_MOMENTS: Final = 2_000
_AT_ONCE: Final = 100
_MOST_PLANS: Final = 16


@dataclass(frozen=True)
class StoredRow:
    """One row of a feature's table.

    Attributes:
        feature: the feature.
        values: what stands in it, by column.
        schema: the columns' types.
        feature_version: the definition it was written under.
        origin: the commit that wrote it.
        taken: whether the dep that was asked about uses it.
    """

    feature: FeatureKey
    values: Mapping[str, Any]
    schema: pa.Schema = field(repr=False, compare=False)
    feature_version: str
    origin: Origin
    taken: bool = True

    @property
    def deleted(self) -> bool:
        """Whether the row says that the record is gone."""
        return bool(self.values[sc.DELETED])

    def provenance(self, key: FieldKey) -> int | None:
        """A field's provenance."""
        return self.values.get(sc.provenance(key))

    def data_version(self, key: FieldKey) -> int | None:
        """A field's data version: what a user set, or else the provenance."""
        version = self.values.get(sc.data_version(key))
        return self.provenance(key) if version is None else version

    def is_set(self, key: FieldKey) -> bool:
        """Whether a user set the field's data version."""
        return self.values.get(sc.data_version(key)) is not None

    def ids(self, names: Sequence[str]) -> dict[str, Any]:
        """Some of its columns, in order."""
        return {name: self.values[name] for name in names}

    def frame(self, names: Sequence[str]) -> pa.Table:
        """The same as a frame of one row."""
        columns = {n: pa.array([self.values[n]], self.schema.field(n).type) for n in names}
        return pa.table(columns)


UpstreamRows = Mapping[FeatureKey, tuple[StoredRow, ...]]


@dataclass(frozen=True)
class Related:
    """What concerns one record.

    Attributes:
        plan: the feature's plan.
        record: one row with the grain columns.
        sources: for each dep the rows, of all times, of the records that ever belonged to it.
    """

    plan: FeaturePlan
    record: ir.Table
    sources: Mapping[FeatureKey, Source]

    @property
    def key(self) -> Hashable:
        """What decides about the SQL made from it."""
        sources = tuple(rows_key(source) for source in self.sources.values())
        return (self.plan, self.record.schema(), sources)


@dataclass(frozen=True)
class Former:
    """The state of the upstream that a stored record was computed from.

    Attributes:
        plan: the feature's wiring as it was.
        rows: for each dep the rows of its records, as they were.
        is_exact: whether this state gives the stored provenance; otherwise it is the newest one
            before the record, because what would give it is not in the history any more.
    """

    plan: FeaturePlan
    rows: UpstreamRows
    is_exact: bool


class Tracing:
    """Looks up the rows and the former states of single records, in one snapshot."""

    def __init__(self, parts: Parts, snapshot: Snapshot, graph: FeatureGraph) -> None:
        self._parts = parts
        self._snapshot = snapshot
        self._graph = graph
        self._recorded = parts.definitions.recorded(snapshot)[::-1]

    def definition(self, row: StoredRow) -> FeatureDefinition:
        """The definition that a row was written under; the present one where none was recorded."""
        for recorded in self._recorded:
            found = (recorded.definition.key, recorded.version)
            if found == (row.feature, row.feature_version):
                return recorded.definition
        return self._graph[row.feature]

    def code_version(self, row: StoredRow | None, key: FieldKey) -> str | None:
        """The code version by which a field of a row was computed; None if it was not."""
        if row is None:
            return None
        fields = self.definition(row).spec.fields
        return next((each.code_version for each in fields if each.key == key), None)

    def latest(self, source: Source, record: pa.Table) -> StoredRow | None:
        """The newest row of a record, deleted or not.

        Args:
            source: where it is.
            record: one row with the source's id columns.
        """
        with self.staged(metaxy_record=record) as (staged,):
            found = self._rows(
                source,
                lambda: latest_rows(past.rows_of(source, staged)),
                ("latest", rows_key(source), staged.schema()),
            )
        return found[0] if found else None

    @contextmanager
    def related(
        self, plan: FeaturePlan, sources: Mapping[FeatureKey, Source], record: pa.Table
    ) -> Iterator[Related]:
        """What concerns one record, readable in SQL inside the block.

        Args:
            plan: the feature's plan.
            sources: the table of each dep.
            record: one row with the grain columns.
        """
        with self.staged(metaxy_record=record) as (staged,):
            frames = {
                f"metaxy_related_{number}": self._history(dep, sources[dep.feature], staged)
                for number, dep in enumerate(plan.deps)
            }
            with self.staged(**frames) as tables:
                rows = zip(plan.deps, tables, strict=True)
                small = {
                    dep.feature: replace(sources[dep.feature], rows=table) for dep, table in rows
                }
                yield Related(plan, staged, small)

    def upstream(self, related: Related, moment: int = NOW) -> UpstreamRows:
        """The newest rows, at a moment, of the records that a record comes from.

        Args:
            related: what concerns the record.
            moment: the commit after which nothing counts.
        """
        moments = pa.table({past.MOMENT: pa.array([moment], pa.int64())})
        with self.staged(metaxy_moments=moments) as (at,):
            return {dep.feature: self._dep_rows(dep, related, at) for dep in related.plan.deps}

    def former(self, row: StoredRow) -> Former | None:
        """The upstream state that a row was computed from; None for a root's row."""
        nearest: Former | None = None
        for plan, definitions in self._plans(row):
            if plan.is_root:
                return None
            if not set(plan.grain) <= row.values.keys():
                continue
            record = row.frame(plan.grain)
            try:
                sources = self._opened(plan, definitions, record.schema)
                with self.related(plan, sources, record) as related:
                    moment = self._moment(related, row)
                    at = row.origin.commit - 1 if moment is None else moment
                    found = Former(plan, self.upstream(related, at), moment is not None)
            except MetaxyError:  # a past definition need not fit the tables of today
                continue
            if found.is_exact:
                return found
            nearest = nearest or found
        return nearest or Former(self._graph.plan(row.feature), {}, is_exact=False)

    # ------------------------------------------------------------------ the moment

    def _moment(self, related: Related, row: StoredRow) -> int | None:
        """The newest commit before a row's own whose state gives the row's provenance."""
        fields = related.plan.fields
        wanted = {sc.provenance(each.key): row.provenance(each.key) for each in fields}
        moments = self._moments(related, row.origin.commit)
        for start in range(0, len(moments), _AT_ONCE):
            for state in self._expected(related, moments[start : start + _AT_ONCE]):
                moment = int(state.pop(past.MOMENT))
                if state == wanted:
                    return moment
        return None

    def _moments(self, related: Related, commit: int) -> list[int]:
        """Commits that changed what a record comes from, newest first."""
        sources = list(related.sources.values())
        rows = self._fetch(lambda: past.moments(sources), ("moments", related.key))
        commits = (int(row[sc.COMMIT]) for row in rows)
        before = sorted((each for each in commits if each < commit), reverse=True)
        return before[:MOST_MOMENTS]

    def _expected(self, related: Related, commits: Sequence[int]) -> list[dict[str, Any]]:
        moments = pa.table({past.MOMENT: pa.array(commits, pa.int64())})
        with self.staged(metaxy_moments=moments) as (at,):
            rows = self._fetch(
                lambda: past.expected_at(related.plan, related.sources, related.record, at),
                ("expected at", related.key),
            )
        return sorted(rows, key=lambda state: -int(state[past.MOMENT]))

    # ------------------------------------------------------------------ plans of the past

    def _plans(
        self, row: StoredRow
    ) -> Iterator[tuple[FeaturePlan, Mapping[FeatureKey, FeatureDefinition]]]:
        """The wirings that a row may have been computed with, the likeliest first.

        Of the upstream's definitions only ids and fields matter; the hash tells which they were.
        """
        own = self.definition(row)
        deps = [dep.feature for dep in own.spec.deps]
        choices = [self._definitions(feature) for feature in deps]
        for chosen in islice(product(*choices), _MOST_PLANS):
            definitions = {own.key: own, **dict(zip(deps, chosen, strict=True))}
            try:
                plan = plan_feature(own, definitions)
            except (MetaxyError, KeyError):  # the two never stood in one graph
                continue
            reads = {read for each in plan.fields for read in each.reads}
            if all(read.field in definitions[read.feature].spec.field_keys for read in reads):
                yield plan, definitions

    def _definitions(self, feature: FeatureKey) -> list[FeatureDefinition]:
        known = [self._graph[feature]] if feature in self._graph else []
        known += [each.definition for each in self._recorded if each.definition.key == feature]
        told_apart = {(each.spec.id_columns, each.spec.field_keys): each for each in known[::-1]}
        return list(told_apart.values())[::-1]

    def _opened(
        self,
        plan: FeaturePlan,
        definitions: Mapping[FeatureKey, FeatureDefinition],
        types: pa.Schema,
    ) -> dict[FeatureKey, Source]:
        return {
            dep.feature: self._parts.sources.open(
                self._snapshot,
                definitions[dep.feature],
                ids_like=pa.schema([(there, types.field(here).type) for there, here in dep.ids]),
                kept_columns=tuple(t for t, _ in dep.ids if t not in dep.record_ids),
            )
            for dep in plan.deps
        }

    # ------------------------------------------------------------------ queries

    def _history(self, dep: DepPlan, source: Source, record: ir.Table) -> pa.Table:
        """A dep's rows that concern a record; fetched, as a database may join them too late."""
        sql = self._parts.backend.sql(
            lambda: past.upstream_of(dep, source, record).rows,
            ("related", dep, rows_key(source), record.schema()),
        )
        return self._snapshot.fetch(sql)

    def _dep_rows(self, dep: DepPlan, related: Related, moments: ir.Table) -> tuple[StoredRow, ...]:
        source = related.sources[dep.feature]
        key = ("dep rows", dep, rows_key(source), related.record.schema())
        return self._rows(
            source, lambda: past.dep_rows(dep, past.as_of(source, moments), related.record), key
        )

    def _rows(
        self, source: Source, rows: Callable[[], ir.Table], key: Hashable
    ) -> tuple[StoredRow, ...]:
        if not self._parts.tables.layers(self._snapshot):
            return ()
        sql = self._parts.backend.sql(lambda: with_commits(rows(), source), key)
        found = self._snapshot.fetch(sql)
        stored = [_stored_row(source.feature, values, found.schema) for values in found.to_pylist()]
        return tuple(sorted(stored, key=lambda row: repr(row.ids(source.id_columns))))

    def _fetch(self, rows: Callable[[], ir.Table], key: Hashable) -> list[dict[str, Any]]:
        sql = self._parts.backend.sql(rows, key)
        fetched: list[dict[str, Any]] = self._snapshot.fetch(sql).to_pylist()
        return fetched

    @contextmanager
    def staged(self, **frames: pa.Table) -> Iterator[tuple[ir.Table, ...]]:
        """Frames, by name, that are readable in SQL inside the block."""
        backend = self._parts.backend
        with ExitStack() as stack:
            staged = []
            for name, frame in frames.items():
                staged.append(backend.stage(name, frame))
                stack.callback(backend.drop, staged[-1])
            yield tuple(staged)


def rows_key(source: Source) -> Hashable:
    """What decides about the SQL made from a source."""
    return (source_key(source), source.id_columns, source.rows.op())


def _stored_row(feature: FeatureKey, values: dict[str, Any], schema: pa.Schema) -> StoredRow:
    return StoredRow(
        feature=feature,
        schema=schema,
        feature_version=values.pop(sc.FEATURE_VERSION),
        origin=Origin(
            values[sc.COMMIT], values.pop(sc.CREATED_AT), values.pop(sc.MATERIALIZATION_ID)
        ),
        taken=values.pop(past.TAKEN, True),
        values=values,
    )
