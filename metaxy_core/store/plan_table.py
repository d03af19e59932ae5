"""A plan for readers: the cells of its table, and its outcome in one sentence."""

from __future__ import annotations

from collections.abc import Mapping

from metaxy_core.store.plan import Plan, PlannedFeature

HEADINGS = (
    "feature",
    "records",
    "recompute",
    "changed fields",
    "orphaned",
    "spared",
    "by fields",
    "cost",
    "table level",
)
LEFT = ("feature", "changed fields")


def cells(feature: PlannedFeature) -> tuple[str, ...]:
    """The cells of a feature, in the order of ``HEADINGS``."""
    more = ">= " if feature.at_least else ""
    changed = (f"{key}: {count}" for key, count in feature.changed_fields.items() if count)
    return (
        str(feature.feature),
        f"{more}{feature.records}",
        f"{more}{feature.recompute}",
        ", ".join(changed),
        str(feature.orphaned),
        str(feature.spared),
        str(feature.spared_by_fields),
        "" if feature.cost is None else more + _amount(feature.cost, feature.cost_unit),
        f"{more}{feature.table_level}",
    )


def summary(plan: Plan) -> str:
    """A plan's outcome in two sentences."""
    total = plan.total
    more = "at least " if total.at_least else ""
    recomputed = f"{more}{total.recompute} of {total.records} records{_price(total.cost)}"
    table_level = f"{more}{total.table_level}{_price(total.table_level_cost)}"
    saved = " and ".join([f"{total.saved} records", *_amounts(total.saved_cost)])
    return (
        f"Recomputes {recomputed}; a table-level run would recompute {table_level}. Saves {saved}."
    )


def text(plan: Plan) -> str:
    """A plan as lines of text: a table and the summary."""
    rows = [HEADINGS, *map(cells, plan)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(_padded, HEADINGS, row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, summary(plan)])


def _padded(heading: str, cell: str, width: int) -> str:
    return cell.ljust(width) if heading in LEFT else cell.rjust(width)


def _price(costs: Mapping[str, float]) -> str:
    return f" for {' and '.join(_amounts(costs))}" if costs else ""


def _amounts(costs: Mapping[str, float]) -> list[str]:
    return [_amount(cost, unit) for unit, cost in costs.items()]


def _amount(cost: float, unit: str) -> str:
    return f"{cost:.15g} {unit}".rstrip()
