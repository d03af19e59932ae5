"""Work that is planned in batches is kept beside the records, so that every process finds it."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from metaxy_core import system_columns as sc
from metaxy_core.errors import UnknownBatch
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.store.backends.base import Snapshot, Transaction
from metaxy_core.store.frames import to_arrow
from metaxy_core.store.identity import check_ids
from metaxy_core.store.parts import Parts
from metaxy_core.store.schema import as_declared
from metaxy_core.store.tables import BATCHES

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import polars as pl
    import pyarrow as pa

_NUMBERED: Final = 4
"""Digits of a batch's number, so that names sort as numbers do."""


@dataclass(frozen=True)
class Batch:
    """Records of a feature that are to be computed together.

    Attributes:
        plan: name of the plan that it belongs to.
        key: its own name.
        records: how many records it holds.
        planned_at: when, in UTC.
        note: what whoever planned it wanted to keep.
    """

    plan: str
    key: str
    records: int
    planned_at: dt.datetime
    note: str = ""


class Batches:
    """The batches of one plan of a feature."""

    def __init__(self, parts: Parts, plan: FeaturePlan, name: str) -> None:
        self._parts = parts
        self._plan = plan
        self._name = name
        self._table = sc.batches_table(plan.definition.table)

    def add(
        self, frame: Any, size: int, most: int | None, prefix: str, note: str
    ) -> tuple[Batch, ...]:
        """Divide records that no batch holds yet; gives the batches made."""
        import polars as pl

        plan = self._plan
        given = to_arrow(plan.key, frame)
        check_ids(plan.key, plan.grain, given)
        ids = pl.DataFrame(as_declared(plan.definition, given.select(list(plan.grain))))
        with self._parts.backend.transaction() as transaction:
            self._parts.tables.make(transaction)
            held = self._ids(transaction)
            if held.height:
                ids = ids.join(held.cast(ids.schema), on=plan.grain, how="anti")
            ids = ids.unique().sort(plan.grain)
            count = math.ceil(ids.height / size)
            if most is not None:
                count = min(count, most)
            now = dt.datetime.now(dt.UTC)
            made = [
                (Batch(self._name, f"{prefix}{number:0{_NUMBERED}}", part.height, now, note), part)
                for number in range(count)
                for part in [ids.slice(number * size, size)]
            ]
            if made:
                self._append(transaction, made)
        return tuple(batch for batch, _ in made)

    def ids(self) -> pl.DataFrame:
        """The ids of the records in every batch, with ``metaxy_batch``."""
        with self._parts.backend.snapshot() as snapshot:
            return self._ids(snapshot, sc.BATCH)

    def ids_of(self, key: str) -> pl.DataFrame:
        """The ids of the records in one batch.

        Raises:
            UnknownBatch: the plan has no such batch.
        """
        with self._parts.backend.snapshot() as snapshot:
            found = self._ids(snapshot, key=key)
            if not found.height:  # no batch is empty
                known = [batch.key for batch in self._all(snapshot)]
                raise UnknownBatch.from_known(self._plan.key, self._name, key, known)
            return found

    def forget(self, keys: list[str] | None) -> int:
        """Drop batches; gives their number."""
        with self._parts.backend.transaction() as transaction:
            known = [batch.key for batch in self._all(transaction)]
            gone = known if keys is None else [key for key in known if key in keys]
            if gone:
                count = len(gone)
                self._remove(transaction, BATCHES, {
                    "feature": [str(self._plan.key)] * count,
                    "plan": [self._name] * count,
                    "batch": gone,
                })  # fmt: skip
                names = {sc.PLAN: [self._name] * count, sc.BATCH: gone}
                self._remove(transaction, self._table, names)
        return len(gone)

    # ------------------------------------------------------------------ rows

    def _all(self, snapshot: Snapshot) -> tuple[Batch, ...]:
        return kept_batches(self._parts, self._plan, self._name, snapshot)

    def _ids(self, snapshot: Snapshot, *columns: str, key: str | None = None) -> pl.DataFrame:
        """Grain columns, and further ones, of what the plan holds."""
        import polars as pl

        rows = snapshot.table(self._table)
        grain = self._plan.grain
        if rows is None or not set(grain) <= set(rows.columns):  # nothing under these ids yet
            return pl.DataFrame(schema=dict.fromkeys([*columns, *grain], pl.Null))
        found = rows.filter(rows[sc.PLAN] == self._name)
        if key is not None:
            found = found.filter(found[sc.BATCH] == key)
        found = found.select(*columns, *grain).order_by(list(grain))
        return pl.DataFrame(snapshot.fetch(self._parts.backend.sql(lambda: found)))

    def _append(self, transaction: Transaction, made: list[tuple[Batch, pl.DataFrame]]) -> None:
        import polars as pl

        feature = str(self._plan.key)
        rows = [
            {
                "feature": feature,
                "plan": batch.plan,
                "batch": batch.key,
                "records": batch.records,
                "planned_at": batch.planned_at,
                "note": batch.note,
            }
            for batch, _ in made
        ]
        self._parts.tables.append(transaction, BATCHES, rows)
        named = [
            part.with_columns(pl.lit(batch.plan).alias(sc.PLAN), pl.lit(batch.key).alias(sc.BATCH))
            for batch, part in made
        ]
        backend = self._parts.backend
        staged = backend.stage("metaxy_planned", to_arrow(self._plan.key, pl.concat(named)))
        try:
            transaction.append(self._table, backend.sql(lambda: staged))
        finally:
            backend.drop(staged)

    def _remove(self, transaction: Transaction, table: str, names: dict[str, list[str]]) -> None:
        import pyarrow as pa

        frame: pa.Table = pa.table(names)
        staged = self._parts.backend.stage("metaxy_forgotten", frame)
        try:
            transaction.remove(table, staged, list(names))
        finally:
            self._parts.backend.drop(staged)


def kept_batches(
    parts: Parts, plan: FeaturePlan, name: str | None, snapshot: Snapshot
) -> tuple[Batch, ...]:
    """The batches of a feature, in the order of their plans and keys.

    Args:
        parts: the store.
        plan: the feature's plan.
        name: name of the plan that they belong to; None for all.
        snapshot: where to read.
    """
    feature = str(plan.key)
    if not parts.tables.exist(snapshot) or not snapshot.has(BATCHES):
        return ()

    def query() -> ir.Table:
        rows = parts.tables[BATCHES]
        rows = rows.filter(rows.feature == feature)
        rows = rows if name is None else rows.filter(rows.plan == name)
        return rows.order_by("plan", "batch")

    return tuple(
        Batch(row["plan"], row["batch"], row["records"], row["planned_at"], row["note"])
        for row in parts.tables.rows(snapshot, query, ("batches", feature, name))
    )
