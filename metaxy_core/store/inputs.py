"""What a feature is compared with: its own table, those of its deps, and the columns they bring."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from metaxy_core import system_columns as sc
from metaxy_core.engine.numbers import Numbers
from metaxy_core.engine.portion import Portion
from metaxy_core.engine.provenance import expected_from_samples, expected_from_upstream
from metaxy_core.engine.upstream import Source, live_records
from metaxy_core.errors import ColumnCollision, UnknownColumn, WrongColumnType
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import DepPlan, FeaturePlan
from metaxy_core.keys import FeatureKey
from metaxy_core.specs.bucket import Bucket
from metaxy_core.store.backends.base import Snapshot
from metaxy_core.store.histories import History
from metaxy_core.store.sources import Sources, source_key

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir

Carried = dict[FeatureKey, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Inputs:
    """The tables of one comparison, checked against each other.

    Attributes:
        plan: the feature's plan.
        own: its records.
        work: what it has processed: its records, or the parents of an expansion.
        upstream: the table of each dep; none for a root.
        columns: for each dep the columns it brings, and their names here.
        samples: what a root's records should be, with the canonical text of each field.
        attempts: a row per failed attempt; None where there was none.
        histories: what the catalog knows of the feature and its deps, if that was asked.
        portion: the part of the records that is compared; None for all.
        numbers: those that the tables name.
    """

    plan: FeaturePlan
    own: Source
    work: Source
    upstream: Mapping[FeatureKey, Source]
    columns: Carried
    samples: ir.Table | None = None
    attempts: ir.Table | None = None
    histories: Mapping[FeatureKey, History] = field(default_factory=dict)
    portion: Portion | None = None
    numbers: Numbers = field(default_factory=dict)

    @property
    def key(self) -> Hashable:
        """What decides about the SQL made from them."""
        sources = (*self.upstream.values(), self.work, self.own)
        others = (self.samples, self.attempts)
        return (
            *(source_key(source) for source in sources),
            *(None if table is None else table.op() for table in others),
            None if self.portion is None else self.portion.key,
        )

    def expected(self) -> ir.Table:
        """The records that the upstream, or the samples, call for."""
        if self.samples is not None:
            rows = expected_from_samples(self.plan, self.samples)
        elif self.portion is not None:
            upstream = self.portion.upstream(self.upstream)
            rows = expected_from_upstream(self.plan, upstream, self.columns)
        else:
            rows = expected_from_upstream(self.plan, self.upstream, self.columns)
        return rows if self.portion is None else self.portion.of(rows)

    def stored(self) -> ir.Table:
        """What was processed and not deleted."""
        if self.portion is None:
            return live_records(self.work)
        return self.portion.of(live_records(self.portion.work(self.work)))


def open_inputs(
    snapshot: Snapshot, sources: Sources, graph: FeatureGraph, plan: FeaturePlan
) -> Inputs:
    """Open the tables of a feature that has deps.

    Raises:
        UnknownColumn: a dep's lineage or ``columns`` names a column that its table does not have.
        ColumnCollision: two deps bring one column.
        WrongColumnType: an id has one type here and another one upstream.
    """
    bare = open_versions(snapshot, sources, graph, plan)
    return replace(bare, columns=_carried(plan, bare.upstream))


def open_versions(
    snapshot: Snapshot, sources: Sources, graph: FeatureGraph, plan: FeaturePlan
) -> Inputs:
    """The same without the columns that deps bring: what the versions of records need.

    Raises:
        UnknownColumn: a dep's lineage names a column that its table does not have.
        WrongColumnType: an id has one type here and another one upstream.
    """
    histories = sources.histories(snapshot, [plan.key, *(dep.feature for dep in plan.deps)])
    own, upstream = _opened(snapshot, sources, graph, plan, histories)
    work = sources.open_work(snapshot, plan, own)
    attempts = sources.open_attempts(snapshot, plan, work)
    matched = matched_inputs(plan, own, work, upstream)
    return replace(matched, attempts=attempts, histories=histories)


def matched_inputs(
    plan: FeaturePlan, own: Source, work: Source, upstream: Mapping[FeatureKey, Source]
) -> Inputs:
    """Opened tables as the inputs of one comparison.

    Raises:
        UnknownColumn: a dep's lineage or ``columns`` names a column that its table does not have.
        ColumnCollision: two deps bring one column.
        WrongColumnType: an id has one type here and another one upstream.
    """
    for dep in plan.deps:
        _check_dep_ids(plan, dep, upstream[dep.feature], work)
    return Inputs(plan, own, work, upstream, {dep.feature: () for dep in plan.deps})


def open_samples(
    snapshot: Snapshot, sources: Sources, plan: FeaturePlan, samples: ir.Table
) -> Inputs:
    """Open the table of a root feature.

    Args:
        snapshot: where to read.
        sources: opens tables.
        plan: the root's plan.
        samples: staged samples, with the canonical text of each field.

    Raises:
        WrongColumnType: an id has one type in the samples and another one in the store.
    """
    schema = samples.schema().to_pyarrow()
    histories = sources.histories(snapshot, [plan.key])
    own = sources.open(snapshot, plan.definition, history=histories[plan.key], ids_like=schema)
    check_id_types(plan, samples.schema(), own.rows.schema(), "the samples")
    attempts = sources.open_attempts(snapshot, plan, own)
    return Inputs(plan, own, own, {}, {}, samples, attempts, histories)


def checked_portion(inputs: Inputs, portion: Portion | None) -> Inputs:
    """Inputs of a comparison of some records.

    Raises:
        WrongColumnType: an id has one type in the portion and another one in the store.
    """
    if portion is None:
        return inputs
    if not isinstance(portion.members, Bucket):
        given, stored = portion.members.schema(), inputs.work.rows.schema()
        check_id_types(inputs.plan, given, stored, "the ids given by among=")
    return replace(inputs, portion=portion)


def _opened(
    snapshot: Snapshot,
    sources: Sources,
    graph: FeatureGraph,
    plan: FeaturePlan,
    histories: Mapping[FeatureKey, History],
) -> tuple[Source, dict[FeatureKey, Source]]:
    """The feature's own table and those of its deps."""
    own = sources.open(
        snapshot,
        plan.definition,
        history=histories[plan.key],
        ids_like=ids_upstream(snapshot, sources, graph, plan),
        kept_columns=beside_ids(plan),
    )
    upstream = {
        dep.feature: sources.open(
            snapshot,
            graph[dep.feature],
            history=histories[dep.feature],
            code_versions=dep.code_versions,
            ids_like=_upstream_ids(dep, own),
            kept_columns=beside_ids(graph.plan(dep.feature)),
        )
        for dep in plan.deps
    }
    return own, upstream


