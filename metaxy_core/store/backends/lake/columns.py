"""Columns as a lake table holds them: what its format cannot keep as it is stands in other types.

Whole numbers of fewer than 32 bits, and those without a sign, stand in larger ones, and 64 bits of
them without a sign in a decimal; times of day, durations and timestamps of nanoseconds in whole
numbers; timestamps of seconds and milliseconds in those of microseconds; arrays in lists; every
other type in text. Names that other programs may stumble over are replaced, and those of columns
that begin with ``_``, since Lance and Arrow have columns of their own with such names.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import duckdb

from metaxy_core.store.backends.duckdb_session import quoted

_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,119}")
_OWN: Final = "_"
_ENDLESS: Final = 2**63 - 1

_AS_THEY_ARE: Final = {
    "boolean", "integer", "bigint", "float", "double", "decimal",
    "varchar", "blob", "date", "timestamp", "timestamp with time zone",
}  # fmt: skip
_CAST: Final = {
    "tinyint": "INTEGER",
    "smallint": "INTEGER",
    "utinyint": "INTEGER",
    "usmallint": "INTEGER",
    "uinteger": "BIGINT",
    "ubigint": "DECIMAL(20, 0)",
    "timestamp_s": "TIMESTAMP",
    "timestamp_ms": "TIMESTAMP",
}
_FUNCTIONS: Final = {
    "time": (
        "epoch_us({0})",
        (
            "CASE WHEN {0} = 86400000000 THEN TIME '24:00:00' "
            "ELSE TIME '00:00:00' + to_microseconds({0}) END"
        ),
    ),
    "interval": ("epoch_us({0})", "to_microseconds({0})"),
    "timestamp_ns": (
        "epoch_ns({0})",
        (
            f"CASE WHEN {{0}} = {_ENDLESS} THEN 'infinity'::TIMESTAMP_NS "
            f"WHEN {{0}} = -{_ENDLESS} THEN '-infinity'::TIMESTAMP_NS "
            f"ELSE make_timestamp_ns({{0}}) END"
        ),
    ),
}


@dataclass(frozen=True)
class Column:
    """One column of a lake table.

    Attributes:
        name: what queries call it.
        kind: its type in DuckDB.
        stored: what the lake table calls it.
    """

    name: str
    kind: str
    stored: str

    @classmethod
    def from_name(cls, name: str, kind: str) -> Column:
        """A column under the name that a lake table has for it."""
        return cls(name, kind, _replaced(name) if name.startswith(_OWN) else _stored_name(name))

    def to_stored(self, value: str) -> str:
        """A value of any type, in SQL, as the lake table holds it."""
        cast = f"CAST({value} AS {self.kind})"
        return _encoded(cast, duckdb.sqltype(self.kind), 0)

    def to_shown(self, table: str) -> str:
        """The column of a lake table, in SQL, as queries see it."""
        kind = duckdb.sqltype(self.kind)
        value = f"{table}.{quoted(self.stored)}"
        if kind.id == "struct" or _has_floats(kind):
            # DuckDB has to compare by itself: Arrow has no place for NaN, Lance none for members.
            value = f"CASE WHEN {value} IS NOT NULL THEN {value} END"
        return f"{_decoded(value, kind, 0)} AS {quoted(self.name)}"


Columns = tuple[Column, ...]


def to_json(columns: Columns) -> bytes:
    """Columns as they are kept beside the tables."""
    return json.dumps([[each.name, each.kind, each.stored] for each in columns]).encode()


def from_json(text: bytes) -> Columns:
    """What ``to_json`` wrote."""
    return tuple(Column(*each) for each in json.loads(text))


def described(connection: duckdb.DuckDBPyConnection, sql: str) -> Columns:
    """The columns of a query."""
    rows = connection.execute(f"DESCRIBE {sql}").fetchall()
    return tuple(Column.from_name(str(row[0]), _kept_type(str(row[1]))) for row in rows)


def extended(columns: Columns, found: Columns) -> Columns:
    """Columns with those that only a query has."""
    known = {each.name.lower() for each in columns}
    return (*columns, *(each for each in found if each.name.lower() not in known))


def rows_to_store(columns: Columns, found: Columns, sql: str) -> str:
    """The rows of a query, as a lake table with these columns holds them."""
    names = {each.name.lower(): each.name for each in found}
    values = [
        f"{each.to_stored('r.' + quoted(names[each.name.lower()]))} AS {quoted(each.stored)}"
        for each in columns
        if each.name.lower() in names
    ]
    return f"SELECT {', '.join(values)} FROM ({sql}) AS r"  # noqa: S608 - quoted


def rows_to_show(columns: Columns, table: str) -> str:
    """The rows of a lake table, as queries see them."""
    return f"SELECT {', '.join(each.to_shown('r') for each in columns)} FROM {table} AS r"  # noqa: S608


def keys_to_store(columns: Columns, names: Sequence[str], table: str) -> str:
    """What tells rows from others, in a staged table, as a lake table holds it."""
    known = {each.name.lower(): each for each in columns}
    values = [
        f"{known[name.lower()].to_stored('s.' + quoted(name))} "
        f"AS {quoted(known[name.lower()].stored)}"
        for name in names
    ]
    return f"SELECT DISTINCT {', '.join(values)} FROM {table} AS s"  # noqa: S608 - quoted


def _stored_name(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else _replaced(name)


def _replaced(name: str) -> str:
    return f"metaxy_named_{hashlib.sha256(name.lower().encode()).hexdigest()[:24]}"


def _kept_type(kind: str) -> str:
    """What a table of DuckDB makes of the type of a query's column."""
    return "INTEGER" if kind == '"NULL"' else kind


