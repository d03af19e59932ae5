"""Assets and specs that name a feature are told what it is, and keep what their author set."""

import dagster as dg
import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd

IO = {"io_manager_key": "metaxy_io_manager"}


@pytest.fixture(autouse=True)
def _active(media):
    with media.graph.use():
        yield


def spec_of(asset: dg.AssetsDefinition) -> dg.AssetSpec:
    (spec,) = asset.specs
    return spec


def facts(spec: dg.AssetSpec) -> dict[str, object]:
    return {
        "key": spec.key.to_user_string(),
        "deps": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
        "group": spec.group_name,
        "description": spec.description,
        "code": spec.code_version,
        "kinds": sorted(spec.kinds),
    }


def expected(media, **other):
    code = media.graph.versions[media.Transcript.spec.key].code
    return {
        "key": "example/transcript",
        "deps": ["example/video"],
        "group": "example",
        "description": "What is said in a clip.",
        "code": code,
        "kinds": ["duckdb", "metaxy"],
    } | other


def resolved_transcript(lab, media, store):
    with store.open() as opened:
        return lab.transcribed(opened.resolve_update(media.Transcript).new)


@pytest.mark.parametrize("feature", ["class", "text", "key"])
def test_an_asset_that_names_its_feature_gets_all_that_the_feature_tells(media, feature):
    named = {"class": media.Transcript, "text": "example/transcript"}
    named["key"] = media.Transcript.spec.key

    @mxd.metaxify()
    @dg.asset(metadata={"metaxy/feature": named[feature]})
    def transcript():
        return None

    spec = spec_of(transcript)
    assert facts(spec) == expected(media)
    assert spec.metadata["metaxy/feature"] == "example/transcript"
    assert "dagster/column_lineage" in spec.metadata


def test_the_decorator_works_without_parentheses_and_with_the_feature(media):
    @mxd.metaxify
    @dg.asset(metadata={"metaxy/feature": media.Transcript})
    def bare():
        return None

    @mxd.metaxify(media.Transcript)
    @dg.asset
    def named():
        return None

    assert facts(spec_of(bare)) == facts(spec_of(named)) == expected(media)


def test_what_the_author_set_stays(media):
    @mxd.metaxify()
    @dg.asset(
        key=["prod", "texts"],
        metadata={"metaxy/feature": media.Transcript, "dagster/table_name": "mine"},
        deps=["glossary"],
        group_name="mine",
        code_version="7",
        kinds={"python"},
        tags={"tier": "1"},
        owners=["team:media"],
    )
    def texts():
        """My words."""

    spec = spec_of(texts)
    assert facts(spec) == expected(
        media,
        key="prod/texts",
        deps=["example/video", "glossary"],
        group="mine",
        description="My words.",
        code="7",
        kinds=["duckdb", "metaxy", "python"],
    )
    assert spec.metadata["dagster/table_name"] == "mine"
    assert (spec.tags["tier"], spec.owners) == ("1", ["team:media"])


def test_a_spec_is_enriched_too(media):
    spec = dg.AssetSpec("transcript", metadata={"metaxy/feature": "example/transcript"})

    assert facts(mxd.metaxify(spec)) == expected(media)
    assert facts(mxd.metaxify(media.Transcript)(dg.AssetSpec("transcript"))) == expected(media)


def test_an_input_named_after_a_dep_is_that_feature(lab, media):
    got = []

    @mxd.metaxify()
    @dg.asset(metadata={"metaxy/feature": media.Transcript}, **IO)
    def transcript(metaxy_store: mxd.MetaxyStoreResource, video: pl.DataFrame):
        got.append(video.height)
        return resolved_transcript(lab, media, metaxy_store)

    lab.run(lab.video(media), transcript)

    assert got == [2]
    assert lab.records(media.Transcript) == lab.texts("a", "b")


def test_deps_are_added_beside_inputs(lab, media):
    @dg.asset
    def glossary():
        return "x"

    @mxd.metaxify()
    @dg.asset(metadata={"metaxy/feature": media.Transcript}, **IO)
    def transcript(metaxy_store: mxd.MetaxyStoreResource, glossary):
        return resolved_transcript(lab, media, metaxy_store).with_columns(text=pl.lit(glossary))

    resources = {"io_manager": dg.mem_io_manager}
    lab.run(transcript, glossary, lab.video(media), resources=resources)

    assert {row["text"] for row in lab.records(media.Transcript)} == {"x"}


def test_a_graph_backed_asset_keeps_its_ops_and_lacks_no_dep(lab, media):
    @dg.op(out=dg.Out(io_manager_key="metaxy_io_manager"))
    def work(metaxy_store: mxd.MetaxyStoreResource, video):
        return resolved_transcript(lab, media, metaxy_store)

    @mxd.metaxify(media.Transcript)
    @dg.graph_asset
    def transcript(video):
        return work(video)

    result = lab.run(lab.video(media), transcript)

    assert facts(spec_of(transcript)) == expected(media)
    assert lab.records(media.Transcript) == lab.texts("a", "b")
    assert lab.counts(result, lab.TRANSCRIPT) == {"new": 2, "processed": 2}
    with lab.store.open() as store:
        state = mxd.data_version(store, media.Transcript)
    assert lab.data_version(lab.TRANSCRIPT) == state.value

    with pytest.raises(mx.MetaxyError, match=r"'alone'.*example/video: .* takes them as inputs"):

        @mxd.metaxify(media.Transcript)
        @dg.graph_asset
        def alone():
            return work(work())


