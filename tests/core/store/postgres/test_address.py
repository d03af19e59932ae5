"""A dsn is read as libpq reads it, and no password gets into an address or an error."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from metaxy_core.errors import InvalidSetting
from metaxy_core.store.backends.postgres_address import connection_text

UTF8 = {"client_encoding": "UTF8"}


def given(dsn: str) -> dict[str, str]:
    """What the driver gets."""
    query = parse_qs(urlsplit(connection_text(dsn, {}).secret).query, strict_parsing=True)
    return {name: value for name, (value,) in query.items()}


@pytest.mark.parametrize(
    ("dsn", "expected", "shown"),
    [
        (
            "postgresql://ann:2024#summer@db/films",
            {"user": "ann", "password": "2024#summer", "host": "db", "dbname": "films"},
            "postgresql://db/films",
        ),
        (
            "postgresql://ann:12?x@db/films",
            {"user": "ann", "password": "12?x", "host": "db", "dbname": "films"},
            "postgresql://db/films",
        ),
        (
            "postgresql://db/films?password=a+b%20c",
            {"password": "a+b c", "host": "db", "dbname": "films"},
            "postgresql://db/films",
        ),
        (
            "postgres://ann@h1:5432,h2:5433/films?target_session_attrs=read-write",
            {
                "user": "ann",
                "host": "h1,h2",
                "port": "5432,5433",
                "dbname": "films",
                "target_session_attrs": "read-write",
            },
            "postgresql://h1:5432,h2:5433/films",
        ),
        (
            "postgresql://h1,h2:5433/films",
            {"host": "h1,h2", "port": ",5433", "dbname": "films"},
            "postgresql://h1,h2:5433/films",
        ),
        (
            "postgresql://[2001:db8::1]:5432/films",
            {"host": "2001:db8::1", "port": "5432", "dbname": "films"},
            "postgresql://[2001:db8::1]:5432/films",
        ),
        (
            "postgresql://ann:p%40s%2Fs@%2Fvar%2Frun/a%20b",
            {"user": "ann", "password": "p@s/s", "host": "/var/run", "dbname": "a b"},
            "postgresql:///var/run/a b",
        ),
        ("postgresql://", {}, "postgresql:///"),
        ("service=one", {"service": "one"}, "postgresql:/// service one"),
        (
            "hostaddr=127.0.0.1 dbname=films",
            {"hostaddr": "127.0.0.1", "dbname": "films"},
            "postgresql://127.0.0.1/films",
        ),
    ],
)
def test_a_dsn_is_what_libpq_takes_it_for(dsn: str, expected: dict[str, str], shown: str) -> None:
    assert given(dsn) == expected | UTF8
    assert connection_text(dsn, {}).shown == shown


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://ann:/hunter2@db/films",
        "postgresql://ann:hun/ter2@db/films",
        "postgresql://ann:hun@ter2@db/films",
        "postgresql://ann:12/hunter2?x=y@db/films",
        "postgresql://ann:hunter2/films",
        "postgresql://db/films?hunter2",
        "host=db password=hun ter2",
        "hunter2",
    ],
)
def test_what_may_be_a_password_is_refused_and_not_shown(dsn: str) -> None:
    with pytest.raises(InvalidSetting, match="is no connection URI") as refused:
        connection_text(dsn, {})
    assert "ter2" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_stores_of_two_servers_have_two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "one")
    monkeypatch.setenv("PGDATABASE", "films")
    one = connection_text("", {}).shown
    monkeypatch.setenv("PGHOST", "two")
    two = connection_text("", {}).shown
    assert (one, two) == ("postgresql://one/films", "postgresql://two/films")
