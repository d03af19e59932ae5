"""The IO manager carries frames between Dagster and the store: outputs in, inputs out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from metaxy_core.store.base import MetadataStore
from metaxy_dagster.enriching import asset_keys
from metaxy_dagster.errors import MissingFeature, StoreMismatch
from metaxy_dagster.feature_name import FeatureName, feature_name, named_feature
from metaxy_dagster.increments import IncrementOutput, Log, Tally, frames_of
from metaxy_dagster.loading import StoredRecords
from metaxy_dagster.metadata import COLUMN_LINEAGE, column_lineage, materialization_metadata
from metaxy_dagster.outcome import data_version, written
from metaxy_dagster.resource import MetaxyStoreResource
from metaxy_dagster.samples import samples_output
from metaxy_dagster.translator import MetaxyTranslator


class MetaxyIOManager(dg.ConfigurableIOManager):
    """Writes what assets compute to the store and loads features as inputs.

    An output is a frame (Polars, pandas, PyArrow, Ibis, DuckDB), an iterable or a generator of
    frames, each of which becomes a commit under the run's id, or None, which writes nothing. An
    input comes as the type it is annotated with: ``pl.DataFrame`` (the default), ``pl.LazyFrame``,
    ``pd.DataFrame``, ``pa.Table`` or ``ibis.Table``; ``AssetIn(metadata={"columns": [...],
    "filters": "duration > 10"})`` narrows it.

    Attributes:
        store: the store that outputs are written to and inputs are read from.

    Example:
        >>> store = MetaxyStoreResource(database="metadata.duckdb")
        >>> resources = {
        ...     "metaxy_store": store,
        ...     "metaxy_io_manager": MetaxyIOManager(store=store),
        ... }
    """

    store: MetaxyStoreResource

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write an output, then tell Dagster what was done and which state that left."""
        with self._opened(context, obj) as output:
            outcome = written(output, context.run_id, context.log.debug)
            lineage = _lineage(context, output.feature)
            context.add_output_metadata(
                materialization_metadata(output.feature, output.store, outcome, lineage)
            )
            if context.has_asset_key:
                version = data_version(output.store, output.feature)
                step = dg.AssetExecutionContext.get()
                step.set_data_version(context.asset_key, version)

    def load_input(self, context: dg.InputContext) -> Any:
        """Load a feature's records as the input's type."""
        options = context.definition_metadata
        records = StoredRecords(
            self.store, _input_feature(context), options.get("columns"), options.get("filters")
        )
        return records.to_annotated(context.name, context.dagster_type.typing_type)

    @contextmanager
    def _opened(self, context: dg.OutputContext, obj: Any) -> Iterator[IncrementOutput]:
        if not isinstance(obj, IncrementOutput):
            feature = _output_feature(context)
            with self.store.open() as store:
                yield _given_output(feature, store, obj, context.log.info)
            return
        try:
            self._check_store(obj)
            yield obj
        finally:
            obj.close()

    def _check_store(self, output: IncrementOutput) -> None:
        if Path(output.store.address).resolve() != Path(self.store.database).resolve():
            raise StoreMismatch.from_addresses(
                output.feature, output.store.address, self.store.database
            )


def _given_output(
    feature: FeatureName, store: MetadataStore, value: Any, log: Log
) -> IncrementOutput:
    """What an asset computed on its own; the samples of a root are compared."""
    frames = frames_of(feature, value)
    if not feature.plan.is_root:
        return IncrementOutput(feature, store, frames, Tally(resolved=False))
    output = samples_output(feature, store, frames, log)
    output.tally.resolved = False
    return output


def _output_feature(context: dg.OutputContext) -> FeatureName:
    asset = context.asset_key.to_user_string() if context.has_asset_key else context.name
    feature = named_feature(context.definition_metadata, asset)
    if feature is None:
        raise MissingFeature.from_asset(asset)
    return feature


def _lineage(context: dg.OutputContext, feature: FeatureName) -> dg.TableColumnLineage:
    """The lineage that ``metaxify`` found, or else the one between the features' own keys."""
    known = context.definition_metadata.get(COLUMN_LINEAGE)
    if isinstance(known, dg.TableColumnLineage):
        return known
    return column_lineage(feature.plan, asset_keys(feature, MetaxyTranslator()))


def _input_feature(context: dg.InputContext) -> FeatureName:
    """The feature that the input or its asset names, or that has the asset's key."""
    asset = context.asset_key.to_user_string() if context.has_asset_key else context.name
    named = named_feature(context.definition_metadata, asset)
    if named is None and context.upstream_output is not None:
        named = named_feature(context.upstream_output.definition_metadata, asset)
    if named is not None:
        return named
    return feature_name(asset, asset)
