"""Failed attempts are kept beside the records, so that poison records do not stop a pipeline."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from metaxy_core import system_columns as sc
from metaxy_core.engine.attempts import unresolved
from metaxy_core.engine.upstream import live_records
from metaxy_core.errors import InvalidWrite
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.store.backends.base import Snapshot
from metaxy_core.store.frames import to_arrow
from metaxy_core.store.identity import SHOWN, check_ids, shown_ids
from metaxy_core.store.inputs import open_inputs
from metaxy_core.store.parts import Parts
from metaxy_core.store.reading import Query, Records, Selected
from metaxy_core.store.schema import as_declared
from metaxy_core.store.writing import Incoming

if TYPE_CHECKING:
    import ibis.expr.types as ir

_LONGEST_ERROR: Final = 10_000
_SHOWN = (sc.ATTEMPTS, sc.ERROR, sc.FAILED_AT, sc.MATERIALIZATION_ID)


class Attempts:
    """Failed attempts at the records of one feature."""

    def __init__(self, parts: Parts, graph: FeatureGraph, plan: FeaturePlan) -> None:
        self._parts = parts
        self._graph = graph
        self._plan = plan
        self._table = sc.attempts_table(plan.definition.table)

    def record(self, failed: Any, error: str, materialization_id: str | None) -> int:
        """Keep a failure of each record; gives their number."""
        rows = self._with_provenance(failed)
        count = int(rows.num_rows)
        if not count:
            return 0
        stamp = {
            sc.ERROR: pa.scalar(error[:_LONGEST_ERROR]),
            sc.FAILED_AT: pa.scalar(dt.datetime.now(dt.UTC), pa.timestamp("us", "UTC")),
            sc.MATERIALIZATION_ID: pa.scalar(materialization_id, pa.string()),
        }
        for name, value in stamp.items():
            rows = rows.append_column(name, pa.repeat(value, count))
        backend = self._parts.backend
        with backend.transaction() as transaction:
            self._parts.tables.make(transaction)
            newest = self._parts.catalog.next_commit(transaction) - 1
            commit = pa.repeat(pa.scalar(newest, pa.int64()), count)
            staged = backend.stage("metaxy_failed", rows.append_column(sc.COMMIT, commit))
            try:
                transaction.append(self._table, backend.sql(lambda: staged))
            finally:
                backend.drop(staged)
        return count

    def records(self) -> Records:
        """The last failure of each record that was not done since."""
        backend, sources = self._parts.backend, self._parts.sources

        def selected(snapshot: Snapshot, limit: int | None) -> Selected:
            own = sources.open(snapshot, self._plan.definition)
            work = sources.open_work(snapshot, self._plan, own)
            attempts = sources.open_attempts(snapshot, self._plan, work)
            if attempts is None:
                return Selected(lambda: _nothing(self._plan, work.rows))
            found = unresolved(self._plan, attempts, live_records(work))
            return Selected(lambda: found.select(*self._plan.grain, *_SHOWN).limit(limit))

        return Records(str(self._plan.key), Query(backend, selected, lambda found: found))

    # ------------------------------------------------------------------ what failed

    def _with_provenance(self, failed: Any) -> pa.Table:
        """Grain columns and the provenance of each field."""
        plan = self._plan
        frame = to_arrow(plan.key, self._as_frame(failed))
        check_ids(plan.key, plan.grain, frame)
        if not frame.num_rows:
            return frame
        if sc.PROVENANCE_BY_FIELD not in frame.column_names:
            ids = as_declared(plan.definition, frame.select(list(plan.grain)))
            return self._expected(ids.group_by(ids.column_names, use_threads=False).aggregate([]))
        incoming = Incoming(plan, frame, ids=plan.grain)
        if incoming.raw:
            raise self._without_provenance()
        names = [sc.provenance(field.key) for field in plan.fields]
        ids = {name: incoming.columns[name] for name in plan.grain}
        return pa.table({**ids, **{name: incoming.versions[name] for name in names}})

    def _as_frame(self, failed: Any) -> Any:
        if not isinstance(failed, list | tuple | set | frozenset):
            return failed
        grain = self._plan.grain
        values = [value if isinstance(value, tuple) else (value,) for value in failed]
        if any(len(value) != len(grain) for value in values):
            raise InvalidWrite(
                f"An id of '{self._plan.key}' has the columns {', '.join(grain)}; give a tuple of "
                f"{len(grain)} for each record, or rows of the increment. Nothing was done."
            )
        columns = zip(*values, strict=True) if values else [()] * len(grain)
        try:
            return pa.table({n: pa.array(c) for n, c in zip(grain, columns, strict=True)})
        except pa.ArrowException as error:
            raise InvalidWrite(
                f"The ids given for '{self._plan.key}' have no common type: {error}. Give values "
                f"of the type of {', '.join(grain)}. Nothing was done."
            ) from error

    def _expected(self, ids: pa.Table) -> pa.Table:
        """The present provenance of some records, by their ids."""
        plan, backend = self._plan, self._parts.backend
        if plan.is_root:
            raise self._without_provenance()
        staged = backend.stage("metaxy_failed", ids)
        try:
            with backend.snapshot() as snapshot:
                found = self._looked_up(snapshot, staged)
        finally:
            backend.drop(staged)
        if found.num_rows < ids.num_rows:
            known = set(shown_ids(found.select(list(plan.grain))))
            missing = [id_ for id_ in shown_ids(ids) if id_ not in known]
            raise InvalidWrite(
                f"'{plan.key}' calls for no record {', '.join(map(str, missing[:SHOWN]))}, so none "
                f"can have failed; give ids of its increment. Nothing was done."
            )
        return found

    def _looked_up(self, snapshot: Snapshot, ids: ir.Table) -> pa.Table:
        plan = self._plan
        inputs = open_inputs(snapshot, self._parts.sources, self._graph, plan)
        expected = inputs.expected().semi_join(ids, list(plan.grain))
        names = [sc.provenance(field.key) for field in plan.fields]
        wanted = expected.select(*plan.grain, *names)
        return snapshot.fetch(self._parts.backend.sql(lambda: wanted))

    def _without_provenance(self) -> InvalidWrite:
        return InvalidWrite(
            f"'{self._plan.key}' is a root feature: its ids alone do not tell which version "
            f"failed. Give the rows of store.resolve_update({str(self._plan.key)!r}, samples), "
            f"with their metaxy_ columns. Nothing was done."
        )


def _nothing(plan: FeaturePlan, work: ir.Table) -> ir.Table:
    """No failure at all, in the columns in which they are shown."""
    import ibis

    kinds = ("int64", "string", "timestamp('UTC', 6)", "string")
    nulls = {name: ibis.null(kind) for name, kind in zip(_SHOWN, kinds, strict=True)}
    return work.select(*plan.grain, **nulls).limit(0)
