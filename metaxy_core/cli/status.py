"""`metaxy status` says what is stored of each feature, and what there is to do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer  # noqa: TC002 - read at run time

from metaxy_core.cli.options import (
    ConfigOption,
    EntrypointOption,
    JsonOption,
    SelectionArgument,
    StoreOption,
)
from metaxy_core.cli.printing import progress, show
from metaxy_core.cli.project import Project
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.selection import select
from metaxy_core.keys import FeatureKey

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from metaxy_core.store.base import MetadataStore
    from metaxy_core.store.catalog import Commit
    from metaxy_core.store.increment import Counts


@dataclass(frozen=True)
class FeatureStatus:
    """A feature in a store.

    Attributes:
        feature: the feature.
        records: how many records are stored.
        counts: what there is to do; None for a root feature, which only its samples tell, and for
            another project's, which is that project's to tell.
        last: the newest commit.
        external: the project it belongs to, where that is another one.
    """

    feature: FeatureKey
    records: int
    counts: Counts | None
    last: Commit | None
    external: str | None = None


def status(
    context: typer.Context,
    selection: SelectionArgument = None,
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    entrypoint: EntrypointOption = None,
) -> None:
    """Show how many records are stored, new, stale, orphaned and blocked, and the last commit.

    New records are to be computed for the first time and stale ones again; orphaned ones are no
    longer called for; blocked ones wait for something upstream. What is new or stale of a feature
    without deps only its samples can tell, and of another project's feature only that project.
    """
    project = Project.from_options(context, config, store, entrypoint)
    with project.features() as graph, project.open_store() as opened:
        found = _statuses(opened, graph, select(graph, *selection or ()))
    show(_to_json(found) if as_json else _to_table(found))


def _statuses(
    store: MetadataStore, graph: FeatureGraph, keys: Sequence[FeatureKey]
) -> list[FeatureStatus]:
    found = []
    with progress("Comparing", len(keys)) as begin:
        for key in keys:
            begin(key)
            found.append(_feature_status(store, graph, key))
    return found


def _feature_status(store: MetadataStore, graph: FeatureGraph, key: FeatureKey) -> FeatureStatus:
    definition = graph[key]
    is_told = not definition.external and not definition.spec.is_root
    counts = store.resolve_update(key).counts if is_told else None
    external = definition.project if definition.external else None
    return FeatureStatus(key, store.count(key), counts, store.history(key).last, external)


# --------------------------------------------------------------------------- printing


def _to_json(found: Sequence[FeatureStatus]) -> str:
    return json.dumps([_to_object(status) for status in found], indent=2) + "\n"


def _to_object(status: FeatureStatus) -> dict[str, Any]:
    counts, last = status.counts, status.last
    return {
        "feature": str(status.feature),
        "records": status.records,
        "external": status.external,
        "needs_samples": counts is None and status.external is None,
        "new": None if counts is None else counts.new,
        "stale": None if counts is None else counts.stale,
        "orphaned": None if counts is None else counts.orphaned,
        "blocked": None if counts is None else counts.blocked,
        "last_commit": None
        if last is None
        else {
            "id": last.id,
            "operation": last.operation,
            "rows": last.rows,
            "created_at": last.created_at.isoformat(),
            "materialization_id": last.materialization_id,
        },
    }


def _to_table(found: Sequence[FeatureStatus]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("feature", no_wrap=True)
    table.add_column("records", justify="right", no_wrap=True)
    table.add_column("to do")
    table.add_column("last commit (UTC)", overflow="fold")
    for status in found:
        todo, last = _todo(status), _last(status.last)
        table.add_row(str(status.feature), str(status.records), todo, last)
    return table


def _todo(status: FeatureStatus) -> Text:
    from rich.text import Text

    counts = status.counts
    if status.external is not None:
        return Text(f"left to project {status.external}", "dim")
    if counts is None:
        return Text("needs samples", "dim")
    kinds = ("new", "stale", "orphaned", "blocked")
    parts = [f"{getattr(counts, kind)} {kind}" for kind in kinds if getattr(counts, kind)]
    return Text(", ".join(parts), "yellow") if parts else Text("nothing", "green")


def _last(commit: Commit | None) -> Text:
    from rich.text import Text

    if commit is None:
        return Text("never written")
    at = commit.created_at.strftime("%Y-%m-%d %H:%M:%S")
    by = f" by {commit.materialization_id}" if commit.materialization_id else ""
    return Text(f"{commit.id} at {at}{by}")
