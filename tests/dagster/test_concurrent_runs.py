"""Runs in five processes at once share one DuckDB file: each does a part, and none meets a lock."""

import multiprocessing
import re
import sys
from collections import Counter
from pathlib import Path

import dagster as dg
import pytest

import metaxy_core as mx

FOLDER = Path(__file__).parent
RUNS, LIMIT = 5, 6


@pytest.mark.slow
@pytest.mark.parametrize(
    "job",
    ["whole_in_process", "whole_in_processes", "chunked_in_process", "chunked_in_processes"],
)
def test_runs_at_the_same_time_compute_every_record_once(tmp_path, monkeypatch, job):
    database = str(tmp_path / "shared.duckdb")
    monkeypatch.setenv("METAXY_TEST_DATABASE", database)
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in ("chunked_project", "killed_project"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import killed_project
    from chunked_project import write_pages

    write_pages(database, RUNS * LIMIT)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["killed_project"])
        together = context.Barrier(RUNS)
        processes = [
            context.Process(
                target=killed_project.run_with_others, args=(job, database, LIMIT, together)
            )
            for _ in range(RUNS)
        ]
        for each in processes:
            each.start()
        for each in processes:
            each.join()
        runs = instance.get_runs()
        logs = [event.user_message for run in runs for event in instance.all_logs(run.run_id)]

    assert [run.status for run in runs] == [dg.DagsterRunStatus.SUCCESS] * RUNS
    assert not [message for message in logs if re.search(r"\block", message, re.IGNORECASE)]
    asked = Counter(map(int, (tmp_path / "asked.txt").read_text().split()))
    assert asked == Counter(range(RUNS * LIMIT))
    with mx.DuckDBMetadataStore(database) as store:
        written = store.read(killed_project.Text).to_polars()
        assert sorted(written["id"]) == list(range(RUNS * LIMIT))
        assert written["metaxy_commit"].n_unique() == RUNS * LIMIT // 2
        assert store.resolve_update(killed_project.Text).counts.to_process == 0
        assert store.claims() == ()
