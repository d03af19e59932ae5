"""Mistakes have their own classes, so that a code location says what to change where."""

from metaxy_dagster.errors.assets import (
    AssetError,
    ContradictingAssets,
    InvalidFunction,
    MissingFeature,
    MissingIncrement,
    MissingSamples,
    NoFeatures,
    UnexpectedSamples,
    UnknownAssetFeature,
    UnknownParameter,
)
from metaxy_dagster.errors.components import InvalidComponent, UnknownAttribute
from metaxy_dagster.errors.inputs import (
    InvalidInput,
    StoreMismatch,
    UnsupportedInput,
)
from metaxy_dagster.errors.options import (
    InvalidAutomation,
    InvalidCheck,
    InvalidOptions,
)
from metaxy_dagster.errors.slices import (
    InvalidPartitionExpr,
    InvalidWhere,
    OutsideOfSlice,
)

__all__ = [
    "AssetError",
    "ContradictingAssets",
    "InvalidAutomation",
    "InvalidCheck",
    "InvalidComponent",
    "InvalidFunction",
    "InvalidInput",
    "InvalidOptions",
    "InvalidPartitionExpr",
    "InvalidWhere",
    "MissingFeature",
    "MissingIncrement",
    "MissingSamples",
    "NoFeatures",
    "OutsideOfSlice",
    "StoreMismatch",
    "UnexpectedSamples",
    "UnknownAssetFeature",
    "UnknownAttribute",
    "UnknownParameter",
    "UnsupportedInput",
]
