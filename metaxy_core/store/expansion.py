"""An expansion's write covers whole parents, and remembers even those that have no child."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from metaxy_core import system_columns as sc
from metaxy_core.errors import ForeignProvenance, InvalidSamples
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.store.identity import SHOWN, shown_ids
from metaxy_core.store.writing import Incoming


def processed_parents(plan: FeaturePlan, children: Incoming, processed: Any) -> pa.Table:
    """The parents that a write covers, with their provenance.

    Args:
        plan: the expansion's plan.
        children: the frame of children.
        processed: a frame of parents that were processed, children or not; None for none.

    Returns:
        Grain columns and the provenance of each field; one row per parent.

    Raises:
        ForeignProvenance: one parent comes with two provenances.
    """
    incoming = [children]
    if processed is not None:
        incoming.append(Incoming(plan, processed, ids=plan.grain))
    frames = [_parents(plan, frame) for frame in incoming if frame.columns.num_rows]
    if not frames:
        return pa.table({})
    together = pa.concat_tables(frames, promote_options="permissive")
    parents = together.group_by(together.column_names, use_threads=False).aggregate([])
    repeated = parents.group_by(list(plan.grain)).aggregate([([], "count_all")])
    several = repeated.filter(pa.compute.greater(repeated["count_all"], 1))
    if several.num_rows:
        shown = shown_ids(several.select(list(plan.grain)).slice(0, SHOWN))
        raise ForeignProvenance(
            f"The frame for '{plan.key}' has rows of one parent with different provenance: "
            f"{', '.join(map(str, shown))}. All children of a parent come from one state of it; "
            f"resolve again. Nothing was written."
        )
    return parents


def check_processed(plan: FeaturePlan, processed: Any) -> None:
    """Only an expansion has parents to report.

    Raises:
        InvalidSamples: the feature does not expand anything.
    """
    if processed is not None and not plan.expands:
        raise InvalidSamples(
            f"'{plan.key}' is no expansion, so each processed record is a row of the frame; write "
            f"without processed=."
        )


def _parents(plan: FeaturePlan, frame: Incoming) -> pa.Table:
    columns = {name: frame.columns[name] for name in plan.grain}
    names = [sc.provenance(field.key) for field in plan.fields]
    return pa.table({**columns, **{name: frame.versions[name] for name in names}})
