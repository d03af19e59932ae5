"""Partitions whose keys are values of a column are slices of a feature; this tells which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dagster as dg
import pyarrow as pa

from metaxy_core.store.schema import arrow_type
from metaxy_dagster.errors import InvalidPartitionExpr
from metaxy_dagster.feature_name import FeatureName, plain_value
from metaxy_dagster.slices import WHOLE, AnyOf, During, Scalar, Slice

PARTITION_EXPR: Final = "partition_expr"


def input_slice(context: dg.InputContext, feature: FeatureName) -> Slice:
    """The slice that an input's partitions stand for; the whole feature where nothing says which.

    The upstream asset says by which column it is partitioned, in its metadata or in the input's:
    ``partition_expr``, as for Dagster's own database IO managers.

    Args:
        context: Dagster's.
        feature: the feature that is loaded.
    """
    if not context.has_asset_partitions:
        return WHOLE
    upstream = context.upstream_output
    described = {} if upstream is None else upstream.definition_metadata
    expression = plain_value({**described, **context.definition_metadata}, PARTITION_EXPR)
    if expression is None:
        return WHOLE
    return partition_slice(
        feature, expression, context.asset_partitions_def, context.asset_partition_keys
    )


def output_slice(context: dg.OutputContext, feature: FeatureName) -> Slice:
    """The slice that an output's partitions stand for."""
    if not context.has_asset_key or not context.has_asset_partitions:
        return WHOLE
    expression = plain_value(context.definition_metadata, PARTITION_EXPR)
    if expression is None:
        return WHOLE
    return partition_slice(
        feature, expression, context.asset_partitions_def, context.asset_partition_keys
    )


def run_slice(context: dg.AssetExecutionContext, feature: FeatureName) -> Slice:
    """The slice that the partitions of an asset's run stand for."""
    if not context.has_partition_key and not context.has_partition_key_range:
        return WHOLE
    (spec,) = context.assets_def.specs
    expression = plain_value(spec.metadata, PARTITION_EXPR)
    partitions = context.assets_def.partitions_def
    if expression is None or partitions is None:
        return WHOLE
    return partition_slice(feature, expression, partitions, context.partition_keys)


def partition_slice(
    feature: FeatureName,
    expression: Any,
    partitions: dg.PartitionsDefinition[Any],
    keys: Sequence[str],
) -> Slice:
    """The records of some partitions.

    Args:
        feature: the feature.
        expression: the column by which it is partitioned, or one for each dimension.
        partitions: how it is partitioned.
        keys: the partitions.

    Raises:
        InvalidPartitionExpr: the expression does not fit the partitions.
    """
    if not isinstance(partitions, dg.MultiPartitionsDefinition):
        if not isinstance(expression, str):
            raise InvalidPartitionExpr.from_value(feature, expression, "the name of one column")
        return Slice((_condition(feature, expression, partitions, keys),))
    dimensions = {item.name: item.partitions_def for item in partitions.partitions_defs}
    if not isinstance(expression, Mapping) or set(expression) != set(dimensions):
        wanted = f"a column for each of the dimensions {', '.join(sorted(dimensions))}"
        raise InvalidPartitionExpr.from_value(feature, expression, wanted)
    several = [key.keys_by_dimension for key in keys if isinstance(key, dg.MultiPartitionKey)]
    return Slice(
        tuple(
            _condition(
                feature,
                expression[name],
                dimension,
                list(dict.fromkeys(each[name] for each in several)),
            )
            for name, dimension in dimensions.items()
        )
    )


def _condition(
    feature: FeatureName,
    column: str,
    partitions: dg.PartitionsDefinition[Any],
    keys: Sequence[str],
) -> AnyOf | During:
    if not isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        return AnyOf(column, tuple(_value(feature, column, key) for key in keys))
    windows: list[tuple[str, str]] = []
    for window in sorted(map(partitions.time_window_for_partition_key, keys)):
        start, end = _moment(window.start), _moment(window.end)
        if windows and windows[-1][1] == start:
            start = windows.pop()[0]
        windows.append((start, end))
    return During(column, tuple(windows))


def _value(feature: FeatureName, column: str, key: str) -> Scalar:
    """A partition's key as a value of the column, which is text unless it is declared a number."""
    declared = feature.definition.column(column)
    kind = None if declared is None else arrow_type(declared.type)
    if kind is None or not pa.types.is_integer(kind):
        return key
    try:
        return int(key)
    except ValueError as error:
        raise InvalidPartitionExpr.from_key(feature, column, key) from error


def _moment(moment: Any) -> str:
    """The shortest text of a moment, which compares with days as well as with times."""
    text = str(moment.replace(tzinfo=None).isoformat())
    return text.removesuffix("T00:00:00")
