"""What ``metaxify`` can be told about an asset, checked once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict

from metaxy_core.errors import InvalidWrite
from metaxy_core.store.claims import checked_seconds
from metaxy_dagster.errors import InvalidOptions
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.resource import IO_MANAGER_KEY, STORE_KEY
from metaxy_dagster.run_claims import CLAIM_SECONDS
from metaxy_dagster.translator import MetaxyTranslator

if TYPE_CHECKING:
    import dagster as dg

Orphans = Literal["keep", "delete"]

MAX_CHUNKS: Final = 1_000
"""A step costs some 40 ms, so that more of them cost more than they spare."""

MAX_BATCHES: Final = 90
"""Enough to keep runs going. Dagster looks for what is stale downstream only where there are fewer
than a hundred partitions, of which one stays."""


_NUMBERS: Final = ("limit", "chunk_size", "max_chunks", "buckets", "batch_size", "max_batches")


class AssetOptions(TypedDict, total=False):
    """Options of ``dg.asset`` that ``metaxify`` passes on; see there for what they mean."""

    name: str
    key_prefix: str | Sequence[str]
    key: dg.AssetKey | str | Sequence[str]
    ins: Mapping[str, Any]
    deps: Iterable[Any]
    metadata: Mapping[str, Any]
    tags: Mapping[str, str]
    kinds: AbstractSet[str]
    owners: Sequence[str]
    description: str
    group_name: str
    code_version: str
    automation_condition: dg.AutomationCondition[Any]
    freshness_policy: dg.FreshnessPolicy
    partitions_def: dg.PartitionsDefinition[Any]
    backfill_policy: dg.BackfillPolicy
    retry_policy: dg.RetryPolicy
    pool: str
    op_tags: Mapping[str, Any]
    hooks: AbstractSet[dg.HookDefinition]
    resource_defs: Mapping[str, object]
    required_resource_keys: AbstractSet[str]


@dataclass(frozen=True)
class Settings:
    """What ``metaxify`` itself was told.

    Attributes:
        samples: for a root feature, gives every record that should exist.
        orphans: what to do with stored records that are no longer expected.
        where: the value of some columns in all records that the asset handles; None for all.
        limit: how many new and stale records a run handles at most, where its config does not say.
        chunk_size: records in a chunk; None computes the increment in one step.
        max_chunks: how many chunks a run has at most.
        buckets: number of static partitions; None for none.
        batch_size: records in a dynamic partition; None for none.
        max_batches: how many dynamic partitions there are at most at one time.
        claim_seconds: for how long a run holds its records without a sign of life; None for not.
        store_key: key of the store resource.
        io_manager_key: key of the IO manager.
        translator: what Dagster should call things.
    """

    samples: Callable[..., Any] | None = None
    orphans: Orphans = "keep"
    where: Mapping[str, Any] | None = None
    limit: int | None = None
    chunk_size: int | None = None
    max_chunks: int = MAX_CHUNKS
    buckets: int | None = None
    batch_size: int | None = None
    max_batches: int = MAX_BATCHES
    claim_seconds: float | None = CLAIM_SECONDS
    store_key: str = STORE_KEY
    io_manager_key: str = IO_MANAGER_KEY
    translator: MetaxyTranslator = field(default_factory=MetaxyTranslator)

    @property
    def given(self) -> list[str]:
        """What was said beyond keys and names: it only means something over a function."""
        usual = Settings()
        named = ("store_key", "io_manager_key", "translator")
        names = [each.name for each in fields(self) if each.name not in named]
        return [name for name in names if getattr(self, name) != getattr(usual, name)]


def check_settings(feature: FeatureName, settings: Settings) -> None:
    """Numbers of records, chunks, buckets, batches and seconds are such.

    Raises:
        InvalidOptions: one is not.
    """
    asset = f"Asset {str(feature)!r}"
    if settings.claim_seconds is not None:
        try:
            checked_seconds(settings.claim_seconds)
        except InvalidWrite as error:
            raise InvalidOptions.from_argument(
                asset, "claim_seconds", settings.claim_seconds, "seconds up to a year, or None"
            ) from error
    usual = Settings()
    for option in _NUMBERS:
        value = getattr(settings, option)
        if value is None and getattr(usual, option) is None:
            continue
        if type(value) is not int or value < 1:
            raise InvalidOptions.from_argument(asset, option, value, "a whole number from 1")


def check_options(feature: FeatureName, options: AssetOptions) -> None:
    """Options are those of ``dg.asset`` that are passed on.

    Raises:
        InvalidOptions: there is another one.
    """
    known = AssetOptions.__annotations__
    unknown = [name for name in options if name not in known]
    if unknown:
        raise InvalidOptions(
            f"@metaxify({str(feature)!r}) does not know the option(s) {', '.join(unknown)}; it "
            f"passes on {', '.join(known)} to dg.asset."
        )
