"""What ``metaxify`` can be told about an asset, checked once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict

from metaxy_dagster.errors import InvalidOptions
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.translator import MetaxyTranslator

if TYPE_CHECKING:
    import dagster as dg

Orphans = Literal["keep", "delete"]

MAX_CHUNKS: Final = 1_000
"""A step costs some 40 ms, so that more of them cost more than they spare."""

MAX_BATCHES: Final = 100
"""Enough to keep runs going; pages of Dagster's UI stay quick with some thousand partitions."""


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
    store_key: str = "metaxy_store"
    io_manager_key: str = "metaxy_io_manager"
    translator: MetaxyTranslator = field(default_factory=MetaxyTranslator)

    @property
    def given(self) -> list[str]:
        """What was said beyond keys and names: it only means something over a function."""
        usual = Settings()
        named = ("store_key", "io_manager_key", "translator")
        names = [each.name for each in fields(self) if each.name not in named]
        return [name for name in names if getattr(self, name) != getattr(usual, name)]


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
