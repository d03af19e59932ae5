"""Values of settings may stand in the environment, where secrets belong."""

from __future__ import annotations

import os
import re
from typing import Any, Final, TypeVar

from metaxy_core.errors import InvalidSetting, MissingVariable

_REFERENCE: Final = re.compile(r"\$\{([^}]*)\}")
_Value = TypeVar("_Value", str, str | int | float | bool)


def to_names(value: Any) -> Any:
    """Names separated by commas, as a variable gives them."""
    return [name.strip() for name in value.split(",")] if isinstance(value, str) else value


def from_environment(value: _Value, setting: str) -> _Value:
    """A value with every ``${NAME}`` replaced by the environment variable of that name.

    Args:
        value: what the configuration says; only text can name variables.
        setting: its name, for messages.

    Raises:
        MissingVariable: the variable is not set.
        InvalidSetting: what stands in the braces is no name.
    """
    if not isinstance(value, str):
        return value

    def found(reference: re.Match[str]) -> str:
        name = reference[1]
        if not name.isidentifier():
            raise InvalidSetting(
                f"Setting {setting!r} names the environment variable {name!r}, which is no name; "
                f"write ${{NAME}}, with letters, digits and underscores."
            )
        if name not in os.environ:
            raise MissingVariable(
                f"Setting {setting!r} takes its value from the environment variable {name}, which "
                f"is not set; set it."
            )
        return os.environ[name]

    return _REFERENCE.sub(found, value)
