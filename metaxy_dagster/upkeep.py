"""The work of maintenance ops: feature by feature, told in the log as it goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from metaxy_core.errors import MigrationRefused
from metaxy_core.store.arguments import typed_span
from metaxy_core.store.base import MetadataStore
from metaxy_core.store.migrating import Migration
from metaxy_core.store.rebasing import Rebase
from metaxy_dagster.errors import InvalidOptions
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.reporting import report_changed, report_observed
from metaxy_dagster.scope import Scope
from metaxy_dagster.targets import Target


@dataclass
class Upkeep:
    """One run of a maintenance op.

    Attributes:
        context: of the op.
        store: the store.
        scope: which features there are, and which assets hold them.
        features: those that the run is about, upstream before downstream.
        rows: what was found and done, a row for each feature.
    """

    context: dg.OpExecutionContext
    store: MetadataStore
    scope: Scope
    features: Sequence[FeatureName]
    rows: list[dict[str, Any]] = field(default_factory=list)

    def each(self) -> Iterator[tuple[FeatureName, Sequence[Target]]]:
        """The features with their assets."""
        for feature in self.features:
            yield feature, self.scope.assets[feature]

    def note(self, feature: FeatureName, **found: Any) -> None:
        """Keep what was found of a feature, and say it in the log."""
        self.rows.append({"feature": str(feature), **found})
        told = ", ".join(f"{name} {value}" for name, value in found.items() if value != "")
        place = (len(self.rows), len(self.features))
        self.context.log.info("%s, %s of %s: %s.", feature, *place, told)

    def total(self, name: str) -> int:
        """The sum of a number over all features."""
        return sum(row.get(name) or 0 for row in self.rows)

    def metadata(self, *totals: str, dry_run: bool | None = None) -> dict[str, Any]:
        """What the op's output says: totals as plain numbers, and a table of the features."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        records = [
            dg.TableRecord({name: _cell(row.get(name)) for name in names}) for row in self.rows
        ]
        schema = dg.TableSchema([dg.TableColumn(name) for name in names])
        found: dict[str, Any] = {f"metaxy/{name}": self.total(name) for name in totals}
        if dry_run is not None:
            found["metaxy/dry_run"] = dry_run
        if records:
            found["metaxy/features"] = dg.MetadataValue.table(records, schema)
        return found


def _cell(value: Any) -> str | int | float | bool:
    return "" if value is None else value


def delete_orphans(
    upkeep: Upkeep, *, dry_run: bool, max_share: float, hard: bool
) -> dict[str, Any]:
    """Delete the orphaned records of each feature, but for features that lose too many.

    Raises:
        dagster.Failure: there were such features; the others are done.
    """
    refused: list[str] = []
    for feature, assets in upkeep.each():
        why_not = upkeep.scope.why_not_compared(feature)
        if why_not is not None:
            upkeep.note(feature, orphaned=None, deleted=0, note=why_not)
            continue
        increment = upkeep.store.resolve_update(feature, upkeep.scope.samples.of_root(feature))
        orphaned, records = increment.counts.orphaned, upkeep.store.count(feature)
        deleted, note = 0, ""
        if orphaned > max_share * records:
            note = f"more than {max_share:.0%} of {records} records"
            refused.append(f"{feature!s} ({orphaned} of {records})")
        elif orphaned and not dry_run:
            commit = upkeep.store.delete(
                feature,
                increment.orphaned,
                hard=hard,
                materialization_id=upkeep.context.run_id,
            )
            deleted = 0 if commit is None else orphaned
            commits = [] if commit is None else [commit.id]
            done = {"metaxy/deleted": deleted, "metaxy/commits": commits}
            report_changed(upkeep.context, assets, upkeep.store, done)
        upkeep.note(feature, orphaned=orphaned, deleted=deleted, note=note)
    metadata = upkeep.metadata("orphaned", "deleted", dry_run=dry_run)
    if refused and not dry_run:
        raise dg.Failure(
            f"{upkeep.scope.name} left the orphans of {', '.join(refused)} alone: they are more "
            f"than max_share={max_share} of the stored records, as when an upstream feature lost "
            f"records by mistake. Look at them with `metaxy status`, then run again with a larger "
            f"max_share. Other features are done.",
            metadata=metadata,
            allow_retries=False,
        )
    return metadata


