"""Several projects in one store: what each recorded, and what none may take from another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

import metaxy_core as mx
from metaxy_core.errors import (
    DuplicateFeature,
    ExternalFeature,
    FeatureOwned,
    InvalidWrite,
    UnknownFeature,
    UnknownProject,
    UnknownSnapshot,
)

if TYPE_CHECKING:
    from tests.conftest import Project

Code = Callable[..., mx.FeatureGraph]


@pytest.fixture
def code(project: Project) -> Code:
    """A project's code: features by key, each with the code version of its only field."""

    def code(name: str, **features: int) -> mx.FeatureGraph:
        with mx.FeatureGraph(project=name).use() as graph:
            for key, version in features.items():
                project.feature(key, fields={"default": version})
        return graph

    return code


@contextmanager
def running(graph: mx.FeatureGraph) -> Iterator[None]:
    with graph.use():
        yield


def keys(graph: mx.FeatureGraph) -> list[str]:
    return [str(definition.key) for definition in graph]


# ------------------------------------------------------------------ whose a feature is


def test_a_feature_belongs_to_the_project_of_its_graph(code):
    assert code("talks", video=1)["video"].project == "talks"


def test_naming_a_graph_names_what_has_no_project_yet(code):
    graph = code("", video=1)
    graph.name_project("talks")
    assert (graph.project, graph["video"].project) == ("talks", "talks")
    graph.name_project("other")
    assert graph["video"].project == "talks"


def test_own_features_are_neither_external_nor_of_another_project(code):
    graph = code("talks", video=1)
    external = code("library", film=1)["film"].model_copy(update={"external": True})
    graph.add(external)
    assert [str(d.key) for d in graph.own] == ["video"]
    assert graph.versions.project == code("talks", video=1).versions.project


def test_code_may_not_define_what_is_external(code, project):
    graph = code("talks")
    graph.add(code("library", video=1)["video"].model_copy(update={"external": True}))
    with running(graph), pytest.raises(DuplicateFeature, match="'library' and by project 'talks'"):
        project.feature("video")
    assert graph["video"].project == "library"


def test_the_code_of_an_external_feature_wins_over_its_locked_definition(code):
    locked = code("library", video=1)["video"].model_copy(update={"external": True})
    graph = code("talks")
    graph.add(locked)
    graph.add(code("library", video=2)["video"])
    graph.add(locked)
    assert not graph["video"].external
    assert graph["video"].spec.fields[0].code_version == "2"


# ------------------------------------------------------------------ snapshots


def test_each_project_has_snapshots_of_its_own(store, code):
    one, two = code("one", a=1), code("two", b=1)
    pushed = [store.push(graph) for graph in (one, two, one, two)]
    assert [snapshot.id for snapshot in pushed] == [1, 2, 1, 2]
    assert [snapshot.project for snapshot in store.snapshots()] == ["one", "two"]
    assert store.snapshots("two") == (pushed[1],)
    assert store.snapshots("three") == ()
    assert store.newest_snapshots(["two", "three"]) == {"two": pushed[1]}


def test_a_then_b_then_a_is_three_snapshots_whatever_others_push(store, code):
    for version in (1, 2, 1):
        store.push(code("one", a=version))
        store.push(code("two", b=version))
    mine = store.snapshots("one")
    assert [snapshot.id for snapshot in mine] == [1, 3, 5]
    assert mine[2].version == mine[0].version != mine[1].version
    assert store.newest_snapshots(["one"]) == {"one": mine[2]}


def test_the_recorded_graph_is_that_of_the_active_project(store, code):
    one, two = code("one", a=1), code("two", b=1)
    store.push(one)
    store.push(two)
    with running(one):
        assert list(store.recorded_graph()) == list(one)
    assert list(store.recorded_graph(project="two")) == list(two)
    assert store.recorded_graph(project="two").project == "two"


def test_a_project_that_never_pushed_is_known_by_what_it_wrote(store, code, project):
    store.push(code("one", a=1))
    with running(code("two", b=1)):
        store.write("b", project.samples(v1="x"))
        assert keys(store.recorded_graph()) == ["b"]


def test_code_without_a_project_is_told_to_choose(store, code):
    store.push(code("one", a=1))
    with pytest.raises(UnknownProject, match="holds only those of one: name one"):
        store.recorded_graph()
    assert keys(store.recorded_graph(project="")) == []


