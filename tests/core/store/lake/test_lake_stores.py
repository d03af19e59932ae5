from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

import metaxy_core as mx
from metaxy_core.errors import (
    NotAStore,
    ReadOnlyStore,
    StoreError,
    StoreLocked,
    StoreUnreachable,
    WriteOvertaken,
)
from metaxy_core.store.backends.base import Backend
from metaxy_core.store.backends.lake.formats import Conflict
from tests.conftest import Project
from tests.core.store.lake.kinds import KINDS, opened

Opened = Callable[..., mx.MetadataStore]


@pytest.fixture(
    params=[pytest.param(kind, marks=[] if kind == "delta" else pytest.mark.slow) for kind in KINDS]
)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def again(kind: str, tmp_path: Path) -> Iterator[Opened]:
    """Opens the store once more."""
    with ExitStack() as stores:
        yield lambda **options: stores.enter_context(opened(kind, tmp_path / "store", **options))


@pytest.fixture
def store(again: Opened) -> mx.MetadataStore:
    return again()


@pytest.fixture
def backend(store: mx.MetadataStore) -> Backend:
    return store.backend


def append(backend: Backend, table: str, sql: str) -> None:
    with backend.transaction() as transaction:
        transaction.append(table, sql)


def rows(backend: Backend, table: str) -> list[dict[str, Any]]:
    with backend.snapshot() as snapshot:
        found = snapshot.table(table)
        return snapshot.fetch(backend.sql(lambda: found)).to_pylist()


def scan(backend: Backend, table: str) -> ds.Dataset:
    with backend.snapshot() as snapshot:
        return backend._format.scan(table, snapshot.pins[table]["version"])


def files(dataset: ds.Dataset, wanted: Any = None) -> int:
    """How many files are opened for some rows."""
    return len(list(dataset.get_fragments(wanted)))


# ------------------------------------------------------------------ changes


def test_records_are_written_resolved_read_and_deleted(project: Project, video: type) -> None:
    crop = project.feature("crop", deps=[video], columns={"path": str})
    assert project.process(video, project.samples(v1="a", v2="a")) == mx.Counts(new=2)
    assert project.process(crop, path="x") == mx.Counts(new=2)
    assert project.counts(crop) == mx.Counts()
    assert project.process(video, project.samples(v1="b")) == mx.Counts(stale=1, orphaned=1)
    assert project.process(crop, path="y") == mx.Counts(stale=1, orphaned=1)
    project.store.delete(crop, filters="id = 'v1'", hard=True)
    assert project.records(crop, history=True, include_deleted=True) == [
        {"id": "v2", "path": "x"},
        {"id": "v2", "path": "x"},
    ]


def test_nobody_sees_a_change_before_it_is_whole(backend, again):
    append(backend, "a", "SELECT 1 AS x")
    with backend.transaction() as transaction:
        transaction.append("a", "SELECT 2 AS x")
        transaction.append("b", "SELECT 2 AS x")
        assert len(transaction.fetch("SELECT * FROM metaxy_store.main.a")) == 2
        other = again().backend
        assert rows(other, "a") == [{"x": 1}]
        with other.snapshot() as snapshot:
            assert not snapshot.has("b")
    assert len(rows(other, "a")) == 2
    assert rows(other, "b") == [{"x": 2}]


def test_a_snapshot_stays_what_it_was(backend, again):
    append(backend, "a", "SELECT 1 AS x")
    with again().backend.snapshot() as snapshot:
        append(backend, "a", "SELECT 2 AS x")
        with backend.transaction() as transaction:
            transaction.replace("a", "SELECT 'text' AS y")
        assert snapshot.fetch("SELECT * FROM metaxy_store.main.a").to_pylist() == [{"x": 1}]


def test_a_change_that_fails_leaves_nothing(backend):
    append(backend, "a", "SELECT 1 AS x")
    with suppress(ZeroDivisionError), backend.transaction() as transaction:
        transaction.append("a", "SELECT 2 AS x, 'more' AS y")
        transaction.append("b", "SELECT 2 AS x")
        transaction.keep("SELECT 1 AS z")
        raise ZeroDivisionError
    assert rows(backend, "a") == [{"x": 1}]
    with backend.snapshot() as snapshot:
        assert not snapshot.has("b")


def test_what_a_change_that_failed_left_is_not_built_on(backend):
    append(backend, "a", "SELECT 1 AS x")
    for _ in range(3):
        with suppress(ZeroDivisionError), backend.transaction() as transaction:
            transaction.append("a", "SELECT 2 AS x, 'more' AS y")
            transaction.append("b", "SELECT 2 AS x")
            raise ZeroDivisionError
    append(backend, "a", "SELECT 3 AS x, 3.5::DOUBLE AS y")
    append(backend, "b", "SELECT 'text' AS other")
    assert sorted(rows(backend, "a"), key=repr) == [{"x": 1, "y": None}, {"x": 3, "y": 3.5}]
    assert rows(backend, "b") == [{"other": "text"}]


