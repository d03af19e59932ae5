"""The increments of every kind of store equal the oracle's, whatever happened."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

import metaxy_core as mx
from tests.servers import clickhouse_in, postgres_in

from .beginnings import lived_in
from .test_increments_property import RANDOMS, SETTINGS
from .world import Opened

_numbers = itertools.count()

STORES: Final[dict[str, Callable[[Path], Opened]]] = {
    "sqlite": lambda _: lambda *below: mx.SQLiteMetadataStore(":memory:", fallback=below),
    "postgres": lambda folder: lambda *below: postgres_in(folder / str(next(_numbers)), *below),
    "clickhouse": lambda folder: lambda *below: clickhouse_in(
        folder / str(next(_numbers)), *below
    ),
}


@pytest.fixture(params=STORES)
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """Opens an empty store of each kind."""
    return STORES[request.param](tmp_path_factory.mktemp("stores"))


@settings(max_examples=3, **SETTINGS)
@given(shape=st.just(0), random=RANDOMS)
def test_every_increment_equals_the_oracle(opened: Opened, shape: int, random: Random) -> None:
    with lived_in(opened, shape, random) as world:
        world.check()


@pytest.mark.slow
@pytest.mark.parametrize("shape", range(1, 5))
@settings(max_examples=25, **SETTINGS)
@given(random=RANDOMS)
def test_every_increment_equals_the_oracle_many_times(
    opened: Opened, shape: int, random: Random
) -> None:
    with lived_in(opened, shape, random) as world:
        world.check()
        world.finish()
        world.check_records()