@pytest.mark.parametrize(("named", "code_version"), [(1, "1"), ("2", "2"), ("previous", "2")])
def test_a_snapshot_is_named_by_number_or_place(store, code, named, code_version):
    for version in (1, 2, 3):
        store.push(code("one", a=version))
    graph = store.recorded_graph(named, "one")
    assert graph["a"].spec.fields[0].code_version == code_version


def test_a_snapshot_is_named_by_the_beginning_of_its_version(store, code):
    first = store.push(code("one", a=1))
    store.push(code("one", a=2))
    assert store.recorded_graph(first.version[:8], "one")["a"].spec.fields[0].code_version == "1"


def test_another_projects_snapshot_is_not_found(store, code):
    store.push(code("one", a=1))
    two = store.push(code("two", b=1))
    with pytest.raises(UnknownSnapshot, match="no snapshot '2' of project 'one'; known: 1 "):
        store.recorded_graph(two.id, "one")
    with pytest.raises(UnknownSnapshot, match="'previous' of project 'one'"):
        store.recorded_graph("previous", "one")


def test_a_snapshot_tells_what_it_changed(store, code):
    first = store.push(code("one", a=1, b=1))
    second = store.push(code("one", a=2, c=1))
    changes = second.changes_since(first)
    assert (changes.added, changes.removed, changes.changed) == (("c",), ("b",), ("a",))
    assert first.changes_since(None).added == ("a", "b")


def test_a_new_tag_is_an_edit_and_no_change(store, code):
    graph = code("one", a=1)
    first = store.push(graph)
    told = graph["a"].spec.model_copy(update={"tags": {"gpu": ""}})
    tagged = mx.FeatureGraph([graph["a"].model_copy(update={"spec": told})], project="one")
    second = store.push(tagged)
    changes = second.changes_since(first)
    assert (second.version, changes.changed, changes.edited) == (first.version, (), ("a",))


def test_external_features_are_recorded_as_what_they_are(store, code, project):
    library = code("library", film=1)
    store.push(library)
    graph = code("talks")
    graph.add(library["film"].model_copy(update={"external": True}))
    with running(graph):
        project.feature("scene", deps=["film"])
    snapshot = store.push(graph)
    recorded = store.recorded_graph(project="talks")
    assert list(snapshot.features) == ["scene"]
    assert [str(d.key) for d in recorded.own] == ["scene"]
    assert recorded["film"] == graph["film"]


# ------------------------------------------------------------------ whose a key is


def test_a_key_of_another_project_is_refused_on_push(store, code):
    store.push(code("one", a=1))
    before = store.snapshots()
    with pytest.raises(FeatureOwned) as caught:
        store.push(code("two", a=1, b=1))
    for said in ("'a'", "'one'", "'two'", "another key", "[externals]"):
        assert said in str(caught.value)
    assert store.snapshots() == before
    assert store.recorded_graph(project="two").own == ()


def test_a_key_of_another_project_is_refused_on_write(store, code, project):
    with running(code("one", a=1)):
        store.write("a", project.samples(v1="x"))
        before = project.state()
    with running(code("two", a=1)):
        with pytest.raises(FeatureOwned, match="belongs to project 'one'"):
            store.write("a", project.samples(v2="x"))
        with pytest.raises(FeatureOwned, match="belongs to project 'one'"):
            store.delete("a", filters="id = 'v1'")
    with running(code("one", a=1)):
        assert project.state() == before


def test_a_key_of_another_project_is_not_taken_by_writing_what_is_downstream(store, code, project):
    with running(code("one", a=1)):
        store.write("a", project.samples(v1="x"))
    with running(code("two", a=1)):
        project.feature("b", deps=["a"])
        increment = store.resolve_update("b")
        assert increment.counts == mx.Counts(new=1)
        with pytest.raises(FeatureOwned, match="'a' belongs to project 'one'"):
            store.write("b", increment.new)
        assert store.count("b") == 0
    store.push(code("one", a=2))


def test_nothing_of_a_write_to_several_features_stays_where_one_is_anothers(store, code, project):
    store.push(code("one", a=1))
    with running(code("two", a=1, b=1)):
        with pytest.raises(FeatureOwned):
            store.write_all({"b": project.samples(v1="x"), "a": project.samples(v1="x")})
        assert store.count("b") == 0


