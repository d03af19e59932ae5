"""A root's samples become canonical text on the client, so that every store hashes the same."""

from __future__ import annotations

import json
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metaxy_core import system_columns as sc
from metaxy_core.engine import hashing
from metaxy_core.errors import InvalidSamples, MissingColumn, NullValue
from metaxy_core.graph.plan import FeaturePlan, FieldPlan
from metaxy_core.keys import FieldKey
from metaxy_core.store.columns import single_chunk
from metaxy_core.store.identity import ids_where

_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}


def check_samples(plan: FeaturePlan, samples: Any) -> None:
    """A root comes with samples, and nothing else does.

    Raises:
        InvalidSamples: samples are missing, or not wanted.
    """
    name = str(plan.key)
    if plan.is_root and samples is None:
        raise InvalidSamples(
            f"'{name}' is a root feature: nothing upstream tells which records it should have. "
            f"Give them: store.resolve_update({name!r}, samples=frame)."
        )
    if not plan.is_root and samples is not None:
        raise InvalidSamples(
            f"'{name}' has deps ({', '.join(str(dep.feature) for dep in plan.deps)}), and its "
            f"records follow from them; call store.resolve_update({name!r}) without samples."
        )


def canonical_samples(plan: FeaturePlan, frame: pa.Table) -> pa.Table:
    """Samples with the canonical text of each field in a column of its own.

    Args:
        plan: the root's plan.
        frame: id columns, user columns, and either ``metaxy_provenance_by_field`` (a struct of
            text or integers) or the columns that the fields' ``version_from`` names.

    Raises:
        MissingColumn: a column that makes a version is missing.
        NullValue: a field's version in the struct is NULL.
        InvalidSamples: the struct does not fit the feature's fields.
    """
    texts = {field.key: _text_of(plan, field, frame) for field in plan.fields}
    if sc.PROVENANCE_BY_FIELD in frame.column_names:
        frame = frame.drop_columns([sc.PROVENANCE_BY_FIELD])
    for key, text in texts.items():
        frame = frame.append_column(sc.sample(key), text)
    return frame


def samples_version(plan: FeaturePlan, canonical: pa.Table) -> str:
    """One version of all samples together, whatever order they come in.

    Args:
        plan: the root's plan.
        canonical: samples with the canonical text of each field.
    """
    ids = [_column_text(plan, canonical, name) for name in plan.id_columns]
    texts = [single_chunk(canonical[sc.sample(field.key)]) for field in plan.fields]
    total = sum(map(hashing.hash_text, _joined([*ids, *texts]).to_pylist()))
    return f"{hashing.hash_text(f'{canonical.num_rows}{hashing.SEPARATOR}{total}'):016x}"


def _text_of(plan: FeaturePlan, field: FieldPlan, frame: pa.Table) -> pa.Array:
    if field.version_from:
        return _joined([_column_text(plan, frame, name) for name in field.version_from])
    if sc.PROVENANCE_BY_FIELD not in frame.column_names:
        raise MissingColumn.from_available(
            plan.key,
            sc.PROVENANCE_BY_FIELD,
            f"the versions of field '{field.key}', which declares no version_from",
            frame.column_names,
        )
    return _escaped(_member_text(plan, field.key, frame))


def _member_text(plan: FeaturePlan, field: FieldKey, frame: pa.Table) -> pa.Array:
    struct = single_chunk(frame[sc.PROVENANCE_BY_FIELD])
    if not len(struct):
        return pa.array([], pa.string())
    names = struct_names(struct)
    if str(field) not in names:
        raise InvalidSamples(
            f"{sc.PROVENANCE_BY_FIELD} in the samples of '{plan.key}' has "
            f"{names or f'type {struct.type}'}, but not field '{field}'. Give it as a struct with "
            f"one member per field."
        )
    member = pc.struct_field(struct, str(field))
    if member.null_count:
        raise NullValue.from_ids(
            plan.key,
            f"The version of field '{field}' in the samples",
            ids_where(frame, plan.id_columns, member.is_null()),
            member.null_count,
            "Give every sample a version for every field",
        )
    return text_of_values(member)


def struct_names(struct: pa.Array) -> list[str]:
    """Member names of a struct array; empty for any other type."""
    return [member.name for member in struct.type] if pa.types.is_struct(struct.type) else []


def _column_text(plan: FeaturePlan, frame: pa.Table, name: str) -> pa.Array:
    if name not in frame.column_names:
        raise MissingColumn.from_available(
            plan.key, name, "named by version_from", frame.column_names
        )
    values = single_chunk(frame[name])
    return pc.coalesce(_escaped(text_of_values(values)), pa.scalar(hashing.NULL))


def text_of_values(values: pa.Array) -> pa.Array:
    """One text per value, the same whatever library the values came from; NULL stays NULL."""
    kind = values.type
    if pa.types.is_string(kind):
        return values
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_date32(kind):
        return values.cast(pa.string())
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind) or pa.types.is_time(kind):
        return _text_of_ticks(values)
    return pa.array([_text_of_value(value) for value in values.to_pylist()], pa.string())


def _text_of_ticks(values: pa.Array) -> pa.Array:
    """Times as microseconds, followed by the nanoseconds left where there are any."""
    kind = values.type
    ticks = values.cast(pa.int32() if pa.types.is_time32(kind) else pa.int64()).cast(pa.int64())
    if kind.unit != "ns":
        return pc.multiply_checked(ticks, _MICROSECONDS[kind.unit]).cast(pa.string())
    micro = pc.divide(ticks, 1000)
    rest = pc.subtract(ticks, pc.multiply(micro, 1000))
    text = micro.cast(pa.string())
    longer = pc.binary_join_element_wise(text, rest.cast(pa.string()), ".")
    return pc.if_else(pc.equal(rest, 0), text, longer)


def _text_of_value(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return repr(value + 0.0)
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return str(value)


def _escaped(text: pa.Array) -> pa.Array:
    if not _has_any(text, hashing.SEPARATOR + "\\"):
        return text
    doubled = pc.replace_substring(text, "\\", "\\\\")
    return pc.replace_substring(doubled, hashing.SEPARATOR, "\\" + hashing.SEPARATOR)


def _has_any(text: pa.Array, characters: str) -> bool:
    """Whether one of some ASCII characters may stand in a text; a look at the bytes tells."""
    data = text.buffers()[-1]
    found = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return any((found == ord(character)).any() for character in characters)


def _joined(texts: list[pa.Array]) -> pa.Array:
    return reduce(
        lambda left, right: pc.binary_join_element_wise(left, right, hashing.SEPARATOR), texts
    )
