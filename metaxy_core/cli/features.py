"""`metaxy list` shows the features that the code defines, and `metaxy push` records them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer  # noqa: TC002 - read at run time

from metaxy_core.cli.options import ConfigOption, EntrypointOption, JsonOption, StoreOption
from metaxy_core.cli.printing import show
from metaxy_core.cli.project import Project
from metaxy_core.cli.values import to_document

if TYPE_CHECKING:
    from rich.table import Table

    from metaxy_core.definition import FeatureDefinition
    from metaxy_core.graph.graph import FeatureGraph
    from metaxy_core.store.definitions import RecordedSnapshot


def list_features(
    context: typer.Context,
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    entrypoint: EntrypointOption = None,
) -> None:
    """List the features with their versions, fields and deps, and where they are defined."""
    with Project.from_options(context, config, store, entrypoint).features() as graph:
        if as_json:
            show(to_document([_to_object(graph, definition) for definition in graph]))
        else:
            show(_to_table(graph))


def push(
    context: typer.Context,
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    entrypoint: EntrypointOption = None,
) -> None:
    """Record the features in the store, so that later code can be compared with them.

    Nothing is recorded where nothing changed since the last push.
    """
    project = Project.from_options(context, config, store, entrypoint)
    with project.features() as graph, project.open_store() as opened:
        known = len(opened.snapshots())
        snapshot = opened.push(graph)
        is_new = snapshot.id > known
        if as_json:
            show(to_document(_recorded(snapshot, opened.address, is_new=is_new)))
            return
        done = "Recorded" if is_new else "Nothing changed since"
        show(
            f"{done} snapshot {snapshot.id}, version {snapshot.version}, "
            f"with {len(snapshot.features)} features, in {opened.address}.\n"
        )


def _to_object(graph: FeatureGraph, definition: FeatureDefinition) -> dict[str, Any]:
    return {
        "key": str(definition.key),
        "version": graph.versions[definition.key].feature,
        "fields": [str(field) for field in definition.spec.field_keys],
        "deps": [str(dep.feature) for dep in definition.spec.deps],
        "defined_in": definition.origin,
    }


def _recorded(snapshot: RecordedSnapshot, address: str, *, is_new: bool) -> dict[str, Any]:
    return {
        "snapshot": snapshot.id,
        "version": snapshot.version,
        "features": len(snapshot.features),
        "recorded": is_new,
        "store": address,
    }


def _to_table(graph: FeatureGraph) -> Table:
    from rich.table import Table

    from metaxy_core.graph.render.content import shortened

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("feature", no_wrap=True)
    table.add_column("version", no_wrap=True)
    for name in ("fields", "deps", "defined in"):
        table.add_column(name, overflow="fold")
    for definition in graph:
        spec = definition.spec
        table.add_row(
            str(spec.key),
            shortened(graph.versions[spec.key].feature),
            ", ".join(map(str, spec.field_keys)),
            ", ".join(str(dep.feature) for dep in spec.deps),
            definition.origin,
        )
    return table
