"""A version is a hash of one canonical text, the same on every backend; the text is made here.

The text of a field is its parts joined by ``|``, each part escaped so that no two lists of parts
give one text: ``v1 | field | code version | feature | field | version | feature | ...``. A version
is the decimal digits of the upstream data version, ``-`` where the optional record is missing and
``?`` where the record has no version for the field. On a root feature the code version is followed
by ``s`` and the canonical text of the sample (see ``escape``).

``H(text)`` is the first 8 bytes of its MD5 digest (RFC 1321), little-endian, the top bit cleared.
In a store with ``xxh64`` it is the XXH64 hash with seed 0, the top bit cleared. That is the hash of
the fields' provenance and of groups. What is made without the store's database is always md5: a
data version that a user gives as text, and the one version of a whole record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache, reduce
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Final

from metaxy_core.graph.plan import FieldPlan, UpstreamField

if TYPE_CHECKING:
    import ibis.expr.types as ir

SEPARATOR: Final = "|"
MISSING: Final = "-"
UNKNOWN: Final = "?"
NULL: Final = "\\N"
FUNCTION: Final = "metaxy_hash"
CONCAT: Final = "metaxy_concat"
MOST_TEXTS: Final = 16
MD5: Final = "md5"
XXH64: Final = "xxh64"
_TOP_BIT_CLEARED: Final = 2**63 - 1


def hash_text(text: str, algorithm: str = MD5) -> int:
    """``H(text)`` in Python; the vector every backend has to meet.

    Args:
        text: the canonical text.
        algorithm: ``md5`` or ``xxh64``.

    Example:
        >>> hash_text("abc")
        3481232194675933584
        >>> hash_text("abc", "xxh64")
        4952883123889572249
    """
    if algorithm == XXH64:
        from xxhash import xxh64_intdigest

        return xxh64_intdigest(text.encode()) & _TOP_BIT_CLEARED
    digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "little") & _TOP_BIT_CLEARED


def escape(part: str) -> str:
    r"""A part with the separator and the backslash escaped.

    Example:
        >>> escape("x|y")
        'x\\|y'
    """
    return part.replace("\\", "\\\\").replace(SEPARATOR, "\\" + SEPARATOR)


def hash_column(text: ir.StringValue) -> ir.IntegerColumn:
    """``H`` of a text column, computed by the backend."""
    import ibis

    def metaxy_hash(text: str) -> int: ...  # type: ignore[empty-body]

    return ibis.udf.scalar.builtin(metaxy_hash, name=FUNCTION)(text)


def provenance_text(
    field: FieldPlan, versions: Mapping[UpstreamField, ir.StringValue]
) -> ir.StringValue:
    """Canonical text of a field that reads upstream fields.

    Args:
        field: the field.
        versions: for each upstream field it reads, the text of its data version.
    """
    parts: list[str | ir.StringValue] = [_head(field)]
    for read in field.reads:
        parts.append(f"{SEPARATOR}{_static(str(read.feature), str(read.field))}{SEPARATOR}")
        parts.append(versions[read])
    return _joined(parts)


def sample_text(field: FieldPlan, sample: ir.StringValue) -> ir.StringValue:
    """Canonical text of a root's field; the sample's own text is escaped already."""
    return _joined([f"{_head(field)}{SEPARATOR}s{SEPARATOR}", sample])


def joined_columns(columns: Sequence[ir.Value]) -> ir.StringValue:
    """One text per row that no two different rows of values share."""
    texts = [
        column.cast("string")
        .replace("\\", "\\\\")
        .replace(SEPARATOR, "\\" + SEPARATOR)
        .fill_null(NULL)
        for column in columns
    ]
    return reduce(lambda left, right: left + SEPARATOR + right, texts)


def member_text(member: ir.StringValue, version: ir.IntegerColumn) -> ir.StringValue:
    """Canonical text of a group's member: its id and the data version of one field."""
    return member + SEPARATOR + version.cast("string").fill_null(UNKNOWN)


def _head(field: FieldPlan) -> str:
    return _static("v1", str(field.key), field.code_version)


def _static(*parts: str) -> str:
    return SEPARATOR.join(escape(part) for part in parts)


def _joined(parts: list[str | ir.StringValue]) -> ir.StringValue:
    import ibis

    merged: list[str | ir.StringValue] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    texts = [ibis.literal(part) if isinstance(part, str) else part for part in merged]
    while len(texts) > MOST_TEXTS:
        texts = [_concat(texts[at : at + MOST_TEXTS]) for at in range(0, len(texts), MOST_TEXTS)]
    return _concat(texts)


def _concat(texts: Sequence[ir.StringValue]) -> ir.StringValue:
    """Texts put together in one pass; a chain of ``||`` copies the text with every link."""
    return texts[0] if len(texts) == 1 else _concat_function(len(texts))(*texts)


@cache
def _concat_function(count: int) -> Callable[..., ir.StringValue]:
    import ibis

    def metaxy_concat(*texts: str) -> str: ...  # type: ignore[empty-body]

    names = [f"text_{number}" for number in range(count)]
    texts = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, annotation=str) for name in names]
    metaxy_concat.__signature__ = Signature(texts, return_annotation=str)  # type: ignore[attr-defined]
    function: Callable[..., ir.StringValue]
    function = ibis.udf.scalar.builtin(metaxy_concat, name=CONCAT)
    return function
