"""Steps in processes of their own share one DuckDB file."""

import os
import runpy
from pathlib import Path

import dagster as dg
import duckdb
import pytest


def written(database: str, table: str) -> dict[int, list[int]]:
    """The ids that each process wrote."""
    query = f"SELECT pid, list(id ORDER BY id) FROM {table} GROUP BY pid"
    with duckdb.connect(database, read_only=True) as connection:
        return dict(connection.execute(query).fetchall())


@pytest.mark.slow
def test_steps_in_processes_of_their_own_share_one_file(tmp_path, monkeypatch):
    database = str(tmp_path / "shared.duckdb")
    monkeypatch.setenv("METAXY_TEST_DATABASE", database)
    folder = Path(__file__).parent
    runpy.run_path(str(folder / "multiprocess_project.py"))["write_pages"](database)
    job = dg.build_reconstructable_job(
        "multiprocess_project", "pages", reconstructor_working_directory=str(folder)
    )

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        result = dg.execute_job(job, instance=instance)
        events = result.get_asset_materialization_events()

    left, right = written(database, "web__left"), written(database, "web__right")
    assert list(left.values()) == list(right.values()) == [list(range(100))]
    assert len({os.getpid(), *left, *right}) == 3
    assert {event.materialization.metadata["metaxy/processed"].value for event in events} == {100}
