"""Whatever happened to a graph and its records, every increment equals the oracle's."""

from __future__ import annotations

from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from .beginnings import lived

# One graph for each part, with many histories: SQL new to the process costs more than running
# it. The soak draws others.
SHAPES = st.just(0)
RANDOMS = st.randoms(use_true_random=False)
SETTINGS = {"deadline": None, "suppress_health_check": list(HealthCheck), "print_blob": True}


@pytest.mark.parametrize("part", range(1))
@settings(max_examples=40, **SETTINGS)
@given(shape=SHAPES, random=RANDOMS)
def test_every_increment_equals_the_oracle(part: int, shape: int, random: Random) -> None:
    with lived(100 * part + shape, random) as world:
        world.check()


@pytest.mark.slow
@pytest.mark.parametrize("part", range(1, 8))
@settings(max_examples=230, **SETTINGS)
@given(shape=SHAPES, random=RANDOMS)
def test_every_increment_equals_the_oracle_many_times(
    part: int, shape: int, random: Random
) -> None:
    with lived(100 * part + shape, random) as world:
        world.check()


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8, 9))
@settings(max_examples=20, **SETTINGS)
@given(shape=SHAPES, random=RANDOMS)
def test_once_all_work_is_done_nothing_comes_back(part: int, shape: int, random: Random) -> None:
    with lived(100 * part + shape, random) as world:
        world.finish()
        world.check_records()


@settings(max_examples=6, **SETTINGS)
@given(shape=SHAPES, random=RANDOMS)
def test_resolving_twice_gives_the_same(shape: int, random: Random) -> None:
    with lived(1000 + shape, random) as world:
        world.check()
        world.check()
