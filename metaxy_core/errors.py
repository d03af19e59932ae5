"""One tree of errors, so that callers can catch all or one; messages end with the next step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Self


class MetaxyError(Exception):
    """Base of every error raised on purpose by this project."""


class TransientError(MetaxyError):
    """A condition that may pass by itself; the same call may be made again."""


def _listing(values: Iterable[object], limit: int = 5) -> str:
    shown = [str(value) for value in values]
    more = f" and {len(shown) - limit} more" if len(shown) > limit else ""
    return ", ".join(shown[:limit]) + more


def _nearest(value: object, known: Sequence[object]) -> str:
    names = [str(name) for name in known]
    close = get_close_matches(str(value), names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {_listing(sorted(names), 10)}." if names else "there is none yet."


# --------------------------------------------------------------------------- definitions


class DefinitionError(MetaxyError):
    """A feature, field, dependency or graph that cannot be what its author meant."""


class InvalidKey(DefinitionError):
    """A key that cannot name a feature or a field."""

    @classmethod
    def from_value(cls, kind: str, value: object) -> Self:
        return cls(
            f"{value!r} is no {kind}: write parts of letters, digits, '_' and '-' joined by '/', "
            f"such as 'example/video', or a list of such parts."
        )


class InvalidSpec(DefinitionError):
    """A spec whose values contradict each other or are of the wrong type."""


class InvalidFilter(DefinitionError):
    """Filter text outside the allowed operations."""

    @classmethod
    def from_text(cls, text: str, reason: str) -> Self:
        return cls(
            f"Filter {text!r}: {reason}. Allowed are columns, literals, comparisons, AND, OR, NOT, "
            f"IN, BETWEEN, LIKE, IS NULL and + - * / %."
        )


class UnknownColumn(MetaxyError):
    """A column that a feature does not have."""

    @classmethod
    def from_available(
        cls, feature: object, column: str, available: Sequence[str], used_by: str
    ) -> Self:
        return cls(
            f"{used_by} names column {column!r}, which feature '{feature}' does not have; "
            f"{_nearest(column, available)}"
        )


class UnknownFeature(DefinitionError):
    """A feature that the graph does not hold."""

    @classmethod
    def from_graph(cls, feature: object, known: Sequence[object]) -> Self:
        return cls(
            f"Feature '{feature}' is not in the graph; {_nearest(feature, known)} "
            f"Import the module that defines it, or list it under 'entrypoints' in metaxy.toml."
        )

    @classmethod
    def from_dependency(cls, feature: object, dependency: object, known: Sequence[object]) -> Self:
        return cls(
            f"Feature '{feature}' depends on '{dependency}', which is not in the graph; "
            f"{_nearest(dependency, known)} Define it, or correct the key in deps."
        )


class UnknownField(DefinitionError):
    """A field that a feature does not have."""

    @classmethod
    def from_dependency(
        cls,
        feature: object,
        field: object,
        upstream: object,
        missing: object,
        known: Sequence[object],
    ) -> Self:
        return cls(
            f"Field '{field}' of feature '{feature}' reads field '{missing}' of '{upstream}', "
            f"which has no such field; {_nearest(missing, known)}"
        )

    @classmethod
    def from_field_dep(
        cls, feature: object, field: object, upstream: object, deps: Sequence[object]
    ) -> Self:
        return cls(
            f"Field '{field}' of feature '{feature}' reads from '{upstream}', which is not among "
            f"the feature's deps; add it to deps, or correct the FieldDep "
            f"({_nearest(upstream, deps).rstrip('.')})."
        )


class FeatureCycle(DefinitionError):
    """Features that depend on each other in a circle."""

    @classmethod
    def from_path(cls, path: Sequence[object]) -> Self:
        return cls(
            f"Features depend on each other in a circle: {' -> '.join(map(str, path))}. "
            f"Remove one of these deps."
        )


class DuplicateFeature(DefinitionError):
    """Two different classes with one feature key."""

    @classmethod
    def from_origins(cls, feature: object, first: str, second: str) -> Self:
        return cls(
            f"Feature '{feature}' is defined twice, by {first} and by {second}; "
            f"give one of them another key, or define it in its own `with FeatureGraph().use():`."
        )


class TableCollision(DefinitionError):
    """Two features whose tables would have one name."""

    @classmethod
    def from_keys(cls, first: object, second: object, table: str) -> Self:
        return cls(
            f"Features '{first}' and '{second}' would share the table {table!r}; "
            f"rename one of them so that the names differ in more than case, '-', '_' or '/'."
        )


class ColumnCollision(DefinitionError):
    """Two deps that would bring the same column."""

    @classmethod
    def from_deps(cls, feature: object, column: str, first: object, second: object) -> Self:
        return cls(
            f"Feature '{feature}' would get column {column!r} from both '{first}' and '{second}'; "
            f"rename it with FeatureDep(rename={{{column!r}: ...}}) or choose columns with "
            f"FeatureDep(columns=[...]) on one of them."
        )

    @classmethod
    def from_id(cls, feature: object, there: str, here: str, upstream: object) -> Self:
        return cls(
            f"Column {there!r} of '{upstream}' would come to '{feature}' as {here!r}, which is an "
            f"id column there; rename it with FeatureDep(rename={{...}}), or leave it out with "
            f"columns=[...]."
        )


class IdColumnMismatch(DefinitionError):
    """Id columns that the deps cannot give under the declared lineage."""


# --------------------------------------------------------------------------- data


class DataError(MetaxyError):
    """A frame that cannot be written or compared; the store is unchanged."""


class DuplicateIds(DataError):
    """One id twice in one frame."""

    @classmethod
    def from_ids(cls, feature: object, what: str, ids: Sequence[object], total: int) -> Self:
        return cls(
            f"{what} for '{feature}' has {total} id(s) more than once: {_listing(ids)}. "
            f"Keep one row per id; nothing was written."
        )


class NullId(DataError):
    """An id column with NULL."""

    @classmethod
    def from_rows(cls, feature: object, column: str, rows: Sequence[int], total: int) -> Self:
        return cls(
            f"Id column {column!r} of '{feature}' is NULL in {total} row(s), first at row "
            f"{_listing(rows)}. Drop these rows or give them an id; nothing was written."
        )


class NullValue(DataError):
    """NULL where a value is required."""

    @classmethod
    def from_ids(
        cls, feature: object, what: str, ids: Sequence[object], total: int, fix: str
    ) -> Self:
        return cls(
            f"{what} of '{feature}' is NULL for {total} record(s): {_listing(ids)}. "
            f"{fix}; nothing was written."
        )


class MissingColumn(DataError):
    """A frame without a column it must have."""

    @classmethod
    def from_available(
        cls, feature: object, column: str, why: str, available: Sequence[str]
    ) -> Self:
        return cls(
            f"The frame for '{feature}' has no column {column!r} ({why}); it has "
            f"{_listing(available, 12) or 'no columns'}. Add the column; nothing was written."
        )


class UnexpectedColumn(DataError):
    """A frame with a column that the feature does not accept."""


class WrongColumnType(DataError):
    """A column whose type is not the declared or stored one."""

    @classmethod
    def from_types(
        cls, feature: object, column: str, found: object, expected: object, detail: str = ""
    ) -> Self:
        because = f" ({detail})" if detail else ""
        return cls(
            f"Column {column!r} of '{feature}' is {found}, expected {expected}{because}. "
            f"Cast it before the call; nothing was written."
        )


class MissingProvenance(DataError):
    """A frame that does not say from which versions its rows were computed."""


class ForeignProvenance(DataError):
    """Provenance that was not computed for this feature, or was altered."""


class InvalidSamples(DataError):
    """Samples given to a feature that takes none, or missing where they are needed."""


class InvalidWrite(DataError):
    """Arguments of a call on the store that contradict each other or are of the wrong kind."""

    @classmethod
    def from_argument(cls, name: str, value: object, expected: str) -> Self:
        return cls(f"{name} is {value!r}; give {expected}. Nothing was done.")


class UnsupportedFrame(DataError):
    """An object that is no data frame."""

    @classmethod
    def from_object(cls, feature: object, frame: object) -> Self:
        return cls(
            f"{type(frame).__module__}.{type(frame).__qualname__} for '{feature}' is no data "
            f"frame; give a Polars, pandas, PyArrow or Ibis table or a DuckDB relation."
        )


# --------------------------------------------------------------------------- stores


class StoreError(MetaxyError):
    """A store that cannot be opened or used as asked."""


class StoreLocked(StoreError, TransientError):
    """Another process holds the store longer than we were told to wait."""


class StoreClosed(StoreError):
    """The store was closed before a result was fetched."""


class StoreUnreachable(StoreError):
    """The store cannot be opened at its address."""


class NotAStore(StoreError):
    """What stands at the address is something else."""


class StoreFormatMismatch(StoreError):
    """The store was made by another, incompatible format."""


class ReadOnlyStore(StoreError):
    """A write to a store opened for reading."""


class UnknownSnapshot(StoreError):
    """A snapshot that the store does not hold."""


# --------------------------------------------------------------------------- configuration


class ConfigError(MetaxyError):
    """A setting that cannot be used."""


class ConfigUnreadable(ConfigError):
    """A configuration file that is missing or is no TOML."""


class UnknownSetting(ConfigError):
    """A setting that does not exist."""

    @classmethod
    def from_known(cls, name: str, setting: str, where: str, known: Sequence[object]) -> Self:
        return cls(f"Setting {setting!r} in {where} does not exist; {_nearest(name, known)}")


class InvalidSetting(ConfigError):
    """A setting that is missing or whose value cannot be used."""


class UnknownStore(ConfigError):
    """A store that the configuration does not have."""

    @classmethod
    def from_config(cls, store: str, where: str, known: Sequence[object]) -> Self:
        return cls(
            f"Store {store!r} is not configured in {where}: add a table [stores.{store}] with "
            f'path = "metadata.duckdb", or choose another store '
            f"({_nearest(store, known).rstrip('.')})."
        )


class EntrypointFailed(ConfigError):
    """A module that defines features and cannot be imported."""


class NoFeatures(ConfigError):
    """Nothing says where the features are, or nothing is there."""
