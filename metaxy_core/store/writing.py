"""A frame is checked completely and its versions are taken apart before it may be appended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metaxy_core import system_columns as sc
from metaxy_core.engine import checks
from metaxy_core.engine.provenance import expected_from_samples
from metaxy_core.engine.row_hashes import HASH, row_hashes
from metaxy_core.errors import (
    DuplicateIds,
    ForeignProvenance,
    InvalidSamples,
    MissingProvenance,
    NullValue,
)
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.keys import FieldKey
from metaxy_core.store import columns as versions
from metaxy_core.store.backends.base import Backend
from metaxy_core.store.frames import to_arrow
from metaxy_core.store.identity import SHOWN, check_ids, ids_where, shown_ids
from metaxy_core.store.samples import canonical_samples, struct_names, text_of_values
from metaxy_core.store.schema import as_declared, check_id_type, check_reserved, fitted

if TYPE_CHECKING:
    import ibis.expr.types as ir

_DERIVED = (
    sc.DATA_VERSION,
    sc.FEATURE_VERSION,
    sc.COMMIT,
    sc.CREATED_AT,
    sc.DELETED_AT,
    sc.MATERIALIZATION_ID,
    sc.CHANGED_FIELDS,
)
_FROM_INCREMENT = (sc.PROVENANCE_BY_FIELD, sc.PROVENANCE, sc.DATA_VERSION_BY_FIELD)
_FROM_SAMPLES = (sc.PROVENANCE_BY_FIELD, sc.DATA_VERSION_BY_FIELD)
_STAGED = "metaxy_written"
_FIRST = 100


class Incoming:
    """A frame on its way into a feature's table, with its versions taken apart.

    Attributes:
        columns: id and user columns.
        versions: provenance and data version columns, int64, or sample texts of a raw root frame.
        raw: whether versions have to be computed from sample texts.
        feature_versions: under which definitions the frame was resolved, where it says so.
    """

    def __init__(self, plan: FeaturePlan, frame: Any, ids: tuple[str, ...] | None = None) -> None:
        table = to_arrow(plan.key, frame)
        ids = tuple(dict.fromkeys((*plan.id_columns, *plan.grain))) if ids is None else ids
        check_ids(plan.key, ids, table)
        self.plan = plan
        self.columns = table
        self.versions: dict[str, pa.Array] = {}
        self.raw = False
        self.feature_versions: frozenset[str] = frozenset()
        if table.num_rows:  # without rows, libraries lose the types of columns
            self._take_apart(table, ids)

    def _take_apart(self, table: pa.Table, ids: tuple[str, ...]) -> None:
        plan = self.plan
        for name in ids:
            check_id_type(plan.key, name, table[name].type)
        self.feature_versions = _feature_versions(table)
        table = as_declared(plan.definition, table)
        table = table.drop_columns([name for name in _DERIVED if name in table.column_names])
        check_reserved(plan.key, table.column_names, _FROM_INCREMENT)
        self.raw = is_raw(plan, table)
        if self.raw:
            table = canonical_samples(plan, table)
            names = [sc.sample(field.key) for field in plan.fields]
            self.versions = {name: table[name] for name in names}
        else:
            self.versions = _provenance(plan, table)
        self.versions |= _overrides(plan, table)
        taken = [name for name in (*_FROM_INCREMENT, *self.versions) if name in table.column_names]
        self.columns = table.drop_columns(taken)

    def fit(self, stored: pa.Schema | None) -> None:
        """Give the columns the types that the table has or will have."""
        self.columns = fitted(self.plan.definition, self.columns, stored, self.plan.grain)

    def staged(self, backend: Backend, commit: int) -> ir.Table:
        """Make the frame readable in SQL."""
        fit = self.columns
        for name, column in self.versions.items():
            fit = fit.append_column(name, column)
        number = pa.repeat(pa.scalar(commit, pa.int64()), fit.num_rows)
        return backend.stage(_STAGED, fit.append_column(sc.COMMIT, number))

    def rows(self, staged: ir.Table) -> ir.Table:
        """The rows as on disk."""
        import ibis

        if self.raw:
            staged = expected_from_samples(self.plan, staged).drop(sc.READY)
        fields = [field.key for field in self.plan.fields]
        overridden = [sc.data_version(key) for key in fields]
        return staged.select(  # in one order, so that tables of one feature are alike
            *self.columns.column_names,
            *(sc.provenance(key) for key in fields),
            **{
                name: staged[name] if name in staged.columns else ibis.null("int64")
                for name in overridden
            },
            **{sc.COMMIT: staged[sc.COMMIT], sc.DELETED: ibis.literal(value=False)},
        )


def _feature_versions(table: pa.Table) -> frozenset[str]:
    if sc.FEATURE_VERSION not in table.column_names:
        return frozenset()
    return frozenset(map(str, pc.unique(table[sc.FEATURE_VERSION]).drop_null().to_pylist()))


def stamped(rows: ir.Table, commit: int, *, deleted: bool = False) -> ir.Table:
    """Rows under a commit, as written or as deleted by it."""
    import ibis

    return rows.mutate(
        **{sc.COMMIT: ibis.literal(commit, "int64"), sc.DELETED: ibis.literal(value=deleted)}
    )


def sample_frame(plan: FeaturePlan, backend: Backend, samples: Any) -> pa.Table:
    """Samples of a root, checked and fitted, with the canonical text of each field."""
    table = to_arrow(plan.key, samples)
    check_ids(plan.key, plan.id_columns, table)
    for name in plan.id_columns:
        check_id_type(plan.key, name, table[name].type)
    check_reserved(plan.key, table.column_names, _FROM_SAMPLES)
    table = as_declared(plan.definition, table)
    check_duplicates(plan, backend, table, "The samples")
    return canonical_samples(plan, table)


def check_duplicates(plan: FeaturePlan, backend: Backend, frame: pa.Table, what: str) -> None:
    """Every id occurs once.

    Raises:
        DuplicateIds: names the ids that do not.
    """
    ids = frame.select(list(plan.id_columns))
    staged = backend.stage("metaxy_ids", ids)
    try:
        if not _may_repeat(plan, backend, staged):
            return
        key = ("repeated", plan.id_columns, staged.schema())
        sql = backend.sql(lambda: checks.repeated_ids(staged, plan.id_columns), key)
        repeated = backend.fetch(sql)
    finally:
        backend.drop(staged)
    if repeated.num_rows:
        shown = shown_ids(repeated.slice(0, SHOWN + 1))
        raise DuplicateIds.from_ids(plan.key, what, shown, repeated.num_rows)


def _may_repeat(plan: FeaturePlan, backend: Backend, staged: ir.Table) -> bool:
    """Whether two ids have one hash, which is told several times faster than of the ids."""
    key = ("id hashes", plan.id_columns, staged.schema())
    sql = backend.sql(lambda: row_hashes(staged, plan.id_columns), key)
    hashes = np.sort(backend.fetch(sql)[HASH].to_numpy())
    return bool((hashes[1:] == hashes[:-1]).any())


def is_raw(plan: FeaturePlan, table: pa.Table) -> bool:
    """Whether a root's frame brings samples whose versions have to be computed.

    Raises:
        MissingProvenance: the frame brings neither samples nor provenance, or one cannot tell.
    """
    names = table.column_names
    if sc.PROVENANCE in names and sc.PROVENANCE_BY_FIELD in names:
        return False
    if not plan.is_root:
        if sc.PROVENANCE_BY_FIELD not in names:
            raise MissingProvenance(
                f"The frame for '{plan.key}' has no {sc.PROVENANCE_BY_FIELD!r}: it does not say "
                f"from which versions its rows were computed. Start from the frames of "
                f"store.resolve_update({str(plan.key)!r}) and keep their metaxy_ columns; nothing "
                f"was written."
            )
        return False
    if any(not field.version_from for field in plan.fields):
        _check_root_struct(plan, table)
    return True


def _check_root_struct(plan: FeaturePlan, table: pa.Table) -> None:
    if sc.PROVENANCE_BY_FIELD not in table.column_names:
        raise MissingProvenance(
            f"The frame for root feature '{plan.key}' has no {sc.PROVENANCE_BY_FIELD!r}. Give a "
            f"struct with a version for each field, or declare FieldSpec(version_from=[...]) to "
            f"make the versions from columns; nothing was written."
        )
    if _has_versions(table.slice(0, _FIRST)) and _has_versions(table):
        raise MissingProvenance(
            f"The frame for root feature '{plan.key}' has {sc.PROVENANCE_BY_FIELD!r}, but not "
            f"{sc.PROVENANCE!r}: it may be of an increment or raw samples. Keep both columns of "
            f"the increment, or give raw samples to store.resolve_update; nothing was written."
        )


def _has_versions(table: pa.Table) -> bool:
    """Whether the members of the struct look like an increment's versions, in every row."""
    struct = versions.single_chunk(table[sc.PROVENANCE_BY_FIELD])
    texts = [text_of_values(pc.struct_field(struct, name)) for name in struct_names(struct)]
    return bool(texts) and all(len(t) and versions.from_hex(t) is not None for t in texts)


