"""A module, a graph or a selection becomes assets and specs at once."""

import sys
import textwrap
from types import ModuleType

import dagster as dg
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd


def module(name, code, **values):
    """A module made of text."""
    made = ModuleType(name)
    vars(made).update(values, mx=mx, mxd=mxd, dg=dg)
    exec(textwrap.dedent(code), vars(made))
    return made


def titles(assets):
    return [(type(asset).__name__, asset.key.to_user_string()) for asset in assets]


TRANSCRIPT_ASSET = """
    @mxd.metaxify(Transcript, group_name="mine")
    def transcript(increment):
        return increment.new
"""


def test_a_graph_without_functions_becomes_specs(media):
    video, transcript = mxd.load_feature_assets(media.graph)

    assert titles([video, transcript]) == [
        ("AssetSpec", "example/video"),
        ("AssetSpec", "example/transcript"),
    ]
    assert [dep.asset_key for dep in transcript.deps] == [video.key]
    assert transcript.description == "What is said in a clip."
    assert transcript.metadata["dagster/io_manager_key"] == "metaxy_io_manager"


def test_a_module_keeps_its_assets_and_adds_specs_for_the_rest(media):
    code = module("audio", TRANSCRIPT_ASSET, Transcript=media.Transcript, Video=media.Video)

    assets = mxd.load_feature_assets(code)

    assert titles(assets) == [
        ("AssetSpec", "example/video"),
        ("AssetsDefinition", "example/transcript"),
    ]
    assert assets[1] is code.transcript


def test_features_that_a_module_does_not_name_are_left_out(media):
    code = module("audio", TRANSCRIPT_ASSET, Transcript=media.Transcript)

    assert titles(mxd.load_feature_assets(code)) == [("AssetsDefinition", "example/transcript")]


def test_features_and_functions_may_be_in_modules_of_their_own(media):
    features = module("features", "", Video=media.Video, Transcript=media.Transcript)
    code = module("audio", "transcript = made", made=mxd.metaxify(media.Transcript)(_identity))

    assert titles(mxd.load_feature_assets(features, code)) == [
        ("AssetSpec", "example/video"),
        ("AssetsDefinition", "example/transcript"),
    ]


def _identity(increment):
    return increment.new


