"""Static versions say what the code means, before any record exists; they need no store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from metaxy_core.graph.plan import DepPlan, FeaturePlan, UpstreamField
from metaxy_core.keys import FeatureKey, FieldKey
from metaxy_core.specs.dependency import FeatureDep

DIGITS = 16


@dataclass(frozen=True)
class FeatureVersions:
    """Static versions of one feature, 16 hex digits each.

    Attributes:
        fields: version of each field: its key, code version and everything upstream it reads.
        feature: its fields, id columns and wiring (deps, filters, optional flags).
        code: its own code versions only.
    """

    fields: dict[FieldKey, str]
    feature: str
    code: str


@dataclass(frozen=True)
class GraphVersions:
    """Static versions of a graph.

    Attributes:
        features: versions of each feature.
        project: one version over all features but the external ones.
    """

    features: dict[FeatureKey, FeatureVersions]
    project: str

    def __getitem__(self, feature: FeatureKey) -> FeatureVersions:
        return self.features[feature]


def compute_versions(plans: Iterable[FeaturePlan]) -> GraphVersions:
    """Versions of all plans, which have to come upstream first; each is computed once."""
    known: dict[UpstreamField, str] = {}
    features: dict[FeatureKey, FeatureVersions] = {}
    own: list[tuple[str, str]] = []
    for plan in plans:
        features[plan.key] = feature_versions(plan, known)
        for field, version in features[plan.key].fields.items():
            known[UpstreamField(plan.key, field)] = version
        if not plan.definition.external:
            own.append((str(plan.key), features[plan.key].feature))
    project = _digest("project", sorted(own))
    return GraphVersions(features, project)


def feature_versions(plan: FeaturePlan, known: Mapping[UpstreamField, str]) -> FeatureVersions:
    """Versions of one feature, given those of the upstream fields that it reads."""
    fields = {
        field.key: _digest(
            "field",
            str(plan.key),
            str(field.key),
            field.code_version,
            sorted(field.version_from),
            [(str(read.feature), str(read.field), known[read]) for read in field.reads],
        )
        for field in plan.fields
    }
    feature = _digest(
        "feature",
        str(plan.key),
        list(plan.id_columns),
        sorted((str(key), version) for key, version in fields.items()),
        sorted(map(_wiring, plan.definition.spec.deps, plan.deps), key=str),
    )
    code = _digest("code", sorted((str(f.key), f.code_version) for f in plan.fields))
    return FeatureVersions(fields, feature, code)


def _wiring(dep: FeatureDep, plan: DepPlan) -> dict[str, object]:
    lineage = {"kind": dep.lineage.kind, "on": sorted(here for _, here in plan.ids)}
    renamed_ids = sorted((there, here) for there, here in plan.ids if there != here)
    return {
        **({} if dep.lineage.kind == "identity" else {"lineage": lineage}),
        **({"ids": renamed_ids} if renamed_ids else {}),
        "feature": str(dep.feature),
        "optional": dep.optional,
        "filter": None if plan.filter is None else repr(plan.filter.predicate),
    }


def _digest(*parts: object) -> str:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
