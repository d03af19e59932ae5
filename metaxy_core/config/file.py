"""Where settings come from, so that a wrong one is reported where its author wrote it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from metaxy_core.errors import ConfigUnreadable, InvalidSetting, UnknownSetting
from metaxy_core.errors.base import shown

if TYPE_CHECKING:
    from pydantic import ValidationError

FILE_NAME: Final = "metaxy.toml"
FILE_VARIABLE: Final = "METAXY_CONFIG"
PREFIX: Final = "METAXY_"
NESTED: Final = "__"


def find_file(given: Path | str | None) -> Path | None:
    """The metaxy.toml that was given, named by the environment, or found in a folder above."""
    named = given or os.environ.get(FILE_VARIABLE)
    if named:
        try:
            file = Path(named).expanduser().absolute()
            exists = file.is_file()
        except (OSError, RuntimeError, ValueError) as error:
            raise ConfigUnreadable(
                f"The configuration {shown(str(named))} cannot be found: {shown(str(error))}; "
                f"correct the path."
            ) from error
        if not exists:
            by = "" if given else f", which {FILE_VARIABLE} names,"
            raise ConfigUnreadable(
                f"The configuration {str(file)!r}{by} is no file; correct the path."
            )
        return file
    here = Path.cwd()
    candidates = (folder / FILE_NAME for folder in (here, *here.parents))
    return next((file for file in candidates if file.is_file()), None)


def read_file(file: Path) -> dict[str, Any]:
    """The content of a metaxy.toml."""
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigUnreadable(
            f"The configuration {str(file)!r} cannot be read: {error}"
        ) from error


def place_of(file: Path | None) -> str:
    """Where settings are to be made, for messages."""
    return f"{FILE_NAME} (none found)" if file is None else str(file)


def explained(
    error: ValidationError,
    content: Mapping[str, Any],
    file: Path | None,
    known: Callable[[Sequence[str]], Sequence[str]],
) -> Exception:
    """What a validation found first, told where its author wrote it.

    Args:
        error: what pydantic found.
        content: what the file holds.
        file: the file, where there is one.
        known: gives the settings that exist beside one, of which the parts of its name are given.
    """
    problem = error.errors()[0]
    parts = [str(part) for part in problem["loc"]]
    setting, where = _source(parts, content, file, missing=problem["type"] == "missing")
    if problem["type"] == "extra_forbidden":
        return UnknownSetting.from_known(parts[-1], setting, where, known(parts))
    if problem["type"] == "missing":
        return InvalidSetting(f"Setting {setting!r} in {where} is missing; add it.")
    reason = problem["msg"].removeprefix("Value error, ")
    return InvalidSetting(f"Setting {setting!r} in {where} cannot be used: {reason}.")


def _source(
    parts: list[str], content: Mapping[str, Any], file: Path | None, *, missing: bool
) -> tuple[str, str]:
    """How the source of a setting spells it, and which source that is."""
    variable = (PREFIX + NESTED.join(parts)).upper()
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
    return ".".join(parts if missing else known), place_of(file)
