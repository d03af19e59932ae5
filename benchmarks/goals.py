"""What the engine has to reach, as ratios of scenarios that were measured in one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.results import Results
from benchmarks.scenarios import OURS, REFERENCE, SQL, Scenario, paper, scenarios

Quantity = Literal["time", "memory", "all memory", "file"]

_BETTER = {
    "time": "faster",
    "memory": "less memory",
    "all memory": "less memory",
    "file": "smaller",
}


@dataclass(frozen=True)
class Goal:
    """One ratio, or one time where nothing is divided.

    Attributes:
        work: what is done.
        over: engine and scenario above the line.
        under: engine and scenario below it; None: the seconds of ``over`` themselves.
        quantity: what is compared.
        at_least: the ratio it must reach.
        at_most: the ratio, or the seconds, it must not exceed.
    """

    work: str
    over: tuple[str, Scenario]
    under: tuple[str, Scenario] | None = None
    quantity: Quantity = "time"
    at_least: float | None = None
    at_most: float | None = None

    @property
    def wanted(self) -> str:
        """The bound in words."""
        if self.under is None:
            return f"at most {1000 * (self.at_most or 0):g} ms"
        if self.at_least is not None:
            return f"{self.at_least:g}x {_BETTER[self.quantity]}"
        return f"at most {self.at_most:g}x"

    def reached(self, results: Results) -> float | None:
        """The ratio or the seconds, where they were measured."""
        above = _quantity(results, *self.over, self.quantity)
        if above is None or self.under is None:
            return above
        below = _quantity(results, *self.under, self.quantity)
        return above / below if below else None

    def shown(self, value: float) -> str:
        """A measured value as the bound is written."""
        return f"{1000 * value:.1f} ms" if self.under is None else f"{value:.2f}x"

    def holds(self, value: float) -> bool:
        """Whether a value meets the bound."""
        if self.at_least is not None:
            return value >= self.at_least
        return self.at_most is not None and value <= self.at_most


def _quantity(results: Results, engine: str, scenario: Scenario, what: Quantity) -> float | None:
    found = results.find(engine, scenario)
    if found is None:
        return None
    values = {
        "time": found.median,
        "memory": found.peak_mb,
        "all memory": found.whole_mb,
        "file": found.file_mb,
    }
    return values[what]


def goals(small: int = 10_000, medium: int = 1_000_000, large: int = 10_000_000) -> list[Goal]:
    """The goals, at the sizes they are about unless a test wants smaller ones."""
    thousandth = _changed(medium, medium // 1_000)
    once, often = (_history(medium, rewrites) for rewrites in (1, 20))
    return [
        *_beside_reference(medium, stale=15, simple_new=4, wide_new=6),
        *_warm(small),
        Goal(
            f"{medium:,}, 0.1 % changed, against the reference",
            (REFERENCE, thousandth),
            (OURS, thousandth),
            at_least=60,
        ),
        Goal(
            f"nothing changed, {large:,} against {small:,}",
            (OURS, _changed(large, 0)),
            (OURS, _changed(small, 0)),
            at_most=1.5,
        ),
        Goal(f"nothing changed, {large:,}, warm", (OURS, _changed(large, 0)), at_most=0.015),
        Goal(
            f"{large:,}, 0.1 % changed, against our own full comparison",
            (OURS, _changed(large, large // 1_000, full=True)),
            (OURS, _changed(large, large // 1_000)),
            at_least=8,
        ),
        *[
            Goal(
                f"full comparison against hand-written SQL, {records:,}, {name}",
                (OURS, _changed(records, records // 10, full=True, graph=name)),
                (SQL, _changed(records, records // 10, full=True, graph=name)),
                at_most=1.4,
            )
            for records in (medium, large)
            for name in ("simple", "wide")
        ],
        *[
            Goal(
                f"root written 20 times against once, {medium:,}, {told} changed",
                (OURS, often[told]),
                (OURS, once[told]),
                at_most=1.3,
            )
            for told in ("nothing", "0.1 %")
        ],
        Goal(
            f"write {medium:,} rows, against the reference",
            (REFERENCE, Scenario("write", "simple", medium, stored=False)),
            (OURS, Scenario("write", "simple", medium, stored=False)),
            at_least=8,
        ),
    ]


def goal_scenarios(wanted: list[Goal]) -> list[Scenario]:
    """The scenarios behind some goals, each once, those of one base together."""
    sides = [side for goal in wanted for side in (goal.over, goal.under) if side is not None]
    return scenarios([scenario for _, scenario in sides])


def _beside_reference(
    records: int, *, stale: float, simple_new: float, wide_new: float
) -> list[Goal]:
    found = []
    for scenario in paper(records):
        ours, theirs = (OURS, scenario), (REFERENCE, scenario)
        about = f"{records:,}, {scenario.graph}, "
        if not scenario.stored:
            bound = simple_new if scenario.graph == "simple" else wide_new
            found.append(Goal(f"{about}all new", theirs, ours, at_least=bound))
            continue
        found += [
            Goal(f"{about}10 % stale", theirs, ours, at_least=stale),
            Goal(f"{about}10 % stale, memory to resolve", theirs, ours, "memory", at_least=4),
            Goal(f"{about}memory to write and resolve", theirs, ours, "all memory", at_least=4),
            Goal(f"{about}10 % stale, size of the file", theirs, ours, "file", at_least=3),
        ]
    return found


def _warm(records: int) -> list[Goal]:
    return [
        Goal(
            f"{records:,}, {each.graph}, {'10 % stale' if each.stored else 'all new'}, warm",
            (REFERENCE, each),
            (OURS, each),
            at_least=10,
        )
        for each in paper(records)
    ]


def _changed(records: int, changed: int, *, full: bool = False, graph: str = "simple") -> Scenario:
    return Scenario("resolve", graph, records, changed=changed, settled=True, full=full)


def _history(records: int, rewrites: int) -> dict[str, Scenario]:
    return {
        told: Scenario(
            "resolve", "simple", records, changed=changed, rewrites=rewrites, settled=True
        )
        for told, changed in (("nothing", 0), ("0.1 %", records // 1_000))
    }
