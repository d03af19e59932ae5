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


class UnsupportedInput(DataError):
    """An input annotated with a type that cannot be loaded."""

    @classmethod
    def from_annotation(cls, name: str, annotation: object, known: Sequence[str]) -> Self:
        """The IO manager has no way to that type."""
        return cls(
            f"Input {name!r} is annotated with {annotation!r}, which cannot be loaded from a "
            f"feature; annotate it with one of {', '.join(known)}."
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