# ---------------------------------------------------------------------- types


def _children(kind: Any) -> list[tuple[str, Any]]:
    found = kind.children if kind.id in {"list", "array", "struct", "map"} else []
    return [(name, child) for name, child in found if name != "size" or kind.id != "array"]


@lru_cache(maxsize=4096)
def _has_floats(kind: Any) -> bool:
    return kind.id in {"float", "double"} or any(_has_floats(each) for _, each in _children(kind))


@lru_cache(maxsize=4096)
def _is_as_it_is(kind: Any) -> bool:
    """Whether a format keeps every value of a type."""
    if kind.id in {"list", "struct", "map"}:
        names = [name for name, _ in _children(kind)] if kind.id == "struct" else []
        members = [child for _, child in _children(kind)]
        return names == [*map(_stored_name, names)] and all(map(_is_as_it_is, members))
    return str(kind.id) in _AS_THEY_ARE


def _encoded(value: str, kind: Any, depth: int) -> str:
    if _is_as_it_is(kind):
        return value
    if kind.id in {"list", "array", "struct", "map"}:
        return _nested(value, kind, depth, _encoded)
    if kind.id in _FUNCTIONS:
        return _FUNCTIONS[kind.id][0].format(value)
    return f"CAST({value} AS {_CAST.get(kind.id, 'VARCHAR')})"


def _decoded(value: str, kind: Any, depth: int) -> str:
    if _is_as_it_is(kind):
        return value
    if kind.id in {"list", "array", "struct", "map"}:
        nested = _nested(value, kind, depth, _decoded)
        return f"CAST({nested} AS {kind})" if kind.id == "array" else nested
    if kind.id in _FUNCTIONS:
        return _FUNCTIONS[kind.id][1].format(value)
    return f"CAST({value} AS {kind})"


def _nested(value: str, kind: Any, depth: int, convert: Any) -> str:
    """A nested value whose members are converted."""
    item, children = f"metaxy_item_{depth}", _children(kind)
    if kind.id == "struct":
        encodes = convert is _encoded
        names = [(name, _stored_name(name)) for name, _ in children]
        pairs = names if encodes else [(stored, shown) for shown, stored in names]
        members = (
            f"{quoted(to)} := {convert(f'{value}.{quoted(of)}', child, depth + 1)}"
            for (of, to), (_, child) in zip(pairs, children, strict=True)
        )
        return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({', '.join(members)}) END"
    if kind.id == "map":
        (_, key), (_, held) = children
        pair = (
            f"struct_pack(k := {convert(f'{item}.key', key, depth + 1)}, "
            f"v := {convert(f'{item}.value', held, depth + 1)})"
        )
        return f"map_from_entries(list_transform(map_entries({value}), lambda {item}: {pair}))"
    ((_, child),) = children
    if kind.id == "array":
        value = f"CAST({value} AS {child}[])" if convert is _encoded else value
    return f"list_transform({value}, lambda {item}: {convert(item, child, depth + 1)})"
