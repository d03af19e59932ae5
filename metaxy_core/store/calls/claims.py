"""Calls about the records that runs have taken."""

from __future__ import annotations

import datetime as dt

from metaxy_core.keys import FeatureKey, KeyLike
from metaxy_core.store.claim_log import ClaimLog, LoggedClaim
from metaxy_core.store.claims import (
    Claim,
    HeldClaim,
    checked_owner,
    moment_of,
)
from metaxy_core.store.parts import Calls


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

        A claim that is over is forgotten when the next one is made.

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
        return self._change(owner, claim)

    def release_claims(self, owner: str) -> int:
        """Give back what an owner has claimed, of all features; others may take it at once.

        Args:
            owner: whose claims.

        Returns:
            How many records were given back: claimed and not written since.

        Raises:
            InvalidWrite: the owner is no text.
            ReadOnlyStore: the store was opened for reading.
        """
        return self._change(checked_owner(owner), None)

    def _change(self, owner: str, claim: Claim | None) -> int:
        """Extend the claims of an owner, or drop them; gives the number of their records."""
        backend, log = self._parts.backend, ClaimLog(self._parts)
        backend.check_writable()
        with backend.turn:
            with backend.snapshot() as snapshot:
                if not _of(owner, log.claims(snapshot)):
                    return 0
            with backend.transaction() as transaction:
                claims = _of(owner, log.claims(transaction))
                records = sum(sum(log.records(transaction, [each]).values()) for each in claims)
                if claim is None:
                    log.drop(transaction, claims)
                else:
                    log.extend(transaction, claims, claim.ends(claim.moment))
        return records


def _of(owner: str, claims: list[LoggedClaim]) -> list[LoggedClaim]:
    return [each for each in claims if each.owner == owner]
