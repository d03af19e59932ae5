"""A feature is a pydantic class bound to a spec; defining it registers it in the active graph."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar

import pydantic

from metaxy_core.definition import FeatureDefinition
from metaxy_core.errors import InvalidSpec
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.keys import FeatureKey, HasSpec, KeyLike
from metaxy_core.specs.column import ColumnSpec, logical_type
from metaxy_core.specs.feature import FeatureSpec
from metaxy_core.system_columns import is_reserved

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


class Feature(pydantic.BaseModel):
    """Base class of features: annotations declare metadata columns, ``spec=`` everything else.

    A subclass without ``spec`` is a mixin of columns and is not registered.

    Example:
        >>> from metaxy_core import FeatureSpec
        >>> with FeatureGraph().use() as graph:
        ...     class Video(Feature, spec=FeatureSpec(key="example/video", fields=["audio"])):
        ...         path: str
        >>> Video in graph
        True
    """

    spec: ClassVar[FeatureSpec]
    graph: ClassVar[FeatureGraph]

    def __init_subclass__(cls, spec: FeatureSpec | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)

    @classmethod
    def __pydantic_init_subclass__(cls, spec: FeatureSpec | None = None, **options: Any) -> None:
        super().__pydantic_init_subclass__(**options)
        if spec is None:
            return
        graph = FeatureGraph.active()
        graph.add(_definition(cls, spec))
        cls.spec, cls.graph = spec, graph


def locate(feature: KeyLike) -> tuple[FeatureGraph, FeatureKey]:
    """The graph and key of anything that names a feature; a class brings its own graph.

    Raises:
        UnknownFeature: the graph does not hold it.
    """
    graph = getattr(feature, "graph", None) if isinstance(feature, HasSpec) else None
    if not isinstance(graph, FeatureGraph):
        graph = FeatureGraph.active()
    return graph, graph[feature].key


def _definition(cls: type[Feature], spec: FeatureSpec) -> FeatureDefinition:
    return FeatureDefinition(
        spec=spec,
        columns=tuple(_column(spec.key, name, field) for name, field in cls.model_fields.items()),
        extra=cls.model_config.get("extra") or "ignore",
        description=spec.description or _first_paragraph(cls),
        origin=f"{cls.__module__}:{cls.__qualname__}",
    )


def _column(feature: FeatureKey, name: str, field: FieldInfo) -> ColumnSpec:
    if is_reserved(name):
        raise InvalidSpec(
            f"Column {name!r} of '{feature}' begins with 'metaxy_', which is kept for system "
            f"columns; rename it."
        )
    kind, nullable = logical_type(field.annotation)
    default = field.default if isinstance(field.default, str | int | float | bool) else None
    return ColumnSpec(
        name=name,
        type=kind,
        nullable=nullable or (not field.is_required() and default is None),
        required=field.is_required(),
        default=default,
        description=field.description,
    )


def _first_paragraph(cls: type[Feature]) -> str | None:
    text = inspect.cleandoc(cls.__doc__ or "")
    return text.split("\n\n")[0].replace("\n", " ") or None
