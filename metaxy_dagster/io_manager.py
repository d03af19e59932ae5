"""The IO manager carries frames between Dagster and the store: outputs in, inputs out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from metaxy_core.store.base import MetadataStore
from metaxy_dagster.data_versions import request_version
from metaxy_dagster.enriching import asset_keys
from metaxy_dagster.errors import MissingFeature, StoreMismatch
from metaxy_dagster.feature_name import FeatureName, feature_name, named_feature, plain_value
from metaxy_dagster.increments import IncrementOutput, Log, Tally, frames_of, owned
from metaxy_dagster.input_members import input_members
from metaxy_dagster.input_selection import InputSelection
from metaxy_dagster.loading import StoredRecords
from metaxy_dagster.metadata import COLUMN_LINEAGE, column_lineage, materialization_metadata
from metaxy_dagster.outcome import written
from metaxy_dagster.partition_slices import input_slice, output_slice
from metaxy_dagster.requests import Request
from metaxy_dagster.resource import MetaxyStoreResource
from metaxy_dagster.samples import samples_output
from metaxy_dagster.settled_partition import lasting_events
from metaxy_dagster.slices import WHERE, WHOLE, Slice, slice_where
from metaxy_dagster.translator import MetaxyTranslator


class MetaxyIOManager(dg.ConfigurableIOManager):
    """Writes what assets compute to the store and loads features as inputs.

    An output is a frame (Polars, pandas, PyArrow, Ibis, DuckDB), an iterable or a generator of
    frames, each of which becomes a commit under the run's id, or None, which writes nothing. An
    input comes as the type it is annotated with: ``pl.DataFrame`` (the default), ``pl.LazyFrame``,
    ``pd.DataFrame``, ``pa.Table``, ``pa.RecordBatchReader``, ``ibis.Table``,
    ``duckdb.DuckDBPyRelation``, or an ``Iterator`` of frames, which is streamed (see
    ``batches_of``); ``AssetIn(metadata={"columns": [...], "filters": "duration > 10",
    "batch_size": 1_000})`` narrows it.

    Partitions that are values of a column, which the asset's metadata names under
    ``partition_expr``, are loaded and written by themselves. Of buckets and batches the records
    are loaded that the run's partition is made from, where ids tell which those are.

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
                version = request_version(output.store, output.feature, output.tally.request)
                step = dg.AssetExecutionContext.get()
                step.set_data_version(context.asset_key, version)
                for event in lasting_events(context.asset_key, output):
                    context.log_event(event)

    def load_input(self, context: dg.InputContext) -> Any:
        """Load a feature's records as the input's type."""
        selection = InputSelection.from_metadata(context.name, context.definition_metadata)
        feature, where = _input_feature(context)
        part = where & input_slice(context, feature)
        members = input_members(context, feature, self.store)
        records = StoredRecords(self.store, feature, selection.within(part.filters), members)
        return records.to_annotated(context.name, context.dagster_type.typing_type)

    @contextmanager
    def _opened(self, context: dg.OutputContext, obj: Any) -> Iterator[IncrementOutput]:
        if not isinstance(obj, IncrementOutput):
            feature = _output_feature(context)
            where = slice_where(feature, plain_value(context.definition_metadata, WHERE))
            part = where & output_slice(context, feature)
            with self.store.open() as store:
                yield _given_output(feature, store, obj, context.log.info, part)
            return
        try:
            self._check_store(obj)
            yield obj
            obj.done()
        finally:
            obj.close()

    def _check_store(self, output: IncrementOutput) -> None:
        address = self.store.address
        if Path(output.store.address).resolve() != Path(address).resolve():
            raise StoreMismatch.from_addresses(output.feature, output.store.address, address)


def _given_output(
    feature: FeatureName, store: MetadataStore, value: Any, log: Log, part: Slice
) -> IncrementOutput:
    """What an asset computed on its own; the samples of a root are compared."""
    frames = frames_of(feature, value)
    if not feature.plan.is_root:
        tally = Tally(resolved=False, request=Request(part=part))
        return IncrementOutput(feature, store, owned(feature, frames, part), tally)
    output = samples_output(feature, store, frames, log, Request(part=part))
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


def _input_feature(context: dg.InputContext) -> tuple[FeatureName, Slice]:
    """The feature that the input names, or that its asset holds all or a slice of."""
    asset = context.asset_key.to_user_string() if context.has_asset_key else context.name
    named = named_feature(context.definition_metadata, asset)
    if named is not None:
        return named, WHOLE
    upstream = context.upstream_output
    described = {} if upstream is None else upstream.definition_metadata
    named = named_feature(described, asset)
    if named is not None:
        return named, slice_where(named, plain_value(described, WHERE))
    return feature_name(asset, asset), WHOLE
