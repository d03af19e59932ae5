"""What the Dagster tests share: two features, assets over them, and a place to run them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd

collect_ignore_glob = ["*_project.py"]  # loaded by processes that tests start


class Lab:
    """A store, a Dagster instance, and short words for what nearly every test does."""

    VIDEO = dg.AssetKey(["example", "video"])
    TRANSCRIPT = dg.AssetKey(["example", "transcript"])

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.folder = folder
        self.store = mxd.MetaxyStoreResource(
            database=str(folder / "store.duckdb"), settings={"threads": 1}
        )
        self.instance = instance
        self.samples: dict[str, tuple[str, str]] = {"a": ("1", "1"), "b": ("1", "1")}
        self.processed: list[list[str]] = []

    # ------------------------------------------------------------------ features and frames

    @staticmethod
    def features(audio: str = "1", frames: str = "1", text: str = "1") -> SimpleNamespace:
        """A root and a feature that reads one of its fields, in a graph of their own.

        The arguments are code versions, so that a second call is the next release.
        """
        video_spec = mx.FeatureSpec(
            key="example/video",
            id_columns=["video_id"],
            fields=[
                mx.FieldSpec(key="audio", code_version=audio),
                mx.FieldSpec(key="frames", code_version=frames),
            ],
        )
        with mx.FeatureGraph().use() as graph:

            class Video(mx.Feature, spec=video_spec):
                """A clip as it was uploaded."""

                video_id: str
                path: str

            reads = [mx.FieldDep(feature=Video, fields=["audio"])]
            transcript_spec = mx.FeatureSpec(
                key="example/transcript",
                id_columns=["video_id"],
                deps=[mx.FeatureDep(feature=Video, columns=["path"])],
                fields=[mx.FieldSpec(key="text", code_version=text, deps=reads)],
            )

            class Transcript(mx.Feature, spec=transcript_spec):
                """What is said in a clip."""

                video_id: str
                text: str

        return SimpleNamespace(Video=Video, Transcript=Transcript, graph=graph)

    @staticmethod
    def clips(versions: Mapping[str, tuple[str, str]]) -> pl.DataFrame:
        """Samples of Video: ids with the versions of audio and frames."""
        pair = pl.Struct({"audio": pl.String, "frames": pl.String})
        return pl.DataFrame(
            [
                (name, f"{name}.mp4", {"audio": audio, "frames": frames})
                for name, (audio, frames) in versions.items()
            ],
            schema={"video_id": pl.String, "path": pl.String, "metaxy_provenance_by_field": pair},
            orient="row",
        )

    @staticmethod
    def transcribed(frame: pl.DataFrame) -> pl.DataFrame:
        """The work of Transcript."""
        return frame.with_columns(text=pl.format("text of {}", "path"))

    @staticmethod
    def texts(*names: str) -> list[dict[str, Any]]:
        """What Transcript should hold for these clips."""
        return [{"video_id": name, "text": f"text of {name}.mp4"} for name in names]

    # ------------------------------------------------------------------ assets

    def video(self, features: SimpleNamespace, **options: Any) -> dg.AssetsDefinition:
        """A root asset whose function returns this lab's samples."""

        @mxd.metaxify(features.Video, **options)
        def video():
            return self.clips(self.samples)

        return video

    def transcript(self, features: SimpleNamespace, **options: Any) -> dg.AssetsDefinition:
        """An asset that notes which records it was asked for, one list a call."""

        @mxd.metaxify(features.Transcript, **options)
        def transcript(increment: mx.Increment):
            frame = pl.concat(list(increment.batches()))
            self.processed.append(sorted(frame["video_id"]))
            return self.transcribed(frame)

        return transcript

    def assets(self, features: SimpleNamespace) -> list[dg.AssetsDefinition]:
        return [self.video(features), self.transcript(features)]

    # ------------------------------------------------------------------ runs

    @property
    def resources(self) -> dict[str, Any]:
        io_manager = mxd.MetaxyIOManager(store=self.store)
        return {"metaxy_store": self.store, "metaxy_io_manager": io_manager}

    def run(self, *assets: Any, **options: Any) -> dg.ExecuteInProcessResult:
        """Materialize assets with this lab's resources."""
        resources = {**self.resources, **options.pop("resources", {})}
        return dg.materialize(list(assets), instance=self.instance, resources=resources, **options)

    def observe(self, *assets: Any, resources: Mapping[str, Any] | None = None) -> Any:
        """Observe assets with this lab's resources."""
        definitions = dg.Definitions(
            assets=assets,
            jobs=[dg.define_asset_job("observe", selection=list(assets))],
            resources={**self.resources, **(resources or {})},
        )
        return definitions.resolve_job_def("observe").execute_in_process(instance=self.instance)

    def records(self, feature: Any, **options: Any) -> list[dict[str, Any]]:
        """The user columns of what is stored, in order."""
        with self.store.open() as store:
            frame = store.read(feature, **options).to_polars()
        columns = [name for name in frame.columns if not name.startswith("metaxy_")]
        return frame.select(columns).sort(columns).to_dicts()

    def commits(self, feature: Any) -> list[list[str]]:
        """The ids in each commit of a feature, oldest first."""
        with self.store.open() as store:
            frame = store.read(feature, history=True, include_deleted=True).to_polars()
        groups = frame.group_by("metaxy_commit").agg(pl.col("video_id").sort())
        return groups.sort("metaxy_commit")["video_id"].to_list()

    def data_version(self, key: dg.AssetKey) -> str:
        """The data version of an asset's last materialization."""
        event = self.instance.get_latest_materialization_event(key)
        return event.asset_materialization.tags["dagster/data_version"]

    @staticmethod
    def metadata(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, Any]:
        """The metadata of an asset's materialization in a run, of the partition that is run."""
        partition = result.dagster_run.tags.get("dagster/partition")
        (event,) = [
            event.materialization
            for event in result.get_asset_materialization_events()
            if event.asset_key == key and event.partition == partition
        ]
        return {name: value.value for name, value in event.metadata.items()}

    def counts(self, result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, int]:
        """Those of a run's counts that are not zero."""
        names = ("new", "stale", "orphaned", "blocked", "processed", "spared", "deleted")
        metadata = self.metadata(result, key)
        found = {name: metadata.get(f"metaxy/{name}", 0) for name in names}
        return {name: count for name, count in found.items() if count}


@pytest.fixture(scope="session")
def instance() -> dg.DagsterInstance:
    """An instance in memory; making one costs more than most runs do."""
    return dg.DagsterInstance.ephemeral()


@pytest.fixture
def lab(tmp_path: Path, instance: dg.DagsterInstance) -> Lab:
    """A lab whose instance has seen nothing yet."""
    instance.wipe()
    return Lab(tmp_path, instance)


@pytest.fixture
def media(lab: Lab) -> SimpleNamespace:
    """The first release of the features."""
    return lab.features()