def test_a_project_may_be_named_later(store, code, project):
    with running(code("", a=1)):
        store.write("a", project.samples(v1="x"))
        store.push()
    with running(code("talks", a=1)):
        assert keys(store.recorded_graph()) == ["a"]
        store.write("a", project.samples(v2="x"))
        assert (store.count("a"), store.push().project) == (2, "talks")


def test_what_has_a_project_is_not_written_by_code_without_one(store, code, project):
    store.push(code("talks", a=1))
    with running(code("", a=1)), pytest.raises(FeatureOwned, match="call mx.init"):
        store.write("a", project.samples(v1="x"))


def test_a_feature_changes_hands_once_its_project_pushed_without_it(store, code, project):
    store.push(code("one", a=1, b=1))
    store.push(code("one", b=1))
    two = code("two", a=1)
    with running(two):
        store.write("a", project.samples(v1="x"))
    store.push(two)
    with pytest.raises(FeatureOwned, match="belongs to project 'two'"):
        store.push(code("one", a=1, b=1))


def test_a_push_from_before_the_feature_gives_nothing_away(store, code, project):
    store.push(code("one", b=1))
    with running(code("one", a=1, b=1)):
        store.write("a", project.samples(v1="x"))
    with pytest.raises(FeatureOwned, match="belongs to project 'one'"):
        store.push(code("two", a=1))


@pytest.fixture
def reading(store: mx.MetadataStore, code: Code, project: Project) -> mx.FeatureGraph:
    """The code of `talks`, which reads the film that `library` wrote."""
    library = code("library", film=1)
    with running(library):
        store.write("film", project.samples(v1="x"))
    graph = code("talks")
    graph.add(library["film"].model_copy(update={"external": True}))
    with running(graph):
        project.feature("scene", deps=["film"])
    return graph


def test_an_external_feature_is_read_and_built_upon(store, project, reading):
    with running(reading):
        assert store.count("film") == 1
        assert project.process("scene") == mx.Counts(new=1)
        assert not project.counts("scene")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda store, frame: store.write("film", frame), "write it with the code of 'library'"),
        (lambda store, frame: store.delete("film", frame), "delete from it with the code"),
        (lambda store, frame: store.resolve_update("film", frame), "resolve it with the code"),
        (lambda store, frame: store.write_all({"film": frame}), "write it with the code"),
    ],
)
def test_an_external_feature_may_only_be_read(
    project, reading, call: Callable[[mx.MetadataStore, Any], Any], said
):
    with running(reading), project.refuses(ExternalFeature, "'film'", "'library'", said):
        call(project.store, project.samples(v2="y"))


# ------------------------------------------------------------------ commits


def test_commits_are_listed_newest_first(store, project):
    video = project.feature("video")
    first = store.write(video, project.samples(v1="a", v2="a"), materialization_id="run-1")
    second = store.write(video, project.samples(v1="b"))
    third = store.delete(video, filters="id = 'v2'")
    assert store.commits(video) == (third, second, first)
    assert store.commits("video", limit=1) == (third,)
    assert [commit.operation for commit in store.commits(video)] == ["delete", "write", "write"]


def test_commits_are_of_one_feature(store, project):
    video, crop = project.feature("video"), project.feature("crop")
    store.write(video, project.samples(v1="a"))
    assert store.commits(crop) == ()


def test_commits_of_a_feature_that_left_the_code_are_still_told(store, project):
    store.write(project.feature("video"), project.samples(v1="a"))
    with mx.FeatureGraph().use():
        assert len(store.commits("video")) == 1


def test_commits_of_an_unknown_feature_name_the_nearest(store, project):
    store.write(project.feature("video"), project.samples(v1="a"))
    with pytest.raises(UnknownFeature, match="'vidoe' has no commits .* did you mean 'video'"):
        store.commits("vidoe")


@pytest.mark.parametrize("limit", [0, -1, "3", True])
def test_a_limit_of_commits_is_a_positive_number(store, project, limit):
    with pytest.raises(InvalidWrite, match="limit"):
        store.commits(project.feature("video"), limit=limit)
