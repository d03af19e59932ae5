"""The functions that the engine counts on, in ClickHouse's own words: none has to be made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from metaxy_core.engine.hashing import CONCAT, FUNCTION, MD5, XXH64
from metaxy_core.engine.row_hashes import ROW_HASH

if TYPE_CHECKING:
    import sqlglot.expressions as sge

    from metaxy_core.store.backends.sql.rewriting import Rewriting

_TOP_BIT_CLEARED: Final = 2**63 - 1


def functions_with(algorithm: str) -> Rewriting:
    """The engine's functions.

    Args:
        algorithm: that of the versions.
    """
    hashed = _HASHES[algorithm]

    def own(node: sge.Expression) -> sge.Expression:
        import sqlglot.expressions as sge

        name = node.name.lower() if isinstance(node, sge.Anonymous) else ""
        if name not in {FUNCTION, CONCAT, ROW_HASH}:
            return node
        given = [each.transform(own, copy=False) for each in node.expressions]
        if name == FUNCTION:
            return _positive(hashed(given[0]))
        if name == CONCAT:
            return _call("concat", *given)
        return _positive(_call("sipHash64", _call("tuple", *given)))  # NULL alone has no hash

    return own


def _md5(text: sge.Expression) -> sge.Expression:
    import sqlglot.expressions as sge

    one, eight = sge.Literal.number(1), sge.Literal.number(8)
    first = _call("substring", _call("MD5", text), one, eight)
    return _call("reinterpretAsUInt64", first)


def _xxh64(text: sge.Expression) -> sge.Expression:
    return _call("xxHash64", text)


_HASHES: Final[dict[str, Callable[[sge.Expression], sge.Expression]]] = {MD5: _md5, XXH64: _xxh64}


def _positive(number: sge.Expression) -> sge.Expression:
    """A number of 64 bits, the top one cleared."""
    import sqlglot.expressions as sge

    return _call("toInt64", _call("bitAnd", number, sge.Literal.number(_TOP_BIT_CLEARED)))


def _call(name: str, *arguments: sge.Expression) -> sge.Expression:
    import sqlglot.expressions as sge

    return sge.Anonymous(this=name, expressions=list(arguments))
