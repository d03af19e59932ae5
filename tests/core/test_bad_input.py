"""Definitions that cannot be what their author meant are refused, and the graph stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import metaxy_core as mx
from metaxy_core.errors import (
    ColumnCollision,
    DefinitionError,
    DuplicateFeature,
    FeatureCycle,
    IdColumnMismatch,
    InvalidFilter,
    InvalidKey,
    InvalidSpec,
    MetaxyError,
    TableCollision,
    UnknownColumn,
    UnknownFeature,
    UnknownField,
)

Spec = Callable[..., type[mx.Feature]]


@pytest.fixture
def declare(graph: mx.FeatureGraph) -> Spec:
    """Declares a feature whose id is ``id``, without columns unless some are given."""

    def feature(key: str, columns: dict[str, Any] | None = None, **spec: Any) -> type[mx.Feature]:
        options = {"id_columns": ["id"], **spec}
        namespace = {"__annotations__": columns or {}, "__module__": "project"}
        metaclass = type(mx.Feature)
        return metaclass(key, (mx.Feature,), namespace, spec=mx.FeatureSpec(key=key, **options))

    return feature


@contextmanager
def refuses(error: type[MetaxyError], *said: str) -> Iterator[None]:
    """The block raises an error with these parts in its message, and the graph stays as it is."""
    graph = mx.FeatureGraph.active()
    before = list(graph), graph.versions
    with pytest.raises(error) as caught:
        yield
    missing = [part for part in said if part not in str(caught.value)]
    assert not missing, f"{missing} not in: {caught.value}"
    assert (list(graph), graph.versions) == before


# --------------------------------------------------------------------------- keys


@pytest.mark.parametrize(
    "key",
    ["", "/", "a//b", "a/", "/a", "a b", "a.b", "a;b", 'a"b', "a'b", "ä", "-a", "a/-b", [], [""], 7,
     ["a", 7], None, "a\n", "../a"],
    ids=repr,
)  # fmt: skip
def test_what_is_no_key_is_refused(graph: mx.FeatureGraph, key: Any) -> None:
    with refuses(InvalidKey, repr(key), "is no FeatureKey", "such as 'example/video'"):
        mx.FeatureKey(key)
    with refuses(InvalidKey, repr(key), "is no FieldKey"):
        mx.FieldKey(key)


@pytest.mark.parametrize("key", ["metaxy_mine", "METAXY_x", "metaxy/_store", "metaxy__store"])
def test_a_key_whose_table_would_be_the_catalog_s_is_refused(declare: Spec, key: str) -> None:
    with refuses(InvalidSpec, f"'{key}'", "begins with 'metaxy_'", "choose another"):
        declare(key)


@pytest.mark.parametrize(
    ("first", "second"),
    [("my-feat", "my_feat"), ("a/b", "a__b"), ("Video", "video"), ("a/_b", "a_/b")],
)
def test_two_features_that_would_share_a_table_are_refused(
    declare: Spec, first: str, second: str
) -> None:
    declare(first)
    with refuses(TableCollision, f"'{first}'", f"'{second}'", "share the table", "rename one"):
        declare(second)


@pytest.mark.parametrize(
    ("first", "second"), [("my-field", "my_field"), ("x/y", "x__y"), ("X", "x"), ("x", "x")]
)
def test_two_fields_that_would_share_a_column_are_refused(
    declare: Spec, first: str, second: str
) -> None:
    with refuses(InvalidSpec, f"'{first}'", f"'{second}'", "'video'", "rename one"):
        declare("video", fields=[first, second])


def test_fields_whose_names_only_look_alike_are_told_apart(declare: Spec) -> None:
    video = declare("video", fields=["x/y", "x_y", "xy"])
    assert [str(key) for key in video.spec.field_keys] == ["x/y", "x_y", "xy"]


# --------------------------------------------------------------------------- the graph


def test_a_cycle_of_two_is_refused_and_named(declare: Spec) -> None:
    declare("a", deps=["b"])
    with pytest.raises(FeatureCycle, match=r"circle: (a -> b -> a|b -> a -> b)\. Remove one"):
        declare("b", deps=["a"])
    assert "b" not in mx.FeatureGraph.active()


def test_a_longer_cycle_is_refused_and_named(declare: Spec) -> None:
    declare("root")
    declare("a", deps=["c", "root"])
    declare("b", deps=["a"])
    with pytest.raises(FeatureCycle) as caught:
        declare("c", deps=["b"])
    path = str(caught.value).split("circle: ")[1].split(".")[0].split(" -> ")
    assert path[0] == path[-1]
    assert sorted(path[1:]) == ["a", "b", "c"]
    assert "c" not in mx.FeatureGraph.active()


def test_a_feature_that_depends_on_itself_is_refused(declare: Spec) -> None:
    with refuses(FeatureCycle, "a -> a"):
        declare("a", deps=["a"])


def test_an_unknown_dep_is_refused_when_the_graph_is_used(declare: Spec) -> None:
    declare("video")
    declare("copy", deps=["vidoe"])
    with pytest.raises(UnknownFeature) as caught:
        list(mx.FeatureGraph.active())
    assert "'copy' depends on 'vidoe'" in str(caught.value)
    assert "did you mean 'video'?" in str(caught.value)
    assert "Define it, or correct the key in deps" in str(caught.value)


def test_a_dep_may_be_declared_after_what_depends_on_it(declare: Spec) -> None:
    declare("copy", deps=["video"])
    declare("video")
    order = [str(definition.key) for definition in mx.FeatureGraph.active()]
    assert order == ["video", "copy"]


def test_an_unknown_feature_is_refused_with_its_neighbour(declare: Spec) -> None:
    declare("video")
    graph = mx.FeatureGraph.active()
    with refuses(UnknownFeature, "'vidoe'", "did you mean 'video'?", "entrypoints"):
        graph["vidoe"]
    with refuses(UnknownFeature, "'nothing/like/it'", "known: video"):
        graph.plan("nothing/like/it")


def test_two_classes_of_one_key_are_refused(declare: Spec) -> None:
    declare("video")
    with refuses(DuplicateFeature, "'video'", "project:video", "another key"):

        class Other(mx.Feature, spec=mx.FeatureSpec(key="video")):
            pass


# --------------------------------------------------------------------------- fields


def test_an_unknown_field_in_a_dep_is_refused(declare: Spec) -> None:
    declare("video", fields=["audio", "frames"])
    text = mx.FieldSpec(key="text", deps=[mx.FieldDep(feature="video", fields=["adio"])])
    with refuses(UnknownField, "'text'", "'copy'", "'adio'", "'video'", "did you mean 'audio'?"):
        declare("copy", deps=["video"], fields=[text])


def test_an_unknown_field_in_a_mapping_is_refused(declare: Spec) -> None:
    declare("video", fields=["audio"])
    mapping = mx.FieldsMapping.explicit({"text": ["voice"]})
    dep = mx.FeatureDep(feature="video", fields_mapping=mapping)
    with refuses(UnknownField, "'text'", "'copy'", "'voice'", "'video'"):
        declare("copy", deps=[dep], fields=["text"])


def test_an_unknown_field_of_a_dep_declared_later_is_refused(declare: Spec) -> None:
    text = mx.FieldSpec(key="text", deps=[mx.FieldDep(feature="video", fields=["adio"])])
    declare("copy", deps=["video"], fields=[text])
    with pytest.raises(UnknownField, match="did you mean 'audio'"):
        declare("video", fields=["audio"])
    assert "video" not in mx.FeatureGraph.active()


def test_a_field_that_is_taken_away_while_it_is_read_is_refused(declare: Spec) -> None:
    declare("video", fields=["audio", "frames"])
    text = mx.FieldSpec(key="text", deps=[mx.FieldDep(feature="video", fields=["audio"])])
    declare("copy", deps=["video"], fields=[text])
    with refuses(UnknownField, "'text'", "'copy'", "'audio'", "'video'"):
        declare("video", fields=["frames"])


def test_a_field_of_a_feature_that_is_no_dep_is_refused(declare: Spec) -> None:
    declare("video")
    declare("audio")
    text = mx.FieldSpec(key="text", deps=[mx.FieldDep(feature="audio")])
    with refuses(UnknownField, "'text'", "'copy'", "'audio'", "add it to deps"):
        declare("copy", deps=["video"], fields=[text])


def test_a_root_s_field_with_deps_is_refused(declare: Spec) -> None:
    text = mx.FieldSpec(key="text", deps=[mx.FieldDep(feature="video")])
    with refuses(InvalidSpec, "'text'", "'copy'", "add the upstream features"):
        declare("copy", fields=[text])


def test_version_from_is_for_roots(declare: Spec) -> None:
    declare("video")
    text = mx.FieldSpec(key="text", version_from=["etag"])
    with refuses(InvalidSpec, "'text'", "'copy'", "only a root feature"):
        declare("copy", deps=["video"], fields=[text])


def test_a_feature_without_fields_is_refused(declare: Spec) -> None:
    with refuses(InvalidSpec, "'video'", "no fields", "at least one FieldSpec"):
        declare("video", fields=[])


@pytest.mark.parametrize("code", ["", None, 1.5, True, ["1"]], ids=repr)
def test_a_code_version_is_text_or_a_whole_number(graph: mx.FeatureGraph, code: Any) -> None:
    with refuses(InvalidSpec, "FieldSpec 'audio'", "code_version"):
        mx.FieldSpec(key="audio", code_version=code)


# --------------------------------------------------------------------------- ids and columns


@pytest.mark.parametrize("ids", [[], ["id", "id"], ["id", "ID"]], ids=repr)
def test_ids_that_are_none_or_twice_are_refused(declare: Spec, ids: list[str]) -> None:
    with refuses(InvalidSpec, "'video'", str(ids), "at least one column, each once"):
        declare("video", id_columns=ids)


def test_an_id_with_a_reserved_name_is_refused(declare: Spec) -> None:
    with refuses(InvalidSpec, "'metaxy_id'", "'video'", "rename it"):
        declare("video", id_columns=["metaxy_id"])


def test_an_id_that_no_dep_gives_is_refused(declare: Spec) -> None:
    declare("video")
    with refuses(
        IdColumnMismatch, "'scene'", "['id', 'number']", "no required dep gives", "number"
    ):
        declare("scene", id_columns=["id", "number"], deps=["video"])


def test_an_id_of_a_dep_that_would_be_lost_is_refused(declare: Spec) -> None:
    declare("scene", id_columns=["id", "number"])
    with refuses(
        IdColumnMismatch, "'video'", "'scene'", "number", "lost", "Add them to id_columns"
    ):
        declare("video", deps=["scene"])


def test_a_column_that_becomes_an_id_is_refused(declare: Spec) -> None:
    declare("video", columns={"path": str})
    dep = mx.FeatureDep(feature="video", rename={"path": "id"})
    with refuses(ColumnCollision, "'video'", "'copy'", "'id'", "rename it"):
        declare("copy", deps=[dep])


@pytest.mark.parametrize(
    "options", [{"columns": ["paht"]}, {"rename": {"paht": "x"}}, {"filter": "paht = 'a'"}], ids=str
)
def test_a_dep_s_unknown_column_is_refused(declare: Spec, options: dict[str, Any]) -> None:
    declare("video", columns={"path": str})
    dep = mx.FeatureDep(feature="video", **options)
    with refuses(UnknownColumn, "'copy'", "'paht'", "'video'", "did you mean 'path'?"):
        declare("copy", deps=[dep])


# --------------------------------------------------------------------------- specs


def test_an_unknown_option_is_refused_and_the_options_are_listed(graph: mx.FeatureGraph) -> None:
    with refuses(InvalidSpec, "FieldSpec 'audio'", "code", "Its options are key, code_version"):
        mx.FieldSpec(key="audio", code=2)
    with refuses(InvalidSpec, "FeatureSpec 'video'", "id_column", "id_columns"):
        mx.FeatureSpec(key="video", id_column=["id"])
    with refuses(InvalidSpec, "FeatureDep 'video'", "colums", "columns"):
        mx.FeatureDep(feature="video", colums=["path"])


def test_a_dep_listed_twice_is_refused(declare: Spec) -> None:
    declare("video")
    with refuses(InvalidSpec, "'copy'", "'video' twice", "keep one"):
        declare("copy", deps=["video", mx.FeatureDep(feature="video", columns=[])])


def test_a_bad_filter_in_a_dep_is_refused(graph: mx.FeatureGraph) -> None:
    with refuses(InvalidFilter, "'size = 1; DROP TABLE video'", "Allowed are"):
        mx.FeatureDep(feature="video", filter="size = 1; DROP TABLE video")


def test_a_spec_cannot_be_altered(declare: Spec) -> None:
    video = declare("video")
    with pytest.raises(Exception, match="frozen"):
        video.spec.key = mx.FeatureKey("other")
    with pytest.raises(AttributeError, match="FeatureKey is immutable"):
        video.spec.key.parts = ("other",)


def test_every_refusal_of_a_definition_can_be_caught_as_one(declare: Spec) -> None:
    declare("video")
    for key, options in (
        ("VIDEO", {}),
        ("loop", {"deps": ["loop"]}),
        ("ids", {"id_columns": []}),
        ("a b", {}),
    ):
        with pytest.raises(DefinitionError):
            declare(key, **options)
    assert len(mx.FeatureGraph.active()) == 1
