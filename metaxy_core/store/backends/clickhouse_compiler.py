"""Expressions that ClickHouse would compute otherwise are put in other words, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlglot.expressions as sge
from ibis.backends.sql.compilers.clickhouse import ClickHouseCompiler

from metaxy_core.errors import InvalidFilter

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.operations as ops


class Compiler(ClickHouseCompiler):  # type: ignore[misc]  # Ibis has no types here
    """Ibis's own, but for lists of numbers and for remainders of decimals."""

    __slots__ = ()

    def visit_InValues(self, op: ops.InValues, *, value: Any, options: Any) -> Any:  # noqa: N802
        """Numbers are compared one by one: ``IN`` tells -0.0 from 0, and casts to one decimal."""
        if all(_is_exact(each.dtype) for each in (op.value, *op.options)):
            return super().visit_InValues(op, value=value, options=options)
        each = [sge.EQ(this=value.copy(), expression=option) for option in options]
        return sge.paren(sge.or_(*each, copy=False))

    def visit_Modulus(self, op: ops.Modulus, *, left: Any, right: Any) -> Any:  # noqa: N802
        """A remainder; of decimals ClickHouse has only that of whole ones."""
        kinds = [each.dtype for each in op.args]
        if any(kind.is_decimal() for kind in kinds) and not all(map(_is_whole, kinds)):
            raise InvalidFilter(
                "A ClickHouse store computes no remainder ('%') of decimals. Give what the filter "
                "needs a column of its own."
            )
        return self.binop(sge.Mod, left, right)


def _is_exact(kind: dt.DataType) -> bool:
    return not (kind.is_floating() or kind.is_decimal())


def _is_whole(kind: dt.DataType) -> bool:
    return bool(kind.is_integer() or (kind.is_decimal() and not kind.scale))


COMPILER = Compiler()
