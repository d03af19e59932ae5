"""Graphs: what static versions follow from, and what they leave out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

import metaxy_core as mx

Declare = Callable[..., type[mx.Feature]]


@pytest.fixture
def declare(graph: mx.FeatureGraph) -> Declare:
    """Declares a feature; the same key again is its next release."""

    def feature(
        key: str, *, columns: Mapping[str, Any] | None = None, doc: str | None = None, **spec: Any
    ) -> type[mx.Feature]:
        options = {"id_columns": ["id"], **spec}
        namespace = {"__annotations__": columns or {}, "__module__": "project", "__doc__": doc}
        metaclass = type(mx.Feature)
        return metaclass(key, (mx.Feature,), namespace, spec=mx.FeatureSpec(key=key, **options))

    return feature


def field(key: str, code: int | str = 1, **reads: Sequence[str]) -> mx.FieldSpec:
    deps = [mx.FieldDep(feature=feature, fields=fields) for feature, fields in reads.items()]
    return mx.FieldSpec(key=key, code_version=code, deps=deps or None)


def versions() -> dict[str, str]:
    """Every static version of the active graph by name: features, code and fields."""
    found = {}
    for key, of_feature in mx.FeatureGraph.active().versions.features.items():
        found[f"{key}"] = of_feature.feature
        found[f"{key} code"] = of_feature.code
        found |= {f"{key}.{name}": version for name, version in of_feature.fields.items()}
    return found


def moved(change: Callable[[], object]) -> list[str]:
    """Names of the versions that a change moves."""
    before, project = versions(), mx.FeatureGraph.active().versions.project
    change()
    after = versions()
    names = sorted(name for name in before | after if before.get(name) != after.get(name))
    assert (mx.FeatureGraph.active().versions.project != project) == bool(names)
    return names


# --------------------------------------------------------------------------- what moves versions


def test_a_bump_moves_the_field_what_reads_it_and_their_features(declare: Declare) -> None:
    declare("video", fields=[field("audio"), field("frames")])
    declare("crop", deps=["video"], fields=["audio", "frames"])
    declare("faces", deps=["crop"], fields=[field("faces", crop=["frames"])])
    declare("text", deps=["video"], fields=[field("text", video=["audio"])])

    assert moved(lambda: declare("video", fields=[field("audio", 2), field("frames")])) == [
        "crop",
        "crop.audio",
        "text",
        "text.text",
        "video",
        "video code",
        "video.audio",
    ]


def test_a_number_and_its_text_are_one_code_version(declare: Declare) -> None:
    declare("video", fields=[field("audio", 2)])
    assert moved(lambda: declare("video", fields=[field("audio", "2")])) == []


def test_code_versions_that_trade_places_move_both_fields(declare: Declare) -> None:
    declare("video", fields=[field("a", "1"), field("b", "2")])
    change = moved(lambda: declare("video", fields=[field("a", "2"), field("b", "1")]))
    assert change == ["video", "video code", "video.a", "video.b"]


@pytest.mark.parametrize(
    "option",
    [
        {"filter": "size > 1"},
        {"filter": "size > 2"},
        {"optional": True},
    ],
    ids=str,
)
def test_how_a_dep_is_joined_is_part_of_the_feature_s_version(
    declare: Declare, option: dict[str, Any]
) -> None:
    declare("video", columns={"size": int})
    declare("copy", deps=[mx.FeatureDep(feature="video", filter="size > 0")])
    change = moved(lambda: declare("copy", deps=[mx.FeatureDep(feature="video", **option)]))
    assert change == ["copy"]


def test_a_dep_that_is_not_read_is_part_of_the_feature_s_version(declare: Declare) -> None:
    declare("video")
    declare("label")
    only = field("default", video=["default"])
    declare("copy", deps=["video"], fields=[only])
    change = moved(lambda: declare("copy", deps=["video", "label"], fields=[only]))
    assert change == ["copy"]


def test_the_id_columns_are_part_of_the_feature_s_version(declare: Declare) -> None:
    declare("video", fields=["audio"])
    assert moved(lambda: declare("video", fields=["audio"], id_columns=["key"])) == ["video"]


def test_a_change_of_version_from_moves_the_field(declare: Declare) -> None:
    declare("clip", fields=[mx.FieldSpec(key="a", version_from=["etag"])])
    wider = [mx.FieldSpec(key="a", version_from=["etag", "size"])]
    assert moved(lambda: declare("clip", fields=wider)) == ["clip", "clip.a"]


@pytest.mark.parametrize(
    "spec",
    [
        {"description": "told better"},
        {"metadata": {"owner": "us"}},
        {"columns": {"path": str, "size": int}},
        {"doc": "A docstring."},
        {"deps": [mx.FeatureDep(feature="video", rename={"path": "video_path"})]},
        {"deps": [mx.FeatureDep(feature="video", columns=[])]},
        {"fields": [mx.FieldSpec(key="default", description="what it holds")]},
    ],
    ids=lambda spec: next(iter(spec)),
)
def test_what_only_describes_moves_nothing(declare: Declare, spec: dict[str, Any]) -> None:
    declare("video", columns={"path": str})
    declare("copy", deps=["video"])
    assert moved(lambda: declare("copy", **{"deps": ["video"], **spec})) == []


def test_order_moves_nothing(declare: Declare) -> None:
    declare("a", fields=["x", "y"])
    declare("b", fields=["x", "y"])
    declare("c", deps=["a", "b"], fields=[field("z", a=["x", "y"], b=["y"])])
    assert moved(lambda: declare("a", fields=["y", "x"])) == []
    turned = [field("z", b=["y"], a=["y", "x"])]
    assert moved(lambda: declare("c", deps=["b", "a"], fields=turned)) == []


def test_a_feature_more_moves_the_project_and_no_other_feature(declare: Declare) -> None:
    declare("video", fields=["audio"])
    added = moved(lambda: declare("label", fields=["name"]))
    assert added == ["label", "label code", "label.name"]


# --------------------------------------------------------------------------- equal and different


def test_features_that_differ_only_in_name_have_versions_of_their_own(declare: Declare) -> None:
    declare("a")
    declare("b")
    found = versions()
    assert found["a"] != found["b"]
    assert found["a.default"] != found["b.default"]


def test_names_that_join_to_one_text_have_versions_of_their_own(declare: Declare) -> None:
    declare("a", fields=["b/c"])
    declare("a/b", fields=["c"])
    found = versions()
    assert found["a.b/c"] != found["a/b.c"]


def test_the_same_code_in_two_graphs_has_the_same_versions(declare: Declare) -> None:
    def features() -> dict[str, str]:
        declare("video", fields=["audio", "frames"])
        declare("crop", deps=["video"], fields=["audio", "frames"])
        return versions()

    with mx.FeatureGraph().use():
        first = features()
    with mx.FeatureGraph().use():
        second = features()
    assert first == second


def test_versions_are_sixteen_hex_digits(declare: Declare) -> None:
    declare("video", fields=["audio"])
    project = mx.FeatureGraph.active().versions.project
    for version in (*versions().values(), project):
        assert len(version) == 16
        assert set(version) <= set("0123456789abcdef")


# --------------------------------------------------------------------------- shape and size


@pytest.mark.parametrize("depth", [9, 50, 300])
def test_a_deep_graph_of_connected_fields_has_versions(declare: Declare, depth: int) -> None:
    fields = ["x", "y", "z"]
    declare("f0", fields=fields)
    for level in range(1, depth):
        upstream = f"f{level - 1}"
        declare(
            f"f{level}", deps=[upstream], fields=[field(f, **{upstream: fields}) for f in fields]
        )

    end = f"f{depth - 1}"
    assert len(versions()) == depth * 5
    bumped = [field("x", 2), field("y"), field("z")]
    assert {f"{end}.{name}" for name in fields} <= set(moved(lambda: declare("f0", fields=bumped)))


def test_a_wide_graph_has_versions(declare: Declare) -> None:
    for number in range(60):
        declare(f"root{number}")
    declare("join", deps=[f"root{number}" for number in range(60)])
    change = moved(lambda: declare("root7", fields=[field("default", 2)]))
    assert change == ["join", "join.default", "root7", "root7 code", "root7.default"]


def test_upstream_and_downstream_are_everything_reachable_in_order(declare: Declare) -> None:
    declare("a")
    declare("b", deps=["a"])
    declare("c", deps=["a"])
    declare("d", deps=["b", "c"])
    declare("other")
    graph = mx.FeatureGraph.active()
    assert [str(item.key) for item in graph.upstream("d")] == ["a", "b", "c"]
    assert [str(item.key) for item in graph.downstream("a")] == ["b", "c", "d"]
    assert graph.upstream("a") == graph.downstream("other") == ()


# --------------------------------------------------------------------------- which graph


def test_a_feature_registers_where_it_is_declared(declare: Declare) -> None:
    outer = mx.FeatureGraph.active()
    with mx.FeatureGraph().use() as inner:
        video = declare("video")
    assert video in inner
    assert video not in outer
    assert mx.FeatureGraph.active() is outer


def test_an_empty_graph_that_is_in_use_is_the_active_one(graph: mx.FeatureGraph) -> None:
    with mx.FeatureGraph().use() as inner:
        assert len(inner) == 0
        assert mx.FeatureGraph.active() is inner
    assert mx.FeatureGraph.active() is graph


def test_a_class_brings_its_own_graph_to_a_store(declare: Declare) -> None:
    with mx.FeatureGraph().use():
        first = declare("video", fields=["audio"])
    with mx.FeatureGraph().use():
        second = declare("video", fields=["frames"])
    with mx.DuckDBMetadataStore(":memory:") as store:
        assert store.history(first).last is None
        names = [
            list(store.read(feature).to_arrow()["metaxy_provenance_by_field"].type)
            for feature in (first, second)
        ]
    assert [[member.name for member in members] for members in names] == [["audio"], ["frames"]]


def test_a_class_declared_again_replaces_itself(declare: Declare) -> None:
    declare("video", fields=["audio"])
    declare("video", fields=["frames"])
    graph = mx.FeatureGraph.active()
    assert len(graph) == 1
    assert [str(key) for key in graph["video"].spec.field_keys] == ["frames"]


def test_the_docstring_s_first_paragraph_describes_the_feature(declare: Declare) -> None:
    declare("video", doc="A clip\n    of film.\n\n    More about it.")
    assert mx.FeatureGraph.active()["video"].description == "A clip of film."
