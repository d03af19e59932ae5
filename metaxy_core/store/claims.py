"""A claim says which run works on some records, and until when others leave them alone."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final, cast

from metaxy_core.errors import InvalidWrite
from metaxy_core.keys import FeatureKey
from metaxy_core.specs.names import is_storable

LONGEST: Final = 366 * 24 * 3600
"""Seconds for which a claim may be made at once."""

_LONGEST_OWNER: Final = 1_000
_FIRST_YEAR, _LAST_YEAR = 1970, 9000


@dataclass(frozen=True)
class Claim:
    """What ``resolve_update`` takes records under, so that other runs get other ones.

    A claim ends when the record is written, when the owner releases it, or when its time is over,
    so that a run that crashed keeps nothing from others for longer.

    Args:
        owner: who takes them: one name for each worker that computes by itself, such as a run's id.
            The same owner is given its records again.
        seconds: for how long.
        at: from when on; None means now. A time without a zone is UTC.

    Raises:
        InvalidWrite: the owner is no text, the time is not within a year, or ``at`` is no time.

    Example:
        >>> Claim("run-7", seconds=600).owner
        'run-7'
    """

    owner: str
    seconds: float = 3600
    at: dt.datetime | None = None

    def __post_init__(self) -> None:
        checked_owner(self.owner)
        checked_seconds(self.seconds)
        moment_of(self.at)

    @property
    def moment(self) -> dt.datetime:
        """From when on it holds."""
        return moment_of(self.at)

    def ends(self, moment: dt.datetime) -> dt.datetime:
        """Until when it holds from a moment on."""
        return moment + dt.timedelta(seconds=self.seconds)


@dataclass(frozen=True)
class HeldClaim:
    """What an owner holds of a feature.

    Attributes:
        owner: who holds it.
        feature: the feature.
        records: how many records are held, claimed and not written since; None where that was not
            counted.
        claimed_at: when the owner claimed some of them last.
        expires_at: until when it holds.
        live: whether it still holds.
    """

    owner: str
    feature: FeatureKey
    records: int | None
    claimed_at: dt.datetime
    expires_at: dt.datetime
    live: bool


def checked_claim(claim: object) -> Claim | None:
    """What ``resolve_update(claim=...)`` was given.

    Raises:
        InvalidWrite: it is no claim.
    """
    if claim is None or isinstance(claim, Claim):
        return claim
    raise InvalidWrite.from_argument("claim", claim, "an mx.Claim(owner, seconds), or None")


def checked_owner(owner: object) -> str:
    """A name that a claim can be kept under.

    Raises:
        InvalidWrite: it is none.
    """
    if isinstance(owner, str) and 0 < len(owner) <= _LONGEST_OWNER and is_storable(owner):
        return owner
    shown = owner[:100] if isinstance(owner, str) else owner
    raise InvalidWrite.from_argument(
        "owner", shown, "a text such as a run's id, up to 1,000 characters without NUL"
    )


def checked_seconds(seconds: object) -> float:
    """For how long a claim holds.

    Raises:
        InvalidWrite: it is no number, or not within a year.
    """
    is_number = not isinstance(seconds, bool) and isinstance(seconds, int | float)
    if is_number and 0 < cast("float", seconds) <= LONGEST:  # which NaN is not
        return cast("float", seconds)
    raise InvalidWrite.from_argument("seconds", seconds, f"a number above 0, up to {LONGEST:,}")


def moment_of(at: object) -> dt.datetime:
    """A time in UTC; now for None.

    Raises:
        InvalidWrite: it is no time.

    Example:
        >>> moment_of(dt.datetime(2026, 11, 21, 8, 30))
        datetime.datetime(2026, 11, 21, 8, 30, tzinfo=datetime.timezone.utc)
    """
    if at is None:
        return dt.datetime.now(dt.UTC)
    if not isinstance(at, dt.datetime) or not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        years = f"of the years {_FIRST_YEAR} to {_LAST_YEAR}"
        raise InvalidWrite.from_argument("at", at, f"a datetime {years}, or None for now")
    return at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)
