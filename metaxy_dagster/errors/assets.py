"""Mistakes in how features, functions and assets belong together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

from metaxy_core.errors import DefinitionError, UnknownFeature


def quoted(values: Iterable[object]) -> str:
    """Values as they are written, one after the other; ``none`` where there are none."""
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
            f"({quoted(deps)}): add the parameter `increment: mx.Increment` and compute its new "
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
            f"resource, and not the name of exactly one dep (deps: {quoted(deps)}). Name it "
            f"'increment' if it is to be the increment, annotate it if it is a resource, or say "
            f"which asset to load with ins={{{parameter!r}: Feature}}."
        )


class NoFeatures(AssetError, UnknownFeature):
    """Features that were to be loaded and are not there."""

    @classmethod
    def from_modules(cls, modules: Sequence[str]) -> Self:
        """The modules have none."""
        return cls(
            f"load_feature_assets found no feature in {quoted(modules)}: define or import "
            f"features there, or pass the module or package that does."
        )

    @classmethod
    def from_graphs(cls, features: Sequence[str]) -> Self:
        """The features do not belong together."""
        return cls(
            f"load_feature_assets found features of several graphs ({quoted(features)}); pass "
            f"the modules of one graph at a time, or the graph."
        )

    @classmethod
    def from_function(cls, feature: object, chosen: Sequence[object]) -> Self:
        """A function for a feature that is not loaded."""
        return cls(
            f"load_feature_assets was given a function for '{feature}', which is not among the "
            f"features that it loads ({quoted(chosen)}); widen the selection, or leave the "
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
            f"Feature '{feature}' is held by the assets {quoted(assets)}, which do not share its "
            f"records; remove all but one, or give each a where= such that no record is in two of "
            f"them."
        )
