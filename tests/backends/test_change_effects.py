"""Every change that can happen, through each lineage: what it calls for downstream.

The table of ``docs/concepts/changes.md`` is made of the cases below, each of which runs here. After
a case was added or altered: ``python tests/backends/test_change_effects.py`` writes the page.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "changes.md"
LINEAGES = ("identity", "expansion", "aggregation")
SERIES = {"v1": "sea", "v2": "sea", "v3": "sky"}
BY_FIELD = "metaxy_data_version_by_field"


class Readers:
    """Three features over one upstream, one for each lineage, and what there is to do for them."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.store = project.store
        self.release()

    def begin(self) -> None:
        """Write the first records and do the work they call for."""
        raise NotImplementedError

    def release(self, **code: Any) -> None:
        """Declare every feature in the code of the next release."""
        raise NotImplementedError

    def reader(
        self, key: str, ids: list[str], deps: list[mx.FeatureDep], text: int = 1
    ) -> FeatureClass:
        """Declare a feature that reads the field ``audio`` of each dep."""
        reads = [mx.FieldDep(feature=dep.feature, fields=["audio"]) for dep in deps]
        field = mx.FieldSpec(key="text", code_version=text, deps=reads)
        return self.project.feature(key, ids=ids, deps=deps, fields=[field])

    def put(self, *ids: str, **values: Any) -> None:
        """Write records of the root; what is not said is as it was in the beginning."""
        fields = {name: values.get(name, "first") for name in ("audio", "frames")}
        series = [values.get("series") or SERIES[id_] for id_ in ids]
        columns = {"series": pl.Series(series), "size": pl.lit(values.get("size", 1))}
        samples = self.project.samples(**dict.fromkeys(ids, fields)).with_columns(**columns)
        if kept := values.get("data_version"):
            versions = pl.struct(audio=pl.lit(kept), frames=pl.lit(None, pl.String))
            samples = samples.with_columns(versions.alias(BY_FIELD))
        self.store.write(values.get("feature", self.root), samples)

    def delete(self, *ids: str, feature: FeatureClass | None = None, hard: bool = False) -> None:
        self.store.delete(feature or self.root, pl.DataFrame({"id": ids}), hard=hard)

    def data_version(self, id_: str) -> str:
        """What the field ``audio`` of a record of the root is known by."""
        records = self.store.read(self.root, filters=f"id = '{id_}'").to_polars()
        return records[BY_FIELD].struct.field("audio").item()

    def expand(self, feature: FeatureClass, children: int = 2) -> None:
        """Do the work of an expansion: as many children for each of its parents."""
        increment = self.store.resolve_update(feature)
        numbers = pl.DataFrame({feature.spec.id_columns[-1]: pl.int_range(children, eager=True)})
        for parents in increment.batches():
            self.store.write(feature, parents.join(numbers, how="cross"), processed=parents)
        if increment.counts.orphaned:
            self.store.delete(feature, increment.orphaned)

    def process(self) -> None:
        """Do all work there is downstream."""
        self.project.process(self.identity)
        self.expand(self.expansion)
        self.project.process(self.aggregation)

    def effects(self) -> dict[str, str]:
        """What there is to do for the feature of each lineage, in words."""
        return {name: in_words(self.project.counts(getattr(self, name))) for name in LINEAGES}


class OfRoot(Readers):
    """Readers of a root with three records, ``v1`` and ``v2`` in a series, ``v3`` in another."""

    def begin(self) -> None:
        self.put(*SERIES)
        self.process()

    def release(
        self,
        *,
        audio: int = 1,
        frames: int = 1,
        text: int = 1,
        only: str | None = None,
        label: str | None = None,
    ) -> None:
        columns = {"series": str, "size": int}
        fields = {"audio": audio, "frames": frames}
        self.root = self.project.feature("video", fields=fields, columns=columns)
        self.label = self.project.feature("label", fields=["audio", "frames"], columns=columns)

        def deps(lineage: mx.Lineage) -> list[mx.FeatureDep]:
            carried: dict[str, Any] = {} if lineage.kind == "aggregation" else {"columns": []}
            found = [mx.FeatureDep(feature=self.root, filter=only, lineage=lineage, **carried)]
            if label is not None:
                options = {"optional": label == "optional", "lineage": lineage, **carried}
                found.append(mx.FeatureDep(feature=self.label, **options))
            return found

        self.identity = self.reader("transcript", ["id"], deps(mx.identity()), text)
        self.expansion = self.reader("scene", ["id", "number"], deps(mx.expansion()), text)
        group = deps(mx.aggregation(on=["series"]))
        self.aggregation = self.reader("summary", ["series"], group, text)

    def with_label(self, *labelled: str, label: str = "optional") -> None:
        """The readers read labels too, of which these exist, and all work is done."""
        self.release(label=label)
        if labelled:
            self.put(*labelled, feature=self.label)
        self.process()


