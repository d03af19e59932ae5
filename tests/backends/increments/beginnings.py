"""Where histories begin: everything was processed once. A few beginnings serve many histories."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

from metaxy_core.store.backends.duckdb import DuckDBBackend
from metaxy_core.store.settling import Limits
from tests.backends.limits import limited

from .graphs import random_releases
from .world import EAGER, STRICT, WAITING, Opened, World

BEGINNINGS: Final = 8  # of each graph


class Beginning:
    """A world in which everything was processed once, to be lived in any number of times.

    Args:
        shape: decides about the graph.
        number: decides about the records.
    """

    def __init__(self, shape: int, number: int) -> None:
        self._releases = random_releases(Random(shape))
        self._path = Path(_folder().name) / f"{shape}-{number}.duckdb"
        with ExitStack() as stores:
            world = World(stores, self._releases, Random(f"{shape}/{number}"))
            with _told(shape, world):
                world.begin()
            self._copy(world, "metaxy_store", "beginning")
        self._state, self._ever, self._story = world.state, world.ever, world.story

    def world(self, stores: ExitStack, random: Random) -> World:
        """The world as it was then, in a store of its own."""
        world = World(stores, self._releases, random)
        self._copy(world, "beginning", "metaxy_store")
        world.state, world.ever = deepcopy(self._state), deepcopy(self._ever)
        world.story = list(self._story)
        return world

    def _copy(self, world: World, source: str, target: str) -> None:
        assert isinstance(world.store.backend, DuckDBBackend)
        connection = world.store.backend.connection
        connection.execute(f"ATTACH '{self._path}' AS beginning")
        connection.execute(f"COPY FROM DATABASE {source} TO {target}")
        connection.execute("DETACH beginning")


@contextmanager
def lived(shape: int, random: Random) -> Iterator[World]:
    """A world after some history, in a store of its own; its story is told where a check fails."""
    with ExitStack() as stores:
        beginning = _beginning(shape, random.randrange(BEGINNINGS))
        stores.enter_context(limited(random.choice([EAGER, WAITING, STRICT, Limits()])))
        world = beginning.world(stores, random)
        with _told(shape, world):
            world.live()
            yield world


@contextmanager
def lived_in(opened: Opened, shape: int, random: Random) -> Iterator[World]:
    """The same in a store of another kind, from its very beginning on.

    Args:
        opened: opens an empty store, over fallbacks.
        shape: decides about the graph.
        random: decides about the history.
    """
    with ExitStack() as stores:
        stores.enter_context(limited(random.choice([EAGER, WAITING, STRICT, Limits()])))
        world = World(stores, random_releases(Random(shape)), random, opened)
        with _told(shape, world):
            world.begin()
            world.live()
            yield world


@contextmanager
def _told(shape: int, world: World) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        error.add_note("\n".join([f"Graph {shape}", *world.story]))
        raise


@cache
def _beginning(shape: int, number: int) -> Beginning:
    return Beginning(shape, number)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()
