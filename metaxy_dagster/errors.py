"""Mistakes in assets have their own classes, so that a code location says what to change where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Self

from metaxy_core.errors import DataError, DefinitionError, StoreError, UnknownFeature


def _listing(values: Iterable[object]) -> str:
    return ", ".join(repr(str(value)) for value in values) or "none"


class AssetError(DefinitionError):
    """An asset whose feature, function or options cannot be what its author meant."""


class MissingFeature(AssetError):
    """An asset that names no feature."""

    @classmethod
    def from_asset(cls, asset: str) -> Self:
        """Nothing tells which feature an asset holds."""
        return cls(
            f"Asset {asset!r} names no feature. Give it metadata={{'metaxy/feature': 'a/b'}}, or "
            f"pass the feature: @metaxify(Feature)."
        )

    @classmethod
    def from_call(cls, value: object) -> Self:
        """``metaxify`` was given neither a feature nor an asset."""
        return cls(
            f"metaxify got {value!r}, which is neither a feature nor an asset. Over a function "
            f"name the feature, @metaxify(Feature); over an asset or a spec, let its metadata name "
            f"one under 'metaxy/feature'."
        )


class UnknownAssetFeature(AssetError, UnknownFeature):
    """An asset that names a feature which the graph does not hold."""

    @classmethod
    def from_reason(cls, asset: str, reason: Exception) -> Self:
        """The core refused what the asset gave as its feature."""
        return cls(f"Asset {asset!r} names no known feature. {reason}")


class InvalidFunction(AssetError):
    """A function that cannot be called with what an asset gets."""

    @classmethod
    def from_reason(cls, asset: str, reason: str, fix: str) -> Self:
        """Something about the function's form."""
        return cls(f"The function of asset {asset!r} {reason}; {fix}.")


class MissingIncrement(AssetError):
    """A feature with deps whose function does not take the increment."""

    @classmethod
    def from_deps(cls, asset: str, deps: Sequence[object]) -> Self:
        """The records follow from deps, so the function has to be told which ones to compute."""
        return cls(
            f"The function of asset {asset!r} takes no 'increment', but its feature has deps "
            f"({_listing(deps)}): add the parameter `increment: mx.Increment` and compute its new "
            f"and stale records."
        )


class MissingSamples(AssetError):
    """A root feature whose function wants an increment, and nothing says of which samples."""

    @classmethod
    def from_asset(cls, asset: str) -> Self:
        """A root's increment needs samples to be compared with."""
        return cls(
            f"The function of asset {asset!r} takes an 'increment', but its feature is a root: "
            f"give @metaxify(..., samples=function) a function that returns every record that "
            f"should exist, or drop the parameter and return the samples themselves."
        )


class UnexpectedSamples(AssetError):
    """``samples=`` where nothing would use them."""

    @classmethod
    def from_asset(cls, asset: str, reason: str) -> Self:
        """Why they would be ignored."""
        return cls(f"Asset {asset!r} has samples=, but {reason}; remove samples=.")


class UnknownParameter(AssetError):
    """A parameter for which nothing stands ready."""

    @classmethod
    def from_deps(cls, asset: str, parameter: str, deps: Sequence[object]) -> Self:
        """No dep, or more than one, has the parameter's name."""
        return cls(
            f"Parameter {parameter!r} of asset {asset!r} is no context, increment, config or "
            f"resource, and not the name of exactly one dep (deps: {_listing(deps)}). Name it "
            f"'increment' if it is to be the increment, annotate it if it is a resource, or say "
            f"which asset to load with ins={{{parameter!r}: Feature}}."
        )


class InvalidOptions(AssetError):
    """Options of ``metaxify`` that do not fit what it decorates."""


