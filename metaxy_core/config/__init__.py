"""The configuration of a project: metaxy.toml, METAXY_* variables, and what they name."""

from metaxy_core.config.entrypoints import import_entrypoints, is_file, put_on_path
from metaxy_core.config.file import FILE_NAME, FILE_VARIABLE
from metaxy_core.config.project import Config, init
from metaxy_core.config.stores import StoreConfig

__all__ = [
    "FILE_NAME",
    "FILE_VARIABLE",
    "Config",
    "StoreConfig",
    "import_entrypoints",
    "init",
    "is_file",
    "put_on_path",
]
