"""What can keep records from being carried over to a changed definition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from metaxy_core.errors.base import MetaxyError, listing, nearest


class MigrationError(MetaxyError):
    """A rebase or migration that cannot be made as asked; the store is unchanged."""


class UnknownVersion(MigrationError):
    """A feature version that the store does not hold, or that is not the one the code has."""

    @classmethod
    def from_recorded(cls, feature: object, version: str, recorded: Sequence[str]) -> Self:
        matching = [known for known in recorded if known.startswith(version)]
        if matching:
            return cls(
                f"Several versions of '{feature}' begin with {version!r}: {', '.join(matching)}; "
                f"give more digits."
            )
        known = f"known: {listing(recorded, 10)}" if recorded else "none is recorded"
        return cls(
            f"The store holds no version {version!r} of '{feature}'; {known}. Give the beginning "
            f"of one of them as from_version."
        )

    @classmethod
    def from_code(cls, feature: object, version: str, current: str) -> Self:
        return cls(
            f"to_version is {version!r}, but the code defines '{feature}' in version {current}. "
            f"Records are rebased to what the code defines: leave to_version out, or load the "
            f"definitions that you mean."
        )


class InvalidRebase(MigrationError):
    """Two definitions between which records cannot be carried over."""


class UnmappedField(InvalidRebase):
    """A field of which nothing says what it was before, or something that cannot be."""

    @classmethod
    def from_new(cls, feature: object, field: object, formers: Sequence[object]) -> Self:
        return cls(
            f"Field '{field}' of '{feature}' is not in the former definition, which has "
            f"{listing(formers, 12)}. If it holds what one of them held, say which: "
            f"fields={{'{field}': '{formers[0]}'}}. Otherwise it has to be computed: resolve "
            f"'{feature}' instead of rebasing it."
        )

    @classmethod
    def from_unknown(
        cls, feature: object, field: object, known: Sequence[object], what: str
    ) -> Self:
        return cls(
            f"fields of the rebase of '{feature}' names '{field}', which is no field of its "
            f"{what} definition; {nearest(field, known)} Write fields={{'new': 'former'}}."
        )

    @classmethod
    def from_reused(cls, feature: object, field: object, former: object) -> Self:
        return cls(
            f"Field '{field}' of '{feature}' is to take the versions of '{former}', but another "
            f"field had its name before, whose versions would be lost for the features "
            f"downstream. Give the field a name that is new, or recompute '{feature}'."
        )


class NeedsSamples(MigrationError):
    """A root feature whose stored columns do not tell from which versions it was written."""

    @classmethod
    def from_feature(cls, feature: object) -> Self:
        name = str(feature)
        return cls(
            f"'{name}' is a root feature, and its stored columns do not tell which versions its "
            f"samples had. Give them: store.rebase({name!r}, samples=frame), or "
            f"store.migrate(samples={{{name!r}: frame}})."
        )


class MigrationRefused(MigrationError):
    """A migration of which some features cannot be rebased yet."""

    @classmethod
    def from_reasons(cls, reasons: Sequence[str]) -> Self:
        return cls(
            f"{len(reasons)} feature(s) cannot be rebased, so nothing was: {' '.join(reasons)} "
            f"Or leave them out: features=[...]."
        )
