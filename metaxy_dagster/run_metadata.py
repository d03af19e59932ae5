"""A materialization leads on to where its records are, to its commits, and to what is upstream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import dagster as dg

from metaxy_core.store.base import MetadataStore
from metaxy_core.store.commits import Commit
from metaxy_dagster.feature_name import FeatureName

ROW_COUNT: Final = "dagster/row_count"
URI: Final = "dagster/uri"
STORAGE_KIND: Final = "dagster/storage_kind"
_SHOWN: Final = 20
_NONE: Final = "none"


def place_metadata(feature: FeatureName, store: MetadataStore) -> dict[str, Any]:
    """Where a feature's records are.

    Args:
        feature: the feature.
        store: the store.
    """
    return {
        URI: table_uri(store, feature.definition.table),
        STORAGE_KIND: store.kind,
        "metaxy/store": store.address,
    }


def table_uri(store: MetadataStore, table: str) -> str:
    """A table's address: the kind of database, where it is, and the table's name.

    Args:
        store: the store.
        table: the table.
    """
    if "://" in store.address:
        return f"{store.address}#{table}"
    path = Path(store.address).resolve().as_uri().removeprefix("file:")
    return f"{store.kind}:{path}#{table}"


def commit_metadata(
    feature: FeatureName, store: MetadataStore, commits: Sequence[Commit]
) -> dict[str, Any]:
    """The commits of a run, and those that its records and their upstream ones are the state of.

    Args:
        feature: the feature.
        store: the store, after the run.
        commits: what the run wrote.
    """
    upstream = feature.upstream
    histories = store.histories(feature, *upstream)
    last = histories[feature.key].last_change
    state = {} if last is None else {"metaxy/state_commit": last.id, **_run_of(last)}
    found = {"metaxy/commits": [commit.id for commit in commits], **state}
    if commits:
        rows = [_commit_row(commit) for commit in commits[-_SHOWN:]]
        found["metaxy/commit_table"] = _table(rows)
    if upstream:
        rows = [_upstream_row(each, histories[each.key].last_change) for each in upstream]
        found["metaxy/upstream"] = _table(rows)
    return found


def _run_of(commit: Commit) -> dict[str, Any]:
    """A link to the run that did a commit, where it was one of this Dagster's."""
    run = commit.materialization_id
    if run is None or not dg.OpExecutionContext.get().instance.has_run(run):
        return {}
    return {"metaxy/state_run": dg.MetadataValue.dagster_run(run)}


def _commit_row(commit: Commit) -> dict[str, Any]:
    return {
        "commit": commit.id,
        "records": commit.rows,
        "new": commit.rows - commit.superseded,
        "replaced": commit.superseded,
        "feature_version": commit.feature_version,
        "at": commit.created_at.isoformat(timespec="seconds"),
    }


def _upstream_row(upstream: FeatureName, last: Commit | None) -> dict[str, Any]:
    """In which state an upstream feature was, by its last change."""
    return {
        "feature": str(upstream),
        "code_version": upstream.versions.code,
        "feature_version": _NONE if last is None else last.feature_version,
        "commit": _NONE if last is None else str(last.id),
        "at": _NONE if last is None else last.created_at.isoformat(timespec="seconds"),
        "run": _NONE if last is None else (last.materialization_id or _NONE),
    }


def _table(rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    return dg.MetadataValue.table([dg.TableRecord(dict(row)) for row in rows])
