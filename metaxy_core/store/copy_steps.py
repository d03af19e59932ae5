"""Missing commits are copied in the order in which they were made, and read a group at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from metaxy_core.keys import FeatureKey
from metaxy_core.store.commits import ERASING, Commit

MOST: Final = 100
"""So many commits are read at once, if they have few rows."""


@dataclass(frozen=True)
class CopyStep:
    """What one commit id of the source stands for: a commit of one or of several features."""

    number: int
    commits: tuple[Commit, ...]

    @property
    def rows(self) -> int:
        """How many rows there are, about."""
        appended = (each for each in self.commits if each.operation not in ERASING)
        return sum(each.rows + each.deleted + each.processed for each in appended)


def steps_of(missing: Iterable[Sequence[Commit]]) -> list[CopyStep]:
    """Missing commits by their id, oldest first."""
    commits = sorted((each for found in missing for each in found), key=lambda each: each.id)
    return [
        CopyStep(number, tuple(of_number))
        for number, of_number in groupby(commits, key=lambda each: each.id)
    ]


def groups_of(steps: Iterable[CopyStep], size: int) -> Iterator[list[CopyStep]]:
    """Consecutive steps that are read together.

    Args:
        steps: the steps.
        size: how many rows a group has at most, if it is more than one step.
    """
    group: list[CopyStep] = []
    rows = 0
    for step in steps:
        if group and (rows + step.rows > size or len(group) == MOST):
            yield group
            group, rows = [], 0
        group.append(step)
        rows += step.rows
    if group:
        yield group


def commits_of(group: Iterable[CopyStep]) -> dict[FeatureKey, list[int]]:
    """The ids of a group's commits, by feature."""
    found: dict[FeatureKey, list[int]] = {}
    for step in group:
        for commit in step.commits:
            found.setdefault(commit.feature, []).append(commit.id)
    return found
