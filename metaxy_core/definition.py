"""A definition is a feature as the graph knows it, without the class that declared it."""

from __future__ import annotations

from typing import Literal

from metaxy_core.keys import FeatureKey
from metaxy_core.specs.base import Spec
from metaxy_core.specs.column import ColumnSpec
from metaxy_core.specs.feature import FeatureSpec


class FeatureDefinition(Spec):
    """One feature of a graph.

    Attributes:
        spec: what its author declared.
        columns: the metadata columns its class declares; may include the id columns.
        extra: what happens to columns that are not declared: dropped, stored or refused.
        description: first paragraph of the class docstring, or the spec's description.
        origin: ``module:qualified name`` of the class.
        project: name of the project that the feature belongs to; not part of any version.
        external: whether it belongs to another project, and may only be read here.
    """

    spec: FeatureSpec
    columns: tuple[ColumnSpec, ...] = ()
    extra: Literal["ignore", "allow", "forbid"] = "ignore"
    description: str | None = None
    origin: str = ""
    project: str = ""
    external: bool = False

    @property
    def key(self) -> FeatureKey:
        """The feature's key."""
        return self.spec.key

    @property
    def table(self) -> str:
        """Name of the feature's table in a store."""
        return self.spec.key.to_identifier()

    @property
    def has_open_columns(self) -> bool:
        """Whether undeclared columns are stored: extra columns allowed, or none declared at all."""
        return self.extra == "allow" or (self.extra == "ignore" and not self.value_columns)

    @property
    def value_columns(self) -> tuple[ColumnSpec, ...]:
        """The declared columns that are no id columns."""
        return tuple(c for c in self.columns if c.name not in self.spec.id_columns)

    def column(self, name: str) -> ColumnSpec | None:
        """The declared column of a name."""
        return next((column for column in self.columns if column.name == name), None)
