"""A mistake in an asset is told when it is defined, with the asset's name and the fix."""

import dagster as dg
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd
from metaxy_dagster import errors


def test_a_feature_with_deps_needs_the_increment(media):
    with pytest.raises(errors.MissingIncrement, match=r"'example/transcript'.*increment: mx\.Incr"):

        @mxd.metaxify(media.Transcript)
        def transcript(context):
            return None


def test_a_root_s_increment_needs_samples(media):
    with pytest.raises(errors.MissingSamples, match=r"'example/video'.*samples=function"):

        @mxd.metaxify(media.Video)
        def video(increment):
            return None


def test_samples_of_a_feature_with_deps_are_refused(media):
    with pytest.raises(errors.UnexpectedSamples, match="its feature has deps"):

        @mxd.metaxify(media.Transcript, samples=lambda: None)
        def transcript(increment):
            return None


def test_samples_without_an_increment_are_refused(media):
    with pytest.raises(errors.UnexpectedSamples, match="takes no 'increment'"):

        @mxd.metaxify(media.Video, samples=lambda: None)
        def video():
            return None


def test_a_parameter_that_is_no_dep_is_refused(media):
    with pytest.raises(errors.UnknownParameter, match=r"'vidoe'.*deps: 'example/video'.*ins=\{"):

        @mxd.metaxify(media.Transcript)
        def transcript(increment, vidoe):
            return None


def test_a_parameter_that_two_deps_are_named_after_is_refused():
    with mx.FeatureGraph().use():

        class Left(mx.Feature, spec=mx.FeatureSpec(key="left/clip")):
            pass

        class Right(mx.Feature, spec=mx.FeatureSpec(key="right/clip")):
            pass

        spec = mx.FeatureSpec(key="both", deps=[Left, Right])

        class Both(mx.Feature, spec=spec):
            pass

    with pytest.raises(errors.UnknownParameter, match="exactly one dep"):

        @mxd.metaxify(Both)
        def both(increment, clip):
            return None


def test_ins_without_a_parameter_are_refused(media):
    with pytest.raises(errors.InvalidOptions, match="takes no parameter 'clips'"):

        @mxd.metaxify(media.Transcript, ins={"clips": media.Video})
        def transcript(increment):
            return None


@pytest.mark.parametrize("text", ["example/vidoe", "not a key"])
def test_an_unknown_feature_is_refused_by_the_asset_s_name(media, text):
    with media.graph.use(), pytest.raises(errors.UnknownAssetFeature, match=f"'clips'.*'{text}'"):

        @mxd.metaxify(text)
        def clips():
            return None


def test_an_asset_that_names_no_feature_is_refused(media):
    with pytest.raises(errors.MissingFeature, match=r"Asset 'clips' names no feature.*metadata="):

        @mxd.metaxify
        @dg.asset
        def clips():
            return None


def test_a_spec_that_names_no_feature_is_refused():
    with pytest.raises(errors.MissingFeature, match="Asset 'clips' names no feature"):
        mxd.metaxify(dg.AssetSpec("clips"))


def test_an_unknown_feature_in_metadata_is_refused():
    spec = dg.AssetSpec("clips", metadata={"metaxy/feature": "no/such"})

    with (
        mx.FeatureGraph().use(),
        pytest.raises(errors.UnknownAssetFeature, match=r"'clips'.*no/such"),
    ):
        mxd.metaxify(spec)


def test_a_function_without_a_feature_is_refused():
    with pytest.raises(errors.MissingFeature, match=r"@metaxify\(Feature\)"):

        @mxd.metaxify
        def clips():
            return None

    with pytest.raises(errors.MissingFeature, match="Asset 'more' names no feature"):

        @mxd.metaxify()
        def more():
            return None


def test_one_feature_for_several_assets_is_refused(media):
    specs = [dg.AssetSpec("one"), dg.AssetSpec("two")]

    with pytest.raises(errors.InvalidOptions, match=r"several assets \(one, two\)"):

        @mxd.metaxify(media.Video)
        @dg.multi_asset(specs=specs)
        def both():
            yield from ()


def test_options_over_an_existing_asset_are_refused(media):
    with pytest.raises(errors.InvalidOptions, match="cannot use group_name, orphans"):

        @mxd.metaxify(media.Video, group_name="x", orphans="delete")
        @dg.asset
        def video():
            return None


def test_an_unknown_option_is_refused(media):
    with pytest.raises(errors.InvalidOptions, match=r"option\(s\) gruop_name.*group_name"):

        @mxd.metaxify(media.Video, gruop_name="x")
        def video():
            return None


def test_an_unknown_way_with_orphans_is_refused(media):
    with pytest.raises(errors.InvalidOptions, match="orphans='drop'"):
        mxd.metaxify(media.Video, orphans="drop")


def test_an_async_function_is_refused(media):
    with pytest.raises(errors.InvalidFunction, match=r"is async.*asyncio\.run"):

        @mxd.metaxify(media.Video)
        async def video():
            return None


def test_variable_parameters_are_refused(media):
    with pytest.raises(errors.InvalidFunction, match=r"takes '\*\*rest'"):

        @mxd.metaxify(media.Transcript)
        def transcript(increment, **rest):
            return None


def test_an_annotation_that_cannot_be_resolved_is_refused(media):
    def transcript(increment, video: "Nowhere"):  # noqa: F821
        return None

    with pytest.raises(errors.InvalidFunction, match=r"Nowhere.*import that type at module level"):
        mxd.metaxify(media.Transcript)(transcript)


def test_two_meanings_of_config_are_refused(media):
    class One(dg.Config):
        n: int = 1

    class Two(dg.Config):
        n: int = 1

    def listing(config: One):
        return None

    with pytest.raises(errors.InvalidFunction, match=r"'config'.*one annotation in both"):

        @mxd.metaxify(media.Video, samples=listing)
        def video(increment, config: Two):
            return None


def test_an_output_without_a_feature_is_refused_when_it_is_written(lab):
    @dg.asset(io_manager_key="metaxy_io_manager")
    def clips():
        return lab.clips(lab.samples)

    with pytest.raises(errors.MissingFeature, match="Asset 'clips' names no feature"):
        lab.run(clips)


def test_every_error_is_a_metaxy_error():
    for error in vars(errors).values():
        if isinstance(error, type) and error.__module__ == errors.__name__:
            assert issubclass(error, mx.MetaxyError)
