"""A store and the oracle's state, changed in step by random operations."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from random import Random
from typing import Any, Final

import polars as pl

import metaxy_core as mx
from metaxy_core.store.settling import Limits

from .definitions import Feature, Over, graph_of
from .graphs import FIELDS, IDS
from .oracle import Increment, Options, State, Version, increment
from .work import Work

Opened = Callable[..., mx.MetadataStore]
"""Opens an empty store over others."""

EVERYTHING: Final = Options()
_ALWAYS: Final = Limits(rows=0, share=math.inf, candidates=math.inf, awaiting=0.0, before=0)
EAGER: Final = replace(_ALWAYS, left=1.0)
WAITING: Final = replace(_ALWAYS, left=0.0)
STRICT: Final = Limits(rows=0, share=0.5, candidates=0.5, left=0.25, awaiting=0.3, before=3)
TEXTS: Final = ["x", "y", "x|y", "", "\\", "-"]


class World:
    """One history; each operation is a method that draws what it needs and does it on both sides.

    Attributes:
        OPERATIONS: the name of each operation and how often it is drawn.
        story: what happened, to be shown when the two sides differ.
    """

    OPERATIONS: Final = {
        "sample": 3,
        "process": 8,
        "process_two_together": 2,
        "finish_late": 1,
        "delete": 3,
        "delete_orphans": 2,
        "release": 3,
        "compact": 1,
        "branch": 1,
        "take_over": 1,
    }
    drawn: Final = [name for name, weight in OPERATIONS.items() for _ in range(weight)]

    def __init__(
        self,
        stores: ExitStack,
        releases: list[tuple[Feature, ...]],
        random: Random,
        opened: Opened | None = None,
    ) -> None:
        self.stores, self.releases, self.random = stores, releases, random
        self.opened = opened or in_memory
        self.store = stores.enter_context(self.opened())
        self.other: mx.MetadataStore | None = None
        self.story: list[str] = []
        keys = [feature.key for feature in releases[0]]
        self.state = State({}, *({key: {} for key in keys} for _ in range(3)))
        self.ever: dict[str, set[str]] = {key: set() for key in keys}
        self.define(releases[0])

    def begin(self) -> None:
        """Everything is processed once."""
        for key, feature in self.state.features.items():
            if not feature.deps:
                self.sample(key)
            self.process(key, EVERYTHING)

    def live(self) -> None:
        """Something happens a few times."""
        for _ in range(self.random.randint(1, 3)):
            getattr(self, self.random.choice(self.drawn))()

    # ------------------------------------------------------------------ what may happen

    def sample(self, key: str | None = None) -> None:
        """The samples of a root become others."""
        roots = [each.key for each in self.state.features.values() if not each.deps]
        key = key or self.random.choice(roots)
        self.state.samples[key] = {
            id_: (
                self.random.choice([None, 0, 1]),
                {name: self.random.choice(TEXTS) for name in FIELDS},
            )
            for id_ in self.some(IDS[self.state.features[key].level])
        }
        self.tell("samples", key, self.state.samples[key])

    def process(self, key: str | None = None, options: Options | None = None) -> None:
        """The whole of an increment, or part of it, is written."""
        key = key or self.any_key()
        found, wanted = self.compared(key, options or self.options(key))
        ready = sorted(wanted.ready)
        chosen = ready if self.random.choice([True, True, False]) else self.some(ready)
        self.write(self.work(key, found, wanted, chosen))

    def process_two_together(self) -> None:
        """The increments of two features are written in one commit; childless parents are lost."""
        works = []
        for key in self.random.sample(sorted(self.state.features), 2):
            found, wanted = self.compared(key)
            works.append(self.work(key, found, wanted, sorted(wanted.ready)))
        self.tell("write_all", *works)
        with self.graph.use():
            self.store.write_all({work.feature.key: work.frame for work in works})
        for work in works:
            grain = work.feature.column(work.feature.grain)
            parents = {record.row[grain] for record in work.records.values()}
            self.record(work, {id_: work.done[id_] for id_ in parents})

    def finish_late(self) -> None:
        """Something else happens between an increment and its being written, with older code."""
        key = self.any_key()
        found, wanted = self.compared(key)
        work = self.work(key, found, wanted, sorted(wanted.ready))
        self.random.choice([self.sample, self.process, self.delete, self.release])()
        self.write(work)

    def delete(self) -> None:
        """Records are deleted; a hard deletion may name some that are gone already."""
        key, hard = self.any_key(), self.random.choice([False, True])
        offered = self.ever[key] if hard else self.state.records[key]
        self.remove(key, self.some(sorted(offered)), hard=hard)

    def delete_orphans(self) -> None:
        """The orphans that an increment names are deleted."""
        key = self.any_key()
        found, wanted = self.compared(key)
        if wanted.orphaned:
            self.remove(key, sorted(wanted.orphaned), frame=found.orphaned)

    def release(self) -> None:
        """The code becomes another release, a later or an earlier one."""
        self.define(self.random.choice(self.releases))

    def compact(self) -> None:
        """History is erased, which nothing depends on."""
        key = self.any_key()
        self.tell("compact", key)
        with self.graph.use():
            self.store.compact(key)

    def branch(self) -> None:
        """Everything goes on in a store over this one, once at most: each layer costs."""
        if not self.store.fallbacks:
            self.tell("branch")
            below = self.store
            self.store = self.stores.enter_context(self.opened(below))
            self.other = None

    def take_over(self) -> None:
        """Another process goes on, which remembers nothing, and later perhaps this one again."""
        self.tell("take over")
        if self.other is None:
            below = self.store.fallbacks[:1]
            self.other = mx.MetadataStore(self.store.backend, fallback=below)
        self.store, self.other = self.other, self.store

    # ------------------------------------------------------------------ what has to hold

    def check(self) -> None:
        """Every increment is the oracle's."""
        for key in self.state.features:
            self.compared(key)

    def check_records(self) -> None:
        """What is stored is what the oracle has."""
        for key, feature in self.state.features.items():
            own = feature.column(feature.level)
            with self.graph.use():
                stored = self.store.read(key, columns=[own, "n"]).to_polars()
            records = self.state.records[key]
            assert dict(stored.iter_rows()) == {id_: r.row["n"] for id_, r in records.items()}

    def finish(self) -> None:
        """All work is done, upstream first, at once or in steps by id; nothing is left of it."""
        for key in self.state.features:
            found, wanted = self.compared(key)
            if wanted.orphaned:
                self.remove(key, sorted(wanted.orphaned), frame=found.orphaned)
            limit = self.random.choice([None, None, 2]) if wanted.ready else None
            while wanted.ready:
                if limit is not None:
                    found, wanted = self.compared(key, Options(limit=limit))
                self.write(self.work(key, found, wanted, sorted(wanted.ready)))
                wanted = self.wanted(key, EVERYTHING)
        for key in self.state.features:
            assert self.compared(key)[0].counts == mx.Counts()

    def compared(self, key: str, options: Options = EVERYTHING) -> tuple[mx.Increment, Increment]:
        """An increment from the store and from the oracle, which are the same."""
        feature, found = self.state.features[key], self.resolved(key, options)
        wanted, grain = self.wanted(key, options), feature.column(feature.grain)
        stale = found.stale.select(grain, "metaxy_changed_fields")
        orphaned = found.orphaned[feature.column(feature.level)] if found.counts.orphaned else ()
        seen = (set(found.new[grain]), dict(stale.iter_rows()), set(orphaned), found.counts)
        kinds = (wanted.new, wanted.stale, wanted.orphaned, wanted.blocked)
        meant = (set(wanted.new), wanted.changed, wanted.orphaned, mx.Counts(*map(len, kinds)))
        self.tell("resolve", key, options, meant)
        assert seen == meant, f"{key} with {options}: {seen} in the store, but {meant} is right"
        return found, wanted

    # ------------------------------------------------------------------ both sides

    def wanted(self, key: str, options: Options) -> Increment:
        return increment(self.state, key, options)

    def resolved(self, key: str, options: Options) -> mx.Increment:
        filters = None if options.filters is None else str(options.filters)
        stale_if = None if options.stale_if is None else str(options.stale_if)
        with self.graph.use():
            return self.store.resolve_update(
                key, self.sample_frame(key), filters=filters, stale_if=stale_if, limit=options.limit
            )

    def sample_frame(self, key: str) -> pl.DataFrame | None:
        feature, samples = self.state.features[key], self.state.samples[key]
        if feature.deps:
            return None
        names = [field.key for field in feature.fields]
        versions = [{name: texts[name] for name in names} for _, texts in samples.values()]
        id_column = feature.column(feature.level)
        return pl.DataFrame(
            {
                id_column: list(samples),
                "n": [n for n, _ in samples.values()],
                "metaxy_provenance_by_field": versions,
            },
            schema={
                id_column: pl.String,
                "n": pl.Int64,
                "metaxy_provenance_by_field": pl.Struct(dict.fromkeys(names, pl.String)),
            },
        )

    def work(self, key: str, found: mx.Increment, wanted: Increment, chosen: list[str]) -> Work:
        """What was made of some records of an increment, ready to be written."""
        done = {id_: wanted.ready[id_] for id_ in chosen}
        return Work(self.state.features[key], self.graph, found, done, self.random)

    def write(self, work: Work) -> None:
        self.tell("write", work)
        processed = work.rows if work.feature.expands else None
        with work.graph.use():
            self.store.write(work.feature.key, work.frame, processed=processed)
        self.record(work, work.done)

    def record(self, work: Work, done: dict[str, dict[str, Version]]) -> None:
        """Of an expansion, the written sets replace those that parents had before."""
        key, grain = work.feature.key, work.feature.column(work.feature.grain)
        records = self.state.records[key]
        if work.feature.expands:
            former = {id_ for id_, record in records.items() if record.row[grain] in done}
            self.state.records[key] = {i: r for i, r in records.items() if i not in former}
            self.state.parents[key].update(done)
        self.state.records[key].update(work.records)
        self.ever[key] |= work.records.keys()

    def remove(self, key: str, ids: list[str], *, frame: Any = None, hard: bool = False) -> None:
        self.tell("delete", key, ids, "hard" if hard else "soft")
        feature = self.state.features[key]
        own = feature.column(feature.level)
        frame = pl.DataFrame({own: ids}, schema={own: pl.String}) if frame is None else frame
        with self.graph.use():
            self.store.delete(feature.key, frame, hard=hard)
        for id_ in ids:
            record = self.state.records[feature.key].pop(id_, None)
            if record is not None and feature.expands:
                grain = feature.column(feature.grain)
                self.state.parents[feature.key].pop(record.row[grain], None)

    def define(self, features: tuple[Feature, ...]) -> None:
        self.tell("define", *features)
        self.state.features = {feature.key: feature for feature in features}
        self.graph = graph_of(features)

    # ------------------------------------------------------------------ what is drawn

    def any_key(self) -> str:
        return self.random.choice(list(self.state.features))

    def some(self, offered: list[str]) -> list[str]:
        return [each for each in offered if self.random.choice([True, True, False])]

    def options(self, key: str) -> Options:
        """Everything, or what narrows an increment or widens it."""
        feature = self.state.features[key]
        carried = [f"n{dep.feature[-1]}" for dep in feature.deps if dep.carries]
        by_id = Over(feature.column(feature.grain), IDS[feature.grain][0])
        numbers = carried if feature.deps else ["n"]
        by_number = Over(numbers[0], 0, or_null=True) if numbers else by_id
        outdated = Over("n", 0)
        offered = [
            Options(limit=1),
            Options(by_id, limit=2),
            Options(by_number),
            Options(by_number, stale_if=outdated),
            Options(stale_if=outdated, limit=2),
        ]
        return self.random.choice([EVERYTHING, EVERYTHING, self.random.choice(offered)])

    def tell(self, *what: Any) -> None:
        self.story.append(" ".join(map(str, what)))


def in_memory(*below: mx.MetadataStore) -> mx.MetadataStore:
    """An empty store over others."""
    return mx.DuckDBMetadataStore(":memory:", settings={"threads": 1}, fallback=below)
