"""`metaxy list` shows the features that the code defines, and `metaxy push` records them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer  # noqa: TC002 - read at run time

from metaxy_core.cli import printing
from metaxy_core.cli.options import (
    ConfigOption,
    EntrypointOption,
    JsonOption,
    SelectionArgument,
    StoreOption,
)
from metaxy_core.cli.printing import show
from metaxy_core.cli.project import Project
from metaxy_core.cli.values import to_document
from metaxy_core.graph.selection import select

if TYPE_CHECKING:
    from rich.table import Table

    from metaxy_core.definition import FeatureDefinition
    from metaxy_core.graph.graph import FeatureGraph
    from metaxy_core.keys import FeatureKey
    from metaxy_core.specs.feature import FeatureSpec
    from metaxy_core.store.snapshots import RecordedSnapshot


def list_features(
    context: typer.Context,
    selection: SelectionArgument = None,
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    entrypoint: EntrypointOption = None,
) -> None:
    """List the features with their versions, fields and deps, and where they are defined."""
    with Project.from_options(context, config, store, entrypoint).features() as graph:
        keys = select(graph, *selection or ())
        if as_json:
            show(to_document([_to_object(graph, graph[key]) for key in keys]))
        else:
            show(_to_table(graph, keys))


def push(
    context: typer.Context,
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    entrypoint: EntrypointOption = None,
) -> None:
    """Record the features in the store, so that later code can be compared with them.

    They are recorded as those of the project that metaxy.toml names. Nothing is recorded where
    nothing changed since its last push.
    """
    project = Project.from_options(context, config, store, entrypoint)
    with project.features() as graph, project.open_store() as opened:
        known = {pushed.id for pushed in opened.snapshots()}
        snapshot = opened.push(graph)
        is_new = snapshot.id not in known
        if as_json:
            show(to_document(_recorded(snapshot, opened.address, is_new=is_new)))
            return
        done = "Recorded" if is_new else "Nothing changed since"
        of = f" of project {snapshot.project}" if snapshot.project else ""
        show(
            f"{done} snapshot {snapshot.id}{of}, version {snapshot.version}, "
            f"with {len(snapshot.features)} features, in {opened.address}.\n"
        )


def _to_object(graph: FeatureGraph, definition: FeatureDefinition) -> dict[str, Any]:
    spec = definition.spec
    return {
        "key": str(definition.key),
        "version": graph.versions[definition.key].feature,
        "fields": [str(field) for field in spec.field_keys],
        "deps": [str(dep.feature) for dep in spec.deps],
        "tags": spec.tags,
        "cost_per_record": spec.cost_per_record,
        "cost_unit": spec.cost_unit,
        "project": definition.project,
        "external": definition.external,
        "defined_in": definition.origin,
    }


def _recorded(snapshot: RecordedSnapshot, address: str, *, is_new: bool) -> dict[str, Any]:
    return {
        "snapshot": snapshot.id,
        "project": snapshot.project,
        "version": snapshot.version,
        "features": len(snapshot.features),
        "recorded": is_new,
        "store": address,
    }


def _to_table(graph: FeatureGraph, keys: Sequence[FeatureKey]) -> Table:
    from metaxy_core.graph.render.content import shortened

    table = printing.table()
    table.add_column("feature", no_wrap=True)
    table.add_column("version", no_wrap=True)
    has_costs = any(definition.spec.cost_per_record is not None for definition in graph)
    for name in ("fields", "deps", *(["cost per record"] if has_costs else []), "defined in"):
        table.add_column(name, overflow="fold")
    for definition in map(graph.__getitem__, keys):
        spec = definition.spec
        table.add_row(
            str(spec.key),
            shortened(graph.versions[spec.key].feature),
            ", ".join(map(str, spec.field_keys)),
            ", ".join(str(dep.feature) for dep in spec.deps),
            *([_cost(spec)] if has_costs else []),
            f"project {definition.project}" if definition.external else definition.origin,
        )
    return table


def _cost(spec: FeatureSpec) -> str:
    cost = spec.cost_per_record
    return "" if cost is None else f"{cost:.15g} {spec.cost_unit}".rstrip()
