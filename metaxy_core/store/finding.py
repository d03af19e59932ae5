"""The record that an id is about is looked up here: a record, or the parent of an expansion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaxy_core.engine.upstream import Source
from metaxy_core.errors import InvalidId
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.store.record_ids import id_columns_of, id_frame
from metaxy_core.store.tracing import StoredRow, Tracing

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class FoundRecord:
    """What an id is about.

    Attributes:
        id: the id columns that it gives.
        grain: one row with the grain columns; None where a child is asked for that was never
            stored, so that nobody knows its parent.
        row: the record's newest row; the parent's where the id is a parent's; None for none.
    """

    id: Mapping[str, Any]
    grain: pa.Table | None
    row: StoredRow | None


def found_record(
    tracing: Tracing, plan: FeaturePlan, own: Source, work: Source, given: Any
) -> FoundRecord:
    """The record that an id is about.

    Args:
        tracing: where to look.
        plan: the feature's plan.
        own: the feature's records.
        work: what it has processed: the same, or the parents of an expansion.
        given: a value, values in id order, or a mapping of id column to value.

    Raises:
        InvalidId: the feature can have no such id.
    """
    found: list[FoundRecord] = []
    refused: list[InvalidId] = []
    for names in id_columns_of(plan, given):
        source = own if names == own.id_columns else work
        try:
            frame = id_frame(plan, names, given, source.rows.schema().to_pyarrow())
        except InvalidId as error:
            refused.append(error)
            continue
        row = tracing.latest(source, frame)
        found.append(FoundRecord(frame.to_pylist()[0], _grain(plan, frame, row), row))
    if not found:
        raise refused[0]
    return next((record for record in found if record.row), found[-1])


def _grain(plan: FeaturePlan, frame: pa.Table, row: StoredRow | None) -> pa.Table | None:
    if set(plan.grain) <= set(frame.column_names):
        return frame.select(list(plan.grain))
    return None if row is None else row.frame(plan.grain)
