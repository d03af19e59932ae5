"""The functions that the engine counts on, written out as expressions of BigQuery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from metaxy_core.engine.hashing import CONCAT, FUNCTION
from metaxy_core.engine.row_hashes import ROW_HASH

if TYPE_CHECKING:
    import sqlglot.expressions as sge

# The first 8 bytes of the digest, the last of them first.
_BYTES: Final = f"^{'(..)' * 8}.*$"
_TURNED: Final = "0x" + "".join(f"\\{number}" for number in range(8, 0, -1))
_TOP_BIT_CLEARED: Final = tuple((f"0x{digit:x}", f"0x{digit - 8:x}") for digit in range(8, 16))


def written_out(node: sge.Expression) -> sge.Expression:
    """A call of one of the engine's functions as an expression; no right is needed to make any."""
    import sqlglot.expressions as sge

    if not isinstance(node, sge.Anonymous):
        return node
    match node.name.lower():
        case name if name == FUNCTION:
            return _hashed(node.expressions[0].transform(written_out))
        case name if name == CONCAT:
            node.set("this", "CONCAT")
        case name if name == ROW_HASH:
            text = sge.Anonymous(this="TO_JSON_STRING", expressions=node.expressions)
            return sge.Anonymous(this="FARM_FINGERPRINT", expressions=[text])
    return node


def _hashed(text: sge.Expression) -> sge.Expression:
    """``H`` of a text: its digest in hexadecimal digits, turned around, as a number.

    A number with the top bit is not taken, so that the first digit loses it before.
    """
    import sqlglot.expressions as sge

    def call(name: str, *values: sge.Expression | str) -> sge.Expression:
        told = [sge.Literal.string(v) if isinstance(v, str) else v for v in values]
        return sge.Anonymous(this=name, expressions=told)

    digits = call("TO_HEX", call("MD5", text))
    number = call("REGEXP_REPLACE", digits, _BYTES, _TURNED)
    for digit, without in _TOP_BIT_CLEARED:
        number = call("REPLACE", number, digit, without)
    return sge.cast(number, "BIGINT")
