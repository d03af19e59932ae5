"""Records leave the command as CSV, Parquet or JSON, a batch at a time."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import typer

from metaxy_core.cli.values import to_json

if TYPE_CHECKING:
    import pyarrow as pa

    from metaxy_core.store.reading import Records


class FileFormat(StrEnum):
    """How records are given."""

    TABLE = "table"
    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"


class _Writer(Protocol):
    def write(self, batch: pa.Table) -> None: ...

    def close(self) -> None: ...


def export(
    records: Records,
    layout: FileFormat,
    output: Path | None,
    advance: Callable[[int], None],
) -> None:
    """Write records to a file or to stdout.

    Args:
        records: the records.
        layout: any format but a table.
        output: the file, which is there as a whole or not at all; stdout where it is None.
        advance: told the number of records after each batch.
    """
    with closing(records.batches()) as batches, _opened(output) as file:
        first = next(batches, None)
        schema = (records.first(0).to_arrow() if first is None else first).schema
        writer = _WRITERS[layout](file, schema)
        for batch in _chained(first, batches):
            writer.write(batch)
            advance(batch.num_rows)
        writer.close()


def _chained(first: pa.Table | None, rest: Iterator[pa.Table]) -> Iterator[pa.Table]:
    if first is not None:
        yield first
        yield from rest


@contextmanager
def _opened(output: Path | None) -> Iterator[IO[bytes]]:
    """The file under another name until it is complete."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        handle, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name[:50]}.")
    except (OSError, ValueError) as error:
        raise _unwritable(output, error) from error
    made = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        made.chmod(0o666 & ~_umask())
        made.replace(output)
    except OSError as error:
        raise _unwritable(output, error) from error
    finally:
        made.unlink(missing_ok=True)


def _unwritable(output: Path, error: Exception) -> typer.BadParameter:
    reason = getattr(error, "strerror", None) or error
    return typer.BadParameter(f"{output}: {reason}", param_hint="--output")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


class _Csv:
    def __init__(self, file: IO[bytes], schema: pa.Schema) -> None:
        import pyarrow as pa
        from pyarrow import csv

        self._schema = pa.schema([_csv_field(field) for field in schema])
        self._writer = csv.CSVWriter(file, self._schema)

    def write(self, batch: pa.Table) -> None:
        import pyarrow as pa

        columns = [
            column if field.type == column.type else _as_text(column)
            for column, field in zip(batch.columns, self._schema, strict=True)
        ]
        self._writer.write(pa.table(columns, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


def _csv_field(field: pa.Field) -> pa.Field:
    import pyarrow as pa
    from pyarrow import types as at

    fits = (
        at.is_string, at.is_integer, at.is_floating, at.is_boolean, at.is_date, at.is_time,
        at.is_timestamp, at.is_decimal,
    )  # fmt: skip
    return field if any(fit(field.type) for fit in fits) else field.with_type(pa.string())


def _as_text(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    values = (to_json(value) for value in column.to_pylist())
    texts = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
    return pa.array(texts, pa.string())


class _Parquet:
    def __init__(self, file: IO[bytes], schema: pa.Schema) -> None:
        from pyarrow import parquet

        self._writer = parquet.ParquetWriter(file, schema)

    def write(self, batch: pa.Table) -> None:
        self._writer.write_table(batch)

    def close(self) -> None:
        self._writer.close()


class _Json:
    """An array with one record a line."""

    def __init__(self, file: IO[bytes], schema: pa.Schema) -> None:
        del schema
        self._file = file
        self._before = b"[\n"

    def write(self, batch: pa.Table) -> None:
        for row in batch.to_pylist():
            text = json.dumps(to_json(row), ensure_ascii=False)
            self._file.write(self._before + text.encode())
            self._before = b",\n"

    def close(self) -> None:
        self._file.write(b"[]\n" if self._before == b"[\n" else b"\n]\n")


_WRITERS: dict[FileFormat, Callable[[Any, Any], _Writer]] = {
    FileFormat.CSV: _Csv,
    FileFormat.PARQUET: _Parquet,
    FileFormat.JSON: _Json,
}
