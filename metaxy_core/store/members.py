"""The records that a call is about are given as a frame of their ids, or as a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metaxy_core.errors import InvalidWrite
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.specs.bucket import Bucket

if TYPE_CHECKING:
    import pyarrow as pa


def given_members(plan: FeaturePlan, among: Any) -> pa.Table | Bucket | None:
    """The grain columns of a frame, in their declared types; a bucket as it is.

    Raises:
        DataError: it is no frame, or lacks ids.
    """
    from metaxy_core.store.frames import to_arrow
    from metaxy_core.store.identity import check_ids
    from metaxy_core.store.schema import as_declared

    if among is None or isinstance(among, Bucket):
        return among
    if isinstance(among, str | bytes | list | tuple | dict):
        raise InvalidWrite.from_argument("among", among, "a frame with ids, or an mx.Bucket")
    frame = to_arrow(plan.key, among)
    check_ids(plan.key, plan.grain, frame)
    return as_declared(plan.definition, frame.select(list(plan.grain)))
