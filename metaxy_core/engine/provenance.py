"""What a feature's records should be: joined from its upstream, each field with its provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from metaxy_core import system_columns as sc
from metaxy_core.engine import hashing
from metaxy_core.engine.upstream import Source, prepared_dep, present_name, ready_name, version_name
from metaxy_core.graph.plan import DepPlan, FeaturePlan, UpstreamField
from metaxy_core.keys import FeatureKey

if TYPE_CHECKING:
    import ibis.expr.types as ir

Columns = Mapping[FeatureKey, Sequence[tuple[str, str]]]


def expected_from_samples(plan: FeaturePlan, samples: ir.Table) -> ir.Table:
    """A root's expected records.

    Args:
        plan: the root's plan.
        samples: id columns, user columns, and the canonical text of each field.

    Returns:
        Id columns, user columns, the provenance of each field, and ``metaxy_ready``.
    """
    import ibis

    texts = {field.key: samples[sc.sample(field.key)] for field in plan.fields}
    kept = [name for name in samples.columns if name not in {sc.sample(key) for key in texts}]
    return samples.select(
        *kept,
        **{
            sc.provenance(field.key): hashing.hash_column(
                hashing.sample_text(field, texts[field.key])
            )
            for field in plan.fields
        },
        **{sc.READY: ibis.literal(value=True)},
    )


def expected_from_upstream(
    plan: FeaturePlan, sources: Mapping[FeatureKey, Source], columns: Columns
) -> ir.Table:
    """The records that a feature's upstream calls for.

    Args:
        plan: the feature's plan.
        sources: the table of each upstream feature.
        columns: for each upstream feature, the columns carried and their names here.

    Returns:
        Grain columns, carried columns, the provenance of each field, and ``metaxy_ready``, which is
        false where a record that is read was computed by outdated code.
    """
    joined = _joined(plan, sources, columns)
    optional = {dep.feature for dep in plan.deps if dep.optional}
    versions = {
        read: _version_text(joined, read, plan, missing=read.feature in optional)
        for field in plan.fields
        for read in field.reads
    }
    carried = [here for dep in plan.deps for _, here in columns[dep.feature]]
    return joined.select(
        *plan.grain,
        *carried,
        **{
            sc.provenance(field.key): hashing.hash_column(hashing.provenance_text(field, versions))
            for field in plan.fields
        },
        **{sc.READY: reduce(lambda a, b: a & b, [_ready(joined, dep) for dep in plan.deps])},
    )


def _joined(plan: FeaturePlan, sources: Mapping[FeatureKey, Source], columns: Columns) -> ir.Table:
    prepared = {
        dep.feature: prepared_dep(dep, sources[dep.feature], columns[dep.feature])
        for dep in plan.deps
    }
    required = [dep for dep in plan.deps if not dep.optional]
    if required:
        anchor = next(dep for dep in required if len(dep.ids) == len(plan.grain))
        joined, rest = (prepared[anchor.feature], [dep for dep in plan.deps if dep is not anchor])
    else:
        joined, rest = _all_ids(plan, list(prepared.values())), list(plan.deps)
    for dep in sorted(rest, key=lambda dep: dep.optional):
        on = [here for _, here in dep.ids]
        join = joined.left_join if dep.optional else joined.inner_join
        joined = _without_right_ids(join(prepared[dep.feature], on, rname="{name}__metaxy_right"))
    return joined


def _all_ids(plan: FeaturePlan, prepared: Sequence[ir.Table]) -> ir.Table:
    ids = [table.select(*plan.grain) for table in prepared]
    return reduce(lambda left, right: left.union(right), ids).distinct()


def _without_right_ids(joined: ir.Table) -> ir.Table:
    return joined.drop(*(name for name in joined.columns if name.endswith("__metaxy_right")))


def _version_text(
    joined: ir.Table, read: UpstreamField, plan: FeaturePlan, *, missing: bool
) -> ir.StringValue:
    version = joined[version_name(read)].cast("string").fill_null(hashing.UNKNOWN)
    if not missing:
        return version
    dep = next(dep for dep in plan.deps if dep.feature == read.feature)
    return joined[present_name(dep)].isnull().ifelse(hashing.MISSING, version)


def _ready(joined: ir.Table, dep: DepPlan) -> ir.BooleanValue:
    import ibis

    ready = joined[ready_name(dep)]
    return ready.fill_null(ibis.literal(value=True)) if dep.optional else ready