def test_a_package_is_taken_with_all_its_modules(tmp_path, monkeypatch):
    package = tmp_path / "shop_features"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "base.py").write_text(
        "import metaxy_core as mx\n"
        "graph = mx.FeatureGraph()\n"
        "with graph.use():\n"
        "    class Shelf(mx.Feature, spec=mx.FeatureSpec(key='shop/shelf')): ...\n"
    )
    (package / "work.py").write_text(
        "import metaxy_dagster as mxd\n"
        "from shop_features.base import Shelf\n"
        "@mxd.metaxify(Shelf)\n"
        "def shelf(): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    import shop_features

    assets = mxd.load_feature_assets(shop_features)
    for name in [name for name in sys.modules if name.startswith("shop_features")]:
        monkeypatch.delitem(sys.modules, name)

    assert titles(assets) == [("AssetsDefinition", "shop/shelf")]


def test_a_selection_chooses_among_the_active_graph(media):
    with media.graph.use():
        chosen = mxd.load_feature_assets("*/transcript")
        everything = mxd.load_feature_assets()

    assert titles(chosen) == [("AssetSpec", "example/transcript")]
    assert len(everything) == 2


def test_a_selection_narrows_a_graph_and_a_module(media):
    code = module("both", TRANSCRIPT_ASSET, Transcript=media.Transcript, Video=media.Video)

    for source in (media.graph, code):
        (video,) = mxd.load_feature_assets(source, selection="* !*/transcript")
        assert video.key.to_user_string() == "example/video"


def test_functions_are_given_by_feature(lab, media):
    functions = {
        media.Video: lambda: lab.clips(lab.samples),
        "example/transcript": lambda increment: lab.transcribed(increment.new),
    }

    with media.graph.use():
        assets = mxd.load_feature_assets(media.graph, functions=functions)
    lab.run(*assets)

    assert lab.records(media.Transcript) == lab.texts("a", "b")


def test_an_asset_that_is_made_already_may_be_given_too(lab, media):
    made = lab.video(media, orphans="delete")

    assets = mxd.load_feature_assets(media.graph, functions={media.Video: made})

    assert assets[0] is made


def test_an_external_feature_is_loaded_from_the_store(lab, media):
    with lab.store.open() as store:
        increment = store.resolve_update(media.Video, lab.clips(lab.samples))
        store.write(media.Video, increment.new)
    got = []

    @mxd.metaxify(media.Transcript)
    def transcript(increment: mx.Increment, video):
        got.append(video.height)
        return lab.transcribed(increment.new)

    loaded = mxd.load_feature_assets(media.graph, functions={media.Transcript: transcript})
    lab.run(*loaded)

    assert titles(loaded)[0] == ("AssetSpec", "example/video")
    assert got == [2]


def test_other_projects_features_come_along_as_specs(media):
    graph = mx.FeatureGraph(
        [
            media.graph[media.Video].model_copy(update={"external": True, "project": "uploads"}),
            media.graph[media.Transcript].model_copy(update={"project": "texts"}),
        ]
    )

    assets = mxd.load_feature_assets(graph, selection="project:texts")

    assert titles(assets) == [
        ("AssetSpec", "example/video"),
        ("AssetSpec", "example/transcript"),
    ]


def test_an_asset_that_only_names_its_feature_is_told_the_rest(media):
    code = """
        @dg.asset(metadata={"metaxy/feature": Transcript})
        def transcript(): ...
    """

    (asset,) = mxd.load_feature_assets(module("plain", code, Transcript=media.Transcript))

    assert asset.key.to_user_string() == "example/transcript"
    (spec,) = asset.specs
    assert "metaxy/feature_version" in spec.metadata


def test_a_multi_asset_is_loaded_once(media):
    @mxd.metaxify
    @dg.multi_asset(
        specs=[
            dg.AssetSpec("video", metadata={"metaxy/feature": media.Video}),
            dg.AssetSpec("transcript", metadata={"metaxy/feature": media.Transcript}),
        ]
    )
    def both(): ...

    code = module("both", "", Video=media.Video, Transcript=media.Transcript, both=both)

    assert mxd.load_feature_assets(code) == [both]


def test_assets_in_a_list_are_found(lab, media):
    made = lab.assets(media)
    code = module("lists", "", Video=media.Video, Transcript=media.Transcript, assets=made)

    assert mxd.load_feature_assets(code) == made


def test_slices_are_loaded_and_linked(media):
    code = """
        @mxd.metaxify(Video, where={"path": "a"})
        def a(): ...

        @mxd.metaxify(Video, where={"path": "b"})
        def b(): ...
    """
    code = module("slices", code, Video=media.Video, Transcript=media.Transcript)

    *slices, transcript = mxd.load_feature_assets(code)

    assert {asset.key for asset in slices} == {dep.asset_key for dep in transcript.deps}


def test_a_translator_names_what_is_loaded(media):
    class Media(mxd.MetaxyTranslator):
        def asset_key(self, definition):
            return super().asset_key(definition).with_prefix("media")

    assets = mxd.load_feature_assets(
        media.graph, translator=Media(), functions={media.Transcript: _identity}
    )

    assert [asset.key.to_user_string() for asset in assets] == [
        "media/example/video",
        "media/example/transcript",
    ]


def test_an_external_features_attributes_go_before_what_it_tells(media):
    spec = mxd.external_feature(
        media.Transcript, key="texts", group_name="theirs", owners=["team:audio"]
    )

    assert spec.key == dg.AssetKey("texts")
    assert (spec.group_name, spec.owners) == ("theirs", ["team:audio"])
    assert [dep.asset_key for dep in spec.deps] == [dg.AssetKey(["example", "video"])]


def test_a_module_without_features_is_refused():
    with pytest.raises(mxd.AssetError, match=r"no feature in 'empty': define or import"):
        mxd.load_feature_assets(module("empty", ""))


def test_features_of_two_graphs_are_refused(lab, media):
    code = module("two", "", Video=media.Video, Transcript=lab.features().Transcript)

    with pytest.raises(mxd.AssetError, match=r"several graphs \('example/transcript', 'example/v"):
        mxd.load_feature_assets(code)


def test_a_function_for_a_feature_that_is_not_loaded_is_refused(media):
    with pytest.raises(mx.MetaxyError, match=r"function for 'example/video', which is not amon"):
        mxd.load_feature_assets(
            media.graph, selection="*/transcript", functions={media.Video: _identity}
        )


def test_a_chunked_asset_names_the_slices_that_it_depends_on(lab, media):
    slices = [lab.video(media, where={"video_id": name}) for name in "ab"]

    with pytest.raises(mxd.AssetError, match=r"chunk_size=\.\.\., deps=\[left, right\]"):
        mxd.linked_assets([*slices, lab.transcript(media, chunk_size=1)])

    chunked = lab.transcript(media, chunk_size=1, deps=slices)
    assert lab.run(*mxd.linked_assets([*slices, chunked])).success
    assert lab.processed == [["a"], ["b"]]


def test_slices_that_have_records_in_common_are_refused(lab, media):
    first = lab.video(media, where={"video_id": "a"})
    second = lab.video(media, where={"path": "a.mp4"})
    third = lab.video(media, where={"path": "a.mp4", "video_id": "b"})

    with pytest.raises(mxd.AssetError, match=r"do not share its records.*no record is in two"):
        mxd.load_feature_assets(module("both", "", Video=media.Video, first=first, second=second))
    code = module("apart", "", Video=media.Video, first=first, third=third)
    assert len(mxd.load_feature_assets(code)) == 2


def test_two_assets_of_one_feature_that_do_not_share_it_are_refused(lab, media):
    first, second = lab.video(media), lab.video(media, key="other")
    code = module("two", "", Video=media.Video, first=first, second=second)

    with pytest.raises(mxd.AssetError, match=r"held by the assets 'example/video', 'other'.*where"):
        mxd.load_feature_assets(code)
    with pytest.raises(mxd.AssetError, match=r"a function in functions= and the asset 'example/v"):
        mxd.load_feature_assets(code, functions={media.Video: lambda: None})
