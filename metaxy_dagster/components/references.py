"""Modules and functions are named as text in YAML; here they are imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import dagster as dg

from metaxy_core.errors import MetaxyError
from metaxy_dagster.errors import InvalidComponent


@dataclass(frozen=True)
class References:
    """What names in a component's YAML stand for.

    Attributes:
        context: of the component; a name that begins with a dot is looked for beside its defs.yaml.
    """

    context: dg.ComponentLoadContext

    def module(self, attribute: str, name: str) -> ModuleType:
        """A module or package.

        Args:
            attribute: where it is named, for messages.
            name: its name, ``shop.features`` or ``.features``.

        Raises:
            InvalidComponent: it cannot be imported.
        """
        try:
            return import_module(self._absolute(name))
        except MetaxyError:
            raise
        except Exception as error:
            raise InvalidComponent.from_import(attribute, name, error) from error

    def function(self, attribute: str, name: str) -> Callable[..., Any]:
        """A function.

        Args:
            attribute: where it is named, for messages.
            name: ``module:function``.

        Raises:
            InvalidComponent: the text names no function, its module cannot be imported, or it is
                an asset already.
        """
        module_name, colon, function = name.partition(":")
        if not (module_name and colon and function):
            raise InvalidComponent.from_attribute(
                attribute, name, "'module:function', as in 'shop.work:faces' or '.work:faces'"
            )
        module = self.module(attribute, module_name)
        found = getattr(module, function, None)
        if found is None:
            known = [key for key, value in vars(module).items() if callable(value)]
            raise InvalidComponent.from_function(attribute, name, known)
        if isinstance(found, dg.AssetsDefinition | dg.AssetSpec):
            raise InvalidComponent.from_attribute(
                attribute, name, "a plain function; name the module of an asset in feature_module"
            )
        if not callable(found):
            raise InvalidComponent.from_attribute(attribute, name, "a function")
        return found  # type: ignore[no-any-return]

    def _absolute(self, name: str) -> str:
        if not name.startswith("."):
            return name
        return f"{self.context.defs_relative_module_name(self.context.path)}{name}"
