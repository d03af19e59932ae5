"""`metaxy history` shows what was pushed to a store, or the commits of one feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from metaxy_core.cli import printing
from metaxy_core.cli.options import ConfigOption, JsonOption, StoreOption
from metaxy_core.cli.printing import show, tell
from metaxy_core.cli.project import Project
from metaxy_core.cli.values import to_document
from metaxy_core.errors import UnknownProject
from metaxy_core.store.outline import shown_time

if TYPE_CHECKING:
    from rich.table import Table

    from metaxy_core.store.base import MetadataStore
    from metaxy_core.store.commits import Commit
    from metaxy_core.store.snapshots import RecordedSnapshot, SnapshotChanges

    Pushed = tuple[RecordedSnapshot, SnapshotChanges]

_KINDS = ("added", "removed", "changed", "edited")


def history(
    context: typer.Context,
    feature: Annotated[
        str | None, typer.Argument(help="Key of a feature, to see its commits instead.")
    ] = None,
    *,
    of_project: Annotated[
        str | None,
        typer.Option(
            "--project", metavar="NAME", help="A project, instead of that of metaxy.toml."
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="The snapshots of all projects.")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="At most so many.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Show the project's snapshots with what each of them changed, or a feature's commits.

    Newest first. A feature is changed where its version moved, and edited where it is only
    described differently.
    """
    project = Project.from_options(context, config, store, None)
    if feature is not None and (every or of_project is not None):
        raise typer.BadParameter("commits are of a feature; leave --project and --all out")
    with project.open_store() as opened:
        if feature is not None:
            commits = opened.commits(feature, limit)
            show(_commits_to_json(commits) if as_json else _commits_to_table(commits))
            return
        whose = project.config.project if of_project is None else of_project
        found = _pushed(opened, None if every else whose)[:limit]
        if of_project and not found:
            known = sorted({snapshot.project for snapshot in opened.snapshots()})
            raise UnknownProject.from_known(of_project, opened.address, known)
        if not found:
            tell(f"The store {opened.address} has no snapshot yet; `metaxy push` records one.")
    show(_snapshots_to_json(found) if as_json else _snapshots_to_table(found))


def _pushed(store: MetadataStore, project: str | None) -> list[Pushed]:
    """Snapshots with what they changed against the one of their project before, newest first."""
    last: dict[str, RecordedSnapshot] = {}
    found: list[Pushed] = []
    for snapshot in store.snapshots(project):
        found.append((snapshot, snapshot.changes_since(last.get(snapshot.project))))
        last[snapshot.project] = snapshot
    return found[::-1]


# --------------------------------------------------------------------------- printing


def _snapshots_to_json(found: Sequence[Pushed]) -> str:
    return to_document(
        [
            {
                "number": snapshot.id,
                "version": snapshot.version,
                "recorded_at": snapshot.recorded_at.isoformat(),
                "project": snapshot.project,
                "features": len(snapshot.features),
                **{kind: list(getattr(changes, kind)) for kind in _KINDS},
            }
            for snapshot, changes in found
        ]
    )


def _snapshots_to_table(found: Sequence[Pushed]) -> Table:
    table = _table("number", "version", "time (UTC)", "project", folded="changes")
    for snapshot, changes in found:
        table.add_row(
            str(snapshot.id),
            snapshot.version,
            shown_time(snapshot.recorded_at),
            snapshot.project or "-",
            _changes(changes),
        )
    return table


def _changes(changes: SnapshotChanges) -> str:
    kinds = [(kind, getattr(changes, kind)) for kind in _KINDS]
    return "; ".join(f"{kind} {', '.join(keys)}" for kind, keys in kinds if keys) or "nothing"


def _commits_to_json(commits: Sequence[Commit]) -> str:
    return to_document([_commit_to_json(commit) for commit in commits])


def _commit_to_json(commit: Commit) -> dict[str, object]:
    shown = asdict(commit)
    del shown["checksum"]  # it means something to the store alone
    return {
        **shown,
        "feature": str(commit.feature),
        "created_at": commit.created_at.isoformat(),
    }


def _commits_to_table(commits: Sequence[Commit]) -> Table:
    names = ("commit", "operation", "rows", "superseded", "deleted", "time (UTC)")
    table = _table(*names, folded="materialization")
    for commit in commits:
        table.add_row(
            str(commit.id),
            commit.operation,
            str(commit.rows),
            str(commit.superseded),
            str(commit.deleted),
            shown_time(commit.created_at),
            commit.materialization_id or "-",
        )
    return table


def _table(*names: str, folded: str) -> Table:
    table = printing.table()
    for name in names:
        table.add_column(name, no_wrap=True)
    table.add_column(folded, overflow="fold")
    return table
