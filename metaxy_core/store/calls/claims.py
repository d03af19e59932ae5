"""Calls about the records that runs have taken."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from metaxy_core.errors import InvalidWrite
from metaxy_core.feature import locate
from metaxy_core.keys import FeatureKey, KeyLike
from metaxy_core.specs.bucket import Bucket
from metaxy_core.store.claim_log import ClaimLog, LoggedClaim
from metaxy_core.store.claims import (
    Claim,
    HeldClaim,
    checked_owner,
    moment_of,
)
from metaxy_core.store.members import given_members
from metaxy_core.store.parts import Calls

if TYPE_CHECKING:
    import pyarrow as pa


class ClaimCalls(Calls):
    """Claims, that ``resolve_update`` makes."""

    def claims(
        self,
        feature: KeyLike | None = None,
        *,
        at: dt.datetime | None = None,
        counted: bool = True,
    ) -> tuple[HeldClaim, ...]:
        """Who holds records of which feature: by feature and by when it ends, lapsed claims too.

        A claim that is over is forgotten when the next one is made, or ``forget_lapsed_claims`` is
        called.

        Args:
            feature: one feature; all where it is None.
            at: the time at which they are live or not; now where it is None.
            counted: whether to count the records of each; otherwise the catalog alone is read.
        """
        key = None if feature is None else FeatureKey(feature)
        moment = moment_of(at)
        with self._parts.backend.turn, self._parts.backend.snapshot() as snapshot:
            return tuple(ClaimLog(self._parts).listed(snapshot, moment, key, counted=counted))

    def extend_claim(
        self, owner: str, seconds: float = 3600, *, at: dt.datetime | None = None
    ) -> int:
        """Hold what an owner has claimed for longer; call it now and then while a run goes on.

        Claims whose time is over are taken up again as long as nobody else claimed anything.

        Args:
            owner: whose claims.
            seconds: for how long from ``at`` on, at least.
            at: a time; now where it is None.

        Returns:
            How many records the owner holds, those that were written since not counted; 0 tells
            that there is nothing left to hold, or that others may have taken it by now.

        Raises:
            InvalidWrite: the owner is no text, or the time is not within a year.
            ReadOnlyStore: the store was opened for reading.
        """
        claim = Claim(owner, seconds, at)
        backend, log = self._parts.backend, ClaimLog(self._parts)
        backend.check_writable()
        with backend.turn:
            with backend.snapshot() as snapshot:
                if not _of(owner, log.claims(snapshot)):
                    return 0
            with backend.transaction() as transaction:
                claims = _of(owner, log.claims(transaction))
                records = log.count(transaction, claims)
                log.extend(transaction, claims, claim.ends(claim.moment))
        return records

    def release_claims(
        self, owner: str, feature: KeyLike | None = None, *, among: Any = None
    ) -> int:
        """Give back what an owner has claimed; others may take it at once.

        Args:
            owner: whose claims.
            feature: of which feature; of all where it is None.
            among: these records of the feature only: a frame with their ids (of an expansion,
                those of the parents).

        Returns:
            How many records were given back: claimed and not written since.

        Raises:
            InvalidWrite: the owner is no text, or ``among`` is no frame or comes without a feature.
            DataError: ``among`` lacks ids.
            ReadOnlyStore: the store was opened for reading.
        """
        checked_owner(owner)
        ids = None if among is None else _members(feature, among)
        key = None if feature is None else FeatureKey(feature)
        backend, log = self._parts.backend, ClaimLog(self._parts)
        backend.check_writable()
        with backend.turn:
            with backend.snapshot() as snapshot:
                if not _of(owner, log.claims(snapshot), key):
                    return 0
            with backend.transaction() as transaction:
                claims = _of(owner, log.claims(transaction), key)
                held = log.count(transaction, claims)
                if ids is None:
                    log.drop(transaction, claims)
                    return held
                return held - log.give_back(transaction, claims, ids)

    def forget_lapsed_claims(self, *, at: dt.datetime | None = None) -> int:
        """Forget claims whose time is over, as the next claim would.

        Args:
            at: the time at which they are over; now where it is None.

        Returns:
            How many there were.

        Raises:
            ReadOnlyStore: the store was opened for reading.
        """
        backend, log, moment = self._parts.backend, ClaimLog(self._parts), moment_of(at)
        backend.check_writable()
        with backend.turn:
            with backend.snapshot() as snapshot:
                if all(each.holds(moment) for each in log.claims(snapshot)):
                    return 0
            with backend.transaction() as transaction:
                over = [each for each in log.claims(transaction) if not each.holds(moment)]
                log.drop(transaction, over, "is over")
        return len(over)


def _of(
    owner: str, claims: list[LoggedClaim], feature: FeatureKey | None = None
) -> list[LoggedClaim]:
    """The claims of an owner, of one feature or of all."""
    of_owner = (each for each in claims if each.owner == owner)
    return [each for each in of_owner if feature in {None, FeatureKey(each.feature)}]


def _members(feature: KeyLike | None, among: Any) -> pa.Table:
    """The ids in a frame.

    Raises:
        InvalidWrite: it is no frame, or it is not said of which feature.
        DataError: it lacks ids.
    """
    if feature is None:
        raise InvalidWrite.from_argument("feature", feature, "that of the records in 'among'")
    graph, key = locate(feature)
    members = given_members(graph.plan(key), among)
    if members is None or isinstance(members, Bucket):
        raise InvalidWrite.from_argument("among", among, "a frame with ids")
    return members
