"""What ClickHouse would take otherwise than it is meant, in other words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from metaxy_core.store.backends.sql.rewriting import plain_patterns

if TYPE_CHECKING:
    import sqlglot.expressions as sge

_DECIMALS: Final = ("todecimal32", "todecimal64", "todecimal128", "todecimal256")
_DATES: Final = {"todate": "toDate32", "makedate": "makeDate32"}


def wide_dates(node: sge.Expression) -> sge.Expression:
    """Dates are of the type that knows days before 1970, too."""
    import sqlglot.expressions as sge

    if isinstance(node, sge.DataType) and node.this == sge.DataType.Type.DATE:
        node.set("this", sge.DataType.Type.DATE32)
    if isinstance(node, sge.Anonymous) and node.name.lower() in _DATES:
        node.set("this", _DATES[node.name.lower()])
    return node


def exact_decimals(node: sge.Expression) -> sge.Expression:
    """Decimals are read from text, since a number with a point is a float."""
    import sqlglot.expressions as sge

    if not isinstance(node, sge.Anonymous) or node.name.lower() not in _DECIMALS:
        return node
    sign, number = "", node.expressions[0]
    while isinstance(number, sge.Neg | sge.Paren):
        sign += "-" if isinstance(number, sge.Neg) else ""
        number = number.this
    if isinstance(number, sge.Literal):
        text = sge.Literal.string(f"{'-' * (len(sign) % 2)}{number.name}")
        node.set("expressions", [text, *node.expressions[1:]])
    return node


REWRITINGS: Final = (wide_dates, exact_decimals, plain_patterns)
