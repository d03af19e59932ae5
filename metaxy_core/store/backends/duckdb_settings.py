"""DuckDB is opened with the settings of a user; no value of them is ever printed."""

from __future__ import annotations

import re
from collections.abc import Mapping

import duckdb

from metaxy_core.errors import ConfigError
from metaxy_core.errors.base import first_line


def connected(settings: Mapping[str, str | int | float | bool]) -> duckdb.DuckDBPyConnection:
    """A connection to a database in memory.

    Raises:
        ConfigError: DuckDB does not accept the settings, or one of them would make different ids
            one and the same.
    """
    if any(name.lower() == "default_collation" for name in settings):
        raise ConfigError(
            "The DuckDB setting default_collation would make ids one that have versions of their "
            "own; leave it out of DuckDBMetadataStore(settings=...)."
        )
    try:
        return duckdb.connect(":memory:", config=dict(settings))
    except (duckdb.Error, UnicodeEncodeError) as error:
        raise ConfigError(
            f"DuckDB does not accept the settings {', '.join(settings)}; correct them in "
            f"DuckDBMetadataStore(settings=...). DuckDB says: "
            f"{_without_values(first_line(error), settings)}"
        ) from None  # what DuckDB says holds values, and one of them may be a secret


def _without_values(text: str, settings: Mapping[str, str | int | float | bool]) -> str:
    """A message in which no value of a setting stands."""
    values = sorted({str(value) for value in settings.values()} - {""}, key=len, reverse=True)
    pattern = "|".join(re.escape(value) for value in values)
    return re.sub(pattern, "...", text, flags=re.IGNORECASE) if pattern else text
