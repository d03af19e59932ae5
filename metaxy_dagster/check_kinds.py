"""What is checked of a feature: each kind of check judges a state and says what to do next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from heapq import nlargest
from typing import Any, Final, Literal

from metaxy_core import system_columns as sc
from metaxy_dagster.check_state import SHOWN, State, Verdict, ids_of, shown
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.run_metadata import ROW_COUNT

_LONGEST_ERROR: Final = 200


# --------------------------------------------------------------------------- what there is to do


def increment_empty(state: State) -> Verdict:
    """Nothing is left to be computed."""
    counts, changes, failing = state.increment.counts, state.increment.changes, state.failing
    found: dict[str, Any] = {
        "metaxy/new": counts.new,
        "metaxy/stale": counts.stale,
        "metaxy/failing": failing,
    }
    if not counts.to_process:
        but = f", but for {failing} records that fail" if failing else ""
        return Verdict.fine(f"Nothing is new or stale{but}.", found)
    ids = state.to_process_ids()
    fields = ", ".join(f"{name} {count}" for name, count in sorted(changes.items()))
    text = f"{counts.new} new and {counts.stale} stale{f' ({fields})' if fields else ''} records"
    if changes:
        found["metaxy/changed_fields"] = changes
    return Verdict.wrong(
        f"{text} are left, such as {_listing(ids)}. Materialize {state.feature!s}; where a run has "
        f"a limit, as often as it takes.",
        {**found, "metaxy/ids": ids},
    )


def orphans_below_threshold(state: State) -> Verdict:
    """Few enough records are stored that nothing calls for."""
    orphaned, limit = state.increment.counts.orphaned, state.limits.max_orphans
    records = state.records
    share = orphaned / records if records else 0.0
    passed = (share if isinstance(limit, float) else orphaned) <= limit
    allowed = f"{limit:.1%}" if isinstance(limit, float) else str(limit)
    found: dict[str, Any] = {
        "metaxy/orphaned": orphaned,
        "metaxy/orphaned_share": share,
        "metaxy/max_orphans": limit,
        ROW_COUNT: records,
    }
    text = f"{orphaned} of {records} records ({share:.1%}) are orphaned, {allowed} allowed"
    if orphaned:
        ids = ids_of(state.increment.orphaned, state.feature.spec.id_columns)
        found["metaxy/ids"] = ids
        text += f"; such as {_listing(ids)}"
    if passed:
        return Verdict.fine(f"{text}.", found)
    return Verdict.wrong(
        f"{text}. Delete them with delete_orphans_job, or let runs do it: "
        f"@metaxify(..., orphans='delete').",
        found,
    )


def nothing_blocked(state: State) -> Verdict:
    """Nothing waits for an upstream feature that was computed by outdated code."""
    blocked = state.increment.counts.blocked
    found = {"metaxy/blocked": blocked}
    if not blocked:
        return Verdict.fine("Nothing is blocked.", found)
    upstream = ", ".join(str(dep.feature) for dep in state.feature.plan.deps)
    return Verdict.wrong(
        f"{blocked} records wait until their upstream is recomputed by its current code. "
        f"Materialize {upstream}, then {state.feature!s}; or rebase what was only refactored.",
        found,
    )


def nothing_failing(state: State) -> Verdict:
    """Nothing failed as often as runs try it."""
    failing, limit = state.failing, state.limits.max_attempts
    found: dict[str, Any] = {"metaxy/failing": failing, "metaxy/max_attempts": limit}
    if not failing:
        return Verdict.fine(f"No record failed {limit} time(s) or more.", found)
    rows = nlargest(SHOWN, state.failures(), key=lambda row: row[sc.FAILED_AT])
    ids = [shown(tuple(row[name] for name in state.feature.plan.grain)) for row in rows]
    errors = [row[sc.ERROR][:_LONGEST_ERROR] for row in rows]
    found["metaxy/last_errors"] = dict(zip(ids, errors, strict=True))
    return Verdict.wrong(
        f"{failing} records failed {limit} time(s) or more; the last to fail: {_listing(ids)}. "
        f"Read store.failures({str(state.feature)!r}), correct the cause, and bump the code "
        f"version of the field, which makes the next run of {state.feature!s} try them again.",
        found,
    )


# --------------------------------------------------------------------------- what is stored


def ids_unique(state: State) -> Verdict:
    """Every live record has an id of its own."""
    found = state.integrity
    metadata: dict[str, Any] = {
        ROW_COUNT: found.records,
        "metaxy/repeated_ids": found.repeated,
        "metaxy/null_ids": found.null_ids,
    }
    if not (found.repeated or found.null_ids):
        return Verdict.fine(f"Each of {found.records} records has an id of its own.", metadata)
    ids = [shown(id_) for id_ in found.repeated_ids]
    metadata["metaxy/ids"] = ids
    such = f" (such as {_listing(ids)})" if ids else ""
    return Verdict.wrong(
        f"{found.repeated} ids{such} have several live records, and {found.null_ids} records have "
        f"a NULL id. Something wrote to table {state.feature.definition.table!r} past the store; "
        f"erase these records with store.delete(..., hard=True) and materialize "
        f"{state.feature!s}.",
        metadata,
    )


def schema_as_declared(state: State) -> Verdict:
    """The columns of the table are those of the definition."""
    wrong = state.integrity.columns
    metadata: dict[str, Any] = {"metaxy/columns": len(wrong)}
    if not wrong:
        return Verdict.fine("Columns and types are as declared.", metadata)
    metadata["metaxy/mismatches"] = [str(each) for each in wrong]
    return Verdict.wrong(
        f"Of table {state.feature.definition.table!r}, {'; '.join(map(str, wrong))}. A column that "
        f"was declared since comes with the next write of {state.feature!s}; one whose type "
        f"changed needs another name.",
        metadata,
    )


def provenance_complete(state: State) -> Verdict:
    """Every record says what it was computed from, field by field, and in which commit."""
    found = state.integrity
    metadata: dict[str, Any] = {
        ROW_COUNT: found.records,
        "metaxy/incomplete": found.incomplete,
    }
    if not found.incomplete:
        return Verdict.fine(f"All of {found.records} records have their provenance.", metadata)
    ids = [shown(id_) for id_ in found.incomplete_ids]
    metadata["metaxy/ids"] = ids
    missing = [f"field {key}: {count}" for key, count in found.without_provenance.items()]
    if found.unrecorded:
        missing.append(f"commit: {found.unrecorded}")
    return Verdict.wrong(
        f"{found.incomplete} records lack provenance ({', '.join(missing)}), such as "
        f"{_listing(ids)}. Records from before a field was added get it when "
        f"{state.feature!s} is materialized; others were written past the store.",
        metadata,
    )


def _listing(ids: Iterable[str]) -> str:
    return "; ".join(ids) if any("," in id_ for id_ in ids) else ", ".join(ids)


# --------------------------------------------------------------------------- the kinds


Needs = Literal["table", "failures", "increment", "deps"]


@dataclass(frozen=True)
class CheckKind:
    """One kind of check.

    Attributes:
        judge: finds out; its docstring is what Dagster shows of the check.
        needs: the table alone, kept failures, an increment (and so a root's samples), or deps.
    """

    judge: Callable[[State], Verdict]
    needs: Needs

    @property
    def description(self) -> str:
        """What it makes sure of."""
        return (self.judge.__doc__ or "").strip()

    @property
    def is_error(self) -> bool:
        """Whether what it finds has no place in normal operation."""
        return self.needs == "table"

    def why_not(self, feature: FeatureName, *, has_samples: bool) -> str | None:
        """Why it says nothing of a feature, or None where it does."""
        if self.needs == "table":
            return None
        if feature.definition.external:
            return "it is another project's, which checks it there"
        if self.needs == "deps" and feature.plan.is_root:
            return "it has no deps that it could wait for"
        if self.needs == "increment" and feature.plan.is_root and not has_samples:
            return "it is a root, and samples= does not have what should exist"
        return None


KINDS: Final[Mapping[str, CheckKind]] = {
    "increment_empty": CheckKind(increment_empty, "increment"),
    "orphans_below_threshold": CheckKind(orphans_below_threshold, "increment"),
    "nothing_blocked": CheckKind(nothing_blocked, "deps"),
    "nothing_failing": CheckKind(nothing_failing, "failures"),
    "ids_unique": CheckKind(ids_unique, "table"),
    "schema_as_declared": CheckKind(schema_as_declared, "table"),
    "provenance_complete": CheckKind(provenance_complete, "table"),
}
