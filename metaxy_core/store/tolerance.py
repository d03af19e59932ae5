"""An output that did not materially change keeps its version, so that nothing downstream moves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metaxy_core.errors import InvalidWrite, MissingColumn
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.keys import FieldKey
from metaxy_core.store.columns import single_chunk

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Rows = Callable[[pl.DataFrame, pl.DataFrame], Sequence[bool] | pl.Series]


@dataclass(frozen=True)
class Same:
    """When a record that is written again counts as the same as before.

    Args:
        columns: columns that have to agree, whatever others hold.
        threshold: the largest difference at which two numbers agree, in the column's unit; it goes
            for every number of a list or struct too. Everything else has to be equal.
        compare: instead of columns, a function of the former and the new rows, two Polars frames
            with the same ids in the same order, that gives a truth value for each row.
        fields: the fields whose versions are kept; None means all.

    Example:
        >>> Same(columns=["boxes"], threshold=0.5, fields=["boxes"]).threshold
        0.5
    """

    columns: Sequence[str] = ()
    threshold: float = 0.0
    compare: Rows | None = None
    fields: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.columns, str) or bool(self.columns) == (self.compare is not None):
            raise InvalidWrite(
                f"Same(columns={self.columns!r}, compare={self.compare!r}) says not what to "
                f"compare: give a list of columns, or a function of the former and the new rows."
            )
        number = isinstance(self.threshold, int | float) and not isinstance(self.threshold, bool)
        if not number or not math.isfinite(self.threshold) or self.threshold < 0:
            raise InvalidWrite.from_argument("threshold", self.threshold, "a number from 0 on")


def rules_of(same: Any) -> tuple[Same, ...]:
    """The rules that ``write(same=...)`` was given.

    Raises:
        InvalidWrite: something among them is no rule.
    """
    if same is None:
        return ()
    given = [same] if isinstance(same, Same) or callable(same) else same
    if not isinstance(given, Iterable) or isinstance(given, str | bytes):
        raise InvalidWrite.from_argument("same", same, "an mx.Same, a function, or a list of them")
    rules = [Same(compare=rule) if callable(rule) else rule for rule in given]
    for rule in rules:
        if not isinstance(rule, Same):
            raise InvalidWrite.from_argument("same", rule, "an mx.Same or a function")
    return tuple(rules)


def fields_of(rule: Same, plan: FeaturePlan) -> list[FieldKey]:
    """The fields that a rule is about.

    Raises:
        InvalidWrite: the feature has no such field.
    """
    known = {str(field.key): field.key for field in plan.fields}
    if rule.fields is None:
        return list(known.values())
    unknown = [str(name) for name in rule.fields if str(name) not in known]
    if isinstance(rule.fields, str) or unknown:
        raise InvalidWrite.from_argument(
            f"fields of the Same for '{plan.key}'", rule.fields, f"a list of {', '.join(known)}"
        )
    return [known[str(name)] for name in rule.fields]


def agreeing(rule: Same, plan: FeaturePlan, former: pa.Table, new: pa.Table) -> NDArray[np.bool_]:
    """For each row, whether it counts as the same.

    Args:
        rule: the rule.
        plan: the feature's plan.
        former: id and user columns as stored.
        new: the same of the same ids, in the same order.

    Raises:
        MissingColumn: the rule names a column that the new rows lack.
        InvalidWrite: its function does not give a truth value for each row.
    """
    if rule.compare is not None:
        return _judged(rule.compare, plan, former, new)
    found = np.ones(new.num_rows, dtype=np.bool_)
    for name in rule.columns:
        if name not in new.column_names:
            raise MissingColumn.from_available(
                plan.key,
                name,
                "named by same=",
                [n for n in new.column_names if n[:7] != "metaxy_"],
            )
        if name not in former.column_names:
            return np.zeros(new.num_rows, dtype=np.bool_)
        old, now = single_chunk(former[name]), single_chunk(new[name])
        found &= _alike(old, now.cast(old.type) if now.type != old.type else now, rule.threshold)
    return found


def _judged(compare: Rows, plan: FeaturePlan, former: pa.Table, new: pa.Table) -> NDArray[np.bool_]:
    import polars as pl

    given = compare(pl.DataFrame(former), pl.DataFrame(new))
    values = given.to_list() if isinstance(given, pl.Series) else given
    wrong = not isinstance(values, Sequence | np.ndarray) or len(values) != new.num_rows
    if wrong or not all(isinstance(value, bool | np.bool_ | None) for value in values):
        raise InvalidWrite(
            f"The function given as same= for '{plan.key}' gave {given!r}; it has to give true or "
            f"false for each of the {new.num_rows} rows. Nothing was written."
        )
    return np.array([bool(value) for value in values], dtype=np.bool_)


def _alike(old: pa.Array, new: pa.Array, threshold: float) -> NDArray[np.bool_]:
    old_missing, new_missing = np.asarray(old.is_null()), np.asarray(new.is_null())
    neither = ~(old_missing | new_missing)
    return np.asarray((old_missing & new_missing) | (neither & _alike_values(old, new, threshold)))


def _alike_values(old: pa.Array, new: pa.Array, threshold: float) -> NDArray[np.bool_]:
    kind = old.type
    if pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind):
        plain = pa.list_(kind.value_type)
        return _alike_values(old.cast(plain), new.cast(plain), threshold)
    if pa.types.is_list(kind):
        return _alike_lists(old, new, threshold)
    if pa.types.is_struct(kind):
        members = (
            _alike(pc.struct_field(old, index), pc.struct_field(new, index), threshold)
            for index in range(kind.num_fields)
        )
        return reduce(np.logical_and, members, np.ones(len(old), dtype=np.bool_))
    equal = np.asarray(pc.fill_null(pc.equal(old, new), fill_value=False))
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        return equal
    if pa.types.is_integer(kind):
        return _near_integers(old, new, threshold)
    left, right = _numbers(old), _numbers(new)
    with np.errstate(invalid="ignore"):
        near = np.abs(left - right) <= threshold if threshold else equal
    return np.asarray(equal | near | (np.isnan(left) & np.isnan(right)))


def _near_integers(old: pa.Array, new: pa.Array, threshold: float) -> NDArray[np.bool_]:
    """Integers, which may be too large for a float to tell them apart."""
    left, right = (np.asarray(side.fill_null(0)) for side in (old, new))
    larger, smaller = np.maximum(left, right), np.minimum(left, right)
    apart = larger.astype(np.uint64) - smaller.astype(np.uint64)  # right modulo 2**64
    return np.asarray(apart <= np.uint64(min(math.floor(threshold), 2**64 - 1)))


def _numbers(values: pa.Array) -> NDArray[np.float64]:
    return np.asarray(values.cast(pa.float64(), safe=False).fill_null(0))


def _alike_lists(old: pa.Array, new: pa.Array, threshold: float) -> NDArray[np.bool_]:
    lengths = [np.asarray(pc.fill_null(pc.list_value_length(side), -1)) for side in (old, new)]
    found = (lengths[0] == lengths[1]) & (lengths[0] >= 0)
    rows = pa.array(np.flatnonzero(found))
    old_members, new_members = (pc.list_flatten(side.take(rows)) for side in (old, new))
    differing = np.concatenate([[0], np.cumsum(~_alike(old_members, new_members, threshold))])
    ends = np.cumsum(lengths[0][found])
    found[found] = differing[ends] == differing[ends - lengths[0][found]]
    return np.asarray(found)
