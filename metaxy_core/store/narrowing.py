"""Where little was done since the last time, only what may differ now is compared."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from metaxy_core import system_columns as sc
from metaxy_core.engine.candidates import candidates, narrowed, same_names
from metaxy_core.engine.numbers import OWN_SINCE, SINCE, Numbers, number, with_numbers
from metaxy_core.engine.upstream import Source
from metaxy_core.store.backends.base import Backend, Snapshot
from metaxy_core.store.inputs import Inputs
from metaxy_core.store.layers import is_layered
from metaxy_core.store.settling import LIMITS, Examination
from metaxy_core.store.sources import FEW

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class Narrowed:
    """Inputs of a comparison of some candidates.

    Attributes:
        keys: the candidates, kept in the backend.
        numbers: those that the comparison names: the commit after which something touched them.
    """

    keys: ir.Table
    numbers: Numbers

    @property
    def key(self) -> Hashable:
        """What decides about the SQL made from them, beside the inputs'."""
        return (self.keys.get_name(), self.keys.schema())

    def inputs(self, inputs: Inputs) -> Inputs:
        """The rows that decide about the candidates."""
        since, own = number(SINCE), same_names(inputs.plan.grain)
        work = narrowed(inputs.work, own, self.keys, number(OWN_SINCE))
        upstream = {
            dep.feature: narrowed(inputs.upstream[dep.feature], dep.ids, self.keys, since)
            for dep in inputs.plan.deps
        }
        return replace(inputs, work=work, upstream=upstream)


@contextmanager
def narrowing(
    backend: Backend,
    snapshot: Snapshot,
    inputs: Inputs,
    examination: Examination,
    left: ir.Table | None,
) -> Iterator[Narrowed | None]:
    """The candidates of a comparison; None where all records are to be compared.

    Args:
        backend: the database.
        snapshot: where to read.
        inputs: the feature's tables.
        examination: what has to be looked at.
        left: the records that were left before; None where none ever were.
    """
    settled = examination.settled
    if settled is None or examination.is_whole:
        yield None
        return
    remembered = left if settled.left else None

    def build() -> ir.Table:
        since, own_since = number(SINCE), number(OWN_SINCE)
        rows = None if remembered is None else remembered.filter(remembered[sc.COMMIT] == since)
        return candidates(inputs.plan, inputs.work, inputs.upstream, since, own_since, rows)

    key = ("candidates", inputs.plan, inputs.key, None if remembered is None else remembered.op())
    numbers = {**inputs.numbers, SINCE: settled.through, OWN_SINCE: settled.own_through}
    keys = snapshot.keep(with_numbers(backend.sql(build, key), numbers), "metaxy_candidates")
    try:
        few = not _spread(inputs) or _are_few(backend, keys, examination)
        yield Narrowed(keys, numbers) if few else None
    finally:
        backend.drop(keys)


def shortened(snapshot: Snapshot, inputs: Inputs, examination: Examination) -> Inputs:
    """Inputs without the rows before a commit that wrote every record of a table anew.

    Where candidates are looked for, that commit must be settled: what was touched since has to be
    found with what it was before.
    """
    if is_layered(snapshot):
        return inputs
    settled = None if examination.is_whole else examination.settled
    through = math.inf if settled is None else settled.through
    own_through = math.inf if settled is None else settled.own_through
    numbers = dict(inputs.numbers)

    def short(source: Source, through: float) -> Source:
        history = inputs.histories[source.feature]
        rewritten = history.rewritten
        table = source.feature.to_identifier()
        if (
            rewritten is None
            or rewritten.before < LIMITS.before
            or rewritten.commit > through
            or snapshot.has(sc.parents_table(table))
        ):
            return source
        few = history.rows - rewritten.before < FEW
        name = f"from {source.feature}"
        numbers[name] = rewritten.commit
        rows = source.rows.filter(source.rows[sc.COMMIT] >= number(name))
        return replace(
            source,
            rows=rows,
            superseding=rewritten.superseding or few,
            deleting=rewritten.deleting or few,
        )

    upstream = {feature: short(source, through) for feature, source in inputs.upstream.items()}
    if inputs.plan.expands:
        return replace(inputs, upstream=upstream, numbers=numbers)
    own = short(inputs.own, own_through)
    return replace(inputs, own=own, work=own, upstream=upstream, numbers=numbers)


def _are_few(backend: Backend, keys: ir.Table, examination: Examination) -> bool:
    return rows_in(backend, keys) <= LIMITS.candidates * examination.records


def _spread(inputs: Inputs) -> bool:
    """Whether one row of a dep may touch many records."""
    grain = len(inputs.plan.grain)
    return any(dep.aggregates or len(dep.ids) < grain for dep in inputs.plan.deps)


def rows_in(backend: Backend, kept: ir.Table) -> int:
    """How many rows a kept table has."""
    sql = backend.sql(lambda: kept.agg(records=kept.count()), ("rows", kept.get_name()))
    return int(backend.fetch(sql)["records"][0].as_py())
