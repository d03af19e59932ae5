"""A slice is one asset's or partition's share of a feature: the records with certain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from metaxy_core.store.frames import to_arrow
from metaxy_dagster.errors import InvalidWhere, OutsideOfSlice
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.filtering import all_of

WHERE: Final = "metaxy/where"

Scalar = str | int | bool


@dataclass(frozen=True)
class AnyOf:
    """A column that holds one of some values."""

    column: str
    values: tuple[Scalar, ...]

    def __str__(self) -> str:
        if not self.values:
            return "FALSE"
        texts = ", ".join(map(_literal, self.values))
        name = _quoted(self.column)
        return f"{name} = {texts}" if len(self.values) == 1 else f"{name} IN ({texts})"

    def mask(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """Which rows belong."""
        wanted = pa.array(list(self.values)).cast(column.type)
        return pc.is_in(column, value_set=wanted)


@dataclass(frozen=True)
class During:
    """A column that holds a time in one of some windows; each begins with its first moment."""

    column: str
    windows: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        name = _quoted(self.column)
        texts = [
            f"{name} >= {_literal(start)} AND {name} < {_literal(end)}"
            for start, end in self.windows
        ]
        return (
            texts[0] if len(texts) == 1 else " OR ".join(f"({text})" for text in texts) or "FALSE"
        )

    def mask(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """Which rows belong."""
        kind = column.type if pa.types.is_string(column.type) else pa.timestamp("us")
        moments = column.cast(kind)
        found = pc.less(moments, moments)
        for window in self.windows:
            start, end = (pa.scalar(text).cast(kind) for text in window)
            inside = pc.and_(pc.greater_equal(moments, start), pc.less(moments, end))
            found = pc.or_(found, inside)
        return found


@dataclass(frozen=True)
class Slice:
    """The records for which some conditions hold; without any, the whole feature.

    Attributes:
        conditions: one for each column.

    Example:
        >>> print(Slice((AnyOf("camera", ("left",)), AnyOf("year", (2023, 2024)))).filters)
        ("camera" = 'left') AND ("year" IN (2023, 2024))
        >>> bool(Slice())
        False
    """

    conditions: tuple[AnyOf | During, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.conditions)

    def __and__(self, other: Slice) -> Slice:
        return Slice((*self.conditions, *other.conditions))

    @property
    def filters(self) -> str | None:
        """The conditions as a store's filter; None for the whole feature."""
        return all_of(*map(str, self.conditions))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that decide."""
        return tuple(condition.column for condition in self.conditions)

    def of_samples(self, feature: FeatureName, frame: Any) -> Any:
        """Those of a root's samples that are in the slice; a column that is missing is filled in.

        Raises:
            OutsideOfSlice: the samples lack a column that more than one value is possible for.
        """
        if not self or frame is None:
            return frame
        table = self._completed(feature, to_arrow(feature.key, frame))
        return table.filter(self._mask(feature, table))

    def of_output(self, feature: FeatureName, frame: Any) -> Any:
        """A frame that is to be written, with a column that is missing filled in.

        Raises:
            OutsideOfSlice: some of its rows belong to other slices.
        """
        if not self:
            return frame
        table = self._completed(feature, to_arrow(feature.key, frame))
        outside = table.filter(pc.invert(self._mask(feature, table)))
        if outside.num_rows:
            raise OutsideOfSlice.from_rows(
                feature, str(self.filters), outside.select(self._named(outside)).to_pylist()
            )
        return table

    def _completed(self, feature: FeatureName, table: pa.Table) -> pa.Table:
        for condition in self.conditions:
            if condition.column in table.column_names:
                continue
            if not isinstance(condition, AnyOf) or len(condition.values) > 1:
                raise OutsideOfSlice.from_missing(feature, str(self.filters), condition.column)
            constant = pa.repeat(pa.scalar(condition.values[0]), table.num_rows)
            table = table.append_column(condition.column, constant)
        return table

    def _mask(self, feature: FeatureName, table: pa.Table) -> pa.ChunkedArray:
        masks = []
        for condition in self.conditions:
            column = table[condition.column]
            try:
                mask = condition.mask(column)
            except pa.ArrowException as error:
                raise OutsideOfSlice.from_type(
                    feature, str(condition), condition.column, column.type
                ) from error
            masks.append(pc.fill_null(mask, fill_value=False))
        found = masks[0]
        for mask in masks[1:]:
            found = pc.and_(found, mask)
        return found

    def _named(self, table: pa.Table) -> list[str]:
        names = [name for name in table.column_names if name in self.columns]
        return [*(n for n in table.column_names[:1] if n not in names), *names]


WHOLE: Final = Slice()


def slice_where(feature: FeatureName, where: Mapping[str, Any] | None) -> Slice:
    """The slice of an asset that handles only the records with fixed values in some columns.

    Args:
        feature: the feature.
        where: columns and the value of each.

    Raises:
        InvalidWhere: a value is not text, a whole number or a truth value; or records cannot be
            told apart by a column, because it is not stored, or not known before they are computed.
    """
    if where is None:
        return WHOLE
    if not isinstance(where, Mapping) or not where:
        raise InvalidWhere.from_value(feature, where)
    for column, value in where.items():
        if not isinstance(column, str) or not isinstance(value, Scalar):
            raise InvalidWhere.from_value(feature, where)
        _check_column(feature, column)
    return Slice(tuple(AnyOf(column, (value,)) for column, value in where.items()))


def _check_column(feature: FeatureName, column: str) -> None:
    """A slice's column has to be known of records that are not computed yet, and to be stored."""
    definition, plan = feature.definition, feature.plan
    if column in plan.grain:
        return
    if not definition.has_open_columns and definition.column(column) is None:
        raise InvalidWhere.from_column(feature, column, "its table will not hold that column")
    carried = [dep.columns for dep in plan.deps]
    if plan.is_root or None in carried:
        return
    if not any(column == here for pairs in carried for _, here in pairs or ()):
        raise InvalidWhere.from_column(
            feature, column, "no dep brings it, so it is not known which records to compute"
        )


def _quoted(column: str) -> str:
    escaped = column.replace('"', '""')
    return f'"{escaped}"'


def _literal(value: Scalar) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    escaped = value.replace("'", "''")
    return f"'{escaped}'"
