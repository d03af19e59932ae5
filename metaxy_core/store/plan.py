"""A plan says what a run of the whole graph would recompute, and what it would spare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaxy_core.errors import UnknownFeature
from metaxy_core.keys import FeatureKey, FieldKey, KeyLike

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class PlannedFeature:
    """What a run would do for one feature; of an expansion, a record here is a parent's whole set.

    Attributes:
        feature: the feature.
        records: how many are expected.
        new: to be computed for the first time.
        stale: to be computed again.
        orphaned: stored records that are no longer called for.
        spared_by_fields: up to date although something above them is computed again, because no
            field that they read changes; versions of whole records would have recomputed them.
        changed_fields: for each field how many of the new and stale ones change in it.
        table_level: what an orchestrator that knows only tables would recompute: everything, as
            soon as the feature or anything above it changes in data or code.
        cost_per_record: what one costs, where the feature says so.
        cost_unit: in which unit.
        at_least: whether more may come: what above it is yet to be computed may bring further
            records, such as the children of new parents.
    """

    feature: FeatureKey
    records: int
    new: int
    stale: int
    orphaned: int
    spared_by_fields: int
    changed_fields: Mapping[FieldKey, int]
    table_level: int
    cost_per_record: float | None = None
    cost_unit: str = ""
    at_least: bool = False

    @property
    def recompute(self) -> int:
        """New and stale ones."""
        return self.new + self.stale

    @property
    def spared(self) -> int:
        """Expected ones that are up to date."""
        return self.records - self.recompute

    @property
    def cost(self) -> float | None:
        """What the recomputation costs; None where the feature does not say."""
        return None if self.cost_per_record is None else self.cost_per_record * self.recompute

    @property
    def table_level_cost(self) -> float | None:
        """The same at the level of tables."""
        return None if self.cost_per_record is None else self.cost_per_record * self.table_level

    def to_dict(self) -> dict[str, Any]:
        """The feature's figures as values that JSON can hold."""
        return {
            "feature": str(self.feature),
            "records": self.records,
            "recompute": self.recompute,
            "new": self.new,
            "stale": self.stale,
            "orphaned": self.orphaned,
            "spared": self.spared,
            "spared_by_fields": self.spared_by_fields,
            "changed_fields": {str(key): count for key, count in self.changed_fields.items()},
            "cost": self.cost,
            "table_level": self.table_level,
            "table_level_cost": self.table_level_cost,
            "cost_unit": self.cost_unit,
            "at_least": self.at_least,
        }


@dataclass(frozen=True)
class PlanTotal:
    """What the features of a plan add up to; costs by unit, over the features that declare one.

    Attributes:
        records: how many are expected.
        recompute: new and stale ones.
        orphaned: stored, and no longer called for.
        spared: up to date.
        spared_by_fields: up to date because no field that they read changes.
        table_level: what an orchestrator that knows only tables would recompute.
        cost: of what is recomputed.
        table_level_cost: at the level of tables.
        at_least: whether more may come.
    """

    records: int
    recompute: int
    orphaned: int
    spared: int
    spared_by_fields: int
    table_level: int
    cost: Mapping[str, float]
    table_level_cost: Mapping[str, float]
    at_least: bool

    @classmethod
    def of(cls, features: Iterable[PlannedFeature]) -> PlanTotal:
        """The sum of some features."""
        listed = list(features)
        return cls(
            records=sum(each.records for each in listed),
            recompute=sum(each.recompute for each in listed),
            orphaned=sum(each.orphaned for each in listed),
            spared=sum(each.spared for each in listed),
            spared_by_fields=sum(each.spared_by_fields for each in listed),
            table_level=sum(each.table_level for each in listed),
            cost=_by_unit((each.cost_unit, each.cost) for each in listed),
            table_level_cost=_by_unit((each.cost_unit, each.table_level_cost) for each in listed),
            at_least=any(each.at_least for each in listed),
        )

    @property
    def saved(self) -> int:
        """Records that a run at the level of tables would recompute in addition."""
        return self.table_level - self.recompute

    @property
    def saved_cost(self) -> dict[str, float]:
        """What these would cost, by unit."""
        return {unit: cost - self.cost[unit] for unit, cost in self.table_level_cost.items()}

    def to_dict(self) -> dict[str, Any]:
        """The sums as values that JSON can hold."""
        return {
            "records": self.records,
            "recompute": self.recompute,
            "orphaned": self.orphaned,
            "spared": self.spared,
            "spared_by_fields": self.spared_by_fields,
            "cost": dict(self.cost),
            "table_level": self.table_level,
            "table_level_cost": dict(self.table_level_cost),
            "saved": self.saved,
            "saved_cost": self.saved_cost,
            "at_least": self.at_least,
        }


@dataclass(frozen=True)
class Plan:
    """What a run of the whole graph would do, feature by feature, upstream first.

    Iterating gives the features; ``plan["example/crop"]`` gives one; ``print(plan)`` a table.

    Attributes:
        features: what would be done for each feature.
    """

    features: tuple[PlannedFeature, ...]

    def __iter__(self) -> Iterator[PlannedFeature]:
        return iter(self.features)

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, feature: KeyLike) -> PlannedFeature:
        key = FeatureKey(feature)
        found = next((each for each in self.features if each.feature == key), None)
        if found is None:
            raise UnknownFeature.from_plan(key, [each.feature for each in self.features])
        return found

    def __str__(self) -> str:
        from metaxy_core.store.plan_table import text

        return text(self)

    @property
    def total(self) -> PlanTotal:
        """What the features add up to."""
        return PlanTotal.of(self.features)

    def to_dict(self) -> dict[str, Any]:
        """The plan as values that JSON can hold: ``features`` and ``total``."""
        return {
            "features": [each.to_dict() for each in self.features],
            "total": self.total.to_dict(),
        }

    def to_polars(self) -> pl.DataFrame:
        """A row per feature; ``changed_fields`` is a list of ``field`` and ``records``."""
        import polars as pl

        rows = []
        for each in self.features:
            row = each.to_dict()
            changed = row["changed_fields"].items()
            row["changed_fields"] = [{"field": key, "records": count} for key, count in changed]
            rows.append(row)
        counts = dict.fromkeys(
            ("records", "recompute", "new", "stale", "orphaned", "spared", "spared_by_fields"),
            pl.Int64,
        )
        changes = pl.List(pl.Struct({"field": pl.String, "records": pl.Int64}))
        costs = {"cost": pl.Float64, "table_level": pl.Int64, "table_level_cost": pl.Float64}
        last = {"cost_unit": pl.String, "at_least": pl.Boolean}
        schema: dict[str, Any] = {"feature": pl.String, **counts, "changed_fields": changes}
        return pl.DataFrame(rows, schema={**schema, **costs, **last})


def _by_unit(costs: Iterable[tuple[str, float | None]]) -> dict[str, float]:
    sums: defaultdict[str, float] = defaultdict(float)
    for unit, cost in costs:
        if cost is not None:
            sums[unit] += cost
    return dict(sums)
