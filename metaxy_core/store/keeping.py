"""Records that came out the same keep the data versions they had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metaxy_core import system_columns as sc
from metaxy_core.engine.upstream import Source, data_version, live_records
from metaxy_core.graph.plan import UpstreamField
from metaxy_core.store.backends.base import Backend, Transaction
from metaxy_core.store.tolerance import Same, agreeing, fields_of
from metaxy_core.store.writing import Incoming

if TYPE_CHECKING:
    import ibis.expr.types as ir

_ROW = "metaxy_row"


def keep_versions(
    incoming: Incoming,
    rules: Sequence[Same],
    transaction: Transaction,
    backend: Backend,
    source: Source,
) -> None:
    """Give the records of a frame their former data versions where a rule finds them the same.

    A data version that the frame itself sets stays.

    Args:
        incoming: the frame, its columns fitted to the table.
        rules: when a record counts as the same.
        transaction: where to read.
        backend: the database.
        source: the feature's table.
    """
    plan, count = incoming.plan, incoming.columns.num_rows
    numbered = incoming.columns.select(list(plan.id_columns))
    numbered = numbered.append_column(_ROW, pa.array(np.arange(count)))
    staged = backend.stage("metaxy_written_ids", numbered)
    try:
        former = transaction.fetch(backend.sql(lambda: _former(incoming, source, staged)))
    finally:
        backend.drop(staged)
    rows = former[_ROW]
    columns = [name for name in former.column_names if not sc.is_reserved(name)]
    old, new = former.select(columns), incoming.columns.take(rows)
    for rule in rules:
        same = agreeing(rule, plan, old, new)
        kept = pa.array(np.asarray(rows)[same])
        for field in fields_of(rule, plan):
            name = sc.data_version(field)
            versions = former[name].filter(pa.array(same))
            incoming.versions[name] = _placed(incoming.versions.get(name), kept, versions, count)


def _former(incoming: Incoming, source: Source, staged: ir.Table) -> ir.Table:
    plan = incoming.plan
    live = live_records(source)
    users = [name for name in live.columns if not sc.is_reserved(name)]
    versions = {
        sc.data_version(field.key): data_version(live, UpstreamField(plan.key, field.key))
        for field in plan.fields
    }
    known = live.select(*users, **versions)
    joined = known.inner_join(staged, list(plan.id_columns), rname="{name}__metaxy_right")
    return joined.select(*users, *versions, _ROW).order_by(_ROW)


def _placed(
    given: pa.Array | None, rows: pa.Array, versions: pa.ChunkedArray, count: int
) -> pa.Array:
    """Versions in their rows, behind those that the frame gives."""
    mask = np.zeros(count, dtype=np.bool_)
    mask[np.asarray(rows)] = True
    nothing = pa.nulls(count, pa.int64())
    placed = pc.replace_with_mask(nothing, pa.array(mask), versions.combine_chunks())
    return placed if given is None else pc.coalesce(given, placed)