def test_a_plain_asset_is_written_and_accounted_for(lab, media):
    @mxd.metaxify()
    @dg.asset(metadata={"metaxy/feature": media.Transcript}, **IO)
    def transcript(metaxy_store: mxd.MetaxyStoreResource):
        return resolved_transcript(lab, media, metaxy_store)

    result = lab.run(lab.video(media), transcript)
    version = lab.data_version(lab.TRANSCRIPT)
    lab.run(lab.video(media), transcript)

    assert lab.counts(result, lab.TRANSCRIPT) == {"new": 2, "processed": 2}
    assert "metaxy/orphaned" not in lab.metadata(result, lab.TRANSCRIPT)
    assert lab.data_version(lab.TRANSCRIPT) == version


def test_a_plain_asset_that_names_its_feature_needs_no_metaxify(lab, media):
    @dg.asset(key=["clips"], metadata={"metaxy/feature": media.Video}, **IO)
    def clips():
        yield from ()

    @dg.asset(key=["clips"], metadata={"metaxy/feature": media.Video}, **IO)
    def clips_of_the_lab():
        return lab.clips(lab.samples)

    lab.run(clips_of_the_lab)
    lab.samples["c"] = ("1", "1")
    result = lab.run(clips_of_the_lab)

    assert lab.commits(media.Video) == [["a", "b"], ["c"]]
    assert lab.counts(result, dg.AssetKey("clips")) == {"new": 1, "processed": 1, "spared": 2}


def test_the_lineage_of_a_plain_asset_is_shown_after_its_run(lab, media):
    @dg.asset(key=lab.TRANSCRIPT, metadata={"metaxy/feature": media.Transcript}, **IO)
    def transcript():
        return None

    lineage = lab.metadata(lab.run(transcript), lab.TRANSCRIPT)["dagster/column_lineage"]

    assert lineage.deps_by_column["video_id"] == [dg.TableColumnDep(lab.VIDEO, "video_id")]


def test_each_output_of_a_multi_asset_that_names_a_feature_is_enriched(lab, media):
    @mxd.metaxify()
    @dg.multi_asset(
        outs={
            "video": dg.AssetOut(metadata={"metaxy/feature": "example/video"}, **IO),
            "transcript": dg.AssetOut(metadata={"metaxy/feature": "example/transcript"}, **IO),
            "report": dg.AssetOut(io_manager_key="report_io", description="Plain."),
        },
        internal_asset_deps={"transcript": {dg.AssetKey("video")}, "video": set(), "report": set()},
    )
    def everything(metaxy_store: mxd.MetaxyStoreResource):
        yield dg.Output(lab.clips(lab.samples), "video")
        yield dg.Output(resolved_transcript(lab, media, metaxy_store), "transcript")
        yield dg.Output("done", "report")

    result = lab.run(everything, resources={"report_io": dg.mem_io_manager})
    by_key = {spec.key.to_user_string(): spec for spec in everything.specs}

    assert set(by_key) == {"example/video", "example/transcript", "report"}
    assert facts(by_key["example/transcript"]) == expected(media)
    assert by_key["report"].description == "Plain."
    assert lab.records(media.Transcript) == lab.texts("a", "b")
    assert lab.counts(result, lab.TRANSCRIPT) == {"new": 2, "processed": 2}
    assert lab.data_version(lab.VIDEO) != lab.data_version(lab.TRANSCRIPT)


def test_specs_of_a_multi_asset_are_enriched_before_or_after(media):
    specs = [
        dg.AssetSpec("video", metadata={"metaxy/feature": media.Video}),
        dg.AssetSpec("transcript", metadata={"metaxy/feature": media.Transcript}),
    ]

    @dg.multi_asset(specs=[mxd.metaxify(spec) for spec in specs])
    def before():
        yield from ()

    @mxd.metaxify
    @dg.multi_asset(specs=specs)
    def after():
        yield from ()

    for asset in (before, after):
        by_key = {spec.key.to_user_string(): spec for spec in asset.specs}
        assert facts(by_key["example/transcript"]) == expected(media)
        assert set(by_key) == {"example/video", "example/transcript"}


def test_a_plain_feature_outside_of_dagster_is_an_external_asset(lab, media):
    video = mxd.metaxify(dg.AssetSpec("video", metadata={"metaxy/feature": media.Video}))
    with lab.store.open() as store:
        increment = store.resolve_update(media.Video, lab.clips(lab.samples))
        store.write(media.Video, increment.new)

    lab.run(video, lab.transcript(media))

    assert lab.records(media.Transcript) == lab.texts("a", "b")


def test_a_translator_renames_existing_assets(media):
    class Prefixed(mxd.MetaxyTranslator):
        def asset_key(self, definition):
            return super().asset_key(definition).with_prefix("media")

    @mxd.metaxify(translator=Prefixed())
    @dg.asset(metadata={"metaxy/feature": media.Transcript})
    def transcript():
        return None

    assert facts(spec_of(transcript)) == expected(
        media, key="media/example/transcript", deps=["media/example/video"]
    )


def test_an_unchanged_graph_of_assets_is_one_lineage(lab, media):
    @mxd.metaxify
    @dg.asset(metadata={"metaxy/feature": media.Video}, **IO)
    def clips():
        return lab.clips(lab.samples)

    with mx.FeatureGraph().use():
        lab.run(clips, lab.transcript(media))

    assert lab.records(media.Transcript) == lab.texts("a", "b")
