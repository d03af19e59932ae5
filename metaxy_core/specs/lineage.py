"""Lineage says how many upstream records a record comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import model_validator

from metaxy_core.errors import InvalidSpec
from metaxy_core.specs.base import Spec


class Lineage(Spec):
    """How records of a feature relate to those of one dep.

    Attributes:
        kind: ``identity`` (1:1), ``expansion`` (1:N) or ``aggregation`` (N:1).
        on: names, as seen by the feature, of the columns that both sides share: the id of the
            parent of an expansion, or of the group of an aggregation. Empty: the dep's id columns
            for an expansion, the feature's id columns for an aggregation.
    """

    kind: Literal["identity", "expansion", "aggregation"] = "identity"
    on: tuple[str, ...] = ()

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            kind: Literal["identity", "expansion", "aggregation"] = "identity",
            on: Sequence[str] = (),
        ) -> None: ...

    @model_validator(mode="after")
    def _fitting(self) -> Lineage:
        if self.kind == "identity" and self.on:
            raise InvalidSpec(
                f"identity lineage takes no `on` (got {list(self.on)}): records are matched by "
                f"their id columns. Use FeatureDep(rename={{...}}) to match other names."
            )
        return self


def identity() -> Lineage:
    """One record from one upstream record, matched by id. The default."""
    return Lineage()


def expansion(on: Sequence[str] = ()) -> Lineage:
    """Many records from one upstream record, such as the chunks of a video.

    Args:
        on: the columns that name the parent in the feature's records; the parent's id columns by
            default.
    """
    return Lineage(kind="expansion", on=tuple(on))


def aggregation(on: Sequence[str] = ()) -> Lineage:
    """One record from many upstream records, such as a speaker from his clips.

    Args:
        on: the upstream columns, as renamed, that name the group; the feature's id columns by
            default.
    """
    return Lineage(kind="aggregation", on=tuple(on))
