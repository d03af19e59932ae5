"""Everything that Dagster shows of a feature is made here, by pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from metaxy_core import system_columns as sc
from metaxy_core.definition import FeatureDefinition
from metaxy_core.graph.plan import DepPlan, FeaturePlan
from metaxy_core.keys import FeatureKey
from metaxy_core.specs.column import ColumnSpec
from metaxy_core.store.base import MetadataStore
from metaxy_core.store.schema import arrow_type
from metaxy_dagster.feature_name import FEATURE, FeatureName
from metaxy_dagster.outcome import Outcome
from metaxy_dagster.previews import markdown_table
from metaxy_dagster.run_metadata import ROW_COUNT, commit_metadata, place_metadata
from metaxy_dagster.slicing import stored_count

if TYPE_CHECKING:
    import pyarrow as pa

FEATURE_VERSION: Final = "metaxy/feature_version"
COLUMN_SCHEMA: Final = "dagster/column_schema"
COLUMN_LINEAGE: Final = "dagster/column_lineage"
TABLE_NAME: Final = "dagster/table_name"
CLAIMED: Final = "metaxy/claimed"

_VERSION_TYPE = "int64"
_UNKNOWN_TYPE = "any"

AssetKeyOf = Callable[[FeatureKey], dg.AssetKey]


# --------------------------------------------------------------------------- definitions


def definition_metadata(feature: FeatureName, asset_key_of: AssetKeyOf) -> dict[str, Any]:
    """What an asset's page shows before anything ran.

    Args:
        feature: the feature.
        asset_key_of: the asset key of any feature.
    """
    return {
        FEATURE: feature,
        FEATURE_VERSION: feature.versions.feature,
        "metaxy/fields": fields_table(feature),
        TABLE_NAME: feature.definition.table,
        COLUMN_SCHEMA: column_schema(feature.definition),
        **_lineage(column_lineage(feature.plan, asset_key_of)),
    }


def fields_table(feature: FeatureName) -> dg.TableMetadataValue:
    """One row per field: code version, static version, and the upstream fields it reads."""
    versions = feature.versions.fields
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord(
                {
                    "field": str(field.key),
                    "code_version": field.code_version,
                    "version": versions[field.key],
                    "reads": ", ".join(map(str, field.reads)) or ", ".join(field.version_from),
                }
            )
            for field in feature.plan.fields
        ],
        schema=dg.TableSchema(
            [dg.TableColumn(name) for name in ("field", "code_version", "version", "reads")]
        ),
    )


def column_schema(definition: FeatureDefinition, stored: pa.Schema | None = None) -> dg.TableSchema:
    """The columns of a feature's table: ids, the user's columns, and the version of each field.

    Args:
        definition: the feature.
        stored: the columns in the store, whose types go before the declared ones.
    """
    types = {} if stored is None else {item.name: str(item.type) for item in stored}
    ids = definition.spec.id_columns
    declared = [column.name for column in definition.value_columns]
    further = [name for name in types if name not in (*ids, *declared) and not sc.is_reserved(name)]
    return dg.TableSchema(
        [
            *(_id_column(definition, name, types) for name in ids),
            *(_value_column(column, types) for column in definition.value_columns),
            *(dg.TableColumn(name, types[name]) for name in further),
            *(
                dg.TableColumn(
                    sc.provenance(field),
                    _VERSION_TYPE,
                    description=f"Version of what field '{field}' was computed from.",
                    constraints=dg.TableColumnConstraints(nullable=False),
                )
                for field in definition.spec.field_keys
            ),
        ]
    )


def column_lineage(plan: FeaturePlan, asset_key_of: AssetKeyOf) -> dg.TableColumnLineage:
    """From which upstream columns ids, carried columns and field versions come."""
    found: dict[str, list[dg.TableColumnDep]] = defaultdict(list)
    for dep in plan.deps:
        for there, here in (*dep.ids, *_carried(plan.definition, dep)):
            found[here].append(dg.TableColumnDep(asset_key_of(dep.feature), there))
    for field in plan.fields:
        for read in field.reads:
            found[sc.provenance(field.key)].append(
                dg.TableColumnDep(asset_key_of(read.feature), sc.provenance(read.field))
            )
    return dg.TableColumnLineage(dict(found))


def _lineage(lineage: dg.TableColumnLineage) -> dict[str, Any]:
    return {COLUMN_LINEAGE: lineage} if lineage.deps_by_column else {}


def _carried(definition: FeatureDefinition, dep: DepPlan) -> Sequence[tuple[str, str]]:
    """The columns that a dep brings and the feature stores, as far as definitions tell."""
    ids = {there for there, _ in dep.ids}
    renamed = tuple((there, here) for there, here in dep.rename if there not in ids)
    pairs = renamed if dep.columns is None else dep.columns
    if definition.has_open_columns:
        return pairs
    return [(there, here) for there, here in pairs if definition.column(here) is not None]


def _id_column(
    definition: FeatureDefinition, name: str, types: Mapping[str, str]
) -> dg.TableColumn:
    declared = definition.column(name)
    kind = _UNKNOWN_TYPE if declared is None else _declared_type(declared)
    return dg.TableColumn(
        name,
        types.get(name, kind),
        description=(declared and declared.description) or "Identifies the record.",
        constraints=dg.TableColumnConstraints(
            nullable=False, unique=len(definition.spec.id_columns) == 1
        ),
    )


def _value_column(column: ColumnSpec, types: Mapping[str, str]) -> dg.TableColumn:
    return dg.TableColumn(
        column.name,
        types.get(column.name, _declared_type(column)),
        description=column.description,
        constraints=dg.TableColumnConstraints(nullable=column.nullable),
    )


def _declared_type(column: ColumnSpec) -> str:
    kind = arrow_type(column.type)
    return _UNKNOWN_TYPE if kind is None else str(kind)


# --------------------------------------------------------------------------- materializations


def materialization_metadata(
    feature: FeatureName,
    store: MetadataStore,
    outcome: Outcome,
    lineage: dg.TableColumnLineage,
) -> dict[str, Any]:
    """What a run did, for the materialization: counts as plain numbers, so that Dagster plots them.

    Args:
        feature: the feature.
        store: the store, for what it holds after the run.
        outcome: what the run did.
        lineage: where the feature's columns come from.
    """
    part, stored = outcome.tally.request.part, _stored_columns(feature, store)
    rows = store.count(feature)
    share = stored_count(store, feature, part) if part else rows
    return {
        ROW_COUNT: rows,
        **_counts(outcome),
        "metaxy/processed": outcome.processed,
        **({"dagster/partition_row_count": share, "metaxy/slice": part.filters} if part else {}),
        **_spared(outcome, share),
        **outcome.tally.request.metadata(),
        **outcome.metadata,
        "metaxy/seconds": round(outcome.seconds, 3),
        FEATURE_VERSION: feature.versions.feature,
        **commit_metadata(feature, store, outcome.commits),
        **place_metadata(feature, store),
        TABLE_NAME: feature.definition.table,
        COLUMN_SCHEMA: column_schema(feature.definition, stored),
        **_lineage(lineage),
        **_changed_fields(outcome),
        **_previews(outcome, stored.names),
    }


def _counts(outcome: Outcome) -> dict[str, int]:
    counts = outcome.tally.counts
    known = {"metaxy/new": counts.new, "metaxy/stale": counts.stale}
    if not outcome.tally.resolved:
        return known
    claimed = outcome.tally.claimed
    return {
        **known,
        **({CLAIMED: claimed} if claimed else {}),
        "metaxy/orphaned": counts.orphaned,
        "metaxy/blocked": counts.blocked,
        "metaxy/deleted": outcome.deleted,
    }


def _spared(outcome: Outcome, rows: int) -> dict[str, int]:
    """What was left alone because it was up to date; a part of an increment does not tell that."""
    is_known = outcome.tally.request.is_everything and not outcome.tally.claimed
    return {"metaxy/spared": max(rows - outcome.processed, 0)} if is_known else {}


def _changed_fields(outcome: Outcome) -> dict[str, Any]:
    """How many records each field changed in: together to read, and one by one to be plotted."""
    changed = dict(sorted(outcome.tally.changed.items()))
    if not changed:
        return {}
    plotted = {f"metaxy/changed/{field}": count for field, count in changed.items()}
    return {"metaxy/changed_fields": changed, **plotted}


def _previews(outcome: Outcome, stored: Sequence[str]) -> dict[str, Any]:
    """A few of the records there were to do, and a few of those written."""
    found = {}
    if outcome.tally.preview is not None:
        found["metaxy/increment"] = dg.MetadataValue.md(outcome.tally.preview)
    if outcome.preview is not None:
        names = [name for name in outcome.preview.column_names if name in stored]
        rows = outcome.preview.select(names)
        found["metaxy/preview"] = dg.MetadataValue.md(markdown_table(rows))
    return found


def _stored_columns(feature: FeatureName, store: MetadataStore) -> pa.Schema:
    return store.read(feature, filters="FALSE").to_arrow().schema