class OfExpansion(Readers):
    """Readers of an expansion with two children for each of ``v1`` and ``v2``."""

    def begin(self) -> None:
        self.put("v1", "v2")
        self.expand(self.scene)
        self.process()

    def release(self, *, scene: int = 1) -> None:
        columns = {"series": str, "size": int}
        self.root = self.project.feature("video", fields=["audio", "frames"], columns=columns)
        cut = mx.FeatureDep(feature=self.root, columns=[], lineage=mx.expansion())
        ids = ["id", "number"]
        self.scene = self.project.feature("scene", ids=ids, deps=[cut], fields={"audio": scene})

        def deps(lineage: mx.Lineage) -> list[mx.FeatureDep]:
            return [mx.FeatureDep(feature=self.scene, lineage=lineage)]

        self.identity = self.reader("caption", ids, deps(mx.identity()))
        self.expansion = self.reader("face", [*ids, "face"], deps(mx.expansion()))
        self.aggregation = self.reader("summary", ["id"], deps(mx.aggregation(on=["id"])))

    def change_v1(self, children: int) -> None:
        """The parent ``v1`` changes and is expanded again."""
        self.put("v1", audio="second")
        self.expand(self.scene, children)


def in_words(counts: mx.Counts) -> str:
    parts = [f"{number} {kind}" for kind, number in asdict(counts).items() if number]
    return ", ".join(parts) or "nothing"


def in_turn(*acts: Callable[[Any], object]) -> Callable[[Any], None]:
    def all_acts(readers: Any) -> None:
        for act in acts:
            act(readers)

    return all_acts


def process(readers: Readers) -> None:
    readers.process()


def keep_data_version(readers: Readers) -> None:
    kept = readers.data_version("v1")
    readers.put("v1", audio="second", data_version=kept)


def keep_every_data_version(readers: Readers) -> None:
    for id_ in SERIES:
        readers.put(id_, data_version=readers.data_version(id_))


@dataclass(frozen=True)
class Change:
    """A change, and what it calls for through each lineage."""

    name: str
    act: Callable[[Any], object]
    identity: str
    expansion: str
    aggregation: str


NOTHING = ("nothing",) * 3