class NoFeatures(AssetError, UnknownFeature):
    """Features that were to be loaded and are not there."""

    @classmethod
    def from_modules(cls, modules: Sequence[str]) -> Self:
        """The modules have none."""
        return cls(
            f"load_feature_assets found no feature in {_listing(modules)}: define or import "
            f"features there, or pass the module or package that does."
        )

    @classmethod
    def from_graphs(cls, features: Sequence[str]) -> Self:
        """The features do not belong together."""
        return cls(
            f"load_feature_assets found features of several graphs ({_listing(features)}); pass "
            f"the modules of one graph at a time, or the graph."
        )

    @classmethod
    def from_function(cls, feature: object, chosen: Sequence[object]) -> Self:
        """A function for a feature that is not loaded."""
        return cls(
            f"load_feature_assets was given a function for '{feature}', which is not among the "
            f"features that it loads ({_listing(chosen)}); widen the selection, or leave the "
            f"function out."
        )


class ContradictingAssets(AssetError):
    """Two assets that both hold one feature."""

    @classmethod
    def from_function(cls, feature: object, asset: str) -> Self:
        """A function is given, and the module has an asset."""
        return cls(
            f"Feature '{feature}' has a function in functions= and the asset {asset!r} in the "
            f"module; remove one of them."
        )

    @classmethod
    def from_assets(cls, feature: object, assets: Sequence[str]) -> Self:
        """The assets do not say which of them holds which records."""
        return cls(
            f"Feature '{feature}' is held by the assets {_listing(assets)}, which do not share its "
            f"records; remove all but one, or give each a where= of its own."
        )


class InvalidWhere(AssetError):
    """An asset's share of a feature that cannot be told from the rest."""

    @classmethod
    def from_value(cls, asset: str, where: object) -> Self:
        """Not columns with plain values."""
        return cls(
            f"Asset {asset!r} has where={where!r}; give columns with the one value that its "
            f"records have there, each text, a whole number, or true or false: "
            f"where={{'camera': 'left'}}."
        )

    @classmethod
    def from_column(cls, asset: str, column: str, reason: str) -> Self:
        """The column does not tell the asset's records from others."""
        return cls(
            f"Asset {asset!r} has where={{{column!r}: ...}}, but {reason}. Name an id column, or "
            f"let the feature declare {column!r} and carry it: FeatureDep(..., "
            f"columns=[{column!r}])."
        )


class InvalidPartitionExpr(AssetError):
    """A ``partition_expr`` that does not say which records belong to a partition."""

    @classmethod
    def from_value(cls, asset: str, value: object, wanted: str) -> Self:
        """It does not fit the partitions."""
        return cls(
            f"The asset of '{asset}' has metadata={{'partition_expr': {value!r}}}, but its "
            f"partitions need {wanted}."
        )

    @classmethod
    def from_key(cls, asset: str, column: str, key: str) -> Self:
        """A partition's key is no value of the column."""
        return cls(
            f"The asset of '{asset}' is partitioned by its column {column!r}, a whole number, and "
            f"{key!r} is none. Name partitions by its values, or give partition_expr another "
            f"column."
        )


class OutsideOfSlice(DataError):
    """Rows that are not the asset's or the partition's to write."""

    @classmethod
    def from_rows(cls, feature: object, filters: str, rows: Sequence[object]) -> Self:
        """Rows of other slices."""
        return cls(
            f"{len(rows)} row(s) for '{feature}' are not in the slice {filters} that this asset or "
            f"partition writes, such as {rows[0]}. Compute records of the increment only, and "
            f"leave that column as it came; the frame was not written."
        )

    @classmethod
    def from_missing(cls, feature: object, filters: str, column: str) -> Self:
        """A column that decides is not there."""
        return cls(
            f"A frame for '{feature}' has no column {column!r}, which tells whether its rows are "
            f"in the slice {filters}; add it. The frame was not written."
        )

    @classmethod
    def from_type(cls, feature: object, condition: str, column: str, kind: object) -> Self:
        """A column of a type that the slice's values are not of."""
        return cls(
            f"Column {column!r} of a frame for '{feature}' is {kind}, which cannot be compared in "
            f"{condition}; give that column the values that the slice names. The frame was not "
            f"written."
        )


