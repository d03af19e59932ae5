"""The increments of every kind of store equal the oracle's, whatever happened."""

from __future__ import annotations

import itertools
from random import Random
from typing import Final

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

import metaxy_core as mx
from tests.backends.conftest import EVERY

from .beginnings import lived_in
from .test_increments_property import RANDOMS, SETTINGS
from .world import Opened

_numbers = itertools.count()

STORES: Final = {
    kind.name: kind for kind in EVERY if not kind.name.startswith(("duckdb", "memory"))
}
QUICK: Final = ("sqlite", "postgres")


@pytest.fixture(
    params=[
        pytest.param(kind, marks=[] if kind in QUICK else [pytest.mark.slow]) for kind in STORES
    ]
)
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """Opens an empty store of each kind."""
    folder = tmp_path_factory.mktemp("stores")

    def open_store(*below: mx.MetadataStore) -> mx.MetadataStore:
        place = folder / str(next(_numbers))
        place.mkdir()
        return STORES[request.param].opened_at(place, *below)

    return open_store


@settings(max_examples=2, **SETTINGS)
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