OF_ROOT = {
    "Records of the upstream": [
        Change("A record is added", lambda r: r.put("v4", series="sky"),
               "1 new", "1 new", "1 stale"),
        Change("A record is added that begins a group", lambda r: r.put("v4", series="ice"),
               "1 new", "1 new", "1 new"),
        Change("A field that is read changes", lambda r: r.put("v1", audio="second"),
               "1 stale", "1 stale", "1 stale"),
        Change("A field that is not read changes",
               lambda r: r.put("v1", frames="second"), *NOTHING),
        Change("A column changes, and no field", lambda r: r.put("v1", size=2), *NOTHING),
        Change("The column that names the group changes", lambda r: r.put("v1", series="sky"),
               "nothing", "nothing", "2 stale"),
        Change("A record is written again with equal versions", lambda r: r.put("v1"), *NOTHING),
        Change("A record is computed from other input, its data version is kept",
               keep_data_version, *NOTHING),
        Change("A change is taken back before anybody saw it",
               in_turn(lambda r: r.put("v1", audio="second"), lambda r: r.put("v1")), *NOTHING),
        Change("A record is deleted softly", lambda r: r.delete("v1"),
               "1 orphaned", "2 orphaned", "1 stale"),
        Change("A record is deleted with its history", lambda r: r.delete("v1", hard=True),
               "1 orphaned", "2 orphaned", "1 stale"),
        Change("The last record of a group is deleted", lambda r: r.delete("v3"),
               "1 orphaned", "2 orphaned", "1 orphaned"),
        Change("A record is deleted and written again as it was",
               in_turn(lambda r: r.delete("v1"), lambda r: r.put("v1")), *NOTHING),
        Change("A record is deleted, so is what was made of it, and it comes back",
               in_turn(lambda r: r.delete("v1"), process, lambda r: r.put("v1")),
               "1 new", "1 new", "1 stale"),
    ],
    "Code": [
        Change("The code version of a field that is read is raised", lambda r: r.release(audio=2),
               "3 blocked", "3 blocked", "2 blocked"),
        Change("… and one of its three records has been computed again",
               in_turn(lambda r: r.release(audio=2), lambda r: r.put("v1")),
               "1 stale, 2 blocked", "1 stale, 2 blocked", "2 blocked"),
        Change("… and all have been computed again",
               in_turn(lambda r: r.release(audio=2), lambda r: r.put(*SERIES)),
               "3 stale", "3 stale", "2 stale"),
        Change("… and all have been computed again, their data versions are kept",
               in_turn(lambda r: r.release(audio=2), keep_every_data_version), *NOTHING),
        Change("… and it is taken back before anything was computed",
               in_turn(lambda r: r.release(audio=2), lambda r: r.release()), *NOTHING),
        Change("The code version of a field that is not read is raised",
               lambda r: r.release(frames=2), *NOTHING),
        Change("The own code version is raised", lambda r: r.release(text=2),
               "3 stale", "3 stale", "2 stale"),
        Change("The own code version is raised, and that of a field that is read",
               lambda r: r.release(text=2, audio=2), "3 blocked", "3 blocked", "2 blocked"),
    ],
    "Filters": [
        Change("A filter is added that one record fails",
               in_turn(lambda r: r.put("v1", size=9), lambda r: r.release(only="size < 5")),
               "1 orphaned", "2 orphaned", "1 stale"),
        Change("… and it is taken away after the work was done",
               in_turn(lambda r: r.put("v1", size=9), lambda r: r.release(only="size < 5"),
                       process, lambda r: r.release()),
               "1 new", "1 new", "1 stale"),
        Change("A record changes so that it fails the filter",
               in_turn(lambda r: r.release(only="size < 5"), lambda r: r.put("v1", size=9)),
               "1 orphaned", "2 orphaned", "1 stale"),
        Change("A record changes so that it passes the filter",
               in_turn(lambda r: r.put("v1", size=9), lambda r: r.release(only="size < 5"),
                       process, lambda r: r.put("v1")),
               "1 new", "1 new", "1 stale"),
    ],
    "Further deps": [
        Change("An optional dep is added that has no record yet",
               lambda r: r.release(label="optional"), "3 stale", "3 stale", "2 stale"),
        Change("An optional record appears",
               in_turn(lambda r: r.with_label(), lambda r: r.put("v1", feature=r.label)),
               "1 stale", "1 stale", "1 stale"),
        Change("An optional record changes in a field that is read",
               in_turn(lambda r: r.with_label("v1"),
                       lambda r: r.put("v1", audio="second", feature=r.label)),
               "1 stale", "1 stale", "1 stale"),
        Change("An optional record disappears",
               in_turn(lambda r: r.with_label("v1"), lambda r: r.delete("v1", feature=r.label)),
               "1 stale", "1 stale", "1 stale"),
        Change("An optional dep becomes required, and has a record for one of three",
               in_turn(lambda r: r.with_label("v1"), lambda r: r.release(label="required")),
               "2 orphaned", "4 orphaned", "1 orphaned"),
        Change("A required dep becomes optional, and has a record for one of three",
               in_turn(lambda r: r.with_label("v1", label="required"),
                       lambda r: r.release(label="optional")),
               "2 new", "2 new", "1 new"),
        Change("A dep is removed", in_turn(lambda r: r.with_label("v1"), lambda r: r.release()),
               "3 stale", "3 stale", "2 stale"),
    ],
}  # fmt: skip

