"""Both code locations load, and each feature of the example is run as it is there to show."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import yaml

from example_project import automation
from example_project.definitions import defs
from example_project.twin.definitions import defs as twin

ROOT = Path(__file__).parents[2]


def key(text: str) -> dg.AssetKey:
    return dg.AssetKey.from_user_string(text)


def test_the_workspace_names_locations_that_load() -> None:
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    modules = {each["python_module"]["module_name"] for each in workspace["load_from"]}
    assert modules == {"example_project.definitions", "example_project.twin.definitions"}
    dg.Definitions.validate_loadable(defs)
    dg.Definitions.validate_loadable(twin)


def test_the_locations_share_no_asset() -> None:
    assert not set(defs.resolve_all_asset_keys()) & set(twin.resolve_all_asset_keys())


def test_the_four_ways_to_receive_an_increment_are_there() -> None:
    found = {k.path[-1]: defs.get_assets_def(k) for k in defs.resolve_all_asset_keys()}
    assert [found["colour"].partitions_def.get_partition_keys()] == [["0", "1", "2", "3"]]
    assert isinstance(found["embedding"].partitions_def, dg.DynamicPartitionsDefinition)
    assert isinstance(found["still"].node_def, dg.GraphDefinition)
    assert isinstance(found["crop"].node_def, dg.OpDefinition)


def test_every_sensor_and_schedule_of_the_example_is_on() -> None:
    assert {s.default_status for s in automation.sensors} == {dg.DefaultSensorStatus.RUNNING}
    assert {s.default_status for s in automation.schedules} == {dg.DefaultScheduleStatus.RUNNING}


@pytest.mark.parametrize("asset", ["twin/example/video", "twin/example/speech_to_text"])
def test_the_twin_has_the_assets_that_its_yaml_declares(asset: str) -> None:
    assert key(asset) in twin.resolve_all_asset_keys()
    assert twin.sensors is not None
    assert [sensor.name for sensor in twin.sensors] == ["new_videos_of_the_twin"]