def test_rows_are_not_removed_from_what_a_change_that_failed_left(backend):
    append(backend, "a", "SELECT * FROM (VALUES (1), (2)) AS t(x)")
    with suppress(ZeroDivisionError), backend.transaction() as transaction:
        transaction.append("a", "SELECT 3 AS x")
        raise ZeroDivisionError
    some = backend.stage("some", pa.table({"x": pa.array([1, 3, 7, None], pa.int32())}))
    with backend.transaction() as transaction:
        assert transaction.remove("a", some, ["x"]) == 1
    assert rows(backend, "a") == [{"x": 2}]


def test_a_writer_that_is_late_changes_nothing_that_is_read(backend, again, monkeypatch):
    """It was taken for gone, and goes on after another has taken over."""
    append(backend, "a", "SELECT 1 AS x")
    late = again().backend
    rows(late, "a")
    monkeypatch.setattr(late._heads, "lease", 0.2)
    monkeypatch.setattr("metaxy_core.store.backends.heads.turns.Turn._give_signs", lambda _: None)
    with pytest.raises(WriteOvertaken), late.transaction() as transaction:  # noqa: PT012 - as it ends
        time.sleep(0.3)
        with backend.transaction() as other:
            transaction.append("a", "SELECT 30 AS x")
            other.append("a", "SELECT 2 AS x")
            transaction.append("a", "SELECT 31 AS x")
            transaction.append("b", "SELECT 32 AS x")
            other.append("b", "SELECT 2 AS x")
            transaction.replace("b", "SELECT 'text' AS other")
            other.append("a", "SELECT 3 AS x")
        transaction.append("a", "SELECT 33 AS x")
    append(backend, "a", "SELECT 4 AS x")
    append(backend, "b", "SELECT 4 AS x")
    assert sorted(row["x"] for row in rows(again().backend, "a")) == [1, 2, 3, 4]
    assert sorted(row["x"] for row in rows(again().backend, "b")) == [2, 4]


def test_a_writer_that_is_disturbed_again_and_again_gives_up(backend, monkeypatch):
    append(backend, "a", "SELECT 1 AS x")

    def disturbed(*_: object) -> int:
        raise Conflict

    with monkeypatch.context() as patched:
        patched.setattr(type(backend._format), "append", disturbed)
        with pytest.raises(WriteOvertaken):
            append(backend, "a", "SELECT 2 AS x")
    assert rows(backend, "a") == [{"x": 1}]


def test_others_are_told_that_the_store_is_in_use(backend, again):
    other = again(lock_timeout=0.1).backend
    with backend.transaction():
        with pytest.raises(StoreLocked), other.transaction(wait=False):
            pass
        with pytest.raises(StoreLocked, match="lock_timeout"), other.transaction():
            pass


def test_columns_are_found_whatever_their_case(backend):
    append(backend, "a", "SELECT 1 AS x")
    append(backend, "a", "SELECT 2 AS X, 3 AS Y")
    append(backend, "a", "SELECT '4' AS x")
    assert sorted(rows(backend, "a"), key=repr) == [
        {"x": 1, "Y": None},
        {"x": 2, "Y": 3},
        {"x": 4, "Y": None},
    ]


def test_a_table_may_have_any_name(backend):
    names = ["n" * 300, "n" * 299 + "m", "with - dash", "ü"]
    for name in names:
        append(backend, name, f"SELECT '{name}' AS x")
    for name in names:
        assert rows(backend, name) == [{"x": name}]


# ------------------------------------------------------------------ files


def test_only_files_that_can_hold_a_commit_are_opened(backend, tmp_path):
    if backend.capabilities.pruning != "files":
        pytest.skip(f"{backend.kind} does not tell what is in its files")
    for commit in range(6):
        append(backend, "a", f"SELECT {commit}::BIGINT AS metaxy_commit, 'x' AS id")
    dataset = scan(backend, "a")
    assert files(dataset) == 6
    assert files(dataset, ds.field("metaxy_commit") > 3) == 2
    assert files(dataset, ds.field("metaxy_commit") == 3) == 1
    (root,) = tmp_path.iterdir()
    for fragment in dataset.get_fragments(ds.field("metaxy_commit") <= 3):
        (found,) = root.rglob(Path(fragment.path).name)
        found.unlink()
    with backend.snapshot() as snapshot:
        seen = snapshot.fetch("SELECT id FROM metaxy_store.main.a WHERE metaxy_commit > 3")
        assert seen.num_rows == 2


@pytest.mark.slow
def test_many_small_files_become_one(backend, again):
    for commit in range(70):
        append(backend, "a", f"SELECT {commit}::BIGINT AS metaxy_commit")
    assert files(scan(backend, "a")) < 50
    for each in (backend, again().backend):
        assert sorted(row["metaxy_commit"] for row in rows(each, "a")) == list(range(70))


