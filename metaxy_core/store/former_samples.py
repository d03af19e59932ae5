"""The samples of a root as its former and its current definition read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from metaxy_core import system_columns as sc
from metaxy_core.engine.upstream import Source, live_records
from metaxy_core.errors import NeedsSamples
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.store.backends.base import Backend, Snapshot
from metaxy_core.store.columns import single_chunk
from metaxy_core.store.frames import to_arrow
from metaxy_core.store.refactoring import Refactoring
from metaxy_core.store.samples import struct_names
from metaxy_core.store.sources import source_key
from metaxy_core.store.writing import sample_frame

if TYPE_CHECKING:
    import ibis.expr.types as ir


def given_samples(
    backend: Backend, change: Refactoring, plan: FeaturePlan, samples: Any
) -> pa.Table:
    """Samples that a caller gave, with the canonical text of each field of one definition.

    A version that the struct does not have under one name is taken from the field that became it,
    or that it became.

    Args:
        backend: the database.
        change: the two definitions.
        plan: the definition that reads the samples.
        samples: a frame, with versions of the former or the current fields.
    """
    frame = to_arrow(plan.key, samples)
    if sc.PROVENANCE_BY_FIELD in frame.column_names:
        index = frame.column_names.index(sc.PROVENANCE_BY_FIELD)
        struct = single_chunk(frame.column(index))
        if pa.types.is_struct(struct.type):
            versions = _under_both_names(change, struct)
            frame = frame.set_column(index, sc.PROVENANCE_BY_FIELD, versions)
    return sample_frame(plan, backend, frame)


def stored_samples(
    backend: Backend, snapshot: Snapshot, plan: FeaturePlan, own: Source
) -> pa.Table:
    """Samples as the stored columns tell them.

    Raises:
        NeedsSamples: the versions of a field come from elsewhere.
    """
    columns = {name for field in plan.fields for name in field.version_from}
    stored = {name for name in own.rows.columns if not sc.is_reserved(name)}
    if any(not field.version_from for field in plan.fields) or not columns <= stored:
        raise NeedsSamples.from_feature(plan.key)

    def wanted() -> ir.Table:
        return live_records(own).select(*sorted({*plan.id_columns, *columns}))

    sql = backend.sql(wanted, ("stored samples", plan, source_key(own)))
    return sample_frame(plan, backend, snapshot.fetch(sql))


def _under_both_names(change: Refactoring, struct: pa.StructArray) -> pa.StructArray:
    versions = {name: pc.struct_field(struct, name) for name in struct_names(struct)}
    became: dict[str, list[str]] = {}
    for new, old in change.formers.items():
        became.setdefault(str(old), []).append(str(new))
        if str(old) in versions:
            versions.setdefault(str(new), versions[str(old)])
    for former, names in became.items():
        if len(names) == 1 and names[0] in versions:
            versions.setdefault(former, versions[names[0]])
    if not versions:
        return struct
    return pa.StructArray.from_arrays(list(versions.values()), names=list(versions))
