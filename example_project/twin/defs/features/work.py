"""The functions that the component names, and where its store is."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import polars as pl

import metaxy_core as mx
from example_project.assets.clips import looked_into, written_down
from example_project.assets.records import computed
from example_project.settings import settings


def video(increment: mx.Increment) -> Iterator[pl.DataFrame]:
    """Look into each new or changed clip."""
    yield from computed(increment, looked_into)


def speech_to_text(increment: mx.Increment) -> Iterator[pl.DataFrame]:
    """Write down what is said."""
    yield from computed(increment, written_down)


@dg.template_var
def database() -> str:
    """The twin has a store of its own, beside that of the example."""
    return str(settings().home.resolve() / "twin.duckdb")
