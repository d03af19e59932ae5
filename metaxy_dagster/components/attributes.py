"""A mapping in a component's YAML is read strictly: a slip of the pen is no silent default."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar

import dagster as dg
from pydantic import BaseModel, create_model, model_validator

from metaxy_dagster.errors import UnknownAttribute


class Attributes(dg.Resolvable):
    """A mapping, each key of which is an argument of some Python function.

    What is not said, or is null, is left to that function.

    Attributes:
        called: what the mapping is, for messages.
    """

    called: ClassVar[str] = "MetaxyComponent"

    @classmethod
    def model(cls) -> type[BaseModel]:
        """What checks the YAML: Dagster's model of this class, with words for unknown keys."""
        return strict_model(super().model(), cls.called)

    def given(self, *without: str) -> dict[str, Any]:
        """What was said, by the name of the argument.

        Args:
            *without: what is not handed on.
        """
        named = ((each.name, getattr(self, each.name)) for each in fields(self))  # type: ignore[arg-type]
        return {name: v for name, v in named if v is not None and name not in without}


def said(description: str, *examples: Any) -> dg.Resolver:
    """How an attribute is read: templates filled in, and what ``dg`` says of it.

    Args:
        description: what it is for.
        *examples: values that it may have.
    """
    resolver: dg.Resolver = dg.Resolver.default(
        description=description, examples=list(examples) or None
    )
    return resolver


@functools.cache
def strict_model(model: type[BaseModel], called: str) -> type[BaseModel]:
    """A model that refuses unknown keys with those that there are.

    Args:
        model: what to check.
        called: what it is, for messages.
    """

    def check(values: Any) -> Any:
        return with_known_keys(values, called, list(model.model_fields))

    checking: Any = model_validator(mode="before")(check)
    strict: type[BaseModel] = create_model(
        model.__name__, __base__=model, __validators__={"known_keys": checking}
    )
    return strict


def with_known_keys(values: Any, called: str, known: Sequence[str]) -> Any:
    """A mapping as it is, where all of its keys are known; anything else is left to pydantic.

    Args:
        values: what was written.
        called: what it is, for messages.
        known: the keys that there are.

    Raises:
        UnknownAttribute: it has other keys.
    """
    unknown = [str(k) for k in values if k not in known] if isinstance(values, Mapping) else []
    if unknown:
        raise UnknownAttribute.from_known(called, unknown, known)
    return values
