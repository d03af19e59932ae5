"""Extensions of DuckDB come as Python packages, so that none is downloaded while we run."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from metaxy_core.errors import ConfigError
from metaxy_core.errors.base import first_line
from metaxy_core.store.backends.duckdb_session import literal

if TYPE_CHECKING:
    import duckdb

_PACKAGE: Final = "duckdb_extension_{}"


def load_extension(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load an extension, or nothing where it is loaded already.

    Args:
        connection: the instance that gets it.
        name: of the extension, such as ``ducklake``.

    Raises:
        ModuleNotFoundError: the package is not installed.
        ConfigError: the package is not for this version of DuckDB.
    """
    import duckdb

    try:
        connection.execute(f"LOAD {literal(str(_file(name)))}")
    except duckdb.Error as error:
        raise ConfigError(
            f"The DuckDB extension {name!r} cannot be loaded; install the package "
            f"{_PACKAGE.format(name)!r} in version {duckdb.__version__}, that of DuckDB. DuckDB "
            f"says: {first_line(error)}"
        ) from error


def _file(name: str) -> Path:
    """The file of an extension for this version of DuckDB; where there is none, any."""
    import duckdb

    package = _PACKAGE.format(name)
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    folder = Path(next(iter(found.submodule_search_locations))) / "extensions"
    return folder / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
