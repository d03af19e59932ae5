"""``metaxify`` is the one door into Dagster: functions, assets and specs go in, assets come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Unpack, cast, get_args, overload

import dagster as dg

from metaxy_core.keys import HasSpec, Key, KeyLike
from metaxy_dagster.assets import increment_asset
from metaxy_dagster.chunks import chunked_asset
from metaxy_dagster.design import AssetDesign
from metaxy_dagster.enriching import enriched_asset_spec, enriched_assets
from metaxy_dagster.errors import InvalidOptions, MissingFeature
from metaxy_dagster.feature_name import FeatureName, feature_name
from metaxy_dagster.options import MAX_BATCHES, MAX_CHUNKS, AssetOptions, Orphans, Settings
from metaxy_dagster.resource import IO_MANAGER_KEY, STORE_KEY
from metaxy_dagster.run_claims import CLAIM_SECONDS
from metaxy_dagster.translator import MetaxyTranslator


class Metaxify:
    """What ``metaxify(Feature, ...)`` gives: a decorator of functions, assets and specs."""

    def __init__(self, feature: KeyLike | None, settings: Settings, options: AssetOptions) -> None:
        self._feature = feature
        self._settings = settings
        self._options = options

    @overload
    def __call__(self, target: dg.AssetSpec) -> dg.AssetSpec: ...
    @overload
    def __call__(self, target: dg.AssetsDefinition | Callable[..., Any]) -> dg.AssetsDefinition: ...

    def __call__(
        self, target: dg.AssetSpec | dg.AssetsDefinition | Callable[..., Any]
    ) -> dg.AssetSpec | dg.AssetsDefinition:
        """Turn a function into an asset, or tell an asset or spec what its feature is."""
        if isinstance(target, dg.AssetSpec):
            asset = target.key.to_user_string()
            self._check_unused(asset)
            return enriched_asset_spec(target, self._named(asset), self._settings.translator)
        if isinstance(target, dg.AssetsDefinition):
            asset = ", ".join(sorted(key.to_user_string() for key in target.keys))
            self._check_unused(asset)
            return enriched_assets(target, self._named(asset), self._settings.translator)
        asset = getattr(target, "__name__", repr(target))
        feature = self._named(asset)
        if feature is None:
            raise MissingFeature.from_asset(asset)
        design = AssetDesign.of(target, feature, self._settings, self._options)
        return increment_asset(design) if design.is_whole else chunked_asset(design)

    def _named(self, asset: str) -> FeatureName | None:
        return None if self._feature is None else feature_name(self._feature, asset)

    def _check_unused(self, asset: str) -> None:
        unused = [*self._options, *self._settings.given]
        if "where" in unused:
            unused[unused.index("where")] = "where (its metadata may have 'metaxy/where')"
        if unused:
            raise InvalidOptions(
                f"@metaxify over the asset {asset!r} only adds what its feature tells; it cannot "
                f"use {', '.join(unused)}. Set options there, or decorate a plain function."
            )


@overload
def metaxify(
    target: dg.AssetsDefinition, *, translator: MetaxyTranslator | None = ...
) -> dg.AssetsDefinition: ...
@overload
def metaxify(
    target: dg.AssetSpec, *, translator: MetaxyTranslator | None = ...
) -> dg.AssetSpec: ...
@overload
def metaxify(
    target: KeyLike | None = ...,
    *,
    samples: Callable[..., Any] | None = ...,
    orphans: Orphans = ...,
    limit: int | None = ...,
    chunk_size: int | None = ...,
    max_chunks: int = ...,
    buckets: int | None = ...,
    batch_size: int | None = ...,
    max_batches: int = ...,
    claim_seconds: float | None = ...,
    store_key: str = ...,
    io_manager_key: str = ...,
    translator: MetaxyTranslator | None = ...,
    where: Mapping[str, Any] | None = ...,
    **options: Unpack[AssetOptions],
) -> Metaxify: ...


def metaxify(
    target: Any = None,
    *,
    samples: Callable[..., Any] | None = None,
    orphans: Orphans = "keep",
    limit: int | None = None,
    chunk_size: int | None = None,
    max_chunks: int = MAX_CHUNKS,
    buckets: int | None = None,
    batch_size: int | None = None,
    max_batches: int = MAX_BATCHES,
    claim_seconds: float | None = CLAIM_SECONDS,
    store_key: str = STORE_KEY,
    io_manager_key: str = IO_MANAGER_KEY,
    translator: MetaxyTranslator | None = None,
    where: Mapping[str, Any] | None = None,
    **options: Unpack[AssetOptions],
) -> Metaxify | dg.AssetsDefinition | dg.AssetSpec:
    """Make a Dagster asset of a feature.

    Over a **function**, ``@metaxify(Feature)`` makes an asset whose runs handle one increment. The
    function gets the increment, and whatever else it asks for by parameter:

    - ``increment``: the ``Increment``, with new and stale records; required unless the feature is
      a root. Without new and stale records the function is not called.
    - ``context``, ``config`` and resources, as in ``dg.asset``.
    - any other name is an upstream feature to load: the dep whose key ends with that name, or what
      ``ins={"name": Feature}`` or ``ins={"name": dg.AssetIn(...)}`` says.

    It returns a frame, or yields frames, each of which is committed before the next is asked for.
    For an expansion, ``Children(frame, processed=parents)`` also tells which parents are done.
    A generator adds metadata with ``context.add_asset_metadata``: to ``add_output_metadata`` its
    output is closed before it begins.
    A root feature's function without ``increment`` returns or yields the samples, every record
    that should exist; only new and stale ones are written.

    Over an **asset** or **multi-asset** (``@metaxify()``), or for an ``AssetSpec``
    (``metaxify(spec)``), each spec that names a feature under ``metadata={"metaxy/feature": ...}``
    gets the feature's key (unless its own has a prefix), deps, code version, kinds, group, tags,
    description, column schema and lineage; what its author set stays.

    Args:
        target: the feature (a class, key or text), or an asset or spec.
        samples: for a root feature, a function that returns every record that should exist; may
            take context, config, resources and inputs.
        orphans: ``"delete"`` deletes stored records that are no longer expected, after the work.
        limit: at most so many new and stale records per run, the first ones by id; a run's config
            may say another number.
        chunk_size: compute the increment in chunks of so many records, a step and at least one
            commit each; ``increment`` is then that of a chunk. Not for roots.
        max_chunks: how many chunks a run has at most; what is more is left to the next run.
        buckets: so many static partitions; the hash of a record's id says in which one it is.
        batch_size: dynamic partitions of so many new and stale records, which an
            ``increment_partitions_sensor`` plans, launches and removes. Not for roots.
        max_batches: how many of these partitions there are at most at one time. With more than 98
            Dagster may show assets downstream as up to date that are not.
        claim_seconds: a run holds the new and stale records that it was given, so that another run
            at the same time gets others. It extends this while it works, and gives back what is
            left at its end; a run that was killed holds records for so many seconds, or until
            Dagster knows that it is over. None: two runs at once compute the same.
        store_key: resource key of the ``MetaxyStoreResource``.
        io_manager_key: resource key of the ``MetaxyIOManager``.
        translator: what Dagster should call things.
        where: where several assets feed one feature, the columns and values that are this one's:
            ``{"camera": "left"}``. It handles only those records, under a key of its own.
        **options: options of ``dg.asset``: ``group_name``, ``tags``, ``owners``, ``pool``, …

    Returns:
        The asset or spec, or a decorator that gives one.

    Raises:
        AssetError: feature, function and options do not fit together; the message names the asset.

    Example:
        >>> import metaxy_core as mx, polars as pl
        >>> with mx.FeatureGraph().use():
        ...     class Clip(mx.Feature, spec=mx.FeatureSpec(
        ...         key="media/clip", id_columns=["id"],
        ...         fields=[mx.FieldSpec(key="audio", version_from=["etag"])],
        ...     )):
        ...         id: str
        ...         etag: str
        >>> @metaxify(Clip, owners=["team:media"])
        ... def clip() -> pl.DataFrame:
        ...     return pl.DataFrame({"id": ["a"], "etag": ["1"]})
        >>> clip.key
        AssetKey(['media', 'clip'])
    """
    if orphans not in get_args(Orphans):
        known = " or ".join(map(repr, get_args(Orphans)))
        raise InvalidOptions.from_argument("@metaxify", "orphans", orphans, known)
    given = cast("AssetOptions", {k: v for k, v in options.items() if v is not None})
    settings = Settings(
        samples=samples,
        orphans=orphans,
        where=where,
        limit=limit,
        chunk_size=chunk_size,
        max_chunks=max_chunks,
        buckets=buckets,
        batch_size=batch_size,
        max_batches=max_batches,
        claim_seconds=claim_seconds,
        store_key=store_key,
        io_manager_key=io_manager_key,
        translator=translator or MetaxyTranslator(),
    )
    if isinstance(target, dg.AssetSpec | dg.AssetsDefinition):
        return Metaxify(None, settings, given)(target)
    if target is not None and not isinstance(target, str | list | tuple | Key | HasSpec):
        raise MissingFeature.from_call(target)
    return Metaxify(target, settings, given)