def _provenance(plan: FeaturePlan, table: pa.Table) -> dict[str, pa.Array]:
    struct = versions.single_chunk(table[sc.PROVENANCE_BY_FIELD])
    wanted = [str(field.key) for field in plan.fields]
    if sorted(struct_names(struct)) != sorted(wanted):
        raise ForeignProvenance(
            f"{sc.PROVENANCE_BY_FIELD} of the frame for '{plan.key}' has fields "
            f"{struct_names(struct)}, expected {wanted}: the frame is of another feature, or of "
            f"another version of this one. Resolve '{plan.key}' again; nothing was written."
        )
    found = {
        field.key: _parsed(plan, field.key, pc.struct_field(struct, str(field.key)), table)
        for field in plan.fields
    }
    if sc.PROVENANCE in table.column_names:
        _check_record_version(plan, table, found)
    return {sc.provenance(key): column for key, column in found.items()}


def _parsed(plan: FeaturePlan, field: FieldKey, text: pa.Array, table: pa.Table) -> pa.Array:
    if text.null_count:
        raise NullValue.from_ids(
            plan.key,
            f"The provenance of field '{field}'",
            ids_where(table, plan.id_columns, text.is_null()),
            text.null_count,
            "Keep the increment's metaxy_ columns as they are when joining",
        )
    parsed = versions.from_hex(text) if pa.types.is_string(text.type) else None
    parsed = parsed if parsed is not None or len(text) else pa.array([], pa.int64())
    if parsed is None:
        raise ForeignProvenance(
            f"The provenance of field '{field}' in the frame for '{plan.key}' is not what "
            f"resolve_update gave (16 hex digits each), for example {_unreadable(text)!r}. Keep "
            f"the increment's metaxy_ columns as they are; nothing was written."
        )
    return parsed


