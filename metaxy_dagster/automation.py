"""Declarative automation: a run where something upstream did change, and only there."""

from __future__ import annotations

from typing import Any

import dagster as dg


def on_upstream_change(*, code_changes: bool = True) -> dg.AutomationCondition[Any]:
    """A condition that requests an asset when the data or the code that it depends on changed.

    It is like ``AutomationCondition.eager()``, with these differences:

    - What counts is the data version of an upstream asset. It follows from the commits, so an
      upstream run that found nothing to do requests nothing.
    - It waits until the upstream run is over and has told its data version, instead of joining it.
    - A new code version of the asset requests it.
    - A change that arrives while the asset is being computed is answered after that run, even if it
      arrives in the very tick in which the run is noticed.
    - The first evaluation requests the asset, since nothing is known of what came before. An
      increment that turns out to be empty calls no function. For the same reason a run that was
      launched by hand takes no request back.

    A run that fails is not requested again before the next change; give the asset a
    ``retry_policy``. A rebase leaves data versions alone, so after one that unblocks records
    downstream materialize these once, or use ``upstream_change_sensor``, which sees it.

    Downstream of an asset with ``batch_size`` it waits while there is a batch without a run that
    succeeded. Where there is always one, or not soon an end to a failure, use
    ``upstream_change_sensor``.

    Args:
        code_changes: whether a new code version of the asset counts.

    Example:
        >>> on_upstream_change().get_label()
        'on_upstream_change'
    """
    condition = dg.AutomationCondition
    changed: dg.AutomationCondition[Any] = (
        condition.any_deps_match(condition.data_version_changed()).with_label("upstream_changed")
        | condition.newly_missing()
        | condition.initial_evaluation()
    )
    if code_changes:
        changed |= condition.code_version_changed()
    # A change in the tick that notices the request may have come too late for the run.
    waiting = changed.since(condition.newly_requested() & ~changed).with_label("change_waits")
    return (
        waiting
        & ~condition.any_deps_missing()
        & ~condition.any_deps_in_progress()
        & ~condition.in_progress()
    ).with_label("on_upstream_change")
