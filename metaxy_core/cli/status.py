"""`metaxy status` says what is stored of each feature, and what there is to do."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
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
from metaxy_core.cli.printing import progress, show
from metaxy_core.cli.project import Project
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.selection import select
from metaxy_core.keys import FeatureKey
from metaxy_core.store.outline import shown_time

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from metaxy_core.store.base import MetadataStore
    from metaxy_core.store.commits import Commit
    from metaxy_core.store.progress import Progress


@dataclass(frozen=True)
class FeatureStatus:
    """A feature in a store.

    Attributes:
        feature: the feature.
        records: how many records are stored.
        progress: what there is to do and what is done; None for a root feature, which only its
            samples tell, and for another project's, which is that project's to tell.
        orphaned: how many records nothing calls for any more; None where ``progress`` is.
        last: the newest commit.
        external: the project it belongs to, where that is another one.
    """

    feature: FeatureKey
    records: int
    progress: Progress | None
    orphaned: int | None
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
    longer called for; blocked ones wait for something upstream; failing ones are new or stale and
    failed before. 'Done' is the share of the expected records that are up to date. What is new or
    stale of a feature without deps only its samples can tell, and of another project's feature
    only that project.
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
    plan, records, last = graph.plan(key), store.count(key), store.history(key).last
    external = plan.definition.project if plan.definition.external else None
    if external is not None or plan.is_root:
        return FeatureStatus(key, records, None, None, last, external)
    progress = store.progress(key)
    orphaned = progress.orphaned
    if orphaned and plan.expands:  # counted in parents there, and in records here
        orphaned = store.resolve_update(key).counts.orphaned
    return FeatureStatus(key, records, progress, orphaned, last)


# --------------------------------------------------------------------------- printing


def _to_json(found: Sequence[FeatureStatus]) -> str:
    return json.dumps([_to_object(status) for status in found], indent=2) + "\n"


def _to_object(status: FeatureStatus) -> dict[str, Any]:
    progress, last = status.progress, status.last
    return {
        "feature": str(status.feature),
        "records": status.records,
        "external": status.external,
        "needs_samples": progress is None and status.external is None,
        "expected": None if progress is None else progress.expected,
        "up_to_date": None if progress is None else progress.up_to_date,
        "new": None if progress is None else progress.new,
        "stale": None if progress is None else progress.stale,
        "orphaned": status.orphaned,
        "blocked": None if progress is None else progress.blocked,
        "failing": None if progress is None else progress.failing,
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
    table = printing.table()
    table.add_column("feature", no_wrap=True)
    table.add_column("records", justify="right", no_wrap=True)
    table.add_column("done", justify="right", no_wrap=True)
    table.add_column("to do")
    table.add_column("last commit (UTC)", overflow="fold")
    for status in found:
        done, last = _done(status.progress), _last(status.last)
        table.add_row(str(status.feature), str(status.records), done, _todo(status), last)
    return table


def _done(progress: Progress | None) -> str:
    """The share that is done; rounded down, so that 100 % means all."""
    return "" if progress is None else f"{math.floor(progress.share * 100)} %"


def _todo(status: FeatureStatus) -> Text:
    from rich.text import Text

    progress = status.progress
    if status.external is not None:
        return Text(f"left to project {status.external}", "dim")
    if progress is None:
        return Text("needs samples", "dim")
    counts = {
        "new": progress.new,
        "stale": progress.stale,
        "orphaned": status.orphaned,
        "blocked": progress.blocked,
        "failing": progress.failing,
    }
    parts = [f"{count} {kind}" for kind, count in counts.items() if count]
    return Text(", ".join(parts), "yellow") if parts else Text("nothing", "green")


def _last(commit: Commit | None) -> Text:
    from rich.text import Text

    if commit is None:
        return Text("never written")
    at = shown_time(commit.created_at)
    by = f" by {commit.materialization_id}" if commit.materialization_id else ""
    return Text(f"{commit.id} at {at}{by}")