def compact(upkeep: Upkeep, *, dry_run: bool, keep: str, at_least: int) -> dict[str, Any]:
    """Erase the history of each feature that is older than what is kept.

    Raises:
        InvalidOptions: ``keep`` is neither a span, a time nor the id of a commit.
    """
    try:
        kept = typed_span(keep)
    except ValueError as error:
        raise InvalidOptions(
            f"{upkeep.scope.name} has keep={keep!r}, and {error}; a span is written as in 30d or "
            f"12h, and 0d keeps only the present state. Nothing was erased."
        ) from error
    for feature, assets in upkeep.each():
        if feature.definition.external:
            upkeep.note(feature, rows=None, erased=0, note="another project's")
            continue
        rows, erased = upkeep.store.compactable(feature, keep_history=kept), 0
        few = rows < at_least
        if not (few or dry_run):
            commit = upkeep.store.compact(
                feature, keep_history=kept, materialization_id=upkeep.context.run_id
            )
            erased = 0 if commit is None else commit.rows
            report_observed(upkeep.context, assets, upkeep.store, {"metaxy/erased": erased})
        upkeep.note(feature, rows=rows, erased=erased, note=f"fewer than {at_least}" if few else "")
    return upkeep.metadata("rows", "erased", dry_run=dry_run)


def observe(upkeep: Upkeep, *, increments: bool) -> dict[str, Any]:
    """Report the data version and the counts of each feature."""
    store = upkeep.store
    for feature, assets in upkeep.each():
        history = store.history(feature)
        found: dict[str, Any] = {"commits": history.commits}
        if increments and upkeep.scope.why_not_compared(feature) is None:
            counts = store.resolve_update(feature, upkeep.scope.samples.of_root(feature)).counts
            found |= {
                "new": counts.new,
                "stale": counts.stale,
                "orphaned": counts.orphaned,
                "blocked": counts.blocked,
            }
        metadata = {f"metaxy/{name}": value for name, value in found.items()}
        if history.last is not None:
            metadata["metaxy/last_commit"] = history.last.id
            metadata["metaxy/last_commit_at"] = dg.MetadataValue.timestamp(history.last.created_at)
        report_observed(upkeep.context, assets, store, metadata)
        upkeep.note(feature, records=store.count(feature), **found)
    return upkeep.metadata("records", "new", "stale", "orphaned", "blocked")


def rebase(
    upkeep: Upkeep, *, dry_run: bool, fields: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Restamp the records of each feature whose definition was only refactored.

    Raises:
        MigrationRefused: a feature cannot be rebased as asked; nothing was changed.
    """
    scope, context = upkeep.scope, upkeep.context
    names = {feature.key: feature for feature in upkeep.features}
    graph, keys = scope.graph, list(names)
    wanted: dict[str, Any] = {
        "features": keys,
        "fields": {graph[name].key: given for name, given in fields.items()},
        "samples": {
            key: scope.samples.of_root(names[key]) for key in keys if names[key] in scope.samples
        },
    }
    found = upkeep.store.plan_migration(graph, **wanted)
    for key, reason in found.refused.items():
        context.log.warning("%s: %s", key, reason)
    if not dry_run:
        if found.refused:
            raise MigrationRefused.from_reasons(list(found.refused.values()))
        begin = _begin(context, found)
        run = context.run_id
        found = upkeep.store.migrate(graph, **wanted, materialization_id=run, begin=begin)
    upkeep.features = [names[each.feature] for each in found.rebases]
    for each in found.rebases:
        feature = names[each.feature]
        done = 0 if each.commit is None else each.records
        if each.commit is not None:
            _report_rebased(upkeep, feature, each)
        upkeep.note(feature, to_restamp=each.records, restamped=done, left=each.left)
    for key, reason in found.refused.items():
        upkeep.rows.append({"feature": str(key), "note": reason})
    return upkeep.metadata("to_restamp", "restamped", "left", dry_run=dry_run)


def _begin(context: dg.OpExecutionContext, found: Migration) -> Any:
    def begin(key: object) -> None:
        context.log.info("Rebasing %s, one of %s.", key, len(found.to_do))

    return begin


def _report_rebased(upkeep: Upkeep, feature: FeatureName, done: Rebase) -> None:
    metadata: dict[str, Any] = {
        "metaxy/restamped": done.records,
        "metaxy/left": done.left,
        "metaxy/commits": [] if done.commit is None else [done.commit.id],
    }
    assets = upkeep.scope.assets[feature]
    if done.left:
        report_observed(upkeep.context, assets, upkeep.store, metadata)
    else:
        report_changed(upkeep.context, assets, upkeep.store, metadata, is_current_code=True)
