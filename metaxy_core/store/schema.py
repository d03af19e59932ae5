"""A frame's user columns are fitted to the declared and stored types here, or refused."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.types as at

from metaxy_core.definition import FeatureDefinition
from metaxy_core.errors import MissingColumn, NullValue, UnexpectedColumn, WrongColumnType
from metaxy_core.keys import FeatureKey
from metaxy_core.specs.column import ANY, ColumnSpec
from metaxy_core.store.identity import ids_where
from metaxy_core.system_columns import is_reserved

_TYPES: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
    "str": pa.string(),
    "bytes": pa.binary(),
    "datetime": pa.timestamp("us"),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timedelta": pa.duration("us"),
    "decimal": pa.decimal128(38, 18),
}


def arrow_type(logical: str) -> pa.DataType | None:
    """The Arrow type of a logical type; None for ``any``."""
    if logical == ANY:
        return None
    if logical.startswith("list["):
        item = arrow_type(logical[5:-1])
        return None if item is None else pa.list_(item)
    return _TYPES[logical]


def fitted(
    definition: FeatureDefinition,
    frame: pa.Table,
    stored: pa.Schema | None,
    keys: Sequence[str] = (),
) -> pa.Table:
    """The id and user columns of a frame, in the types that the table has or will have.

    Args:
        definition: the feature; its ``extra`` setting decides about undeclared columns.
        frame: id columns and user columns, system columns already taken out.
        stored: the table's columns, or None before the first write.
        keys: further columns that are kept, declared or not.

    Raises:
        MissingColumn: a required column is missing.
        UnexpectedColumn: an undeclared column where ``extra="forbid"``, or one whose name differs
            from a known one only in case.
        WrongColumnType: a column does not fit its declared or stored type.
        NullValue: NULL in a column that is not nullable.
    """
    frame = _with_defaults(definition, frame)
    kept = _kept(definition, frame.column_names, keys)
    _check_case(definition, kept, () if stored is None else stored.names)
    columns = {}
    for name in kept:
        declared = definition.column(name)
        wanted = _declared_type(declared, frame[name].type)
        column = _cast(definition.key, name, frame[name], wanted)
        if stored is not None and name in stored.names:
            column = _cast(definition.key, name, column, stored.field(name).type)
        if _is_untyped(column.type):
            continue
        if not _is_storable(column.type):
            raise WrongColumnType.from_types(
                definition.key, name, column.type, "a type that the store keeps as it is"
            )
        columns[name] = column
        _check_null(definition, frame, name, declared)
    return pa.table(columns)


def as_declared(definition: FeatureDefinition, frame: pa.Table) -> pa.Table:
    """A frame whose declared columns have their declared types.

    Raises:
        WrongColumnType: a column does not fit its declared type.
    """
    for index, name in enumerate(frame.column_names):
        column = frame.column(index)
        wanted = _declared_type(definition.column(name), column.type)
        frame = frame.set_column(index, name, _cast(definition.key, name, column, wanted))
    return frame


def agrees(found: pa.DataType, declared: pa.DataType) -> bool:
    """Whether a stored type is what a declared one becomes; databases have units of their own."""
    if at.is_list(declared):
        return bool(at.is_list(found)) and agrees(found.value_type, declared.value_type)
    if at.is_integer(declared) or at.is_floating(declared) or at.is_decimal(declared):
        return bool(found == declared)
    return _family(found) == _family(declared)


def check_id_type(feature: FeatureKey, name: str, found: pa.DataType) -> None:
    """Ids are text, integers, booleans, dates, times, decimals or bytes."""
    if at.is_nested(found) or at.is_floating(found) or at.is_null(found):
        raise WrongColumnType.from_types(
            feature, name, found, "text, an integer, a date or bytes", "it is an id column"
        )


def check_reserved(feature: FeatureKey, names: Sequence[str], expected: Sequence[str]) -> None:
    """No column has a name that is kept for system columns, but for those that are expected.

    Raises:
        UnexpectedColumn: a column has.
    """
    for name in names:
        if is_reserved(name) and name not in expected:
            raise UnexpectedColumn(
                f"Column {name!r} in the frame for '{feature}' begins with 'metaxy_', which is "
                f"kept for system columns, and is none that belongs there "
                f"({', '.join(expected)}); rename or drop it. Nothing was written."
            )


def _with_defaults(definition: FeatureDefinition, frame: pa.Table) -> pa.Table:
    for column in definition.value_columns:
        if column.name in frame.column_names:
            continue
        if column.required:
            raise MissingColumn.from_available(
                definition.key, column.name, "declared by its class", frame.column_names
            )
        if column.default is not None:
            filled = pa.repeat(pa.scalar(column.default), frame.num_rows)
            frame = frame.append_column(column.name, filled)
    return frame


def _kept(definition: FeatureDefinition, names: Sequence[str], keys: Sequence[str]) -> list[str]:
    declared = {c.name for c in definition.columns} | {*definition.spec.id_columns, *keys}
    undeclared = [name for name in names if name not in declared]
    if undeclared and definition.extra == "forbid":
        raise UnexpectedColumn(
            f"The frame for '{definition.key}' has the undeclared columns {undeclared}, and its "
            f"class has extra='forbid'; declare them or drop them. Nothing was written."
        )
    if definition.has_open_columns:
        return list(names)
    return [name for name in names if name in declared]


def _check_case(definition: FeatureDefinition, names: Sequence[str], stored: Sequence[str]) -> None:
    declared = [*definition.spec.id_columns, *(column.name for column in definition.columns)]
    known = {name.lower(): name for name in (*stored, *declared)}
    for name in names:
        other = known.get(name.lower(), name)
        if other != name:
            raise UnexpectedColumn(
                f"Column {name!r} in the frame for '{definition.key}' differs only in case from "
                f"its column {other!r}; rename it. Nothing was written."
            )


def _declared_type(column: ColumnSpec | None, found: pa.DataType) -> pa.DataType | None:
    declared = None if column is None else arrow_type(column.type)
    if declared is not None and at.is_timestamp(declared) and at.is_timestamp(found):
        return pa.timestamp(declared.unit, found.tz)
    return declared


def _cast(
    feature: FeatureKey, name: str, column: pa.ChunkedArray, wanted: pa.DataType | None
) -> pa.ChunkedArray:
    found = column.type
    if wanted is None or found == wanted:
        return column
    if not _fits(found, wanted):
        raise WrongColumnType.from_types(feature, name, found, wanted)
    if at.is_timestamp(found) and at.is_timestamp(wanted) and bool(found.tz) != bool(wanted.tz):
        detail = "one has a time zone, the other has none"
        raise WrongColumnType.from_types(feature, name, found, wanted, detail)
    try:
        return column.cast(wanted)
    except pa.ArrowException as error:
        raise WrongColumnType.from_types(feature, name, found, wanted, str(error)) from error


def _fits(found: pa.DataType, wanted: pa.DataType) -> bool:
    if at.is_null(found):
        return True
    if at.is_list(wanted):
        lists = at.is_list(found) or at.is_large_list(found) or at.is_fixed_size_list(found)
        return bool(lists) and _fits(found.value_type, wanted.value_type)
    if at.is_struct(wanted):
        return bool(at.is_struct(found)) and _fits_members(found, wanted)
    return _family(found) in _ACCEPTED.get(_family(wanted), {_family(wanted)})


def _fits_members(found: pa.DataType, wanted: pa.DataType) -> bool:
    """A cast drops unknown members silently, so every member has to be known."""
    known = {member.name: member.type for member in wanted}
    return all(m.name in known and _fits(m.type, known[m.name]) for m in found)


def _is_untyped(kind: pa.DataType) -> bool:
    """Whether a column holds nothing but NULLs and empty lists, so that its type is not known."""
    return bool(at.is_null(kind) or (at.is_list(kind) and _is_untyped(kind.value_type)))


def _is_storable(kind: pa.DataType, *, nested: bool = False) -> bool:
    """Whether every value of a type can be written and read back as it was."""
    if at.is_nested(kind):
        children = [kind.field(index).type for index in range(kind.num_fields)]
        return bool(children) and all(_is_storable(child, nested=True) for child in children)
    if nested and (at.is_duration(kind) or at.is_null(kind)):
        return False
    return not (
        at.is_interval(kind)
        or at.is_float16(kind)
        or at.is_decimal256(kind)
        or at.is_union(kind)
        or isinstance(kind, pa.BaseExtensionType)
    )


_ACCEPTED = {
    "integer": {"integer", "float"},
    "float": {"float", "integer", "decimal"},
    "decimal": {"decimal", "integer", "float"},
    "datetime": {"datetime", "date"},
}


def _family(kind: pa.DataType) -> str:
    families = {
        "bool": at.is_boolean, "integer": at.is_integer, "float": at.is_floating,
        "decimal": at.is_decimal, "datetime": at.is_timestamp, "date": at.is_date,
        "time": at.is_time, "duration": at.is_duration, "text": _is_text, "bytes": _is_bytes,
    }  # fmt: skip
    return next((name for name, matches in families.items() if matches(kind)), str(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(at.is_string(kind) or at.is_large_string(kind) or at.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(at.is_binary(kind) or at.is_large_binary(kind) or at.is_fixed_size_binary(kind))


def _check_null(
    definition: FeatureDefinition, frame: pa.Table, name: str, declared: ColumnSpec | None
) -> None:
    column = frame[name]
    if declared is None or declared.nullable or not column.null_count:
        return
    raise NullValue.from_ids(
        definition.key,
        f"Column {name!r}",
        ids_where(frame, definition.spec.id_columns, column.is_null()),
        column.null_count,
        f"Fill it, or declare it as `{declared.type} | None`",
    )
