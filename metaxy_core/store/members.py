"""The records that a call is about are given as a frame of their ids, or as a bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from metaxy_core.engine.portion import Portion
from metaxy_core.errors import InvalidWrite
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.specs.bucket import Bucket
from metaxy_core.store.inputs import check_id_types

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir
    import pyarrow as pa

_AMONG: Final = "metaxy_read_among"


@dataclass(frozen=True)
class Members:
    """The records that a call is about.

    Attributes:
        plan: the feature's plan.
        members: their ids, or the bucket they fall into.
    """

    plan: FeaturePlan
    members: pa.Table | Bucket

    @property
    def given(self) -> dict[str, pa.Table]:
        """The frame of their ids where there is one."""
        return {} if isinstance(self.members, Bucket) else {_AMONG: self.members}

    @property
    def portion(self) -> Portion:
        """The same as an expression."""
        import ibis

        if isinstance(self.members, Bucket):
            return Portion(self.plan, self.members)
        return Portion(self.plan, ibis.table(_ibis_schema(self.members), name=_AMONG))

    def check_types(self, rows: ir.Table) -> None:
        """The ids have the types of the stored ones.

        Raises:
            WrongColumnType: they have not.
        """
        if isinstance(self.members, Bucket):
            return
        check_id_types(
            self.plan, _ibis_schema(self.members), rows.schema(), "the ids given by among="
        )


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


def _ibis_schema(frame: pa.Table) -> ibis.Schema:
    import ibis

    return ibis.Schema.from_pyarrow(frame.schema)
