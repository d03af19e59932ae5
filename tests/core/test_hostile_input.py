"""Whatever is typed is refused by name or taken literally, and what was stored stays as it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import metaxy_core as mx
from metaxy_core.config import Config
from metaxy_core.errors import (
    ColumnCollision,
    ConfigError,
    InvalidFilter,
    InvalidKey,
    InvalidSetting,
    MetaxyError,
    StoreUnreachable,
)

TYPED = [
    "'", '"', "`", ";", "--", "/*", "'; DROP TABLE \"video\"; --", '"; DROP TABLE "video"; --',
    "\0", "a\0b", "../../etc/passwd",
    "~", "~nobody-here/x", "file:/tmp/x", "https://x.invalid/y",
    ":memory:", ":memory:x", "md:x", "\uff56\uff49\uff44\uff45\uff4f",
    "vid\u0435o", "vid\u200beo", "\u202eoediv", "\ufeff",
    "x" * 10_000, "e\u0301", "\n", "\t", " ", "", "%s", "{0}", "$(id)", "\\", "\ud800", "😀", "ID",
    "main.video", "NULL", "select", "1e999", "\x1b[31m", "?", "$1", "İ", "metaxy_commit", "nan",
]  # fmt: skip
texts = (
    st.sampled_from(TYPED) | st.text(max_size=20) | st.text("'\";-()=. aAnidNULL%\0", max_size=20)
)
encodable = texts.filter(lambda text: "\ud800" not in text)
# What frames of the store have and a write leaves out, so that they can be written back.
LEFT_OUT = [
    "metaxy_provenance_by_field", "metaxy_provenance", "metaxy_data_version", "metaxy_commit",
    "metaxy_created_at", "metaxy_deleted_at", "metaxy_materialization_id", "metaxy_changed_fields",
]  # fmt: skip
QUICK = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Video:
    """A store with one record, and what it is at any later time."""

    def __init__(self, store: mx.MetadataStore) -> None:
        self.store = store
        version = mx.FieldSpec(key="default", version_from=["etag"])
        self.feature = declared("video", fields=[version])
        self.samples = pl.DataFrame({"id": ["v1"], "etag": ["a"], "size": [1]})
        store.write(self.feature, self.samples)
        self.before = self.state()

    def state(self) -> object:
        rows = self.store.read(self.feature, history=True, include_deleted=True).to_polars()
        return rows.rows(), self.store.history(self.feature)

    def handles(self, call: Callable[[], Any]) -> None:
        """A call that may be refused changes nothing."""
        refused(call)
        assert self.state() == self.before


def refused(call: Callable[[], Any]) -> bool:
    try:
        call()
    except MetaxyError as error:
        return bool(str(error))
    return False


def declared(key: str, **spec: Any) -> type[mx.Feature]:
    return pydantic.create_model(
        "Declared",
        __base__=mx.Feature,
        __module__="project",
        __cls_kwargs__={"spec": mx.FeatureSpec(key=key, **{"id_columns": ["id"], **spec})},
    )


def count(video: Video, condition: str) -> int:
    return video.store.read(video.feature, filters=condition).count()


def opened(content: dict[str, Any]) -> None:
    Config(**content).open_store().close()


def in_quotes(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.fixture
def video(graph: mx.FeatureGraph) -> Iterator[Video]:
    del graph
    with mx.DuckDBMetadataStore(":memory:") as store:
        yield Video(store)


# ------------------------------------------------------------------ keys


@given(text=texts)
@settings(max_examples=30, deadline=None)
def test_a_key_is_ascii_letters_digits_underscores_and_hyphens_or_is_refused(text: str) -> None:
    allowed = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*(/[A-Za-z0-9_][A-Za-z0-9_-]*)*", text)
    assert refused(lambda: mx.FeatureKey(text)) == (allowed is None)
    assert refused(lambda: mx.FieldSpec(key=text)) == (allowed is None)


@pytest.mark.parametrize(
    "key", ["vid\u0435o", "\uff56\uff49\uff44\uff45\uff4f", "vid\u200beo", "\u202eoediv", "vidéo"]
)
def test_a_key_that_looks_like_another_is_refused_and_shown_as_it_is(key: str) -> None:
    with pytest.raises(InvalidKey, match="ASCII letters") as caught:
        mx.FeatureKey(key)
    assert repr(key) in str(caught.value)


# ------------------------------------------------------------------ columns


@given(name=texts)
@QUICK
def test_an_id_column_is_refused_or_kept_under_its_very_name(name: str) -> None:
    with mx.FeatureGraph().use(), mx.DuckDBMetadataStore(":memory:") as store:

        def written() -> mx.Feature:
            version = mx.FieldSpec(key="default", version_from=["the etag"])
            root = declared("root", id_columns=[name], fields=[version])
            store.write(root, pl.DataFrame({name: ["1", "2"], "the etag": ["a", "b"]}))
            copy = declared("copy", id_columns=[name], deps=[root])
            store.write(copy, store.resolve_update(copy).new)
            store.delete(copy, filters=f"{in_quotes(name)} = '1'")
            assert store.read(copy).to_polars()[name].to_list() == ["2"]

        refused(written)


# A rename to a name of the system's is not refused where it is declared, and may fail later.
@given(name=texts.filter(lambda text: not text.lower().startswith("metaxy_")))
@QUICK
def test_a_renamed_column_is_refused_or_kept_under_its_very_name(video: Video, name: str) -> None:
    def carried() -> None:
        with mx.FeatureGraph().use():
            version = mx.FieldSpec(key="default", version_from=["etag"])
            declared("video", fields=[version])
            dep = mx.FeatureDep(feature="video", columns=["size"], rename={"size": name})
            copy = declared("copy", deps=[dep])
            assert video.store.resolve_update(copy).new[name].to_list() == [1]

    video.handles(carried)


def test_a_column_that_differs_from_an_id_in_case_only_is_refused(video: Video) -> None:
    dep = mx.FeatureDep(feature=video.feature, columns=["size"], rename={"size": "ID"})
    with pytest.raises(ColumnCollision, match="'ID'"):
        declared("copy", deps=[dep])


@given(name=encodable.filter(lambda text: text not in LEFT_OUT))
@QUICK
def test_a_column_of_a_frame_is_refused_or_kept_under_its_very_name(name: str) -> None:
    with mx.FeatureGraph().use(), mx.DuckDBMetadataStore(":memory:") as store:
        version = mx.FieldSpec(key="default", version_from=["the etag"])
        clip = declared("clip", id_columns=["the id"], fields=[version])
        frame = pl.DataFrame({"the id": ["1"], "the etag": ["a"], name: ["x"]})
        if refused(lambda: store.write(clip, frame)):
            assert store.count(clip) == 0
            return
        found = store.read(clip, columns=[name], filters=f"{in_quotes(name)} = 'x'")
        assert found.to_polars()[name].to_list() == ["x"]


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_system_column_of_a_frame_gives_way_to_the_value_that_the_store_has_of_its_own(
    video: Video, name: str
) -> None:
    first = video.store.read(video.feature).to_polars()
    video.store.write(video.feature, video.samples.with_columns(pl.lit("x").alias(name)))
    second = video.store.read(video.feature).to_polars()
    assert second["metaxy_commit"].to_list() == [2]
    of_the_commit = ["metaxy_commit", "metaxy_created_at"]
    assert second.drop(of_the_commit).equals(first.drop(of_the_commit))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("metaxy_feature_version", "resolved under feature version x"),
        ("metaxy_data_version_by_field", "is string; give a struct"),
        ("metaxy_deleted", "'metaxy_deleted'"),
        ("METAXY_COMMIT", "'METAXY_COMMIT'"),
    ],
)
def test_a_system_column_of_a_frame_is_refused_where_a_write_reads_it_or_knows_none(
    video: Video, name: str, said: str
) -> None:
    with pytest.raises(MetaxyError, match=said):
        video.store.write(video.feature, video.samples.with_columns(pl.lit("x").alias(name)))
    assert video.state() == video.before


@given(name=texts)
@QUICK
def test_a_column_to_read_is_refused_or_one_there_is(video: Video, name: str) -> None:
    video.handles(lambda: video.store.read(video.feature, columns=[name]).to_polars())
    video.handles(lambda: video.store.read(video.feature, columns=name).to_polars())


# ------------------------------------------------------------------ texts


@given(text=texts)
@QUICK
def test_a_filter_changes_nothing_that_it_does_not_find(video: Video, text: str) -> None:
    doubled = text.replace("'", "''")
    for condition in (text, f"id = {text}", f"size = 2 AND id = '{doubled}'"):
        video.handles(partial(count, video, condition))
        video.handles(
            partial(video.store.resolve_update, video.feature, video.samples, stale_if=condition)
        )
    video.handles(lambda: video.store.delete(video.feature, filters=f"({text}) AND false"))


@given(text=texts)
@QUICK
def test_a_text_in_a_filter_is_compared_as_it_is(text: str) -> None:
    with mx.FeatureGraph().use(), mx.DuckDBMetadataStore(":memory:") as store:
        version = mx.FieldSpec(key="default", version_from=["id"])
        clip = declared("clip", fields=[version])
        if "\0" in text or refused(lambda: mx.FieldSpec(key="a", code_version=f"1{text}")):
            return
        store.write(clip, pl.DataFrame({"id": [text, text + "x"]}))
        condition = "id = '" + text.replace("'", "''") + "'"
        assert store.read(clip, filters=condition).to_polars()["id"].to_list() == [text]


@given(text=texts)
@QUICK
def test_code_versions_and_materialization_ids_are_refused_or_kept(text: str) -> None:
    with mx.FeatureGraph().use(), mx.DuckDBMetadataStore(":memory:") as store:

        def written() -> None:
            field = mx.FieldSpec(key="default", code_version=text, version_from=["etag"])
            root = declared("root", fields=[field])
            frame = pl.DataFrame({"id": ["1"], "etag": ["a"]})
            store.write(root, frame, materialization_id=text)
            assert not store.resolve_update(root, frame).counts
            assert store.history(root).last.materialization_id == text

        refused(written)


# ------------------------------------------------------------------ places and settings


@given(path=texts)
@settings(max_examples=10, deadline=None)
def test_a_store_is_made_under_its_very_path_or_not_at_all(
    path: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("stores")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        if "/" in path or refused(lambda: pushed(path)):
            return
        assert [each.name for each in folder.iterdir()] == ([] if path == ":memory:" else [path])


def pushed(path: str | Path) -> None:
    with mx.FeatureGraph().use(), mx.DuckDBMetadataStore(path) as store:
        declared("video")
        store.push()


@pytest.mark.parametrize(
    "path",
    ["md:x", "https://x.invalid/y.duckdb", "s3://bucket/x", "file:x.duckdb", "", "a\0",
     "x" * 10_000],
    ids=lambda path: path[:20],
)  # fmt: skip
def test_what_is_no_path_of_a_file_is_refused(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreUnreachable):
        mx.DuckDBMetadataStore(path)
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_no_store_is_not_reached_over_the_folders_above(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with duckdb.connect(str(tmp_path / "mine.duckdb")) as connection:
        connection.execute("CREATE TABLE video (id TEXT)")
    with (
        mx.FeatureGraph().use(),
        mx.DuckDBMetadataStore(tmp_path / "in" / ".." / "mine.duckdb") as store,
        pytest.raises(MetaxyError, match="that no store made"),
    ):
        store.read(declared("video")).to_polars()


@pytest.mark.parametrize(
    "seconds", [float("nan"), -1, "1; DROP", None, True, [], 10**400], ids=repr
)
def test_a_lock_timeout_is_a_number_of_seconds(seconds: Any) -> None:
    with pytest.raises(InvalidSetting, match="lock_timeout"):
        mx.DuckDBMetadataStore(":memory:", lock_timeout=seconds)


@given(name=encodable, value=encodable)
@QUICK
def test_settings_are_refused_or_taken(name: str, value: str) -> None:
    for options in ({name: value}, {"threads": value}, {"memory_limit": value}):
        refused(partial(mx.DuckDBMetadataStore, ":memory:", settings=options))


@given(text=texts)
@QUICK
def test_a_configuration_is_refused_or_taken(text: str) -> None:
    store = {"path": ":memory:"}
    for content in (
        {"project": text},
        {"stores": {text: store}, "store": text},
        {"stores": {"default": {**store, "type": text}}},
        {"stores": {"default": {**store, "lock_timeout": text}}},
        {"stores": {"default": {**store, text: text}}},
    ):
        refused(partial(opened, content))
    refused(lambda: Config.load(text or "x"))


@given(
    text=encodable.filter(lambda text: "\0" not in text),
    name=st.sampled_from(["STORE", "CONFIG", "STORES", "STORES__DEFAULT__PATH", "STORES__A"]),
)
@QUICK
def test_a_variable_is_refused_or_taken(
    text: str, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("project"))
        try:
            patch.setenv(f"METAXY_{name}", text)
        except UnicodeEncodeError:
            return
        refused(lambda: Config.load().open_store().close())


def test_a_setting_in_code_is_refused_as_one_in_a_file() -> None:
    with pytest.raises(ConfigError, match="lock_timeout"):
        Config(stores={"default": {"path": ":memory:", "lock_timeout": "soon"}})


# ------------------------------------------------------------------ filters point at the place


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("size = lower(path)", ["size = lower(path)", "       ^~~~~"]),
        ("size = 1; DROP TABLE video", ["size = 1; DROP TABLE video", "          ^~~~"]),
        ("ok\nAND path SIMILAR TO ''\nAND ok", ["AND path SIMILAR TO ''", "         ^~~~~~~~~~"]),
        ("path = 'a", ["path = 'a", "       ^~"]),
        ("size =", ["size =", "      ^"]),
        ("\uff53\uff49\uff5a\uff45 ~ 1", ["\uff53\uff49\uff5a\uff45 ~ 1", "         ^"]),
        ("size\u202e = ?", ["size· = ?", "        ^"]),
    ],
    ids=range(7),
)  # fmt: skip
def test_a_refused_filter_is_shown_with_a_mark_under_the_place(text: str, shown: list[str]) -> None:
    with pytest.raises(InvalidFilter) as caught:
        mx.FeatureDep(feature="video", filter=text)
    assert str(caught.value).splitlines()[-2:] == [f"    {line}" for line in shown]


def test_of_a_long_filter_the_place_is_shown_with_what_is_around_it() -> None:
    with pytest.raises(InvalidFilter) as caught:
        mx.FeatureDep(feature="video", filter=f"size IN ({'1, ' * 3_000}?)")
    line, mark = str(caught.value).splitlines()[-2:]
    assert line.endswith("1, 1, ?)")
    assert line[mark.index("^")] == "?"
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    "text", ["(" * 500 + "a" + ")" * 500, " OR ".join(["a"] * 500), "NOT " * 500 + "a"]
)
def test_a_filter_without_end_is_refused(text: str) -> None:
    with pytest.raises(InvalidFilter, match="too deeply|more than 250 operations"):
        mx.FeatureDep(feature="video", filter=text)


# ------------------------------------------------------------------ what a filter may read


@pytest.fixture
def clip(graph: mx.FeatureGraph) -> Iterator[tuple[mx.MetadataStore, type[mx.Feature]]]:
    del graph
    with mx.DuckDBMetadataStore(":memory:") as store:
        clip = declared("clip", fields=[mx.FieldSpec(key="default", version_from=["id"])])
        metadata = [{"duration": 1.5, "in": {"codec": "av1"}}, {"duration": 9.0, "in": None}]
        frame = pl.DataFrame({"id": ["a", "b"], "metadata": metadata, "metadata.duration": [9, 1]})
        store.write(clip, frame, materialization_id="run-1")
        yield store, clip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("metadata.duration > 2", ["b"]),
        ("metadata.in.codec = 'av1'", ["a"]),
        ("metadata.in IS NULL", ["b"]),
        ('"metadata.duration" > 2', ["a"]),
        ('"metadata"."duration" > 2', ["b"]),
        ("metaxy_commit = 1 AND metaxy_created_at > '2020-01-01'", ["a", "b"]),
        ("metaxy_materialization_id = 'run-1' AND metaxy_deleted_at IS NULL", ["a", "b"]),
        ("metaxy_feature_version IS NULL", []),
        ("metadata.duration - 1 % 2 = 0.5", ["a"]),
    ],
)
def test_a_filter_reads_members_and_what_a_commit_says(clip: Any, text: str, found: list) -> None:
    store, feature = clip
    assert sorted(store.read(feature, filters=text).to_polars()["id"]) == found


@pytest.mark.parametrize(
    "text", ["metaxy_deleted", "metaxy_provenance__default = 1", "metaxy_data_version__default = 1"]
)
def test_columns_on_disk_are_unknown_to_filters(clip: Any, text: str) -> None:
    store, feature = clip
    calls: list[Callable[[], Any]] = [
        lambda: store.read(feature, filters=text).to_polars(),
        lambda: store.delete(feature, filters=text),
        lambda: store.resolve_update(feature, pl.DataFrame({"id": ["a"]}), filters=text),
    ]
    for call in calls:
        with pytest.raises(mx.MetaxyError, match="which feature 'clip' does not have") as caught:
            call()
        told = str(caught.value).split(";")[1]
        assert "metaxy_provenance__" not in told
        assert "metaxy_deleted " not in told


def test_records_of_a_time_span_are_deleted(clip: Any) -> None:
    store, feature = clip
    store.delete(feature, filters="metaxy_created_at < '2020-01-01'")
    assert store.count(feature) == 2


# ------------------------------------------------------------------ batches


def test_batches_give_all_records_once_in_tables_of_the_wanted_size(clip: Any) -> None:
    store, feature = clip
    store.write(feature, pl.DataFrame({"id": [f"c{i}" for i in range(7)]}))
    batches = list(store.read(feature).batches(4))
    assert all(0 < batch.num_rows <= 4 for batch in batches)
    assert sorted(i for batch in batches for i in batch["id"].to_pylist()) == [
        "a", "b", "c0", "c1", "c2", "c3", "c4", "c5", "c6",
    ]  # fmt: skip


def test_batches_are_of_the_moment_at_which_they_were_begun(clip: Any) -> None:
    store, feature = clip
    batches = store.read(feature).batches(1)
    first = next(batches)
    store.delete(feature, filters="true")
    assert first.num_rows + sum(batch.num_rows for batch in batches) == 2


def test_the_first_records_are_those_by_id_and_counted_without_reading(clip: Any) -> None:
    store, feature = clip
    records = store.read(feature, columns=["metadata.duration"])
    assert records.first(1).to_polars().rows() == [(9,)]
    assert (records.count(), records.first(1).count()) == (2, 1)
