"""Few words say what a sensor watches and runs; words that mean nothing are refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd
from metaxy_core import errors
from metaxy_dagster.errors import InvalidAutomation, InvalidOptions, MissingFeature


@pytest.fixture
def studio() -> Any:
    """Two roots, a crop of one, and what is made of the crop and of both."""
    with mx.FeatureGraph().use() as graph:

        def feature(name: str, *deps: Any, **options: Any) -> type[mx.Feature]:
            spec = mx.FeatureSpec(key=f"studio/{name}", deps=deps or None, **options)
            return type(name, (mx.Feature,), {}, spec=spec)

        video, label = feature("video"), feature("label", tags={"raw": ""})
        crop = feature("crop", video)
        yield SimpleNamespace(
            graph=graph,
            video=video,
            label=label,
            crop=crop,
            face=feature("face", crop),
            both=feature("both", video, label),
        )


def asset_of(feature: Any, **options: Any) -> dg.AssetsDefinition:
    """An asset that does nothing, with what its feature tells."""

    @mxd.metaxify(feature)
    @dg.asset(key=list(feature.spec.key.parts), **options)
    def work() -> None: ...

    return work


def looked_at(sensor: dg.SensorDefinition) -> str:
    """The features that a sensor watches, as its description lists them."""
    return sensor.description.removeprefix("Requests a run when commits arrive for ").rstrip(".")


def run_by(studio: SimpleNamespace, sensor: dg.SensorDefinition, *more: Any) -> list[str]:
    """The assets that the sensor's runs materialize, among one for each feature."""
    names = ("video", "label", "crop", "face", "both")
    taken = {key for each in more for key in getattr(each, "keys", ())}
    every = [asset_of(getattr(studio, name)) for name in names]
    assets = [*(each for each in every if each.key not in taken), *more]
    store = mxd.MetaxyStoreResource(database="never-opened.duckdb")
    repository = dg.Definitions(
        assets=assets, sensors=[sensor], resources={"metaxy_store": store}
    ).get_repository_def()
    (job,) = [job for job in repository.get_all_jobs() if sensor.name in job.name]
    keys = job.asset_layer.executable_asset_keys
    return sorted(key.to_user_string().removeprefix("studio/") for key in keys)


# ------------------------------------------------------------------ what is watched and run


def test_everything_upstream_of_what_is_to_be_run_is_watched(studio: SimpleNamespace) -> None:
    sensor = mxd.upstream_change_sensor(of=studio.face)
    assert looked_at(sensor) == "studio/video, studio/crop"
    assert run_by(studio, sensor) == ["face"]


def test_what_has_partitions_is_run_only_for_partitions_that_are_named(
    studio: SimpleNamespace,
) -> None:
    buckets = asset_of(studio.face, partitions_def=dg.StaticPartitionsDefinition(["0", "1"]))
    every = {"features": studio.video, "name": "all"}

    assert run_by(studio, mxd.upstream_change_sensor(**every), buckets) == ["both", "crop"]
    keyed = mxd.upstream_change_sensor(**every, partition_keys=["0", "1"])
    assert run_by(studio, keyed, buckets) == ["both", "crop", "face"]


def test_what_is_run_is_not_watched(studio: SimpleNamespace) -> None:
    sensor = mxd.upstream_change_sensor(of=[studio.crop, studio.face])
    assert looked_at(sensor) == "studio/video"
    assert run_by(studio, sensor) == ["crop", "face"]


def test_everything_downstream_of_watched_features_is_run(studio: SimpleNamespace) -> None:
    sensor = mxd.upstream_change_sensor(studio.video)
    assert looked_at(sensor) == "studio/video"
    assert run_by(studio, sensor) == ["both", "crop", "face"]


def test_both_together_watch_more_and_run_what_is_to_be_run(studio: SimpleNamespace) -> None:
    sensor = mxd.upstream_change_sensor(studio.label, of=studio.crop)
    assert looked_at(sensor) == "studio/label, studio/video"
    assert run_by(studio, sensor) == ["crop"]


@pytest.mark.parametrize(
    "terms",
    [
        "studio/video",
        ["studio/video"],
        mx.FeatureKey("studio/video"),
        [mx.FeatureKey("studio/video")],
        "1+studio/crop !studio/crop",
    ],
    ids=str,
)
def test_features_are_named_in_any_way(studio: SimpleNamespace, terms: Any) -> None:
    assert looked_at(mxd.upstream_change_sensor(terms)) == "studio/video"


