"""What is measured: each scenario is a state of a store, and a piece of work on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from benchmarks.graphs import Graph, graph

Work = Literal["resolve", "propagate", "write", "stream"]

OURS, REFERENCE, DATACHAIN, SQL = "ours", "reference", "datachain", "sql"
ENGINES = (OURS, SQL, REFERENCE, DATACHAIN)


@dataclass(frozen=True)
class Scenario:
    """A state of a store, and a piece of work that is timed on fresh copies of it.

    Attributes:
        work: ``resolve`` opens the store, resolves the leaf and fetches its new and stale records;
            ``propagate`` does so for every computed feature in turn and writes what it got;
            ``write`` writes the root; ``stream`` is a first run in batches with 1 GB of memory.
        graph: name of the graph.
        records: records of the larger side of the graph.
        stored: whether every feature has been computed before.
        changed: records of the first root that changed since.
        rewrites: how often the root was written completely.
        settled: whether the store was resolved after everything was computed, as it is by the next
            run or sensor. Only our engine makes use of that.
        full: our engine has forgotten what is settled, and compares everything.
    """

    work: Work
    graph: str
    records: int
    stored: bool = True
    changed: int = 0
    rewrites: int = 1
    settled: bool = False
    full: bool = False

    def __str__(self) -> str:
        return " ".join((self.work, self.graph, f"{self.records:,}", *self.traits))

    @property
    def traits(self) -> list[str]:
        """What sets it apart from others of its work, graph and size."""
        told = []
        if self.work in {"resolve", "propagate"}:
            told.append(f"{self.changed:,} changed" if self.stored else "all new")
        if self.rewrites > 1:
            told.append(f"rewritten {self.rewrites} times")
        if self.full:
            told.append("full comparison")
        elif self.settled:
            told.append("settled")
        return told

    @property
    def shape(self) -> Graph:
        """The graph."""
        return graph(self.graph)

    @property
    def base(self) -> Scenario:
        """The state before anything changed, which several scenarios share."""
        return replace(self, work="resolve", changed=0, settled=False, full=False)

    @property
    def expected(self) -> int:
        """Records that the work gives or writes."""
        shape = self.shape
        if self.work == "write":
            return shape.root_records(self.records)
        leaf = (
            shape.touched(self.changed, self.records)
            if self.stored
            else shape.leaf_records(self.records)
        )
        return leaf * len(shape.computed) if self.work == "propagate" else leaf

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def paper(records: int) -> list[Scenario]:
    """The paper's table: both graphs, new and with a tenth of the first root changed."""
    return [
        Scenario("resolve", name, records, stored=stored, changed=records // 10 if stored else 0)
        for name in ("simple", "wide")
        for stored in (False, True)
    ]


def changes(records: int) -> list[Scenario]:
    """How the cost grows with the change, and what a comparison of everything costs."""
    counts = {0, 10, 1_000, 100_000, records // 1_000}
    small = [
        Scenario("resolve", "simple", records, changed=changed, settled=True)
        for changed in sorted(counts)
        if changed <= records // 10
    ]
    thousandth = records // 1_000
    compared = Scenario("resolve", "simple", records, changed=thousandth, settled=True, full=True)
    return [*small, compared]


def full(records: int) -> list[Scenario]:
    """Comparisons of everything, beside hand-written SQL of the same comparison."""
    return [
        Scenario("resolve", name, records, changed=records // 10, settled=True, full=True)
        for name in ("simple", "wide")
    ]


def history(records: int) -> list[Scenario]:
    """How the cost grows when the root is written again and again."""
    return [
        Scenario("resolve", "simple", records, changed=changed, rewrites=rewrites, settled=True)
        for rewrites in (1, 5, 20)
        for changed in (0, records // 1_000)
    ]


def depth(records: int) -> list[Scenario]:
    """A change of a thousandth that runs down a chain of features."""
    return [
        Scenario("propagate", f"chain-{steps}", records, changed=records // 1_000, settled=True)
        for steps in (1, 4, 16)
    ]


def width(records: int) -> list[Scenario]:
    """A change of a thousandth under a leaf with many deps, and under many leaves."""
    kinds: tuple[tuple[str, Work], ...] = (("join", "resolve"), ("fan", "propagate"))
    return [
        Scenario(work, f"{kind}-{number}", records, changed=records // 1_000, settled=True)
        for kind, work in kinds
        for number in (1, 4, 16)
    ]


def lineage(records: int) -> list[Scenario]:
    """A hundred children of each record, and one record from a hundred."""
    found = []
    for name in ("expansion", "aggregation"):
        roots = graph(name).root_records(records)
        found += [
            Scenario("resolve", name, records, stored=False),
            Scenario("resolve", name, records, changed=roots // 10),
            Scenario("resolve", name, records, changed=max(1, roots // 1_000), settled=True),
        ]
    return found


def writes(records: int) -> list[Scenario]:
    """A root written at once."""
    return [Scenario("write", "simple", records, stored=False)]


def streams(records: int) -> list[Scenario]:
    """A first run in batches, with DuckDB held to 1 GB."""
    return [Scenario("stream", "simple", records, stored=False)]


SUITES = {
    "paper": paper,
    "changes": changes,
    "full": full,
    "history": history,
    "depth": depth,
    "width": width,
    "lineage": lineage,
    "writes": writes,
    "streams": streams,
}
# What writes the same records many times is left out at larger sizes.
MOST = dict.fromkeys(("history", "depth", "width"), 1_000_000)


def suites(names: Iterable[str], sizes: Iterable[int]) -> list[Scenario]:
    """The scenarios of some suites at some sizes, each once, those of one base together."""
    wanted = [(name, size) for size in sizes for name in names if size <= MOST.get(name, size)]
    return scenarios(each for name, size in wanted for each in SUITES[name](size))


def scenarios(wanted: Iterable[Scenario]) -> list[Scenario]:
    """Scenarios, each once, those of one base together."""
    distinct = list(dict.fromkeys(wanted))
    bases = dict.fromkeys(each.base for each in distinct)
    return [each for base in bases for each in distinct if each.base == base]
