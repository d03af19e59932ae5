"""Configuration says where a project's features and stores are, so that code need not repeat it."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
import tomllib
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from metaxy_core.errors import (
    ConfigUnreadable,
    EntrypointFailed,
    InvalidSetting,
    MetaxyError,
    UnknownSetting,
    UnknownStore,
)

if TYPE_CHECKING:
    from metaxy_core.store.base import MetadataStore

FILE_NAME = "metaxy.toml"
FILE_VARIABLE = "METAXY_CONFIG"
_PREFIX, _NESTED = "METAXY_", "__"
_MEMORY = ":memory:"


def _to_names(value: Any) -> Any:
    return [name.strip() for name in value.split(",")] if isinstance(value, str) else value


class StoreConfig(BaseModel):
    """One store.

    Attributes:
        type: the database engine.
        path: the file, relative to the folder of metaxy.toml, or ``:memory:``.
        read_only: refuse writes.
        lock_timeout: seconds to wait for another process.
        settings: settings of the engine, such as ``memory_limit = "1GB"``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["duckdb"] = "duckdb"
    path: str
    read_only: bool = False
    lock_timeout: float = Field(default=60.0, ge=0)
    settings: dict[str, str | int | float | bool] = Field(default_factory=dict, repr=False)

    def open(self, root: Path) -> MetadataStore:
        """Open the store; a relative path starts at ``root``."""
        from metaxy_core.store.backends.duckdb import DuckDBMetadataStore

        in_memory = self.path == _MEMORY
        return DuckDBMetadataStore(
            _MEMORY if in_memory else root / Path(self.path).expanduser(),
            read_only=self.read_only,
            lock_timeout=self.lock_timeout,
            settings=self.settings,
        )


