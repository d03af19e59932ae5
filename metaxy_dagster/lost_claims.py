"""A run leaves records to one that holds them; if that one dies, somebody has to ask for them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg

from metaxy_core.store.base import MetadataStore
from metaxy_core.store.claims import HeldClaim
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.metadata import CLAIMED


@dataclass(frozen=True)
class Holders:
    """Who held records at a tick.

    Attributes:
        since: for each owner, since when it was seen to hold some.
        lost: the owners that came to no good end, and that a run left records to which succeeded.
    """

    since: Mapping[str, str] = field(default_factory=dict)
    lost: tuple[str, ...] = ()


def held_claims(store: MetadataStore, features: Sequence[FeatureName]) -> list[HeldClaim]:
    """The claims of some features, from the catalog.

    Args:
        store: the store.
        features: the features.
    """
    keys = {feature.key for feature in features}
    return [claim for claim in store.claims(counted=False) if claim.feature in keys]


def holders(
    context: dg.SensorEvaluationContext, before: Mapping[str, str], held: Sequence[HeldClaim]
) -> Holders:
    """Who holds records now, and who was lost since the last tick.

    An owner that is gone is remembered while its run goes on, which may yet succeed, and while
    others hold records: what these say of what they left is not known before they are done.

    Args:
        context: of the tick.
        before: the owners of the last tick.
        held: the claims there are, those whose time is over too.
    """
    live = {claim.owner: claim.claimed_at.isoformat() for claim in held if claim.live}
    over = {claim.owner for claim in held if not claim.live}
    since = {**live, **{owner: moment for owner, moment in before.items() if owner in live}}
    lost = []
    for owner, moment in before.items():
        if owner in live:
            continue
        run = context.instance.get_run_by_id(owner.partition(" ")[0])
        if owner not in over and (run is None or run.is_success):
            continue
        goes_on = owner not in over and run is not None and not run.is_finished
        if goes_on or live:
            since[owner] = moment
        elif _was_left_to(context.instance, owner, moment):
            lost.append(owner)
    return Holders(since, tuple(sorted(lost)))


def _was_left_to(instance: dg.DagsterInstance, owner: str, since: str) -> bool:
    """Whether the asset's last run left records to others, after this owner took some."""
    asset = owner.partition(" ")[2]
    if not asset:
        return False
    key = dg.AssetKey.from_user_string(asset)
    for record in instance.fetch_materializations(key, limit=1).records:
        told = record.asset_materialization
        is_later = record.timestamp >= dt.datetime.fromisoformat(since).timestamp()
        return is_later and told is not None and CLAIMED in told.metadata
    return False