OF_EXPANSION = {
    "Children of the upstream": [
        Change("A parent is added and expanded",
               in_turn(lambda r: r.put("v3"), lambda r: r.expand(r.scene)),
               "2 new", "2 new", "1 new"),
        Change("A parent changes, and is not expanded again yet",
               lambda r: r.put("v1", audio="second"), *NOTHING),
        Change("A parent changes and gives as many children", lambda r: r.change_v1(2),
               "2 stale", "2 stale", "1 stale"),
        Change("A parent changes and gives a child more", lambda r: r.change_v1(3),
               "1 new, 2 stale", "1 new, 2 stale", "1 stale"),
        Change("A parent changes and gives a child less", lambda r: r.change_v1(1),
               "1 stale, 1 orphaned", "1 stale, 2 orphaned", "1 stale"),
        Change("A parent changes and gives no child", lambda r: r.change_v1(0),
               "2 orphaned", "4 orphaned", "1 orphaned"),
        Change("A parent is deleted, and its children are not yet",
               lambda r: r.delete("v1"), *NOTHING),
        Change("A parent is deleted, and so are its children",
               in_turn(lambda r: r.delete("v1"), lambda r: r.expand(r.scene)),
               "2 orphaned", "4 orphaned", "1 orphaned"),
        Change("The expansion's code version is raised", lambda r: r.release(scene=2),
               "4 blocked", "4 blocked", "2 blocked"),
        Change("… and all have been expanded again",
               in_turn(lambda r: r.release(scene=2), lambda r: r.expand(r.scene)),
               "4 stale", "4 stale", "2 stale"),
    ],
}  # fmt: skip


CASES = [
    pytest.param(kind, change, id=f"{group} {number}")
    for kind, groups in ((OfRoot, OF_ROOT), (OfExpansion, OF_EXPANSION))
    for group, changes in groups.items()
    for number, change in enumerate(changes, 1)
]


@pytest.fixture(scope="module")
def beginnings() -> dict[Any, Path]:
    """Copies of stores as they are before a change, by store and readers."""
    return {}


@pytest.fixture
def begun(
    project: Project,
    readers: type[Readers],
    kind: Any,
    beginnings: dict[Any, Path],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Readers:
    """Readers that have nothing to do yet; made once for all changes where a store has files."""
    found = readers(project)
    if (kind, readers) in beginnings:
        shutil.copytree(beginnings[kind, readers], tmp_path, dirs_exist_ok=True)
        return found
    found.begin()
    if "files" in kind.capabilities:
        copy = tmp_path_factory.mktemp("begun")
        beginnings[kind, readers] = shutil.copytree(tmp_path, copy, dirs_exist_ok=True)
    return found


@pytest.mark.parametrize(("readers", "change"), CASES)
def test_a_change_calls_for_what_the_table_says(begun: Readers, change: Change) -> None:
    change.act(begun)
    told = {name: getattr(change, name) for name in LINEAGES}
    assert begun.effects() == told


@pytest.mark.parametrize("readers", [OfRoot, OfExpansion])
def test_before_a_change_there_is_nothing_to_do(begun: Readers) -> None:
    assert begun.effects() == dict.fromkeys(LINEAGES, "nothing")


# --------------------------------------------------------------------------- the page


def tables() -> str:
    """The cases as Markdown."""
    lines = []
    for group, changes in (OF_ROOT | OF_EXPANSION).items():
        lines += ["", f"### {group}", "", "| change | identity | expansion | aggregation |"]
        lines += ["| --- | --- | --- | --- |"]
        lines += [f"| {c.name} | {c.identity} | {c.expansion} | {c.aggregation} |" for c in changes]
    return "\n".join([*lines, "", ""])


def parts(page: str) -> tuple[str, str, str]:
    """What stands before, between and after the markers."""
    before, begin, rest = page.partition("<!-- generated -->\n")
    found, end, after = rest.partition("<!-- end of what is generated -->")
    assert begin
    assert end
    return before + begin, found, end + after


def test_the_page_s_tables_are_those_of_the_cases() -> None:
    _, found, _ = parts(PAGE.read_text("utf-8"))
    assert found == tables(), "run: python tests/backends/test_change_effects.py"


if __name__ == "__main__":
    before, _, after = parts(PAGE.read_text("utf-8"))
    PAGE.write_text(before + tables() + after, "utf-8")
