"""An id names one record; it is read and typed here as the feature's tables have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from metaxy_core.errors import InvalidId
from metaxy_core.graph.plan import FeaturePlan


def id_columns_of(plan: FeaturePlan, given: Any) -> tuple[tuple[str, ...], ...]:
    """The columns that an id may be about: those of a record, or of an expansion's parent.

    Args:
        plan: the feature's plan.
        given: a value, values in id order, or a mapping of id column to value.

    Returns:
        The likely columns first; an expansion's child and parent may have ids of one shape.

    Raises:
        InvalidId: the id has another shape.
    """
    known = tuple(dict.fromkeys((plan.id_columns, plan.grain)))
    if isinstance(given, Mapping):
        fitting = [names for names in known if set(names) == set(given)]
    else:
        fitting = [names for names in known if len(names) == len(_values(given))]
    if not fitting:
        shapes = " or ".join(f"({', '.join(names)})" for names in known)
        raise InvalidId(
            f"{given!r} is no id of '{plan.key}', whose records are identified by {shapes}; give "
            f"a value for each of these columns, in this order or by name."
        )
    return tuple(fitting)


def id_frame(plan: FeaturePlan, names: Sequence[str], given: Any, types: pa.Schema) -> pa.Table:
    """An id as a frame of one row, in the types of the feature's table; text is read as them.

    Raises:
        InvalidId: a value has another type, or is NULL.
    """
    by_name = given if isinstance(given, Mapping) else dict(zip(names, _values(given), strict=True))
    columns = {name: _typed(plan, name, by_name[name], types.field(name).type) for name in names}
    return pa.table(columns)


def shown_id(record: Mapping[str, Any]) -> str:
    """An id for people, such as ``video_id=v1, number=2``.

    Example:
        >>> shown_id({"video_id": "v1", "number": 2})
        'video_id=v1, number=2'
    """
    return ", ".join(f"{name}={value}" for name, value in record.items())


def _values(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, tuple | list) else (given,)


def _typed(plan: FeaturePlan, name: str, value: Any, kind: pa.DataType) -> pa.Array:
    try:
        if isinstance(value, bool) and not pa.types.is_boolean(kind):
            raise TypeError("it is true or false")  # noqa: TRY301 - one place tells the user
        if isinstance(value, str) and not pa.types.is_string(kind):
            column = pa.array([value]).cast(kind)
        else:
            column = pa.array([value], kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise InvalidId(
            f"{value!r} is no {name!r} of '{plan.key}', which is {kind} "
            f"({str(error).splitlines()[0]}); give a value of this type."
        ) from error
    if column.null_count:
        raise InvalidId(f"{name!r} of '{plan.key}' is {value!r}; a record has no NULL in its id.")
    return column
