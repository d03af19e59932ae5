"""What the engine does, step by step, and the statements of BigQuery that it takes."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import sqlglot

import metaxy_core as mx
from metaxy_core.engine import numbers
from metaxy_core.store.backends.bigquery import DIALECT
from metaxy_core.store.settling import Limits
from tests.backends.limits import limited

if TYPE_CHECKING:
    from sqlglot import Expression

    from tests.conftest import Project

SMALL: Final = Limits(rows=0, share=1.0, candidates=1.0, left=1.0, awaiting=0.0, before=2)
"""A few records are enough for candidates."""

_NOW: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_NO_LETTERS: Final = re.compile(r"\W+")
_PLACE: Final = re.compile(r"`[^`]+`\.`main`\.")


class Statements:
    """What is compiled for BigQuery whenever a store compiles anything, by step.

    Args:
        store: a store of any kind, whose expressions are the same.
    """

    def __init__(self, store: mx.MetadataStore) -> None:
        self.steps: dict[str, list[str]] = {}
        self._known: set[str] = set()
        self._step: list[str] = []
        self._compiled = store._parts.backend.sql

    def sql(self, build: Callable[[], Any], key: Hashable = None) -> str:
        """In the place of the backend's own."""
        text = str(DIALECT.statement(build()))
        if text not in self._known:
            self._known.add(text)
            self._step.append(text)
        return self._compiled(build, key)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """What is compiled from here on, and was not before, is of this step."""
        self._step = self.steps.setdefault(name, [])
        yield
        self._step = []


def parsed_all(text: str) -> list[Expression]:
    """Statements as trees; they have to be BigQuery's."""
    return [tree for tree in sqlglot.parse(text, read="bigquery") if tree is not None]


def written(statements: list[str]) -> str:
    """Statements as they stand in a file, with names for what differs from run to run."""
    trees = [tree for each in statements for tree in parsed_all(each)]
    pretty = "\n".join(f"{tree.sql('bigquery', pretty=True)};\n" for tree in trees)
    for name, place in numbers._places.items():
        pretty = pretty.replace(str(place), "@" + _NO_LETTERS.sub("_", name))
    return _PLACE.sub("", pretty)


def work(project: Project, statements: Statements) -> None:
    """Everything that a store does with a feature of its own fields, a group and parts of it."""
    store, step = project.store, statements.step
    sample = mx.FieldSpec(key="audio", version_from=["etag", "size"])
    video = project.feature("video", fields=[sample], columns={"etag": str, "size": int})
    team = mx.FeatureDep(feature=video, lineage=mx.aggregation(on=["etag"]))
    part = mx.FeatureDep(feature=video, lineage=mx.expansion())
    copy = project.feature("copy", deps=[video])
    teams = project.feature("teams", ids=["etag"], deps=[team])
    parts = project.feature("parts", ids=["id", "number"], deps=[part])

    def videos(**etags: str) -> pl.DataFrame:
        return pl.DataFrame({"id": [*etags], "etag": [*etags.values()], "size": 1})

    with limited(SMALL):
        with step("samples"):
            increment = store.resolve_update(video, videos(v1="a", v2="b"))
        with step("write"):
            store.write(video, pl.concat(increment.batches()))
        for name, feature in {"resolve": copy, "aggregation": teams, "expansion": parts}.items():
            with step(name):
                increment = store.resolve_update(feature)
                frame = pl.concat(increment.batches())
        with step("write_parts"):
            store.write(parts, frame.with_columns(number=pl.lit(0)), processed=frame)
        project.process(copy)
        project.process(teams)
        store.write(video, store.resolve_update(video, videos(v1="a", v2="c")).stale)
        for name, feature in {"resolve": copy, "aggregation": teams, "expansion": parts}.items():
            with step(f"{name}_candidates"):
                store.resolve_update(feature).close()
        with step("claim"):
            store.resolve_update(copy, claim=mx.Claim("run", 600, at=_NOW)).close()
        with step("failure"):
            store.record_failure(copy, store.resolve_update(copy).stale, "no sound")
        with step("explain"):
            store.explain(copy, "v2")
        with step("progress"):
            store.progress(copy)
        with step("plan"):
            store.plan(changed={video: ["v1"]})
        with step("read"):
            store.read(copy, filters="id = 'v1' AND metaxy_commit > 0").to_arrow()
            store.read(copy, history=True, include_deleted=True).to_arrow()
        with step("delete"):
            store.delete(copy, filters="id = 'v1'")
            store.delete(copy, filters="id = 'v2'", hard=True)
        with step("compact"):
            store.compact(video)
