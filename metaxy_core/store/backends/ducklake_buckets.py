"""How DuckDB reaches the bucket that holds the data files of a DuckLake."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from metaxy_core.errors import StoreUnreachable
from metaxy_core.store.backends.duckdb_extensions import load_extension
from metaxy_core.store.backends.duckdb_session import literal

if TYPE_CHECKING:
    import duckdb

    from metaxy_core.store.backends.lake.places import Place

_NAME: Final = "metaxy_bucket"
_SCHEMES: Final = ("s3://", "s3a://", "s3n://")
_OPTIONS: Final = {
    "AWS_ACCESS_KEY_ID": "KEY_ID",
    "AWS_SECRET_ACCESS_KEY": "SECRET",
    "AWS_SESSION_TOKEN": "SESSION_TOKEN",
    "AWS_REGION": "REGION",
}


def open_bucket(connection: duckdb.DuckDBPyConnection, place: Place) -> None:
    """Give DuckDB what it needs for a bucket, out of options and ``AWS_*`` variables.

    Raises:
        StoreUnreachable: it is no bucket that DuckDB can write to, or an option is unknown.
    """
    import duckdb

    if not place.url.startswith(_SCHEMES):
        raise StoreUnreachable(
            f"The data path {place.address!r} is none that a DuckLake store can have; give a "
            f"folder, or s3://bucket/prefix."
        )
    load_extension(connection, "httpfs")
    try:
        connection.execute(_statement(place))
    except duckdb.Error:
        raise StoreUnreachable(
            f"The data path {place.address!r} cannot be opened with the storage_options "
            f"{', '.join(place.options) or '(none)'}; correct them."
        ) from None  # what DuckDB says may hold a secret


def close_bucket(connection: duckdb.DuckDBPyConnection) -> None:
    """Let DuckDB forget how to reach the bucket."""
    connection.execute(f"DROP SECRET IF EXISTS {_NAME}")


def _statement(place: Place) -> str:
    given = {name.upper(): value for name, value in place.options.items()}
    options = {**{name: os.environ[name] for name in _OPTIONS if name in os.environ}, **given}
    allow_http = options.pop("AWS_ALLOW_HTTP", options.pop("ALLOW_HTTP", "false"))
    endpoint = options.pop("AWS_ENDPOINT_URL", options.pop("AWS_ENDPOINT", ""))
    if unknown := sorted(options.keys() - _OPTIONS.keys()):
        raise StoreUnreachable(
            f"The data path {place.address!r} has the storage_options {', '.join(unknown)}, which "
            f"a DuckLake store does not know; it knows {', '.join(_OPTIONS)}, AWS_ENDPOINT_URL "
            f"and AWS_ALLOW_HTTP."
        )
    if "@" in endpoint:
        raise StoreUnreachable(
            f"The data path {place.address!r} has an AWS_ENDPOINT_URL with a name or a password; "
            f"give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    parts = [f"{_OPTIONS[name]} {literal(value)}" for name, value in options.items()]
    if endpoint:
        scheme, _, host = endpoint.rpartition("://")
        parts += [f"ENDPOINT {literal(host.rstrip('/'))}", "URL_STYLE 'path'"]
        is_plain = scheme == "http" or (not scheme and allow_http.lower() == "true")
        parts.append(f"USE_SSL {str(not is_plain).lower()}")
    return f"CREATE OR REPLACE SECRET {_NAME} (TYPE s3, {', '.join(parts)})".replace(", )", ")")