def test_selections_and_classes_go_together(studio: SimpleNamespace) -> None:
    sensor = mxd.upstream_change_sensor(["tag:raw", studio.video])
    assert looked_at(sensor) == "studio/video, studio/label"
    assert sensor.name == "changes_of_studio_video_and_1_more"


def test_an_asset_stands_for_its_feature(studio: SimpleNamespace) -> None:
    sensor = mxd.upstream_change_sensor(of=[asset_of(studio.crop)])
    assert looked_at(sensor) == "studio/video"
    assert sensor.name == "upstream_changes_of_studio_crop"


def test_classes_bring_their_graph(studio: SimpleNamespace) -> None:
    with mx.FeatureGraph().use():
        sensor = mxd.upstream_change_sensor([studio.video, "tag:raw"])
    assert looked_at(sensor) == "studio/video, studio/label"


def test_assets_are_found_under_whatever_key_they_have(studio: SimpleNamespace) -> None:
    renamed = asset_of(studio.crop).with_attributes(
        asset_key_replacements={dg.AssetKey(["studio", "crop"]): dg.AssetKey(["cut", "square"])}
    )
    repository = dg.Definitions(
        assets=[renamed], sensors=[mxd.upstream_change_sensor(studio.video)]
    ).get_repository_def()
    (job,) = [job for job in repository.get_all_jobs() if "changes_of" in job.name]
    assert job.asset_layer.executable_asset_keys == {dg.AssetKey(["cut", "square"])}


def test_what_is_only_observed_is_not_run(studio: SimpleNamespace) -> None:
    sensor = mxd.upstream_change_sensor(studio.video)
    assert run_by(studio, sensor, mxd.observable_feature(studio.both)) == ["crop", "face"]


def test_a_key_too_long_for_a_tag_is_run_all_the_same(studio: SimpleNamespace) -> None:
    spec = mx.FeatureSpec(key=f"studio/{'long' * 20}", deps=[studio.face])
    long = type("Long", (mx.Feature,), {}, spec=spec)
    sensor = mxd.upstream_change_sensor(of=long, name="long")
    assert run_by(studio, sensor, asset_of(long)) == ["long" * 20]


def test_a_job_is_run_where_one_is_given(studio: SimpleNamespace) -> None:
    job = dg.define_asset_job("nightly", selection=["studio/both"])
    assert mxd.upstream_change_sensor(studio.video, target=job).job_name == "nightly"


# ------------------------------------------------------------------ what is refused


def test_nothing_at_all_is_refused(studio: SimpleNamespace) -> None:
    with pytest.raises(InvalidAutomation, match=r"no feature; say features=\[...\] to watch"):
        mxd.upstream_change_sensor()
    with pytest.raises(InvalidOptions, match="increment_schedule was given no feature"):
        mxd.increment_schedule([], "@daily")


def test_a_root_has_nothing_upstream_to_watch(studio: SimpleNamespace) -> None:
    with pytest.raises(InvalidAutomation, match="nothing upstream of 'studio/video'.*features="):
        mxd.upstream_change_sensor(of=studio.video)


def test_a_leaf_has_nothing_downstream_to_run(studio: SimpleNamespace) -> None:
    with pytest.raises(InvalidAutomation, match="nothing downstream of 'studio/face'.*target="):
        mxd.upstream_change_sensor(studio.face)
    assert mxd.upstream_change_sensor(studio.face, target="report").name


def test_unknown_features_and_selections_are_refused(studio: SimpleNamespace) -> None:
    with pytest.raises(errors.UnknownFeature, match="studio/vidoe"):
        mxd.upstream_change_sensor("studio/vidoe")
    with pytest.raises(errors.InvalidSelection, match="tag:cooked"):
        mxd.upstream_change_sensor(of="tag:cooked")


def test_an_asset_without_a_feature_is_refused(studio: SimpleNamespace) -> None:
    with pytest.raises(MissingFeature, match="'report' names no feature"):
        mxd.upstream_change_sensor(of=dg.AssetSpec("report"))


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "3"])
def test_a_threshold_is_a_positive_number(studio: SimpleNamespace, value: Any) -> None:
    with pytest.raises(InvalidAutomation, match="minimum_records=.*a whole number from 1"):
        mxd.upstream_change_sensor(studio.video, minimum_records=value)
