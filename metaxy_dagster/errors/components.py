"""What the YAML of a component says and cannot be meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from metaxy_core.errors.base import listing, nearest, shown
from metaxy_dagster.errors.assets import AssetError


class InvalidComponent(AssetError):
    """An attribute of a component that cannot be used."""

    @classmethod
    def from_attribute(cls, attribute: str, value: object, wanted: str) -> Self:
        """An attribute has no meaning.

        Args:
            attribute: its name, with those it stands under.
            value: what was given.
            wanted: what to give instead.
        """
        return cls(f"MetaxyComponent has {attribute}: {shown(value)}; give {wanted}.")

    @classmethod
    def from_secret(cls, attribute: str, setting: str) -> Self:
        """A setting that Dagster would show holds a secret."""
        return cls(
            f"MetaxyComponent has {attribute} with a secret in {setting!r}, which Dagster would "
            f"show to everybody; put it into an environment variable and write ${{NAME}}, which "
            f"is read when the store is opened."
        )

    @classmethod
    def from_import(cls, attribute: str, value: str, error: Exception) -> Self:
        """A module that is named cannot be imported."""
        return cls(
            f"MetaxyComponent has {attribute}: {value!r}, which cannot be imported "
            f"({type(error).__name__}: {error}). Correct the module or its name; one beside "
            f"defs.yaml begins with a dot, as in '.features'."
        )

    @classmethod
    def from_function(cls, attribute: str, value: str, known: Sequence[str]) -> Self:
        """The module is there, and the function is not."""
        module, _, name = value.partition(":")
        return cls(
            f"MetaxyComponent has {attribute}: {value!r}, and module {module!r} has no {name!r}; "
            f"{nearest(name, known)}"
        )

    @classmethod
    def from_no_feature(cls, attribute: str, feature: object, chosen: Sequence[object]) -> Self:
        """A feature is named that the component does not load."""
        return cls(
            f"MetaxyComponent names the feature '{feature}' under {attribute}, and it loads no "
            f"such feature ({listing(chosen, 10) or 'none'}). Correct the key, name the module "
            f"that defines it in feature_module, or widen selection."
        )


class UnknownAttribute(InvalidComponent, ValueError):
    """A key that the YAML of a component does not have."""

    @classmethod
    def from_known(cls, where: str, unknown: Sequence[str], known: Sequence[str]) -> Self:
        """A mapping has keys that nobody reads."""
        return cls(
            f"{where} has no {', '.join(map(repr, unknown))} ({nearest(unknown[0], known)}) "
            f"It takes {', '.join(known)}."
        )
