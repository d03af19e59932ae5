"""What a store in BigQuery says and refuses before it has reached the service."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import ibis
import pyarrow as pa
import pytest
import sqlglot
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.api_core.exceptions import BadRequest, Forbidden, NotFound, ServiceUnavailable
from google.auth.exceptions import DefaultCredentialsError

import metaxy_core as mx
from metaxy_core.errors import (
    ConfigError,
    InvalidSetting,
    ReadOnlyStore,
    StoreError,
    StoreUnreachable,
    ValueOutOfRange,
)
from metaxy_core.store.backends.bigquery import DIALECT
from metaxy_core.store.backends.bigquery_frames import written_rows
from metaxy_core.store.backends.bigquery_refusals import refusal
from metaxy_core.store.backends.bigquery_tables import COMMITS, COMMITS_A_PARTITION
from metaxy_core.store.backends.bigquery_types import check_years

UTC = dt.UTC
ADDRESS = "bigquery://films/metaxy"


# ------------------------------------------------------------------ names and types


@pytest.mark.parametrize(
    "name", ["id", "_x", "Größe", "a b", "a`b", "1st", "_TABLE_SUFFIX", "x" * 400]
)
def test_every_name_of_a_column_is_one_that_bigquery_takes(name: str) -> None:
    short = DIALECT.short(name)
    assert short.isascii()
    assert short.isidentifier()
    assert len(short) <= 300
    assert not short.upper().startswith("_TABLE_")
    assert (short == name) == (name in ("id", "_x"))


def test_names_that_differ_in_other_characters_only_stay_different() -> None:
    assert len({DIALECT.short(name) for name in ("a b", "a-b", "a_b", "a.b")}) == 4


@pytest.mark.parametrize(
    ("kind", "kept"),
    [
        ("int8", "INT64"),
        ("uint64", "NUMERIC"),
        ("decimal(10, 2)", "NUMERIC"),
        ("decimal(38, 9)", "NUMERIC"),
        ("decimal(38, 20)", "BIGNUMERIC"),
        ("decimal(76, 0)", "STRING"),
        ("float32", "FLOAT64"),
        ("timestamp('UTC', 6)", "TIMESTAMP"),
        ("timestamp('Europe/Berlin', 6)", "TIMESTAMP"),
        ("timestamp(3)", "DATETIME"),
        ("timestamp(9)", "INT64"),
        ("time", "INT64"),
        ("array<int64>", "STRING"),
    ],
)
def test_types_are_kept_as_bigquery_has_them(kind: str, kept: str) -> None:
    assert DIALECT.declared(ibis.dtype(kind)) == kept


@pytest.mark.parametrize(
    "values",
    [
        pa.array([10_000_000, None], pa.date32()),
        pa.array([-10_000_000, 0], pa.date32()),
        pa.array([2**62, None], pa.timestamp("us", "UTC")),
        pa.array([-(2**62), 0], pa.timestamp("us")),
        pa.array([2**60, 0], pa.timestamp("s")),
    ],
)
def test_years_that_bigquery_does_not_have_are_refused(values: pa.Array) -> None:
    with pytest.raises(ValueOutOfRange, match="'when' has a year"):
        check_years(pa.table({"when": values}))
    check_years(pa.table({"when": pa.nulls(2, values.type)}))


def test_names_stay_different_in_statements() -> None:
    names = ["a.b", "a,b", "(", ")", "`", "a\\b"]
    table = ibis.table(dict.fromkeys(["id", *names], "string"), name="t")
    text = str(DIALECT.statement(table.select(*names, more=table["id"])))
    assert all(f"`{DIALECT.short(name)}`" in text for name in names)


def test_a_statement_may_change_all_partitions_of_a_table() -> None:
    assert COMMITS / COMMITS_A_PARTITION <= 4_000


# ------------------------------------------------------------------ frames of a few rows


def test_a_frame_of_a_few_rows_is_written_out() -> None:
    frame = pa.table(
        {
            "id": ["it's", None],
            "n": pa.array([-(2**63), 2**63 - 1]),
            "at": pa.array(
                [dt.datetime(969, 1, 1, tzinfo=dt.UTC), None], pa.timestamp("us", "UTC")
            ),
        }
    )
    text = written_rows(frame)
    assert text == (
        "SELECT 'it\\'s' AS `id`, CAST('-9223372036854775808' AS INT64) AS `n`, "
        "CAST('0969-01-01 00:00:00.000000+00:00' AS TIMESTAMP) AS `at` UNION ALL "
        "SELECT CAST(NULL AS STRING) AS `id`, CAST('9223372036854775807' AS INT64) AS `n`, "
        "CAST(NULL AS TIMESTAMP) AS `at`"
    )


@pytest.mark.parametrize("value", ["\\", "\\n", "'", "\"'''", "a\nb", "ü😀", "-- x", "`", "@since"])
def test_text_comes_back_from_sql_as_it_was(value: str) -> None:
    text = written_rows(pa.table({"id": [value]}))
    assert text is not None
    tree = sqlglot.parse_one(text, read="bigquery")
    assert tree.selects[0].this.this == value


@pytest.mark.parametrize(
    "frame",
    [
        pa.table({"id": [str(number) for number in range(21)]}),
        pa.table({"id": ["x" * 30_000]}),
        pa.table({"id": ["a\tb\0"]}),
        pa.table({"n": [1.5]}),
        pa.table({"n": [Decimal("1.5")]}),
    ],
    ids=["many rows", "long", "control characters", "float", "decimal"],
)
def test_other_frames_are_loaded(frame: pa.Table) -> None:
    assert written_rows(frame) is None


def test_a_frame_without_rows_has_its_columns() -> None:
    frame = pa.table({"id": pa.array([], pa.string()), "x": pa.array([], pa.float64())})
    assert written_rows(frame) == (
        "SELECT CAST(NULL AS STRING) AS `id`, CAST(NULL AS FLOAT64) AS `x` LIMIT 0"
    )


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (BadRequest("Query exceeded limit for bytes billed: 1. 10485760 or higher required."),
         StoreError, "raise maximum_bytes_billed"),
        (BadRequest("int64 overflow: 9223372036854775807 + 1"), ValueOutOfRange, "does not fit"),
        (Forbidden("Access Denied: Permission bigquery.tables.create denied on films:metaxy"),
         ReadOnlyStore, "read_only=True"),
        (Forbidden("Access Denied: User does not have bigquery.jobs.create permission in films"),
         StoreUnreachable, "rights"),
        (NotFound("Table films:metaxy.metaxy__frame_1 was not found"), StoreUnreachable, "is gone"),
        (ServiceUnavailable("try again"), StoreUnreachable, "network"),
        (DefaultCredentialsError("none were found"), StoreUnreachable, "none were found"),
    ],
)  # fmt: skip
def test_what_bigquery_refuses_is_told_with_what_to_do(
    error: Exception, kind: type[Exception], said: str
) -> None:
    found = refusal(error, ADDRESS)
    assert type(found) is kind
    assert said in str(found)


def test_a_mistake_of_our_own_stays_as_it_is() -> None:
    error = BadRequest("Syntax error: Unexpected keyword ROWS at [1:8]")
    assert refusal(error, ADDRESS) is error


def test_without_credentials_it_says_how_to_get_some(
    graph: mx.FeatureGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Video(mx.Feature, spec=mx.FeatureSpec(key="video", id_columns=["id"])):
        pass

    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with (
        mx.BigQueryMetadataStore("films") as store,
        pytest.raises(StoreUnreachable, match="gcloud auth application-default login"),
    ):
        store.read(Video).to_arrow()


KEY = '{"type": "service_account", "private_key": "secret words"}'


@pytest.mark.parametrize("is_file", [True, False])
def test_a_key_that_cannot_be_read_is_named_and_its_content_is_not(
    graph: mx.FeatureGraph, tmp_path: Path, *, is_file: bool
) -> None:
    class Video(mx.Feature, spec=mx.FeatureSpec(key="video", id_columns=["id"])):
        pass

    file = tmp_path / "key.json"
    file.write_text(KEY)
    with (
        mx.BigQueryMetadataStore("films", credentials=file if is_file else KEY) as store,
        pytest.raises(InvalidSetting, match="key.json" if is_file else "as a text") as refused,
    ):
        store.read(Video).to_arrow()
    assert "secret words" not in str(refused.value)
    assert "bigquery://films/metaxy" in repr(store)


def test_a_key_may_be_given_as_its_text() -> None:
    made = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    key = {
        "type": "service_account",
        "client_email": "metaxy@films.iam.gserviceaccount.com",
        "private_key": pem,
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    with mx.BigQueryMetadataStore("films", credentials=json.dumps(key)) as store:
        client = store._database.connection.client
        assert client._credentials.service_account_email == key["client_email"]


@pytest.mark.parametrize(
    ("project", "dataset"), [("", "x"), ("a b", "x"), ("films", "a-b"), ("films", "")]
)
def test_a_project_or_dataset_that_cannot_be_is_refused(project: str, dataset: str) -> None:
    with pytest.raises(InvalidSetting, match="cannot be"):
        mx.BigQueryMetadataStore(project, dataset)


# ------------------------------------------------------------------ configuration


def test_a_store_is_opened_from_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "metaxy.toml"
    file.write_text(
        '[stores.default]\ntype = "bigquery"\nproject = "films"\ndataset = "cuts"\n'
        'location = "EU"\nmaximum_bytes_billed = 1_000_000\n'
    )
    with mx.Config.load(file).open_store() as store:
        assert (store.kind, store.address) == ("bigquery", "bigquery://films/cuts")


@pytest.mark.parametrize("line", ['dsn = "x"', 'schema = "x"', 'path = "x"'])
def test_settings_of_other_kinds_are_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / "metaxy.toml"
    file.write_text(f'[stores.default]\ntype = "bigquery"\nproject = "films"\n{line}\n')
    with pytest.raises(ConfigError, match="maximum_bytes_billed"):
        mx.Config.load(file)
