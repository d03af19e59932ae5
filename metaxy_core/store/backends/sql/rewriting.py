"""Trees of SQL, put in other words where a database would not take them, or take them wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from metaxy_core.engine.hashing import CONCAT, FUNCTION
from metaxy_core.engine.row_hashes import ROW_HASH

if TYPE_CHECKING:
    import sqlglot.expressions as sge

Rewriting = Callable[["sge.Expression"], "sge.Expression"]
"""Puts one node of a tree in other words."""

_FUNCTIONS: Final = (FUNCTION, CONCAT)
_TOP_BIT_CLEARED: Final = 2**63 - 1
_PICKING: Final = ("SEMI", "ANTI")
_KEEPING_THE_RIGHT: Final = ("FULL", "RIGHT")


def picked_first(node: sge.Expression) -> sge.Expression:
    """Semi and anti joins before an outer join are made in a query of their own.

    Where a database has no such joins, they become conditions of the whole query, which also hold
    for the rows that the outer join adds.

    Raises:
        NotImplementedError: there are other joins before them.
    """
    import sqlglot.expressions as sge

    if not isinstance(node, sge.Select) or not node.args.get("joins"):
        return node
    joins = list(node.args["joins"])
    outer = [at for at, join in enumerate(joins) if join.side in _KEEPING_THE_RIGHT]
    picking = [at for at, join in enumerate(joins) if join.kind in _PICKING]
    if not outer or not picking or picking[0] > outer[-1]:
        return node
    first = picking[: sum(at < outer[-1] for at in picking)]
    if first != list(range(len(first))):
        raise NotImplementedError(f"joins before a semi or anti join: {node.sql()}")
    source = node.args["from_"]
    table = source.this
    picked = sge.select("*").from_(table.copy())
    picked.set("joins", [joins[at].copy() for at in first])
    source.set("this", picked.subquery(table.alias_or_name, copy=False))
    node.set("joins", [join for at, join in enumerate(joins) if at not in first])
    return node


def picked_by_list(node: sge.Expression) -> sge.Expression:
    """Semi joins on equal columns become ``IN``, for which an index of the left table is used."""
    import sqlglot.expressions as sge

    if not isinstance(node, sge.Select):
        return node
    kept = []
    for join in node.args.get("joins") or []:
        pairs = _equal_columns(join) if join.kind == "SEMI" else []
        if not pairs:
            kept.append(join)
            continue
        here = [left.copy() for left, _ in pairs]
        listed = sge.select(*(right.copy() for _, right in pairs)).from_(join.this.copy())
        row = here[0] if len(here) == 1 else sge.Tuple(expressions=here)
        node.where(sge.In(this=row, query=listed.subquery()), copy=False)
    node.set("joins", kept)
    return node


def _equal_columns(join: sge.Join) -> list[tuple[sge.Column, sge.Column]]:
    """The pairs of columns that a join demands to be equal; none where it demands anything else.

    The second of each pair is of the table that is joined.
    """
    import sqlglot.expressions as sge

    condition, name = join.args.get("on"), join.this.alias_or_name
    parts = condition.flatten() if isinstance(condition, sge.And) else [condition]
    pairs = []
    for part in parts:
        each = None if part is None else part.unnest()
        sides = (each.this, each.expression) if isinstance(each, sge.EQ) else ()
        if not sides or not all(isinstance(side, sge.Column) for side in sides):
            return []
        left, right = sides if sides[1].table == name else reversed(sides)
        if right.table != name or left.table == name:
            return []
        pairs.append((left, right))
    return pairs


def unpacked_row(node: sge.Expression) -> sge.Expression:
    """The hash of a row gets the row's values one by one."""
    import sqlglot.expressions as sge

    if not _is_row_hash(node):
        return node
    (row,) = node.expressions
    values = [each.this if isinstance(each, sge.Alias) else each for each in row.expressions]
    return sge.Anonymous(this=ROW_HASH, expressions=values)


def hashed_record(node: sge.Expression) -> sge.Expression:
    """The hash of a row is PostgreSQL's own, the top bit cleared: no function may take a row."""
    import sqlglot.expressions as sge

    if not _is_row_hash(node):
        return node
    zero = sge.Literal.number(0)
    own = sge.Anonymous(this="hash_record_extended", expressions=[*node.expressions, zero])
    return sge.paren(sge.BitwiseAnd(this=own, expression=sge.Literal.number(_TOP_BIT_CLEARED)))


def _is_row_hash(node: sge.Expression) -> bool:
    import sqlglot.expressions as sge

    return isinstance(node, sge.Anonymous) and node.name.lower() == ROW_HASH


def functions_in(schema: str) -> Rewriting:
    """The engine's functions, under the schema in which they are."""
    import sqlglot.expressions as sge

    def qualified(node: sge.Expression) -> sge.Expression:
        if isinstance(node, sge.Anonymous) and node.name.lower() in _FUNCTIONS:
            node.set("this", f"{schema}.{node.name}")
        return node

    return qualified


def plain_patterns(node: sge.Expression) -> sge.Expression:
    """A backslash in a pattern stands for itself."""
    import sqlglot.expressions as sge

    pattern = node.expression if isinstance(node, sge.Like) else None
    if isinstance(pattern, sge.Literal) and pattern.is_string:
        node.set("expression", sge.Literal.string(pattern.name.replace("\\", "\\\\")))
    return node


def named_shortly(short: Callable[[str], str]) -> Rewriting:
    """Identifiers under the names that the database can have."""
    import sqlglot.expressions as sge

    def shortened(node: sge.Expression) -> sge.Expression:
        if not isinstance(node, sge.Identifier) or short(node.name) == node.name:
            return node
        return sge.to_identifier(short(node.name), quoted=node.args.get("quoted"))

    return shortened
