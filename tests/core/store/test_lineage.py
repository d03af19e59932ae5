"""`store.lineage`: the upstream versions that a stored record was computed from."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import InvalidId, UnknownRecord

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]


@pytest.fixture
def video(project: Project) -> FeatureClass:
    return project.feature("video")


@pytest.fixture
def text(project: Project, video: FeatureClass) -> FeatureClass:
    return project.feature("text", deps=[video])


def film(project: Project, version: str, run: str | None = None) -> int:
    frame = project.samples(v1=version)
    commit = project.store.write("video", frame, materialization_id=run)
    assert commit is not None
    return commit.id


def commits(lineage: mx.Lineage) -> Any:
    """The tree as nested pairs: a commit, and those beneath."""
    return (lineage.commit, [commits(above) for above in lineage.upstream])


# --------------------------------------------------------------------------- the tree


def test_a_record_comes_from_the_state_that_it_was_computed_from(
    project: Project, video: FeatureClass, text: FeatureClass
) -> None:
    first = film(project, "a", run="run-1")
    project.process(text)
    film(project, "b", run="run-2")

    found = project.store.lineage(text, "v1")
    (above,) = found.upstream
    history = project.store.read(video, history=True).to_polars().sort("metaxy_commit")
    assert (above.feature, above.id, above.commit) == ("video", {"id": "v1"}, first)
    assert above.materialization_id == "run-1"
    assert above.created_at == history["metaxy_created_at"][0]
    assert above.data_versions == history["metaxy_data_version_by_field"][0]
    assert (found.exact, above.exact) == (True, True)


def test_a_record_tells_its_own_versions_and_commit(project: Project, text: FeatureClass) -> None:
    film(project, "a")
    frame = project.store.resolve_update(text).new
    frame = frame.with_columns(metaxy_data_version_by_field=pl.struct(default=pl.lit("content")))
    project.store.write(text, frame, materialization_id="run-9")
    (row,) = project.store.read(text).to_polars().to_dicts()
    found = project.store.lineage(text, "v1")
    assert found.provenance == row["metaxy_provenance_by_field"]
    assert found.data_versions == row["metaxy_data_version_by_field"]
    assert found.data_versions != found.provenance
    assert (found.commit, found.materialization_id) == (row["metaxy_commit"], "run-9")


def test_a_write_between_the_increment_and_its_commit_is_not_what_it_came_from(
    project: Project, text: FeatureClass
) -> None:
    first = film(project, "a")
    frame = project.store.resolve_update(text).new
    film(project, "b")
    project.store.write(text, frame)
    assert commits(project.store.lineage(text, "v1")) == (3, [(first, [])])


def test_the_chain_is_followed_state_by_state(project: Project, text: FeatureClass) -> None:
    summary = project.feature("summary", deps=[text])
    film(project, "a")  # 1
    project.process(text)  # 2
    project.process(summary)  # 3
    film(project, "b")  # 4
    project.process(text)  # 5
    assert commits(project.store.lineage(summary, "v1")) == (3, [(2, [(1, [])])])
    assert commits(project.store.lineage(text, "v1")) == (5, [(4, [])])


def test_a_diamond_is_followed_on_both_sides(project: Project, video: FeatureClass) -> None:
    left, right = (project.feature(key, deps=[video]) for key in ("left", "right"))
    both = project.feature("both", deps=[left, right])
    film(project, "a")  # 1
    project.process(left)  # 2
    film(project, "b")  # 3
    project.process(right)  # 4
    project.process(both)  # 5
    found = project.store.lineage(both, "v1")
    assert commits(found) == (5, [(2, [(1, [])]), (4, [(3, [])])])
    assert found.exact


def test_features_written_under_one_commit_come_from_before_it(
    project: Project, video: FeatureClass, text: FeatureClass
) -> None:
    film(project, "a")
    frames = {video: project.samples(v1="b"), text: project.store.resolve_update(text).new}
    project.store.write_all(frames)
    assert commits(project.store.lineage(text, "v1")) == (2, [(1, [])])


def test_a_data_version_that_stayed_leads_to_the_newest_state_that_had_it(
    project: Project, video: FeatureClass, text: FeatureClass
) -> None:
    same = pl.struct(default=pl.lit("content"))
    for version in ("a", "b"):
        frame = project.samples(v1=version).with_columns(metaxy_data_version_by_field=same)
        project.store.write(video, frame)
    project.process(text)
    project.store.write(
        video, project.samples(v1="c").with_columns(metaxy_data_version_by_field=same)
    )
    assert commits(project.store.lineage(text, "v1")) == (3, [(2, [])])


def test_an_upstream_that_was_deleted_since_is_still_told(
    project: Project, video: FeatureClass, text: FeatureClass
) -> None:
    film(project, "a")
    project.process(text)
    project.store.delete(video, filters="id = 'v1'")
    assert commits(project.store.lineage(text, "v1")) == (2, [(1, [])])


# --------------------------------------------------------------------------- other wiring


def test_optional_records_that_were_not_there_are_left_out(
    project: Project, video: FeatureClass
) -> None:
    note = project.feature("note")
    text = project.feature("text", deps=[video, mx.FeatureDep(feature=note, optional=True)])
    film(project, "a")  # 1
    project.process(text)  # 2
    project.store.write(note, project.samples(v1="n"))  # 3
    assert commits(project.store.lineage(text, "v1")) == (2, [(1, [])])
    project.process(text)  # 4
    assert commits(project.store.lineage(text, "v1")) == (4, [(1, []), (3, [])])


def test_the_state_is_one_that_passed_the_filter(project: Project) -> None:
    video = project.feature("video", columns={"duration": int})
    dep = mx.FeatureDep(feature=video, filter="duration > 1", optional=True)
    note = project.feature("note")
    text = project.feature("text", deps=[note, dep])
    lasting = lambda seconds: project.samples(v1="a").with_columns(duration=pl.lit(seconds))
    project.store.write(note, project.samples(v1="n"))  # 1
    project.store.write(video, lasting(1))  # 2
    project.process(text)  # 3
    project.store.write(video, lasting(2))  # 4
    assert commits(project.store.lineage(text, "v1")) == (3, [(1, [])])
    project.process(text)  # 5
    assert commits(project.store.lineage(text, "v1")) == (5, [(1, []), (4, [])])


def test_renamed_ids_are_followed(project: Project, video: FeatureClass) -> None:
    dep = mx.FeatureDep(feature=video, rename={"id": "video_id"})
    text = project.feature("text", ids=["video_id"], deps=[dep])
    film(project, "a")
    project.process(text)
    film(project, "b")
    (above,) = project.store.lineage(text, "v1").upstream
    assert (above.id, above.commit) == ({"id": "v1"}, 1)


def test_a_group_has_the_members_it_was_computed_from(project: Project) -> None:
    clip = project.feature("clip", columns={"speaker": str})
    dep = mx.FeatureDep(feature=clip, lineage=mx.aggregation(on=["speaker"]))
    speaker = project.feature("speaker", ids=["speaker"], deps=[dep])

    def record(name: str, **clips: str) -> None:
        frame = project.samples(**clips).with_columns(speaker=pl.lit(name))
        project.store.write(clip, frame)

    record("ann", c1="1", c2="1")  # 1
    record("ann", c2="2", c3="1")  # 2
    project.process(speaker)  # 3
    record("bob", c1="1")  # 4
    record("ann", c4="1")  # 5
    found = project.store.lineage(speaker, "ann")
    assert found.exact
    assert {above.id["id"]: above.commit for above in found.upstream} == {"c1": 1, "c2": 2, "c3": 2}


@pytest.fixture
def scene(project: Project, video: FeatureClass) -> FeatureClass:
    dep = mx.FeatureDep(feature=video, lineage=mx.expansion())
    return project.feature("scene", ids=["id", "number"], deps=[dep], columns={"number": int})


def cut(project: Project, scene: FeatureClass, *numbers: int) -> None:
    increment = project.store.resolve_update(scene)
    parents = pl.concat([increment.new, increment.stale.drop("metaxy_changed_fields")])
    children = parents.join(pl.DataFrame({"number": list(numbers)}), how="cross")
    project.store.write(scene, children, processed=parents)


def test_a_child_comes_from_its_parent(project: Project, scene: FeatureClass) -> None:
    film(project, "a")  # 1
    cut(project, scene, 1, 2)  # 2
    film(project, "b")  # 3
    found = project.store.lineage(scene, ("v1", 2))
    assert found.id == {"id": "v1", "number": 2}
    assert commits(found) == (2, [(1, [])])
    by_parent = project.store.lineage(scene, "v1")
    assert (by_parent.id, commits(by_parent)) == ({"id": "v1"}, (2, [(1, [])]))


def test_what_reads_a_child_is_followed_through_it(project: Project, scene: FeatureClass) -> None:
    still = project.feature("still", ids=["id", "number"], deps=[scene])
    film(project, "a")  # 1
    cut(project, scene, 1)  # 2
    project.process(still)  # 3
    film(project, "b")  # 4
    cut(project, scene, 1)  # 5
    assert commits(project.store.lineage(still, ("v1", 1))) == (3, [(2, [(1, [])])])


def test_a_parent_without_children_has_a_lineage(project: Project, scene: FeatureClass) -> None:
    film(project, "a")
    parents = project.store.resolve_update(scene).new
    nothing = parents.head(0).with_columns(number=pl.lit(1))
    project.store.write(scene, nothing, processed=parents)
    assert commits(project.store.lineage(scene, {"id": "v1"})) == (2, [(1, [])])


# --------------------------------------------------------------------------- definitions that moved


def test_records_of_former_code_are_traced_by_their_own_definition(project: Project) -> None:
    def release(*, text: int, fields: list[str]) -> FeatureClass:
        video = project.feature("video", fields=["audio", "frames"])
        reads = mx.FieldDep(feature=video, fields=fields)
        return project.feature(
            "text", deps=[video], fields=[mx.FieldSpec(key="t", code_version=text, deps=[reads])]
        )

    text = release(text=1, fields=["audio"])
    project.store.write("video", project.samples(v1={"audio": "a", "frames": "f"}))
    project.process(text)
    text = release(text=2, fields=["audio", "frames"])
    found = project.store.lineage(text, "v1")
    assert (found.exact, commits(found)) == (True, (2, [(1, [])]))


def test_the_upstream_may_have_had_other_fields(project: Project) -> None:
    video = project.feature("video", fields=["audio"])
    text = project.feature("text", deps=[video])
    project.store.write(video, project.samples(v1={"audio": "a"}))  # 1
    project.process(text)  # 2
    video = project.feature("video", fields=["audio", "frames"])
    text = project.feature("text", deps=[video])
    project.store.write(video, project.samples(v1={"audio": "b", "frames": "f"}))  # 3
    found = project.store.lineage(text, "v1")
    assert (found.exact, commits(found)) == (True, (2, [(1, [])]))


def test_an_upstream_that_the_code_no_longer_has_is_traced(store: mx.MetadataStore) -> None:
    from tests.conftest import Project as Declared

    with mx.FeatureGraph().use():
        project = Declared(store)
        video = project.feature("video")
        text = project.feature("text", deps=[video])
        project.store.write(video, project.samples(v1="a"))
        project.process(text)
    with mx.FeatureGraph().use():
        project.feature("text")
        found = store.lineage("text", "v1")
    assert (found.exact, commits(found)) == (True, (2, [(1, [])]))


# --------------------------------------------------------------------------- what is not there


def test_history_that_was_erased_makes_a_lineage_inexact(
    project: Project, video: FeatureClass, text: FeatureClass
) -> None:
    film(project, "a")
    project.process(text)
    project.store.delete(video, filters="id = 'v1'", hard=True)
    found = project.store.lineage(text, "v1")
    assert (found.exact, found.upstream) == (False, ())
    assert "not in the history any more" in str(found)


def test_what_is_downstream_of_an_inexact_record_is_inexact(
    project: Project, video: FeatureClass, text: FeatureClass
) -> None:
    summary = project.feature("summary", deps=[text])
    film(project, "a")
    project.process(text)
    project.process(summary)
    project.store.delete(video, filters="id = 'v1'", hard=True)
    found = project.store.lineage(summary, "v1")
    assert [found.exact, found.is_found, found.upstream[0].is_found] == [False, True, False]


def test_a_record_that_was_never_written_is_unknown(project: Project, text: FeatureClass) -> None:
    film(project, "a")
    with project.refuses(UnknownRecord, "no record id=v1 of 'text'", "never written", "explain"):
        project.store.lineage(text, "v1")


def test_a_deleted_record_is_unknown(project: Project, text: FeatureClass) -> None:
    film(project, "a")
    project.process(text)
    project.store.delete(text, filters="id = 'v1'")
    with project.refuses(UnknownRecord, "it was deleted in commit 3"):
        project.store.lineage(text, "v1")


def test_an_id_of_another_shape_is_refused(project: Project, text: FeatureClass) -> None:
    with project.refuses(InvalidId, "'text'", "identified by (id)"):
        project.store.lineage(text, ("v1", 2))


# --------------------------------------------------------------------------- telling


@pytest.mark.slow
def test_many_former_states_are_searched(project: Project, text: FeatureClass) -> None:
    film(project, "a")
    frame = project.store.resolve_update(text).new
    for number in range(105):
        film(project, f"b{number}")
    project.store.write(text, frame)
    assert commits(project.store.lineage(text, "v1"))[1] == [(1, [])]


def test_a_lineage_prints_as_a_tree(project: Project, text: FeatureClass) -> None:
    film(project, "a", run="run-1")
    project.process(text)
    found = project.store.lineage(text, "v1")
    at = found.upstream[0].created_at.strftime("%Y-%m-%d %H:%M:%S")
    assert str(found).splitlines() == [
        "text id=v1",
        f"├── commit 2 at {found.created_at:%Y-%m-%d %H:%M:%S} UTC",
        f"├── default {found.data_versions['default']}",
        "└── video id=v1",
        f"    ├── commit 1 at {at} UTC by run-1",
        f"    └── default {found.upstream[0].data_versions['default']}",
    ]


def test_a_lineage_is_json(project: Project, text: FeatureClass) -> None:
    film(project, "a", run="run-1")
    project.process(text)
    found = project.store.lineage(text, "v1")
    told = json.loads(json.dumps(found.to_dict()))
    assert told["upstream"] == [
        {
            "feature": "video",
            "id": {"id": "v1"},
            "data_versions": found.upstream[0].data_versions,
            "provenance": found.upstream[0].provenance,
            "commit": 1,
            "created_at": found.upstream[0].created_at.isoformat(),
            "materialization_id": "run-1",
            "exact": True,
            "upstream": [],
        }
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_after_any_history_a_record_comes_from_what_its_increment_saw(
    project: Project, video: FeatureClass, seed: int
) -> None:
    chance = random.Random(seed)
    note = project.feature("note")
    text = project.feature("text", deps=[video, mx.FeatureDep(feature=note, optional=True)])
    present: dict[str, int] = {}
    seen: dict[str, int] = {}

    def work() -> None:
        increment = project.store.resolve_update(text)
        seen_now = dict(present)
        if increment.counts.to_process:
            if chance.random() < 0.5:
                change(chance.choice(["video", "note"]), "late")
            for frame in increment.batches():
                project.store.write(text, frame)
            seen.clear()
            seen.update(seen_now)

    def change(feature: str, version: str) -> None:
        if feature == "note" and "note" in present and chance.random() < 0.4:
            project.store.delete(note, filters="id = 'v1'")
            del present["note"]
            return
        frame = project.samples(v1=f"{version}-{chance.random()}")
        present[feature] = project.store.write(feature, frame).id

    change("video", "first")
    for number in range(12):
        if chance.random() < 0.4:
            work()
        else:
            change(chance.choice(["video", "note"]), str(number))
    work()
    found = project.store.lineage(text, "v1")
    assert found.exact
    assert {above.feature: above.commit for above in found.upstream} == seen
