"""What somebody who starts a maintenance job can choose in the launchpad."""

from __future__ import annotations

from typing import Final, TypeVar

import dagster as dg
from pydantic import Field, create_model

_DRY_RUN: Final = "Only count and say what would be done. Turn off to do it."


class FeaturesConfig(dg.Config):
    """Which features a run is about."""

    features: list[str] = Field(
        default=[],
        description=(
            "Keys or selections, such as 'example/*' or '+example/crop'; empty for every feature "
            "of the job."
        ),
    )


class DeleteOrphansConfig(FeaturesConfig):
    """How orphans are deleted."""

    dry_run: bool = Field(default=True, description=_DRY_RUN)
    max_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description=(
            "Leave a feature alone, and fail in the end, where more than this share of its records "
            "is orphaned, which is what a mistake upstream looks like. 1 deletes all."
        ),
    )
    hard: bool = Field(
        default=False,
        description="Erase the records with their history. It cannot be undone.",
    )


class CompactConfig(FeaturesConfig):
    """What compaction erases."""

    dry_run: bool = Field(default=True, description=_DRY_RUN)
    keep: str = Field(
        default="30d",
        description=(
            "How much of the past can still be read afterwards: a span such as 30d or 12h, a time "
            "such as 2026-11-21T08:30:00Z, or the id of a commit. 0d keeps the present state only."
        ),
    )
    at_least: int = Field(
        default=1,
        ge=1,
        description="Leave a feature alone where fewer rows than this would be erased.",
    )


class ObserveConfig(FeaturesConfig):
    """What is observed."""

    increments: bool = Field(
        default=True,
        description=(
            "Compare too, for new, stale, orphaned and blocked records; otherwise commits and "
            "records are counted."
        ),
    )


class RebaseConfig(FeaturesConfig):
    """What was refactored."""

    dry_run: bool = Field(default=True, description=_DRY_RUN)
    fields: dict[str, dict[str, str]] = Field(
        default={},
        description=(
            "For features whose fields were renamed, the former name of each: "
            "{'example/video': {'audio': 'sound'}}."
        ),
    )


ConfigT = TypeVar("ConfigT", bound=FeaturesConfig)


def with_dry_run(config_class: type[ConfigT], dry_run: bool) -> type[ConfigT]:  # noqa: FBT001 - it is the only choice
    """A config whose ``dry_run`` is another one in the launchpad, until somebody changes it.

    Args:
        config_class: the config.
        dry_run: what it is.
    """
    field = (bool, Field(default=dry_run, description=_DRY_RUN))
    return create_model(
        config_class.__name__,
        __base__=config_class,
        __module__=config_class.__module__,
        __doc__=config_class.__doc__,
        dry_run=field,
    )
