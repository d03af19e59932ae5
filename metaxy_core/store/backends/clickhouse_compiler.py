"""Expressions that ClickHouse would compute otherwise are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlglot.expressions as sge
from ibis.backends.sql.compilers.clickhouse import ClickHouseCompiler

from metaxy_core.errors import InvalidFilter

if TYPE_CHECKING:
    import ibis.expr.operations as ops


class Compiler(ClickHouseCompiler):  # type: ignore[misc]  # Ibis has no types here
    """Ibis's own, but for remainders of decimals, of which ClickHouse has only whole ones."""

    __slots__ = ()

    def visit_Modulus(self, op: ops.Modulus, *, left: Any, right: Any) -> Any:  # noqa: N802
        """A remainder of numbers that are no decimals."""
        if any(each.dtype.is_decimal() for each in op.args):
            raise InvalidFilter(
                "A ClickHouse store computes no remainder ('%') of decimals. Give what the filter "
                "needs a column of its own."
            )
        return self.binop(sge.Mod, left, right)


COMPILER = Compiler()
