"""What is written outside Dagster is observed, so that Dagster knows when it changed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from metaxy_core.keys import KeyLike
from metaxy_core.store.base import MetadataStore
from metaxy_core.store.frames import to_arrow
from metaxy_dagster.data_versions import data_version
from metaxy_dagster.enriching import dep_keys, enriched_spec
from metaxy_dagster.errors import InvalidAutomation, InvalidFunction
from metaxy_dagster.feature_name import FEATURE, FeatureName, feature_name
from metaxy_dagster.functions import AssetFunction, asset_function, combined_signature
from metaxy_dagster.metadata import FEATURE_VERSION
from metaxy_dagster.resource import STORE_KEY, MetaxyStoreResource
from metaxy_dagster.run_metadata import ROW_COUNT
from metaxy_dagster.translator import MetaxyTranslator

Condition = dg.AutomationCondition[Any]


def observable_feature(
    feature: KeyLike,
    *,
    key: dg.AssetKey | str | list[str] | None = None,
    name: str | None = None,
    automation_condition: Condition | None = None,
    tags: Mapping[str, str] | None = None,
    group_name: str | None = None,
    description: str | None = None,
    translator: MetaxyTranslator | None = None,
    store_key: str = STORE_KEY,
) -> dg.AssetsDefinition:
    """An observable source asset for a feature that is written outside Dagster.

    An observation tells Dagster the data version, which follows from the commits, deletions
    included, so that assets downstream are shown as stale and automation sees the change. Its
    metadata has the number of records and of commits, the newest commit and the feature version
    that it was written under.

    Args:
        feature: the feature.
        key: asset key; the feature's where it is None.
        name: name of the op; made of the feature's key where it is None.
        automation_condition: when to observe, such as ``dg.AutomationCondition.on_cron(...)``; a
            ``dg.ScheduleDefinition(target=...)`` does it too.
        tags: tags of the asset, beside those of the translator.
        group_name: group; the translator's where it is None.
        description: description; the feature's where it is None.
        translator: what Dagster should call things.
        store_key: resource key of the ``MetaxyStoreResource``.

    Raises:
        UnknownAssetFeature: the graph does not hold the feature.

    Example:
        >>> import metaxy_core as mx
        >>> with mx.FeatureGraph().use():
        ...     class Video(mx.Feature, spec=mx.FeatureSpec(key="example/video")):
        ...         pass
        >>> video = observable_feature(Video)
        >>> video.key, video.is_executable
        (AssetKey(['example', 'video']), True)
    """
    found = feature_name(feature, "observable_feature")
    translator = translator or MetaxyTranslator()
    spec = dg.AssetSpec(
        key=translator.asset_key(found.definition) if key is None else key,
        deps=dep_keys(found, translator),
        metadata={FEATURE: found},
        automation_condition=automation_condition,
        tags=tags,
        group_name=group_name,
        description=description,
    )

    def observe(context: dg.AssetExecutionContext, **resources: Any) -> dg.ObserveResult:
        del context
        with resources[store_key].open() as store:
            return dg.ObserveResult(
                data_version=data_version(store, found), metadata=_state(store, found)
            )

    observe.__signature__ = combined_signature(  # type: ignore[attr-defined]
        [], {store_key: MetaxyStoreResource}, found
    )
    spec = enriched_spec(spec, found, translator)
    return _observable(spec, name or f"observe_{found.key.to_identifier()}", observe)


def observable_samples(
    feature: KeyLike,
    samples: Callable[..., Any],
    *,
    key: dg.AssetKey | str | list[str] | None = None,
    name: str | None = None,
    automation_condition: Condition | None = None,
    tags: Mapping[str, str] | None = None,
    group_name: str | None = None,
    description: str | None = None,
    translator: MetaxyTranslator | None = None,
    store_key: str = STORE_KEY,
) -> dg.AssetsDefinition:
    """An observable source asset for what a root feature's samples are taken from.

    An observation calls ``samples`` and gives Dagster a data version made of the ids and versions
    of all samples; nothing is written. Let the root's asset depend on it
    (``@metaxify(Video, deps=[clips])``), and a condition such as ``on_upstream_change`` runs the
    root when something arrived, changed or went.

    Args:
        feature: the root feature.
        samples: returns every record that should exist, with its versions, as for ``metaxify``; may
            take the context, config and resources.
        key: asset key; that of the feature with ``_samples`` added where it is None.
        name: name of the op; made of the feature's key where it is None.
        automation_condition: when to observe.
        tags: tags of the asset.
        group_name: group; that of the feature where it is None.
        description: description; the docstring of ``samples`` where it is None.
        translator: what Dagster should call things.
        store_key: resource key of the ``MetaxyStoreResource``.

    Raises:
        UnknownAssetFeature: the graph does not hold the feature.
        InvalidAutomation: the feature is no root.
        InvalidFunction: the function takes something else.

    Example:
        >>> import metaxy_core as mx, polars as pl
        >>> with mx.FeatureGraph().use():
        ...     class Video(mx.Feature, spec=mx.FeatureSpec(
        ...         key="example/video", id_columns=["id"],
        ...         fields=[mx.FieldSpec(key="audio", version_from=["etag"])],
        ...     )):
        ...         id: str
        ...         etag: str
        >>> observable_samples(Video, lambda: pl.DataFrame({"id": ["a"], "etag": ["1"]})).key
        AssetKey(['example', 'video_samples'])
    """
    found = feature_name(feature, "observable_samples")
    if not found.plan.is_root:
        raise InvalidAutomation.from_argument(
            "observable_samples", "feature", str(found), "a root feature, which has no deps"
        )
    translator = translator or MetaxyTranslator()
    spec = dg.AssetSpec(
        key=_samples_key(found, translator) if key is None else key,
        automation_condition=automation_condition,
        tags=tags,
        group_name=group_name or translator.group_name(found.definition),
        description=description or samples.__doc__ or f"What samples of {found} are taken from.",
    )
    work = _samples_function(samples, found)

    def observe(context: dg.AssetExecutionContext, **arguments: Any) -> dg.ObserveResult:
        frame = to_arrow(found.key, work.call(context, arguments))
        with arguments[store_key].open() as store:
            version = dg.DataVersion(store.samples_version(found, frame))
        return dg.ObserveResult(data_version=version, metadata={ROW_COUNT: frame.num_rows})

    observe.__signature__ = combined_signature(  # type: ignore[attr-defined]
        [work], {store_key: MetaxyStoreResource}, found
    )
    return _observable(spec, name or f"observe_{found.key.to_identifier()}_samples", observe)


# --------------------------------------------------------------------------- details


def _observable(spec: dg.AssetSpec, name: str, observe: Callable[..., Any]) -> dg.AssetsDefinition:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        decorated = dg.multi_observable_source_asset(specs=[spec], name=name)
    observable: dg.AssetsDefinition = decorated(observe)
    return observable


def _state(store: MetadataStore, feature: FeatureName) -> dict[str, Any]:
    history = store.history(feature)
    state = {
        ROW_COUNT: store.count(feature),
        "metaxy/commit_count": history.commits,
        "metaxy/store": store.address,
    }
    if history.last is None:
        return state
    version = history.last.feature_version
    return {**state, "metaxy/newest_commit": history.last.id, FEATURE_VERSION: version}


def _samples_key(feature: FeatureName, translator: MetaxyTranslator) -> dg.AssetKey:
    *prefix, last = translator.asset_key(feature.definition).path
    return dg.AssetKey([*prefix, f"{last}_samples"])


def _samples_function(samples: Callable[..., Any], feature: FeatureName) -> AssetFunction:
    work = asset_function(samples, feature)
    if work.takes_increment or work.inputs:
        unknown = "increment" if work.takes_increment else work.inputs[0]
        raise InvalidFunction.from_reason(
            feature,
            f"that gives samples takes {unknown!r}",
            "an observation has nothing but the context, config and resources",
        )
    return work
