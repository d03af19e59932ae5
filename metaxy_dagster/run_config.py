"""What a run handles can be said in the launchpad, beside the config that a function has itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import isclass
from typing import Any, Final

import dagster as dg
from pydantic import Field, create_model

from metaxy_dagster.errors import InvalidFunction
from metaxy_dagster.functions import CONFIG, AssetFunction
from metaxy_dagster.requests import Request

SECTION: Final = "increment"

_LIMIT: Final = "Handle at most so many new and stale records, the first ones by id."
_FILTERS: Final = (
    "Handle only records for which this SQL text holds; it may read the id columns and the columns "
    "that the deps bring, such as: duration > 10"
)
_FORCE: Final = (
    "Compute the stored records for which this SQL text holds again, whether stale or not; it may "
    "read the feature's columns, such as: model = 'tiny'"
)


class IncrementConfig(dg.Config):
    """The ``increment`` section of an asset's config: which records a run handles.

    Example:
        >>> IncrementConfig(limit=100).limit
        100
    """

    limit: int | None = Field(default=None, ge=1, description=_LIMIT)
    filters: str | None = Field(default=None, description=_FILTERS)
    force: str | None = Field(default=None, description=_FORCE)


@dataclass(frozen=True)
class LaunchConfig:
    """The config of an asset: the section ``increment``, and the fields of its function's own.

    Attributes:
        annotation: what Dagster is told that the config is.
        own: the config class of the function, or None.
        default: what a run handles where its config does not say.
    """

    annotation: Any
    own: type[dg.Config] | None
    default: Request

    @property
    def is_class(self) -> bool:
        """Whether it has fields, as a ``dg.Config`` has."""
        return isclass(self.annotation) and issubclass(self.annotation, dg.Config)

    def parted(self, arguments: Mapping[str, Any]) -> tuple[Request, dict[str, Any]]:
        """What a run is asked for, and the arguments as the function expects them."""
        given = arguments.get(CONFIG)
        section = getattr(given, SECTION, None)
        if not isinstance(section, IncrementConfig):
            return self.default, dict(arguments)
        request = Request(section.limit, section.filters, section.force)
        rest = {name: value for name, value in arguments.items() if name != CONFIG}
        return request, rest if self.own is None else {**rest, CONFIG: _as_own(self.own, given)}


def launch_config(
    functions: Sequence[AssetFunction], limit: int | None, asset: str
) -> LaunchConfig:
    """The config of an asset whose functions may have one of their own.

    Args:
        functions: the functions.
        limit: the default of ``limit``.
        asset: the asset, for messages.

    Raises:
        InvalidFunction: a function's config has a field of the section's name.
    """
    section = _section(limit)
    given = [item.given[CONFIG].annotation for item in functions if CONFIG in item.given]
    if not given:
        return LaunchConfig(_launched(dg.Config, section), None, Request(limit))
    (own, *_) = given
    if not (isclass(own) and issubclass(own, dg.Config)):
        return LaunchConfig(own, None, Request(limit))
    if SECTION in own.model_fields:
        raise InvalidFunction.from_reason(
            asset,
            f"takes the config {own.__name__}, which has a field {SECTION!r}",
            "rename the field: every metaxify asset has a section of this name",
        )
    return LaunchConfig(_launched(own, section), own, Request(limit))


def _section(limit: int | None) -> type[IncrementConfig]:
    if limit is None:
        return IncrementConfig
    limited: Any = (int | None, Field(default=limit, ge=1, description=_LIMIT))
    return create_model("IncrementConfig", __base__=IncrementConfig, limit=limited)


def _launched(own: type[dg.Config], section: type[IncrementConfig]) -> type[dg.Config]:
    return create_model(
        own.__name__, __base__=own, __doc__=own.__doc__, increment=(section, section())
    )


def _as_own(own: type[dg.Config], given: Any) -> dg.Config:
    """The function's own config, without the section, and validated already."""
    values = {name: getattr(given, name) for name in own.model_fields}
    extra = {name: value for name, value in (given.model_extra or {}).items() if name != SECTION}
    return own.model_construct(given.model_fields_set - {SECTION}, **values, **extra)