class InvalidAutomation(AssetError):
    """A sensor, schedule or source that has nothing to watch or to run."""

    @classmethod
    def from_nothing(cls, call: str, wanted: str) -> Self:
        """No feature was given."""
        return cls(f"{call} was given no feature; say {wanted}.")

    @classmethod
    def from_roots(cls, call: str, roots: Sequence[object]) -> Self:
        """Nothing is upstream of what was given."""
        return cls(
            f"{call} finds nothing upstream of {_listing(roots)}. Watch commits of the feature "
            f"itself with features=, or what arrives from outside with observable_samples."
        )

    @classmethod
    def from_leaves(cls, call: str, leaves: Sequence[object]) -> Self:
        """Nothing is downstream of what was given."""
        return cls(
            f"{call} finds nothing downstream of {_listing(leaves)} to run; give target= a job or "
            f"an asset selection."
        )

    @classmethod
    def from_argument(cls, call: str, name: str, value: object, wanted: str) -> Self:
        """An argument has no meaning."""
        return cls(f"{call} was given {name}={value!r}; it has to be {wanted}.")


class UnsupportedInput(DataError):
    """An input annotated with a type that cannot be loaded."""

    @classmethod
    def from_annotation(cls, name: str, annotation: object, known: Sequence[str]) -> Self:
        """The IO manager has no way to that type."""
        return cls(
            f"Input {name!r} is annotated with {annotation!r}, which cannot be loaded from a "
            f"feature; annotate it with one of {', '.join(known)}."
        )

    @classmethod
    def from_batches(cls, annotation: object, known: Sequence[str]) -> Self:
        """Batches of that type cannot be made."""
        return cls(
            f"An input cannot come in batches of {annotation!r}; name one of {', '.join(known)}."
        )


class InvalidInput(AssetError):
    """Metadata of an input that does not say what to load."""

    @classmethod
    def from_value(cls, name: str, key: str, value: object, wanted: str) -> Self:
        """A value of another kind than what loading needs."""
        return cls(
            f"Input {name!r} has metadata={{{key!r}: {value!r}}}, which is not {wanted}; correct "
            f"it, or leave it out to load everything."
        )

    @classmethod
    def from_name(cls, name: str, key: str, meant: str) -> Self:
        """A name that nothing reads, much like one that is read."""
        return cls(
            f"Input {name!r} has metadata {key!r}, which nothing reads; write {meant!r}, or "
            f"another name if it is not about loading."
        )


class StoreMismatch(StoreError):
    """An increment of one store that would be written to another."""

    @classmethod
    def from_addresses(cls, feature: object, resolved: str, written: str) -> Self:
        """The two resources point at different places."""
        return cls(
            f"The increment of '{feature}' comes from the store {resolved!r}, but the IO manager "
            f"writes to {written!r}. Give MetaxyIOManager(store=...) the same MetaxyStoreResource "
            f"that stands under the asset's store_key; nothing was written."
        )


class InvalidCheck(AssetError):
    """A choice of ``feature_checks`` that does not fit the features."""

    @classmethod
    def from_unknown(
        cls, features: Sequence[object], option: str, value: object, known: Sequence[str]
    ) -> Self:
        """An option names a check, or a severity, that there is not."""
        return cls(
            f"feature_checks of {_listing(features)} has {option}={value!r}; choose among "
            f"{', '.join(known)}."
        )

    @classmethod
    def from_reasons(cls, check: str, reasons: Mapping[str, str]) -> Self:
        """A check that was asked for says nothing of any of the features."""
        why = "; ".join(f"{feature!r}: {reason}" for feature, reason in reasons.items())
        return cls(
            f"feature_checks was asked for {check!r}, which cannot be told ({why}). Leave it out, "
            f"or give what it needs."
        )

    @classmethod
    def from_option(
        cls, features: Sequence[object], option: str, value: object, expected: str
    ) -> Self:
        """An option of the wrong kind."""
        return cls(
            f"feature_checks of {_listing(features)} has {option}={value!r}; give {expected}."
        )
