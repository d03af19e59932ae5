"""Other names under which things are known elsewhere; each alias stands here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import AliasChoices

if TYPE_CHECKING:
    import polars as pl

FEATURE_IN_FEATURE_DEP = AliasChoices("feature", "key")
FEATURE_IN_FIELD_DEP = AliasChoices("feature", "feature_key")


class IncrementNames:
    """``added``, ``changed``, ``removed`` for an increment's ``new``, ``stale``, ``orphaned``."""

    if TYPE_CHECKING:

        @property
        def new(self) -> pl.DataFrame: ...
        @property
        def stale(self) -> pl.DataFrame: ...
        @property
        def orphaned(self) -> pl.DataFrame: ...

    @property
    def added(self) -> pl.DataFrame:
        """The same as ``new``."""
        return self.new

    @property
    def changed(self) -> pl.DataFrame:
        """The same as ``stale``."""
        return self.stale

    @property
    def removed(self) -> pl.DataFrame:
        """The same as ``orphaned``."""
        return self.orphaned


class StoreNames:
    """``write_metadata`` and ``read_metadata`` for a store's ``write`` and ``read``."""

    if TYPE_CHECKING:
        write: Callable[..., Any]
        read: Callable[..., Any]

    def write_metadata(self, *args: Any, **options: Any) -> Any:
        """The same as ``write``."""
        return self.write(*args, **options)

    def read_metadata(self, *args: Any, **options: Any) -> Any:
        """The same as ``read``."""
        return self.read(*args, **options)
