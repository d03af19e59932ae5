"""Other limits for a while, so that a few records are enough to see what is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from metaxy_core.store.settling import LIMITS, Limits


@contextmanager
def limited(limits: Limits) -> Iterator[None]:
    """Stores look for candidates under other conditions for a while."""
    before = asdict(LIMITS)
    try:
        vars(LIMITS).update(asdict(limits))
        yield
    finally:
        vars(LIMITS).update(before)
