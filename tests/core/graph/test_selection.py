"""Selections: which features each term names, and what is refused."""

from __future__ import annotations

import pytest

import metaxy_core as mx
from metaxy_core.definition import FeatureDefinition
from metaxy_core.errors import InvalidKey, InvalidSelection, InvalidSpec, UnknownFeature

# video ── crop ── faces ── names
#   └───── speech ───────────┘
DEPS = {
    "example/video": [],
    "example/crop": ["example/video"],
    "example/speech": ["example/video"],
    "vision/faces": ["example/crop"],
    "vision/names": ["vision/faces", "example/speech"],
}
TAGS = {
    "example/crop": ["gpu"],
    "vision/faces": {"gpu": "", "team": "vision"},
    "example/speech": {"team": "audio"},
}


@pytest.fixture
def graph() -> mx.FeatureGraph:
    graph = mx.FeatureGraph(project="talks")
    for key, deps in DEPS.items():
        spec = mx.FeatureSpec(key=key, id_columns=["id"], deps=deps, tags=TAGS.get(key, ()))
        project = "library" if key == "example/video" else ""
        graph.add(FeatureDefinition(spec=spec, project=project, external=bool(project)))
    return graph


def names(graph: mx.FeatureGraph, *terms: str) -> str:
    return " ".join(str(key).partition("/")[2] for key in mx.select(graph, *terms))


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ("example/crop", "crop"),
        ("+example/crop", "video crop"),
        ("example/crop+", "crop faces names"),
        ("+example/crop+", "video crop faces names"),
        ("1+vision/names", "speech faces names"),
        ("2+vision/names", "video crop speech faces names"),
        ("example/video+1", "video crop speech"),
        ("0+example/crop", "crop"),
        ("1+example/crop+1", "video crop faces"),
        ("example/*", "video crop speech"),
        ("*/*s", "faces names"),
        ("*", "video crop speech faces names"),
        ("*op", "crop"),
        ("*aces+", "faces names"),
        ("tag:gpu", "crop faces"),
        ("tag:team", "speech faces"),
        ("tag:team=vision", "faces"),
        ("tag:team=*", "speech faces"),
        ("+tag:team=vision", "video crop faces"),
        ("project:library", "video"),
        ("project:talks", "crop speech faces names"),
        ("vision/names example/crop", "crop names"),
        ("tag:gpu,tag:team=vision", "faces"),
        ("example/*,tag:gpu example/video", "video crop"),
        ("example/crop,vision/faces", ""),
        ("!tag:gpu", "video speech names"),
        ("example/video+ !tag:gpu", "video speech names"),
        ("!tag:gpu example/video+", "video speech names"),
        ("+vision/faces,!example/*", "faces"),
        ("example/crop+,!tag:gpu tag:gpu", "crop faces names"),
        ("!project:library !vision/names", "crop speech faces"),
        ("  example/crop   vision/faces ", "crop faces"),
    ],
)
def test_a_selection_names_features_upstream_first(graph, terms, expected):
    found = names(graph, terms)
    assert sorted(found.split()) == sorted(expected.split())
    order = [key.partition("/")[2] for key in map(str, (d.key for d in graph))]
    assert found.split() == [name for name in order if name in found.split()]


def test_no_term_at_all_selects_everything(graph):
    assert mx.select(graph) == tuple(definition.key for definition in graph)


def test_several_terms_add_up_as_in_one_text(graph):
    assert mx.select(graph, "tag:gpu", "!vision/*") == mx.select(graph, "tag:gpu !vision/*")


def test_classes_and_keys_stand_for_their_feature():
    with mx.FeatureGraph().use() as graph:

        class Video(mx.Feature, spec=mx.FeatureSpec(key="video")): ...

        class Crop(mx.Feature, spec=mx.FeatureSpec(key="crop", deps=[Video])): ...

    assert mx.select(graph, Crop, mx.FeatureKey("video")) == (Video.spec.key, Crop.spec.key)


@pytest.mark.parametrize(
    ("term", "error", "said"),
    [
        ("example/corp", UnknownFeature, "did you mean 'example/crop'?"),
        ("+example/corp", UnknownFeature, "did you mean 'example/crop'?"),
        ("!example/corp", UnknownFeature, "did you mean 'example/crop'?"),
        ("exmaple/*", InvalidSelection, "No feature of the graph matches 'exmaple/*'; did you"),
        ("tag:gup", InvalidSelection, "did you mean 'tag:gpu'?"),
        ("tag:team=visoin", InvalidSelection, "did you mean 'tag:team=vision'?"),
        ("project:libary", InvalidSelection, "did you mean 'project:library'?"),
        ("example/c.op*", InvalidSelection, "No feature of the graph matches"),
        ("a+b", InvalidSelection, "'a+b' is no selection of features. Each is a key (a/b)"),
        ("x2+example/crop", InvalidSelection, "is no selection"),
        ("!!example/crop", InvalidSelection, "is no selection"),
        ("example/crop,", InvalidSelection, "'' is no selection"),
        ("", InvalidSelection, "'' is no selection"),
        ("+", InvalidSelection, "'+' is no selection"),
        ("example/cr?p", InvalidKey, "'example/cr?p' is no FeatureKey"),
    ],
)
def test_a_term_that_matches_nothing_or_cannot_be_read_is_refused(graph, term, error, said):
    with pytest.raises(error) as caught:
        mx.select(graph, term)
    assert said in str(caught.value)


# ------------------------------------------------------------------ tags


def test_a_list_of_tags_is_a_mapping_without_values():
    assert mx.FeatureSpec(key="a", tags=["gpu", "slow"]).tags == {"gpu": "", "slow": ""}
    assert mx.FeatureSpec(key="a", tags="gpu").tags == {"gpu": ""}


@pytest.mark.parametrize("tags", [["g pu"], ["a,b"], ["!gpu"], [""], {"team": "a+b"}, {"x=y": "z"}])
def test_a_tag_that_no_selection_could_name_is_refused(tags):
    with pytest.raises(InvalidSpec, match="cannot be written in a selection"):
        mx.FeatureSpec(key="a", tags=tags)


@pytest.mark.parametrize("tags", [3, [1], {"team": 1}])
def test_tags_are_text(tags):
    with pytest.raises(InvalidSpec, match="tags"):
        mx.FeatureSpec(key="a", tags=tags)


def test_tags_and_project_belong_to_no_version():
    plain, told = mx.FeatureSpec(key="a"), mx.FeatureSpec(key="a", tags=["gpu"])
    bare = mx.FeatureGraph([FeatureDefinition(spec=plain)])
    full = mx.FeatureGraph([FeatureDefinition(spec=told)], project="talks")
    assert bare.versions == full.versions
