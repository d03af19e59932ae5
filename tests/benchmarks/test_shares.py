"""Both ways of comparing are measured on the same work, and leave the limits as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.shares import ratio
from metaxy_core.store.settling import LIMITS, Limits


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_candidates_and_everything_give_the_same_records(tmp_path: Path, share: float) -> None:
    assert ratio(20, share, 1, tmp_path) > 0
    assert Limits() == LIMITS