def ids_upstream(
    snapshot: Snapshot, sources: Sources, graph: FeatureGraph, plan: FeaturePlan
) -> pa.Schema:
    """Types of the own id columns, as the first written upstream gives them."""
    known: dict[str, pa.DataType] = {}
    for dep in plan.deps:
        table = sources.rows(snapshot, graph[dep.feature])
        if table is not None:
            types = table.schema()
            for there, here in dep.ids:
                if there in types:
                    known.setdefault(here, types[there].to_pyarrow())
    return pa.schema(list(known.items()))


def _check_dep_ids(plan: FeaturePlan, dep: DepPlan, source: Source, own: Source) -> None:
    rows = source.rows
    for there, _ in dep.ids:
        if there not in rows.columns:
            known = [name for name in rows.columns if not sc.is_reserved(name)]
            raise UnknownColumn.from_available(dep.feature, there, known, "The dep's lineage")
    types = rows.schema()
    shared = {here: types[there] for there, here in dep.ids}
    check_id_types(plan, shared, own.rows.schema(), f"dep '{dep.feature}'")


def check_id_types(
    plan: FeaturePlan,
    given: Mapping[str, dt.DataType],
    stored: Mapping[str, dt.DataType],
    what: str,
) -> None:
    """Ids of one name have one type.

    Args:
        plan: the feature's plan.
        given: types by column, of ids among others.
        stored: those of the stored records.
        what: what was given, for the message.

    Raises:
        WrongColumnType: they have not.
    """
    for name in plan.grain:
        if name not in given:
            continue
        found, wanted = given[name], stored[name]
        if found.copy(nullable=True) != wanted.copy(nullable=True) and not (
            found.is_integer() and wanted.is_integer()
        ):
            raise WrongColumnType.from_types(
                plan.key, name, found, wanted, f"in {what}, against the stored records"
            )


def _carried(plan: FeaturePlan, opened: Mapping[FeatureKey, Source]) -> Carried:
    carried = {dep.feature: _columns(dep, opened[dep.feature]) for dep in plan.deps}
    brought: dict[str, FeatureKey] = {}
    for feature, pairs in carried.items():
        for there, here in pairs:
            folded = here.lower()
            if folded in {own.lower() for own in plan.grain}:
                raise ColumnCollision.from_id(plan.key, there, here, feature)
            if folded in brought:
                raise ColumnCollision.from_deps(plan.key, here, brought[folded], feature)
            brought[folded] = feature
    return carried


def beside_ids(plan: FeaturePlan) -> tuple[str, ...]:
    """The columns of the parent that the records of an expansion carry beside their ids."""
    return tuple(name for name in plan.grain if name not in plan.id_columns)


def _upstream_ids(dep: DepPlan, own: Source) -> pa.Schema:
    types = own.rows.schema()
    return pa.schema(
        [(there, types[here].to_pyarrow()) for there, here in dep.ids if here in types]
    )


def _columns(dep: DepPlan, source: Source) -> tuple[tuple[str, str], ...]:
    available = [name for name in source.rows.columns if not sc.is_reserved(name)]
    if dep.columns is not None and not source.written:
        return dep.columns
    if dep.columns is not None:
        for there, _ in dep.columns:
            if there not in available:
                raise UnknownColumn.from_available(
                    dep.feature, there, available, "FeatureDep(columns=...)"
                )
        return dep.columns
    ids = {there for there, _ in dep.ids}
    renames = dict(dep.rename)
    return tuple((name, renames.get(name, name)) for name in available if name not in ids)
