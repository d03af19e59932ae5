"""Every spec is frozen, refuses unknown options and reports mistakes as ``InvalidSpec``."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from metaxy_core.errors import InvalidSpec


class Spec(BaseModel):
    """Base of all specs."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def __init__(self, /, **options: Any) -> None:
        try:
            super().__init__(**options)
        except ValidationError as error:
            raise InvalidSpec(_message(type(self), options, error)) from error


def _message(spec: type[Spec], options: dict[str, Any], error: ValidationError) -> str:
    named = options.get("key", options.get("feature", ""))
    subject = f"{spec.__name__} {str(named)!r}" if named else spec.__name__
    problems = "; ".join(
        f"{'.'.join(map(str, found['loc'])) or 'value'}: {found['msg']}" for found in error.errors()
    )
    return f"{subject}: {problems}. Its options are {', '.join(spec.model_fields)}."