def _unreadable(text: pa.Array) -> object:
    """The first entry that is no version."""
    if not pa.types.is_string(text.type):
        return text[0].as_py()
    entries = (text.slice(row, 1) for row in range(len(text)))
    return next(entry[0].as_py() for entry in entries if versions.from_hex(entry) is None)


def _check_record_version(
    plan: FeaturePlan, table: pa.Table, provenance: Mapping[FieldKey, pa.Array]
) -> None:
    expected = versions.to_hex(versions.record_version(plan.key, provenance))
    found = versions.single_chunk(table[sc.PROVENANCE])
    if not pa.types.is_string(found.type):
        raise ForeignProvenance(
            f"{sc.PROVENANCE} of the frame for '{plan.key}' is {found.type}, expected text: keep "
            f"the increment's metaxy_ columns as they are; nothing was written."
        )
    differing = pc.invert(pc.fill_null(pc.equal(found, expected), fill_value=False))
    if pc.any(differing).as_py():
        ids = ids_where(table, plan.id_columns, differing)
        raise ForeignProvenance(
            f"The frame for '{plan.key}' carries provenance of another feature, or one that was "
            f"altered, for record(s) "
            f"{', '.join(map(str, ids[:SHOWN]))}. Write the rows that "
            f"store.resolve_update({str(plan.key)!r}) gives now; nothing was written."
        )


def _overrides(plan: FeaturePlan, table: pa.Table) -> dict[str, pa.Array]:
    if sc.DATA_VERSION_BY_FIELD not in table.column_names:
        return {}
    struct = versions.single_chunk(table[sc.DATA_VERSION_BY_FIELD])
    known = {str(field.key): field.key for field in plan.fields}
    unknown = [name for name in struct_names(struct) if name not in known]
    if unknown or not struct_names(struct):
        raise InvalidSamples(
            f"{sc.DATA_VERSION_BY_FIELD} of the frame for '{plan.key}' is {struct.type}; give a "
            f"struct whose members are fields of the feature ({', '.join(known)}); nothing was "
            f"written."
        )
    return {
        sc.data_version(known[name]): _override(pc.struct_field(struct, name))
        for name in struct_names(struct)
    }


def _override(member: pa.Array) -> pa.Array:
    text = text_of_values(member)
    filled = versions.from_text(pc.fill_null(text, ""))
    return pc.if_else(text.is_valid(), filled, pa.scalar(None, pa.int64()))