# ------------------------------------------------------------------ places


def test_a_store_that_does_not_exist_is_empty_until_it_is_written(kind, tmp_path):
    path = tmp_path / "new"
    with opened(kind, path) as store:
        with store.backend.snapshot() as snapshot:
            assert not snapshot.has("a")
        assert not path.exists()
        append(store.backend, "a", "SELECT 1 AS x")
    assert path.is_dir()


@pytest.mark.parametrize("name", ["a b", "a#b?c", "größe", "a'b=c", "~%"])
def test_a_folder_may_have_any_name(kind, name, tmp_path):
    path = tmp_path / name / "store"
    path.parent.mkdir()
    for _ in range(2):
        with opened(kind, path) as store:
            append(store.backend, "a", "SELECT 1::BIGINT AS metaxy_commit, 'x' AS x")
            append(store.backend, "a", "SELECT 1::BIGINT AS metaxy_commit, 'x' AS x")
            some = store.backend.stage("some", pa.table({"x": ["y"]}))
            with store.backend.transaction() as transaction:
                transaction.append("a", "SELECT 2::BIGINT AS metaxy_commit, 'y' AS x")
                assert transaction.remove("a", some, ["x"]) == 1
    with opened(kind, f"file://{quote(str(path))}") as store:
        assert len(rows(store.backend, "a")) == 4
    assert [each.name for each in path.parent.iterdir()] == ["store"]
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["[a]", "a%20b"])
def test_a_folder_whose_name_the_library_misreads_is_refused_or_used(kind, name, tmp_path):
    path = tmp_path / name
    if kind == "delta":
        with pytest.raises(StoreUnreachable, match="give a path without"):
            opened(kind, path)
    else:
        with opened(kind, path) as store:
            append(store.backend, "a", "SELECT 1 AS x")
            assert rows(store.backend, "a") == [{"x": 1}]
    assert not set(tmp_path.iterdir()) - {path}


def test_a_store_that_is_removed_and_made_again_is_whole(kind, backend, again, tmp_path):
    for number in range(2):
        for column in ("x", "y"):
            append(backend, "a", f"SELECT {number} AS {column}")
        assert sorted(rows(again().backend, "a"), key=repr) == [
            {"x": number, "y": None},
            {"x": None, "y": number},
        ]
        shutil.rmtree(tmp_path / "store")
        with backend.snapshot() as snapshot:
            assert not snapshot.has("a")


def test_a_store_is_opened_for_reading(kind, backend, tmp_path):
    append(backend, "a", "SELECT 1 AS x")
    with opened(kind, tmp_path / "store", read_only=True) as store:
        assert rows(store.backend, "a") == [{"x": 1}]
        with pytest.raises(ReadOnlyStore, match="read_only=True"):
            append(store.backend, "a", "SELECT 1 AS x")


def test_a_folder_that_is_not_there_is_named(kind, tmp_path):
    for path, options in [(tmp_path / "no" / "store", {}), (tmp_path / "no", {"read_only": True})]:
        with (
            opened(kind, path, **options) as store,
            pytest.raises(StoreUnreachable, match="there is no folder"),
            store.backend.snapshot(),
        ):
            pass


def test_a_file_is_no_store(kind, tmp_path):
    (tmp_path / "file").write_text("something else")
    with (
        opened(kind, tmp_path / "file") as store,
        pytest.raises(NotAStore, match="is a file"),
        store.backend.snapshot(),
    ):
        pass


@pytest.mark.slow
def test_a_store_in_a_bucket(kind, bucket, graph):
    url, options = bucket
    with opened(kind, url, storage_options=options) as store:
        project = Project(store)
        video = project.feature("video")
        crop = project.feature("crop", deps=[video])
        for number in range(3):
            project.process(video, project.samples(v1=f"{number}", v2="a"))
            project.process(crop)
        store.delete(crop, filters="id = 'v2'", hard=True)
        with opened(kind, url, storage_options=options) as other:
            assert Project(other).ids(crop) == ["v1"]
            other.write(video, pl.DataFrame(project.samples(v3="a")))
        assert project.counts(crop) == mx.Counts(new=2)
        assert url in store.address
        assert "hush" not in f"{store!r}{store.backend!r}{store.address}"


def test_no_secret_is_told_when_a_bucket_cannot_be_reached(kind, s3):
    options = {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "hush-hush"}
    options |= {"AWS_ENDPOINT_URL": s3, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
    with opened(kind, "s3://no-such-bucket/store", storage_options=options) as store:
        with pytest.raises(StoreError) as caught:
            append(store.backend, "a", "SELECT 1 AS x")
        assert "no-such-bucket" in str(caught.value)
        assert "hush" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_credentials_have_no_place_in_an_address(kind):
    with pytest.raises(StoreUnreachable, match="storage_options") as caught:
        opened(kind, "s3://me:hush@bucket/store")
    assert "hush" not in str(caught.value)
