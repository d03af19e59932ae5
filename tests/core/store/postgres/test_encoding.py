"""Versions are those of every store, whatever encoding the client's settings ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from metaxy_core.errors import InvalidSetting
from metaxy_core.store.backends.postgres_address import connection_text
from tests.servers import postgres_in

if TYPE_CHECKING:
    from tests.conftest import Project


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{}, {"parameters": {"options": "-c client_encoding=LATIN1"}}],
    ids=["env", "options"],
)
def test_text_is_sent_as_utf8_whatever_the_environment_says(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, object]
) -> None:
    video = project.feature("video", columns={"name": str})
    samples = project.samples(ü="ü", v2="2").with_columns(name="id")
    expected = project.store.resolve_update(video, samples).new.sort("id")
    if not options:
        monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with postgres_in(tmp_path, **options) as store:
        store.write(video, samples)
        found = store.read(video).to_polars().sort("id")
    monkeypatch.delenv("PGCLIENTENCODING", raising=False)
    assert found.select(expected.columns).equals(expected)
    with postgres_in(tmp_path) as store:
        assert not store.resolve_update(video, samples).counts


def test_another_encoding_is_refused() -> None:
    for dsn, parameters in (
        ("postgresql://db/films", {"client_encoding": "LATIN1"}),
        ("postgresql://db/films?client_encoding=LATIN1", {}),
        ("dbname=films client_encoding=sql_ascii", {}),
    ):
        with pytest.raises(InvalidSetting, match="cannot have the client_encoding"):
            connection_text(dsn, parameters)
    assert "client_encoding=UTF8" in connection_text("", {"client_encoding": "utf-8"}).secret
