"""Inputs that come in batches need a Dagster type of their own; Dagster has none for iterators."""

from __future__ import annotations

import collections.abc
import typing
from collections.abc import Iterator
from typing import Any, Final

import dagster as dg

from metaxy_dagster.errors import UnsupportedInput

_ITERATED: Final = (
    collections.abc.Iterator,
    collections.abc.Iterable,
    collections.abc.Generator,
)
BATCH_TYPES: Final = (
    "polars.DataFrame",
    "pandas.DataFrame",
    "pyarrow.Table",
    "pyarrow.RecordBatch",
)


def type_name(annotation: Any) -> str:
    """A type by its package and name, without the modules between.

    Example:
        >>> import polars as pl
        >>> type_name(pl.DataFrame)
        'polars.DataFrame'
    """
    package = str(getattr(annotation, "__module__", "")).split(".")[0].removeprefix("_")
    return f"{package}.{getattr(annotation, '__qualname__', '')}"


def batch_type(annotation: Any) -> Any:
    """The type of the frames that an ``Iterator[...]`` gives, or None for any other annotation."""
    if typing.get_origin(annotation) not in _ITERATED:
        return None
    return typing.get_args(annotation)[0]


def batches_of(frame: type) -> dg.DagsterType:
    """The Dagster type of an input that is loaded in batches.

    A function under ``@metaxify`` says ``Iterator[pl.DataFrame]``; one under ``@dg.asset``, for
    which Dagster reads annotations, gets the input's type here:
    ``dg.AssetIn(..., dagster_type=batches_of(pl.DataFrame))``.

    Args:
        frame: ``pl.DataFrame``, ``pd.DataFrame``, ``pa.Table`` or ``pa.RecordBatch``.

    Raises:
        UnsupportedInput: batches cannot be of that type.

    Example:
        >>> import polars as pl
        >>> batches_of(pl.DataFrame).display_name
        'Iterator[polars.DataFrame]'
    """
    name = type_name(frame)
    if name not in BATCH_TYPES:
        raise UnsupportedInput.from_batches(frame, BATCH_TYPES)
    return dg.DagsterType(
        type_check_fn=lambda _, value: isinstance(value, collections.abc.Iterable),
        key=f"metaxy_batches_of_{name.replace('.', '_')}",
        name=f"Iterator[{name}]",
        typing_type=Iterator[frame],  # type: ignore[valid-type]
    )


def input_type(annotation: Any) -> Any:
    """An annotation as Dagster understands it: iterators of frames become their Dagster type."""
    frame = batch_type(annotation)
    return annotation if type_name(frame) not in BATCH_TYPES else batches_of(frame)
