"""Expressions over values that SQLite keeps in another form mean what they mean elsewhere."""

from __future__ import annotations

from typing import Any

import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import pyarrow as pa
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.sqlite import SQLiteCompiler

from metaxy_core.store.backends.sql.literals import kept_value
from metaxy_core.store.backends.sqlite_numbers import CALCULATE, COMPARE
from metaxy_core.store.backends.sqlite_types import encoding

_MIDNIGHT = " 00:00:00"
_WILD = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}


class Compiler(SQLiteCompiler):  # type: ignore[misc]  # Ibis has no types here
    """Ibis's own, but for decimals, floats, dates, times and patterns."""

    __slots__ = ()

    def visit_NonNullLiteral(  # noqa: N802 - as Ibis names it
        self, op: ops.Literal, *, value: Any, dtype: dt.DataType
    ) -> Any:
        """A decimal, date or time as a column of its type keeps it."""
        if dtype.is_decimal():
            return sge.Literal.string(str(value))
        if dtype.is_temporal():
            return _kept(value, dtype)
        return super().visit_NonNullLiteral(op, value=value, dtype=dtype)

    def visit_Cast(self, op: ops.Cast, *, arg: Any, to: dt.DataType) -> Any:  # noqa: N802
        """A number in a wider type is the same; NaN, which is kept as text, stays what it is."""
        kinds = (op.arg.dtype, to)
        if any(all(map(is_kind, kinds)) for is_kind in (_is_whole, _is_floating, _is_decimal)):
            return arg
        if _is_whole(op.arg.dtype) and to.is_decimal():
            return sge.cast(arg, "TEXT")
        return super().visit_Cast(op, arg=arg, to=to)

    def visit_StringSQLLike(  # noqa: N802
        self, op: ops.StringSQLLike, *, arg: Any, pattern: Any, escape: Any
    ) -> Any:
        """A pattern for which small and capital letters differ."""
        if escape is not None or not isinstance(op.pattern, ops.Literal):
            return super().visit_StringSQLLike(op, arg=arg, pattern=pattern, escape=escape)
        glob = "".join(_WILD.get(each, each) for each in op.pattern.value)
        return sge.Glob(this=arg, expression=sge.Literal.string(glob))

    def visit_InValues(self, op: ops.InValues, *, value: Any, options: Any) -> Any:  # noqa: N802
        """Numbers of which some are decimals are compared one by one."""
        if not any(each.dtype.is_decimal() for each in (op.value, *op.options)):
            return super().visit_InValues(op, value=value, options=options)
        return sge.paren(sge.or_(*(_compared(sge.EQ, value, each) for each in options)))


def _compared(sign: Any, left: Any, right: Any) -> Any:
    order = sge.Anonymous(this=COMPARE, expressions=[left.copy(), right.copy()])
    return sign(this=order, expression=sge.Literal.number(0))


def _comparison(sign: Any) -> Any:
    def visit(self: Compiler, op: Any, *, left: Any, right: Any) -> Any:
        kinds = (op.left.dtype, op.right.dtype)
        if any(kind.is_decimal() for kind in kinds):
            is_kept = isinstance(op.left, ops.Field) and isinstance(op.right, ops.Field)
            if not (is_kept and _same(*kinds) and sign in (sge.EQ, sge.NEQ)):
                return _compared(sign, left, right)
        elif {_form(kind) for kind in kinds} == {"date", "moment"}:
            left, right = _as_moment(left, kinds[0]), _as_moment(right, kinds[1])
        return self.binop(sign, left, right)

    return visit


def _calculation(name: str, node: type[ops.Node]) -> Any:
    usual = getattr(SQLiteCompiler, f"visit_{node.__name__}")

    def visit(self: Compiler, op: Any, *, left: Any, right: Any) -> Any:
        if not all(each.dtype.is_numeric() for each in op.args):
            return usual(self, op, left=left, right=right)
        return sge.Anonymous(this=CALCULATE, expressions=[sge.Literal.string(name), left, right])

    return visit


for _node, _sign in {
    ops.Equals: sge.EQ,
    ops.NotEquals: sge.NEQ,
    ops.Less: sge.LT,
    ops.LessEqual: sge.LTE,
    ops.Greater: sge.GT,
    ops.GreaterEqual: sge.GTE,
}.items():
    setattr(Compiler, f"visit_{_node.__name__}", _comparison(_sign))
for _name, _operation in {
    "+": ops.Add,
    "-": ops.Subtract,
    "*": ops.Multiply,
    "/": ops.Divide,
    "%": ops.Modulus,
}.items():
    setattr(Compiler, f"visit_{_operation.__name__}", _calculation(_name, _operation))


def _same(one: dt.DataType, other: dt.DataType) -> bool:
    return bool(one.copy(nullable=True) == other.copy(nullable=True))


def _form(kind: dt.DataType) -> str:
    """What values of a type look like; those of one form can be compared."""
    found = encoding(kind)
    if kind.is_timestamp() and found is not None and found.kept == "string":
        return "moment"
    return str(kind.copy(nullable=True))


def _as_moment(value: Any, kind: dt.DataType) -> Any:
    """A date as the moment when it begins."""
    if not kind.is_date():
        return value
    return sge.paren(sge.DPipe(this=value, expression=sge.Literal.string(_MIDNIGHT)))


def _is_whole(kind: dt.DataType) -> bool:
    return bool(kind.is_integer())


def _is_decimal(kind: dt.DataType) -> bool:
    return bool(kind.is_decimal())


def _is_floating(kind: dt.DataType) -> bool:
    return bool(kind.is_floating())


def _kept(value: Any, kind: dt.DataType) -> Any:
    """A literal in the form in which a column of a type keeps it."""
    return sge.convert(kept_value(pa.array([value], kind.to_pyarrow()), encoding(kind)))


COMPILER = Compiler()
