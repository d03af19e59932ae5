"""Versions are int64 on disk and hex text for users; this is the border between the two."""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metaxy_core import system_columns as sc
from metaxy_core.definition import FeatureDefinition
from metaxy_core.engine.hashing import hash_text
from metaxy_core.keys import FeatureKey, FieldKey

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEX_DIGITS = 16
_INT32_LIMIT = 2**31
_TOP_BIT_CLEARED = np.uint64(2**63 - 1)
_VERSION = re.compile(r"[0-7][0-9a-f]{15}")


def to_hex(versions: pa.Array) -> pa.Array:
    """Versions, int64, as 16 lower-case hex digits; NULL stays NULL.

    Example:
        >>> to_hex(pa.array([3481232194675933584]))[0].as_py()
        '304fd23c98500190'
    """
    count = len(versions)
    values = _int_values(versions)
    digits = binascii.hexlify(values.astype(">i8").tobytes())
    small = len(digits) < _INT32_LIMIT
    kind, width = (pa.StringArray, np.int32) if small else (pa.LargeStringArray, np.int64)
    offsets = np.arange(0, (count + 1) * HEX_DIGITS, HEX_DIGITS, dtype=width)
    text = kind.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(digits))
    if versions.null_count:
        text = pc.if_else(versions.is_valid(), text, pa.scalar(None, text.type))
    return text


def from_hex(text: pa.Array) -> pa.Array | None:
    """Versions, int64, of an array of 16 hex digits each; None where any entry is something else.

    Example:
        >>> from_hex(pa.array(["304fd23c98500190"]))[0].as_py()
        3481232194675933584
        >>> from_hex(pa.array(["a1"])) is None
        True
    """
    if text.null_count or not pc.all(pc.equal(pc.binary_length(text), HEX_DIGITS)).as_py():
        return None
    characters = _characters(text)
    try:
        digits = binascii.unhexlify(characters)
    except (binascii.Error, ValueError):
        return None
    if binascii.hexlify(digits) != characters:  # upper case is somebody else's text
        return None
    values = np.frombuffer(digits, dtype=">i8").astype(np.int64)
    return None if (values < 0).any() else pa.array(values, pa.int64())


def from_text(text: pa.Array) -> pa.Array:
    """Versions, int64, that users wrote: 16 hex digits stay as they are, other text is hashed."""
    parsed = from_hex(text)
    if parsed is not None:
        return parsed
    return pa.array([_version(value) for value in text.to_pylist()], pa.int64())


def _version(text: str) -> int:
    return int(text, 16) if _VERSION.fullmatch(text) else hash_text(text)


def record_version(feature: FeatureKey, versions: Mapping[FieldKey, pa.Array]) -> pa.Array:
    """One version per record, int64, of the versions of its fields.

    It tells records apart at a glance, and a frame of one feature from another's: the sum, modulo
    2^63, of ``H(feature)`` and of each field's version times ``H(field)`` made odd.
    """
    count = len(next(iter(versions.values())))
    total = np.full(count, hash_text(str(feature)), dtype=np.uint64)
    for field, version in versions.items():
        total += _int_values(version).view(np.uint64) * np.uint64(hash_text(str(field)) | 1)
    return pa.array((total & _TOP_BIT_CLEARED).view(np.int64))


def versions_struct(versions: Mapping[FieldKey, pa.Array]) -> pa.Array:
    """A struct of hex text, one member per field."""
    members = [to_hex(version) for version in versions.values()]
    return pa.StructArray.from_arrays(members, names=[str(field) for field in versions])


def single_chunk(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column as one array, which may be a slice of a longer one."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:  # which would be copied
        return column.chunk(0)
    combined = column.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):
        return pa.array([], column.type) if combined.num_chunks == 0 else combined.chunk(0)
    return combined


def increment_frame(
    definition: FeatureDefinition, feature_version: str, rows: pa.Table, *, changed: bool
) -> pa.Table:
    """Rows of an increment as users see them.

    Args:
        definition: the feature they belong to.
        feature_version: the version of the definition they were compared under.
        rows: id and carried columns, then provenance and changed flag of each field.
        changed: whether to tell which fields changed.
    """
    fields = definition.spec.field_keys
    provenance = {field: single_chunk(rows[sc.provenance(field)]) for field in fields}
    frame = rows.drop_columns(
        [name for field in fields for name in (sc.provenance(field), sc.changed(field))]
    )
    frame = frame.append_column(sc.PROVENANCE_BY_FIELD, versions_struct(provenance))
    frame = frame.append_column(sc.PROVENANCE, to_hex(record_version(definition.key, provenance)))
    version = pa.repeat(pa.scalar(feature_version), frame.num_rows)
    frame = frame.append_column(sc.FEATURE_VERSION, version)
    if changed:
        flags = {field: single_chunk(rows[sc.changed(field)]) for field in fields}
        frame = frame.append_column(sc.CHANGED_FIELDS, changed_fields(flags))
    return frame


def changed_fields(flags: dict[FieldKey, pa.Array]) -> pa.Array:
    """For each record the names of the fields whose flag is set, in declared order."""
    count = len(next(iter(flags.values())))
    offsets = np.zeros(count + 1, dtype=np.int64)
    masks = np.stack(
        [np.asarray(pc.fill_null(flag, fill_value=False)) for flag in flags.values()], axis=1
    )
    np.cumsum(masks.sum(axis=1), out=offsets[1:])
    names = pa.array([str(field) for field in flags], pa.string())
    taken = names.take(pa.array(np.nonzero(masks)[1]))
    return pa.LargeListArray.from_arrays(pa.array(offsets), taken)


def _int_values(versions: pa.Array) -> NDArray[np.int64]:
    filled = versions.fill_null(0) if versions.null_count else versions
    return np.asarray(filled, dtype=np.int64)


def _characters(text: pa.Array) -> bytes:
    """All characters of a text array whose entries have the same length and are not NULL."""
    _, offsets, data = text.buffers()
    if data is None or not len(text):
        return b""
    width = np.int64 if pa.types.is_large_string(text.type) else np.int32
    start = int(np.frombuffer(offsets, dtype=width)[text.offset])
    return bytes(memoryview(data)[start : start + len(text) * HEX_DIGITS])