class Config(BaseSettings):
    """The configuration of a project: metaxy.toml, and METAXY_* variables, which win.

    Nested settings are written with two underscores: ``METAXY_STORES__DEFAULT__PATH``.

    Attributes:
        project: name of the project.
        entrypoints: what defines features: module names, or .py files relative to metaxy.toml.
            A variable separates them with commas.
        store: name of the store that is used where none is named.
        stores: the stores by name.

    Example:
        >>> config = Config(stores={"default": {"path": ":memory:"}})
        >>> with config.open_store() as store:
        ...     store
        DuckDBMetadataStore(':memory:')
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter=_NESTED,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    project: str = ""
    entrypoints: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_to_names)] = ()
    store: str = "default"
    stores: dict[str, StoreConfig] = Field(default_factory=dict)
    _file: Path | None = PrivateAttr(default=None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables first, then what was given: the content of metaxy.toml."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    @classmethod
    def load(cls, file: Path | str | None = None) -> Self:
        """Read the configuration.

        Args:
            file: the metaxy.toml; where it is None, METAXY_CONFIG names it, or it is looked for in
                the current folder and those above it. None there either gives an empty one.

        Raises:
            ConfigError: the file cannot be read, or a setting in it or in a variable is unknown
                or of the wrong type.
        """
        found = _find_file(file)
        content = {} if found is None else _read(found)
        try:
            config = cls(**content)
        except ValidationError as error:
            raise _explained(error, content, found) from None
        except SettingsError as error:
            raise InvalidSetting(f"A METAXY_* variable cannot be read: {error}") from error
        config._file = found
        return config

    @property
    def file(self) -> Path | None:
        """The metaxy.toml this was read from; None where there is none."""
        return self._file

    @property
    def root(self) -> Path:
        """Where relative paths start: the folder of metaxy.toml, or the current one."""
        return Path.cwd() if self._file is None else self._file.parent

    @property
    def place(self) -> str:
        """Where settings are to be made, for messages."""
        return _place(self._file)

    def open_store(self, name: str | None = None) -> MetadataStore:
        """Open a store.

        Args:
            name: its name under ``stores``; the default store where it is None.

        Raises:
            UnknownStore: no store has this name.
        """
        wanted = name or self.store
        if wanted not in self.stores:
            raise UnknownStore.from_config(wanted, self.place, list(self.stores))
        return self.stores[wanted].open(self.root)

    def import_entrypoints(self) -> None:
        """Import what defines the features, into the active graph; once per process.

        Raises:
            EntrypointFailed: one of them cannot be imported.
            DefinitionError: a feature in them contradicts the graph.
        """
        if self._file is not None or self.entrypoints:
            import_entrypoints(self.entrypoints, self.root, self.place)


def init(config: Path | str | None = None) -> Config:
    """Read metaxy.toml and import the entrypoints it names, so that their features are registered.

    Calling it again does nothing new. Without a metaxy.toml the configuration is empty.

    Args:
        config: the metaxy.toml; found as ``Config.load`` describes where it is None.

    Returns:
        The configuration.

    Raises:
        ConfigError: the configuration cannot be used, or an entrypoint cannot be imported.
    """
    loaded = Config.load(config)
    loaded.import_entrypoints()
    return loaded


# --------------------------------------------------------------------------- the file


def _find_file(given: Path | str | None) -> Path | None:
    named = given or os.environ.get(FILE_VARIABLE)
    if named:
        file = Path(named).expanduser().absolute()
        if not file.is_file():
            by = "" if given else f", which {FILE_VARIABLE} names,"
            raise ConfigUnreadable(
                f"The configuration {str(file)!r}{by} is no file; correct the path."
            )
        return file
    here = Path.cwd()
    candidates = (folder / FILE_NAME for folder in (here, *here.parents))
    return next((file for file in candidates if file.is_file()), None)


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigUnreadable(
            f"The configuration {str(file)!r} cannot be read: {error}"
        ) from error


def _place(file: Path | None) -> str:
    return f"{FILE_NAME} (none found)" if file is None else str(file)


def _explained(error: ValidationError, content: Mapping[str, Any], file: Path | None) -> Exception:
    problem = error.errors()[0]
    parts = [str(part) for part in problem["loc"]]
    setting, where = _source(parts, content, file, missing=problem["type"] == "missing")
    if problem["type"] == "extra_forbidden":
        known = StoreConfig.model_fields if len(parts) > 1 else Config.model_fields
        return UnknownSetting.from_known(parts[-1], setting, where, list(known))
    if problem["type"] == "missing":
        return InvalidSetting(f"Setting {setting!r} in {where} is missing; add it.")
    return InvalidSetting(f"Setting {setting!r} in {where} cannot be used: {problem['msg']}.")


def _source(
    parts: list[str], content: Mapping[str, Any], file: Path | None, *, missing: bool
) -> tuple[str, str]:
    """How the source of a setting spells it, and which source that is."""
    variable = (_PREFIX + _NESTED.join(parts)).upper()
    written: Any = content
    known: list[str] = []
    for part in parts:
        if not isinstance(written, Mapping) or part not in written:
            break
        written = written[part]
        known.append(part)
    in_variable = variable in {name.upper() for name in os.environ}
    if in_variable or not known or (missing and known != parts[:-1]):
        return variable, "the environment"
    return ".".join(parts if missing else known), _place(file)


# --------------------------------------------------------------------------- entrypoints


def import_entrypoints(entrypoints: Sequence[str], root: Path, named_by: str) -> None:
    """Import modules and .py files that define features.

    Args:
        entrypoints: module names, or .py files relative to ``root``.
        root: a folder that is put on ``sys.path``.
        named_by: who names them, for messages.

    Raises:
        EntrypointFailed: one of them cannot be imported.
        DefinitionError: a feature in them contradicts the graph.
    """
    put_on_path(root)
    for entrypoint in entrypoints:
        try:
            if is_file(entrypoint):
                _import_file((root / entrypoint).resolve())
            else:
                importlib.import_module(entrypoint)
        except MetaxyError:
            raise
        except Exception as error:
            raise EntrypointFailed(
                f"Entrypoint {entrypoint!r} (from {named_by}) cannot be imported: "
                f"{type(error).__name__}: {error}{_line_of(error)}. Correct it, or its name."
            ) from error


def is_file(entrypoint: str) -> bool:
    """Whether an entrypoint is a file and not a module."""
    return entrypoint.endswith(".py") or "/" in entrypoint or os.sep in entrypoint


def put_on_path(folder: Path) -> None:
    """Let modules in a folder be imported."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _import_file(file: Path) -> None:
    """Import a file under the name by which other modules import it, as a script's folder does."""
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {str(file)!r}")
    base = file.parent
    while (base / "__init__.py").is_file():
        base = base.parent
    put_on_path(base)
    parts = file.relative_to(base).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    if _is_importable_as(name, file):
        importlib.import_module(name)
    else:
        _import_alone(file)


def _is_importable_as(name: str, file: Path) -> bool:
    if not all(part.isidentifier() for part in name.split(".")):
        return False
    if name in sys.modules:
        found = getattr(sys.modules[name], "__file__", None)
    else:
        spec = importlib.util.find_spec(name)
        found = None if spec is None else spec.origin
    return found is not None and Path(found).resolve() == file


def _import_alone(file: Path) -> None:
    """Import a file whose own name is taken by another module."""
    name = f"metaxy_entrypoint_{hashlib.sha256(bytes(file)).hexdigest()[:12]}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{str(file)!r} is no Python file")
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


def _line_of(error: Exception) -> str:
    """The line of the user's code that raised an error, where there is one."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = (__file__, importlib.__file__)
    own = [f for f in frames if f.filename not in ours and not f.filename.startswith("<frozen")]
    return f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
