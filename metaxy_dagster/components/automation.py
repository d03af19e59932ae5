"""Sensors, schedules and checks of a component: the arguments of the Python functions, in YAML."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, get_args

import dagster as dg

from metaxy_dagster.checks import feature_checks
from metaxy_dagster.components.attributes import Attributes, said
from metaxy_dagster.errors import InvalidComponent
from metaxy_dagster.partitions_sensor import increment_partitions_sensor
from metaxy_dagster.scheduling import increment_schedule
from metaxy_dagster.sensors import upstream_change_sensor

Named = Callable[[str, str | Sequence[str] | None], list[dg.AssetSpec]]
"""Gives the specs of the features that an attribute selects; all where it selects none."""

Status = Literal["RUNNING", "STOPPED"]
Terms = str | list[str]


_STATUS = said("Whether it is on when it is first deployed; STOPPED by default.")
_FEATURES = said("Keys or selections such as 'shop/*', '+shop/face', 'tag:gpu'.")
_LOCK = said("Seconds that a tick waits for a writer.")
_NAME = said("Name; made of the features by default.")
_PARTITIONS = said("Partitions of what is run: one run for each.")


@dataclass(frozen=True)
class UpstreamChange(Attributes):
    """The arguments of ``upstream_change_sensor``."""

    called: ClassVar[str] = "upstream_change"

    of: Annotated[Terms | None, said("Features to bring up to date, in such words.")] = None
    features: Annotated[Terms | None, _FEATURES] = None
    minimum_records: Annotated[int | None, said("Changed records that request a run.")] = None
    minimum_interval_seconds: Annotated[int | None, said("Least time between ticks.")] = None
    run_tags: Annotated[dict[str, str] | None, said("Further tags of the runs.")] = None
    partition_keys: Annotated[list[str] | None, _PARTITIONS] = None
    default_status: Annotated[Status | None, _STATUS] = None
    name: Annotated[str | None, _NAME] = None
    description: Annotated[str | None, said("What the UI says.")] = None
    lock_timeout: Annotated[float | None, _LOCK] = None

    def sensor(self, named: Named, store_key: str) -> dg.SensorDefinition:
        """The sensor."""
        words: dict[str, Any] = {
            argument: named(f"sensors.upstream_change.{argument}", terms)
            for argument, terms in self.given().items()
            if argument in {"of", "features"}
        }
        options = _with_status(self.given("of", "features"), dg.DefaultSensorStatus)
        return upstream_change_sensor(**words, **options, store_key=store_key)


@dataclass(frozen=True)
class IncrementPartitions(Attributes):
    """The arguments of ``increment_partitions_sensor``."""

    called: ClassVar[str] = "increment_partitions"

    feature: Annotated[str, said("A feature with batch_size.")]
    minimum_interval_seconds: Annotated[int | None, said("Least time between ticks.")] = None
    run_tags: Annotated[dict[str, str] | None, said("Further tags of the runs.")] = None
    default_status: Annotated[Status | None, _STATUS] = None
    name: Annotated[str | None, _NAME] = None
    description: Annotated[str | None, said("What the UI says.")] = None
    lock_timeout: Annotated[float | None, _LOCK] = None

    def sensor(self, asset: dg.AssetsDefinition, store_key: str) -> dg.SensorDefinition:
        """The sensor of an asset of the feature."""
        options = _with_status(self.given("feature"), dg.DefaultSensorStatus)
        return increment_partitions_sensor(asset, **options, store_key=store_key)


@dataclass(frozen=True)
class Sensor(Attributes):
    """A sensor: its kind, and the options of that kind."""

    called: ClassVar[str] = "sensors"

    upstream_change: Annotated[
        UpstreamChange | None, said("Runs features when commits upstream of them arrive.")
    ] = None
    increment_partitions: Annotated[
        IncrementPartitions | None,
        said("Plans, launches and removes the batches of a feature with batch_size."),
    ] = None

    def __post_init__(self) -> None:
        """A sensor is of one kind."""
        if (self.upstream_change is None) == (self.increment_partitions is None):
            raise InvalidComponent.from_attribute(
                "sensors", self.given(), "either upstream_change or increment_partitions in each"
            )


@dataclass(frozen=True)
class Schedule(Attributes):
    """The arguments of ``increment_schedule``."""

    called: ClassVar[str] = "schedules"

    features: Annotated[Terms, _FEATURES]
    cron_schedule: Annotated[Terms, said("When, as cron writes it.")]
    execution_timezone: Annotated[str | None, said("Time zone; UTC by default.")] = None
    run_tags: Annotated[dict[str, str] | None, said("Tags of the runs.")] = None
    partition_keys: Annotated[list[str] | None, _PARTITIONS] = None
    default_status: Annotated[Status | None, _STATUS] = None
    name: Annotated[str | None, _NAME] = None
    description: Annotated[str | None, said("What the UI says.")] = None
    lock_timeout: Annotated[float | None, _LOCK] = None

    def schedule(self, named: Named, store_key: str) -> dg.ScheduleDefinition:
        """The schedule."""
        specs = named("schedules.features", self.features)
        options = _with_status(self.given("features"), dg.DefaultScheduleStatus)
        return increment_schedule(specs, **options, store_key=store_key)


@dataclass(frozen=True)
class Checks(Attributes):
    """The arguments of ``feature_checks``."""

    called: ClassVar[str] = "checks"

    features: Annotated[Terms | None, said("Which features, in such words; all by default.")] = None
    checks: Annotated[list[str] | None, said("Which checks; all by default.")] = None
    severity: Annotated[
        str | dict[str, str] | None, said("WARN or ERROR, of all checks or by check.")
    ] = None
    blocking: Annotated[
        bool | list[str] | None, said("Whether, or for which checks, assets downstream wait.")
    ] = None
    max_orphans: Annotated[
        int | float | None, said("So many orphans pass; from 0.0 to 1.0 it is a share.")
    ] = None
    max_attempts: Annotated[int | None, said("With so many failures a record is failing.")] = None
    samples: Annotated[
        dict[str, str] | None, said("For roots, by feature: module:function of the samples.")
    ] = None
    name: Annotated[str | None, said("How the names of the ops end.")] = None

    def definitions(
        self, named: Named, function: Callable[[str, str], Any], store_key: str
    ) -> list[dg.AssetChecksDefinition]:
        """The checks.

        Args:
            named: finds the specs of features.
            function: finds the function that an attribute names.
            store_key: key of the store resource.
        """
        options = self.given("features", "samples")
        if self.samples is not None:
            options["samples"] = {
                feature: function(f"checks.samples.{feature}", text)
                for feature, text in self.samples.items()
            }
        specs = named("checks.features", self.features)
        return feature_checks(specs, **options, store_key=store_key)


def _with_status(options: dict[str, Any], statuses: Any) -> dict[str, Any]:
    if "default_status" in options:
        said = options["default_status"]
        if said not in get_args(Status):
            raise InvalidComponent.from_attribute("default_status", said, "RUNNING or STOPPED")
        options["default_status"] = statuses[said]
    return options
