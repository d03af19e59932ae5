"""The exact pins agree with the bounds, so that what is tested is what the bounds allow."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LINES = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
PINS = {
    canonicalize_name(name): Version(version)
    for name, version in (line.split("==") for line in LINES[1:])
}


def requirements() -> Iterator[str]:
    yield from PYPROJECT["build-system"]["requires"]
    yield from PYPROJECT["project"]["dependencies"]
    for extra in PYPROJECT["project"]["optional-dependencies"].values():
        yield from extra


@pytest.mark.parametrize("requirement", sorted(requirements()))
def test_a_pin_is_within_its_bounds(requirement: str) -> None:
    wanted = Requirement(requirement)
    pinned = PINS.get(canonicalize_name(wanted.name))
    assert pinned is not None, f"constraints.txt has no {wanted.name}"
    assert pinned in wanted.specifier


def test_constraints_are_exact_pins_in_order() -> None:
    assert LINES[0].startswith("# ")
    assert [line for line in LINES[1:] if not re.fullmatch(r"[\w.-]+==[\w.!+]+", line)] == []
    assert LINES[1:] == sorted(LINES[1:], key=lambda line: (line.lower(), line))


@pytest.mark.parametrize(
    ("package", "first_broken", "why"),
    [
        ("duckdb", "2.0.0", "it has no fetch_arrow_table, which Ibis 12 calls"),
        ("sqlglot", "30.18.0", "Ibis 12 then drops views without their name"),
    ],
)
def test_bounds_exclude_what_does_not_work(package: str, first_broken: str, why: str) -> None:
    (bound,) = (found for found in map(Requirement, requirements()) if found.name == package)
    assert not bound.specifier.contains(first_broken), why
