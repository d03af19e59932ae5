"""Dagster learns of what is written outside it, and of samples that nothing was made of yet."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import dagster as dg
import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd
from metaxy_core import errors
from metaxy_dagster.errors import InvalidAutomation, InvalidFunction, UnknownAssetFeature


class Bucket(dg.ConfigurableResource):
    """Holds one clip."""

    clip: str


def observed(lab: Any, asset: dg.AssetsDefinition, **resources: Any) -> dg.AssetObservation:
    result = lab.observe(asset, resources=resources)
    (observation,) = result.asset_observations_for_node(asset.op.name)
    return observation


def version(observation: dg.AssetObservation) -> str:
    return observation.tags["dagster/data_version"]


def numbers(observation: dg.AssetObservation) -> dict[str, Any]:
    return {name: value.value for name, value in observation.metadata.items()}


def write(lab: Any, media: SimpleNamespace, **audio: str) -> None:
    with lab.store.open() as store:
        store.write(media.Video, lab.clips({name: (v, "1") for name, v in audio.items()}))


# ------------------------------------------------------------------ features


def test_an_observation_tells_what_the_store_holds(lab: Any, media: SimpleNamespace) -> None:
    write(lab, media, a="1", b="1")
    write(lab, media, c="1")
    told = numbers(observed(lab, mxd.observable_feature(media.Video)))
    assert told == {
        "dagster/row_count": 3,
        "metaxy/commit_count": 2,
        "metaxy/newest_commit": 2,
        "metaxy/feature_version": media.graph.versions[media.Video.spec.key].feature,
        "metaxy/store": lab.store.database,
    }


def test_a_feature_that_was_never_written_has_no_records(lab: Any, media: SimpleNamespace) -> None:
    told = numbers(observed(lab, mxd.observable_feature(media.Video)))
    assert (told["dagster/row_count"], told["metaxy/commit_count"]) == (0, 0)
    assert "metaxy/newest_commit" not in told


def test_writes_and_deletions_change_the_data_version_and_nothing_else_does(
    lab: Any, media: SimpleNamespace
) -> None:
    video = mxd.observable_feature(media.Video)
    versions = [version(observed(lab, video))]
    write(lab, media, a="1", b="1")
    versions.append(version(observed(lab, video)))
    with lab.store.open() as store:
        store.delete(media.Video, filters="video_id = 'a'")
    versions.append(version(observed(lab, video)))
    assert len(set(versions)) == 3
    assert version(observed(lab, video)) == versions[-1]


def test_it_is_the_data_version_that_a_materialization_would_have(
    lab: Any, media: SimpleNamespace
) -> None:
    lab.run(lab.video(media))
    video = mxd.observable_feature(media.Video)
    assert version(observed(lab, video)) == lab.data_version(lab.VIDEO)


def test_the_asset_says_what_its_feature_says(media: SimpleNamespace) -> None:
    (spec,) = mxd.observable_feature(media.Transcript, tags={"from": "outside"}).specs
    assert spec.key.path == ["example", "transcript"]
    assert [dep.asset_key.path for dep in spec.deps] == [["example", "video"]]
    assert spec.description == "What is said in a clip."
    assert (spec.group_name, spec.kinds) == ("example", {"metaxy", "duckdb"})
    assert spec.tags["from"] == "outside"
    assert spec.metadata["metaxy/feature"] == "example/transcript"


def test_the_asset_is_named_as_one_wants_it(media: SimpleNamespace) -> None:
    class Media(mxd.MetaxyTranslator):
        def asset_key(self, definition: Any) -> dg.AssetKey:
            return super().asset_key(definition).with_prefix("media")

    condition = dg.AutomationCondition.on_cron("@hourly")
    observable = mxd.observable_feature(
        media.Video, name="look", automation_condition=condition, translator=Media()
    )
    (spec,) = observable.specs
    assert (observable.op.name, spec.key.path) == ("look", ["media", "example", "video"])
    assert spec.automation_condition == condition
    assert mxd.observable_feature(media.Video, key="clips").key.path == ["clips"]


def test_an_asset_over_an_observed_feature_computes_its_records(
    lab: Any, media: SimpleNamespace
) -> None:
    write(lab, media, a="1")
    lab.run(mxd.observable_feature(media.Video), lab.transcript(media))
    assert lab.records(media.Transcript) == lab.texts("a")


def test_an_unknown_feature_is_refused(media: SimpleNamespace) -> None:
    with pytest.raises(UnknownAssetFeature, match="nobody"):
        mxd.observable_feature("nobody")


# ------------------------------------------------------------------ samples


def test_samples_have_a_version_and_are_not_written(lab: Any, media: SimpleNamespace) -> None:
    samples = mxd.observable_samples(media.Video, lambda: lab.clips(lab.samples))
    assert samples.key.path == ["example", "video_samples"]
    observation = observed(lab, samples)
    assert numbers(observation) == {"dagster/row_count": 2}
    assert lab.records(media.Video) == []


def test_a_sample_that_comes_goes_or_changes_changes_the_version(
    lab: Any, media: SimpleNamespace
) -> None:
    samples = mxd.observable_samples(media.Video, lambda: lab.clips(lab.samples))
    first = version(observed(lab, samples))
    lab.samples = dict(reversed(lab.samples.items()))
    assert version(observed(lab, samples)) == first
    seen = {first}
    for change in ({"c": ("1", "1")}, {"a": ("2", "1")}):
        lab.samples |= change
        seen.add(version(observed(lab, samples)))
    del lab.samples["b"]
    seen.add(version(observed(lab, samples)))
    assert len(seen) == 4


def test_the_root_runs_when_samples_changed(lab: Any, media: SimpleNamespace) -> None:
    samples = mxd.observable_samples(media.Video, lambda: lab.clips(lab.samples))
    video = lab.video(media, deps=[samples], automation_condition=mxd.on_upstream_change())
    cursor = None

    def requested() -> int:
        nonlocal cursor
        result = dg.evaluate_automation_conditions(
            dg.Definitions(assets=[samples, video], resources=lab.resources),
            instance=lab.instance,
            cursor=cursor,
        )
        cursor = result.cursor
        return result.get_num_requested(lab.VIDEO)

    observed(lab, samples)
    assert requested() == 1
    assert requested() == 0
    observed(lab, samples)
    assert requested() == 0
    lab.samples["a"] = ("2", "1")
    observed(lab, samples)
    assert requested() == 1


def test_the_function_gets_context_and_resources(lab: Any, media: SimpleNamespace) -> None:
    def arrived(context: dg.AssetExecutionContext, bucket: Bucket) -> pl.DataFrame:
        """Clips in the bucket."""
        context.log.info("looking")
        return lab.clips({bucket.clip: ("1", "1")})

    samples = mxd.observable_samples(media.Video, arrived)
    assert [spec.description for spec in samples.specs] == ["Clips in the bucket."]
    one, same, other = (
        version(observed(lab, samples, bucket=Bucket(clip=clip))) for clip in ("a", "a", "b")
    )
    assert one == same != other


def test_samples_that_cannot_be_resolved_fail_the_observation(
    lab: Any, media: SimpleNamespace
) -> None:
    twice = pl.concat([lab.clips({"a": ("1", "1")})] * 2)
    with pytest.raises(errors.DuplicateIds, match="a"):
        observed(lab, mxd.observable_samples(media.Video, lambda: twice))


def test_only_roots_have_samples(media: SimpleNamespace) -> None:
    with pytest.raises(InvalidAutomation, match="'example/transcript'.*root feature"):
        mxd.observable_samples(media.Transcript, lambda: None)


def test_a_function_that_wants_an_increment_or_an_asset_is_refused(media: SimpleNamespace) -> None:
    with pytest.raises(InvalidFunction, match="takes 'increment'"):
        mxd.observable_samples(media.Video, lambda increment: None)
    with pytest.raises(InvalidFunction, match="takes 'clips'"):
        mxd.observable_samples(media.Video, lambda clips: None)


def test_two_features_of_one_store_are_observed_apart(lab: Any, media: SimpleNamespace) -> None:
    assert isinstance(media.graph, mx.FeatureGraph)
    video, transcript = (mxd.observable_feature(each) for each in (media.Video, media.Transcript))
    before = version(observed(lab, transcript))
    write(lab, media, a="1")
    assert version(observed(lab, transcript)) == before
    assert numbers(observed(lab, video))["dagster/row_count"] == 1
