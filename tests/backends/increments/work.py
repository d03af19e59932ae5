"""Pretends to do the work of an increment: random outcomes, as a frame and as the oracle's."""

from __future__ import annotations

from random import Random
from typing import Any

import polars as pl

import metaxy_core as mx

from .definitions import Feature
from .graphs import IDS, OFFSPRING, coarser_than
from .oracle import Record, Version

OVERRIDES: list[list[Any]] = [[None, "x", "y", "", "?"], [None, 0, 1]]


class Work:
    """What came out of some records of an increment, under the definitions it was resolved with.

    Attributes:
        done: the provenance of each piece of work.
        rows: the increment's rows of that work.
        records: what is stored once it is written.
        frame: the same, to be written.
    """

    def __init__(
        self,
        feature: Feature,
        graph: mx.FeatureGraph,
        found: mx.Increment,
        done: dict[str, dict[str, Version]],
        random: Random,
    ) -> None:
        self.feature, self.graph, self.done, self._random = feature, graph, done, random
        self._grain, self._own = feature.column(feature.grain), feature.column(feature.level)
        rows = pl.concat([found.new, found.stale.drop("metaxy_changed_fields")])
        self.rows = rows.filter(pl.col(self._grain).is_in(list(done)))
        overrides = self._overrides()
        self.records: dict[str, Record] = {}
        for row in self._outcomes():
            chosen = {key: random.choice(values) for key, values in overrides.items()}
            self.records[row[self._own]] = Record(
                row,
                done[row[self._grain]],
                {field.key: field.code for field in feature.fields},
                {key: str(value) for key, value in chosen.items() if value is not None},
            )
        self.frame = self._frame(overrides)

    def __str__(self) -> str:
        made = [(record.row, record.override) for record in self.records.values()]
        return f"{self.feature.key} {sorted(self.done)}: {made}"

    def _outcomes(self) -> list[dict[str, Any]]:
        """The columns of each record made."""
        random, level = self._random, self.feature.level
        made = [(id_, id_) for id_ in self.done]
        if self.feature.expands:
            ids = [(child, up) for up in self.done for child in OFFSPRING.get((up, level), ())]
            made = [pair for pair in ids if random.choice([True, True, False])]
        numbers = (
            dict(zip(self.rows[self._grain], self.rows["n"], strict=True)) if self.is_root else {}
        )
        return [
            {
                **{
                    self.feature.column(up): random.choice([*IDS[up], None])
                    for up in coarser_than(level)
                },
                "n": numbers[id_] if self.is_root else random.choice([None, 0, 1, 2]),
                self._grain: parent,
                self._own: id_,
            }
            for id_, parent in made
        ]

    @property
    def is_root(self) -> bool:
        return not self.feature.deps

    def _overrides(self) -> dict[str, list[Any]]:
        """For some fields, the data versions that its records may have; None for the default."""
        if self._random.choice([True, True, False]):
            return {}
        keys = [field.key for field in self.feature.fields]
        return {key: self._random.choice(OVERRIDES) for key in keys if self._random.choice([0, 1])}

    def _frame(self, overrides: dict[str, list[Any]]) -> pl.DataFrame:
        columns = [self._grain, self._own, "n"]
        columns += [self.feature.column(up) for up in coarser_than(self.feature.level)]
        schema: dict[str, Any] = dict.fromkeys(columns, pl.String) | {"n": pl.Int64}
        values = {name: [record.row[name] for record in self.records.values()] for name in schema}
        if overrides:
            kinds = {
                key: pl.Int64 if 0 in offered else pl.String for key, offered in overrides.items()
            }
            schema["metaxy_data_version_by_field"] = pl.Struct(kinds)
            values["metaxy_data_version_by_field"] = [
                {key: _typed(record.override.get(key), kind) for key, kind in kinds.items()}
                for record in self.records.values()
            ]
        provenance = self.rows.drop("n", strict=False)
        return pl.DataFrame(values, schema=schema).join(provenance, on=self._grain)


def _typed(value: str | None, kind: Any) -> str | int | None:
    return int(value) if value is not None and kind == pl.Int64 else value
