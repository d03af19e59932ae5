"""What Dagster's UI asks its webserver for, asked by a program."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import dagster as dg

from example_project.servers import Servers

ASSET_JOB: Final = "__ASSET_JOB"
"""The job that Dagster makes for runs of assets that no job was named for."""

FINISHED: Final = ("SUCCESS", "FAILURE", "CANCELED")
"""What a run that ended has for a status."""


@dataclass(frozen=True)
class Run:
    """A run that ended.

    Attributes:
        run_id: its id.
        status: ``"SUCCESS"``, ``"FAILURE"`` or ``"CANCELED"``.
        tags: its tags.
        told: the metadata of each materialization, by asset, as far as it is numbers and texts.
    """

    run_id: str
    status: str
    tags: Mapping[str, str]
    told: Mapping[str, Mapping[str, Any]]


class Dagster:
    """Questions and commands to the webserver of some servers.

    Assets are named as the UI names them, ``"example/video"``.

    Args:
        servers: the servers, running.
    """

    def __init__(self, servers: Servers) -> None:
        self.servers = servers

    def query(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data that a GraphQL document asks for.

        Raises:
            RuntimeError: Dagster gave errors, at the top or in the place of the first answer.
        """
        body = json.dumps({"query": document, "variables": variables}).encode()
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.servers.url}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - the same
            answer = json.load(response)
        (data, *_) = (answer.get("data") or {}).values() or [None]
        failed = isinstance(data, dict) and "message" in data
        if answer.get("errors") or failed:
            raise RuntimeError(f"Dagster answered {json.dumps(answer, indent=1)[:4_000]}")
        return dict(answer["data"])

    @cached_property
    def location(self) -> dict[str, str]:
        """What names the code location in every question about it."""
        document = """{ workspaceOrError { ... on Workspace { locationEntries {
            name locationOrLoadError { ... on RepositoryLocation { repositories { name } }
            ... on PythonError { message stack } } } } } }"""
        (entry,) = self.query(document)["workspaceOrError"]["locationEntries"]
        loaded = entry["locationOrLoadError"]
        if "message" in loaded:
            raise RuntimeError(f"{loaded['message']}\n{''.join(loaded['stack'])}")
        return {
            "repositoryLocationName": entry["name"],
            "repositoryName": loaded["repositories"][0]["name"],
        }

    # ------------------------------------------------------------------ runs

    def launch(
        self,
        *assets: str,
        config: Mapping[str, Any] | None = None,
        partition: str | None = None,
        checks: Sequence[tuple[str, str]] = (),
        job: str = ASSET_JOB,
    ) -> str:
        """Launch a run, as *Materialize* and the launchpad do.

        Args:
            assets: what to materialize, with its checks; all of the job where nothing is named.
            config: the run config.
            partition: the partition of the assets.
            checks: pairs of an asset and a check, to execute these checks alone.
            job: a job.

        Returns:
            the id of the run.
        """
        tags = {} if partition is None else {"dagster/partition": partition}
        chosen: dict[str, Any] = {"assetSelection": _paths(assets)} if assets or checks else {}
        if checks:
            chosen["assetCheckSelection"] = [
                {"assetKey": _paths([asset])[0], "name": name} for asset, name in checks
            ]
        document = """mutation ($params: ExecutionParams!) {
            launchRun(executionParams: $params) { ... on LaunchRunSuccess { run { runId } }
            ... on Error { message }
            ... on RunConfigValidationInvalid { errors { message } } } }"""
        answer = self.query(
            document,
            params={
                "selector": {**self.location, "jobName": job, **chosen},
                "runConfigData": json.dumps(config or {}),
                "mode": "default",
                "executionMetadata": {
                    "tags": [{"key": key, "value": value} for key, value in tags.items()]
                },
            },
        )["launchRun"]
        if "run" not in answer:
            raise RuntimeError("; ".join(error["message"] for error in answer["errors"]))
        return str(answer["run"]["runId"])

    def finished(self, *run_ids: str, seconds: float | None = None) -> list[Run]:
        """The runs, when all of them have ended."""
        self.servers.wait_until(
            f"the runs {', '.join(run_ids)} end",
            lambda: all(self._run(run_id)["status"] in FINISHED for run_id in run_ids),
            seconds,
        )
        return [_run_of(self._run(run_id)) for run_id in run_ids]

    def materialize(self, *assets: str, **options: Any) -> Run:
        """Launch a run and wait for it; the arguments are those of ``launch``.

        Raises:
            RuntimeError: the run did not succeed.
        """
        (run,) = self.finished(self.launch(*assets, **options))
        if run.status != "SUCCESS":
            raise RuntimeError(f"Run {run.run_id} of {assets} ended with {run.status}.")
        return run

    def runs(self, **tags: str) -> list[str]:
        """The ids of the runs that have these tags, or of all runs."""
        filters = {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
        document = """query ($filter: RunsFilter!) { runsOrError(filter: $filter) {
            ... on Runs { results { runId } } ... on Error { message } } }"""
        found = self.query(document, filter=filters)["runsOrError"]["results"]
        return [run["runId"] for run in found]

    def _run(self, run_id: str) -> dict[str, Any]:
        document = """query ($runId: ID!) { runOrError(runId: $runId) { ... on Error { message }
            ... on Run { runId status tags { key value } assetMaterializations { partition
            assetKey { path } metadataEntries { label ... on IntMetadataEntry { intValue }
            ... on TextMetadataEntry { text } } } } } }"""
        return dict(self.query(document, runId=run_id)["runOrError"])

    def backfill(self, asset: str, *partitions: str) -> str:
        """Launch a backfill of some partitions of an asset; gives its id."""
        document = """mutation ($params: LaunchBackfillParams!) {
            launchPartitionBackfill(backfillParams: $params) {
            ... on LaunchBackfillSuccess { backfillId } ... on Error { message } } }"""
        params = {
            "assetSelection": _paths([asset]),
            "partitionNames": list(partitions),
            "fromFailure": False,
        }
        answer = self.query(document, params=params)["launchPartitionBackfill"]
        return str(answer["backfillId"])

    # ------------------------------------------------------------------ sensors and partitions

    def start_sensor(self, name: str) -> None:
        """Switch a sensor on."""
        document = """mutation ($sensor: SensorSelector!) { startSensor(sensorSelector: $sensor) {
            ... on Sensor { name } ... on Error { message } } }"""
        self.query(document, sensor={**self.location, "sensorName": name})

    def stop_sensor(self, name: str) -> None:
        """Switch a sensor off."""
        document = """mutation ($id: String!) { stopSensor(id: $id) {
            ... on StopSensorMutationResult { instigationState { status } }
            ... on Error { message } } }"""
        self.query(document, id=self._sensor(name)["sensorState"]["id"])

    def ticks(self, name: str) -> list[dict[str, Any]]:
        """The ticks of a sensor that the daemon evaluated, the newest first."""
        return list(self._sensor(name)["sensorState"]["ticks"])

    def _sensor(self, name: str) -> dict[str, Any]:
        document = """query ($sensor: SensorSelector!) { sensorOrError(sensorSelector: $sensor) {
            ... on Sensor { name sensorState { id status ticks(limit: 1000) {
            status timestamp endTimestamp skipReason runIds error { message }
            dynamicPartitionsRequestResults { type partitionKeys } } } }
            ... on Error { message } } }"""
        answer = self.query(document, sensor={**self.location, "sensorName": name})
        return dict(answer["sensorOrError"])

    def partitions(self, asset: str) -> list[str]:
        """The partitions that an asset has now."""
        return list(self.asset(asset, "partitionKeys")["partitionKeys"])

    def repository(self, fields: str) -> dict[str, Any]:
        """Some GraphQL fields of the definitions as a whole."""
        document = f"""query ($repository: RepositorySelector!) {{
            repositoryOrError(repositorySelector: $repository) {{
            ... on Repository {{ {fields} }} ... on Error {{ message }} }} }}"""
        return dict(self.query(document, repository=self.location)["repositoryOrError"])

    def asset(self, asset: str, fields: str) -> dict[str, Any]:
        """Some GraphQL fields of an asset's definition."""
        document = f"""query ($key: AssetKeyInput!) {{ assetNodeOrError(assetKey: $key) {{
            ... on AssetNode {{ {fields} }} ... on Error {{ message }} }} }}"""
        (key,) = _paths([asset])
        return dict(self.query(document, key=key)["assetNodeOrError"])


def _paths(assets: Sequence[str]) -> list[dict[str, list[str]]]:
    return [{"path": list(dg.AssetKey.from_user_string(asset).path)} for asset in assets]


def _run_of(run: Mapping[str, Any]) -> Run:
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    told = {
        "/".join(event["assetKey"]["path"]): {
            entry["label"]: entry.get("intValue", entry.get("text"))
            for entry in event["metadataEntries"]
            if "intValue" in entry or "text" in entry
        }
        for event in run["assetMaterializations"]
        if event["partition"] == tags.get("dagster/partition")
    }
    return Run(run["runId"], run["status"], tags, told)
