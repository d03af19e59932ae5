"""Rows are told apart by a number each, and sets of rows by one, made quickly and for a while only.

The hash is the database's own. It is compared with what the same database made of other rows, and
nothing that depends on it is lost where it changes with a release.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    import ibis.expr.types as ir

ROW_HASH: Final = "metaxy_row_hash"
HASH: Final = "hash"
CHECKSUM: Final = "checksum"


def row_hashes(rows: ir.Table, columns: Sequence[str]) -> ir.Table:
    """The hash of each row's values in some columns; rows that are alike there have the same."""
    return rows.select(**{HASH: _hash(rows, columns)})


def checksum(rows: ir.Table, columns: Sequence[str], kind: str) -> ir.Table:
    """One number for a set of rows: the exclusive or of their hashes, NULL for none.

    With the number of rows it tells sets apart, in whatever order and in how many pieces they come:
    the checksum of two sets is the exclusive or of theirs.

    Args:
        rows: the rows.
        columns: those of their columns that count.
        kind: what the rows are; rows of another kind have another checksum.
    """
    return rows.agg(**{CHECKSUM: _hash(rows, columns, kind).bit_xor()})


def _hash(rows: ir.Table, columns: Sequence[str], kind: str = "") -> ir.IntegerColumn:
    import ibis

    values: dict[str, ir.Value] = {f"c{number}": rows[name] for number, name in enumerate(columns)}
    if kind:
        values["kind"] = ibis.literal(kind)
    return _function()(ibis.struct(values))


@cache
def _function() -> Callable[..., ir.IntegerColumn]:
    import ibis

    def metaxy_row_hash(row) -> int: ...  # type: ignore[no-untyped-def, empty-body]  # noqa: ANN001

    function: Callable[..., ir.IntegerColumn]
    function = ibis.udf.scalar.builtin(metaxy_row_hash, name=ROW_HASH)
    return function
