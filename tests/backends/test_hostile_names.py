"""Names that a database would read otherwise, or cannot have, are kept by every kind of store."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa

import metaxy_core as mx

MEMBERS: Final = ("frame rate", "a-b", "a.b", "a:b", "a>", "Ü", "$k", "1x", 'q"', "it's", "select")


def nested() -> pa.Array:
    """A struct whose members, at two depths, have such names."""
    value = dict(enumerate(MEMBERS))
    members = {name: number for number, name in value.items()}
    return pa.array([{**members, "more of them": [members]}])


def feature(key: str, **options: Any) -> type[mx.Feature]:
    """A feature whose field has the column ``etag`` for its version."""
    fields = [mx.FieldSpec(key="default", version_from=["etag"])]
    spec = mx.FeatureSpec(key=key, **{"id_columns": ["id"], "fields": fields, **options})

    class Sample(mx.Feature, spec=spec):
        pass

    return Sample


def test_members_of_nested_columns_have_any_name(speaking_store: mx.MetadataStore) -> None:
    video, label = feature("video"), feature("label")
    frame = pa.table({"id": ["a"], "etag": ["1"]})
    speaking_store.write(label, frame)
    speaking_store.write(video, frame.append_column("nested", nested()))
    assert speaking_store.read(video).to_arrow()["nested"].to_pylist() == nested().to_pylist()
    speaking_store.write(label, pa.table({"id": ["b"], "etag": ["1"]}))
    assert speaking_store.count(label) == 2


COLUMNS: Final = (
    "x" * 63, "x" * 64, "x" * 70, "x" * 70 + "y", "ü" * 40, "xmin", "ctid",
    "a\\b", "a\\", "\\n\\'", '"', "`", "a.b", "a,b", "(", ")",
)  # fmt: skip


def test_columns_and_fields_have_any_name(speaking_store: mx.MetadataStore) -> None:
    fields = [mx.FieldSpec(key=key * 60, version_from=["etag"]) for key in "ab"]
    video = feature("video", id_columns=["id", COLUMNS[2]], fields=fields)
    copy = feature("copy", id_columns=["id", COLUMNS[2]], deps=[video], fields=["c"])
    frame = pa.table({"id": ["a"], "etag": ["1"], **{name: [name] for name in COLUMNS}})
    speaking_store.write(video, frame)
    rows = speaking_store.read(video).to_arrow()
    assert [rows[name].to_pylist() for name in COLUMNS] == [[name] for name in COLUMNS]
    carried = speaking_store.resolve_update(copy).new
    speaking_store.write(copy, carried)
    assert speaking_store.resolve_update(copy).counts == mx.Counts()


OWN: Final = (
    "_rowid", "_rowaddr", "_rowoffset", "_score", "_distance", "_file", "_pos", "_change_type",
    "_commit_version", "_PARTITIONTIME", "_TABLE_SUFFIX", "_part", "rowid", "_",
)  # fmt: skip
"""What one database or library or another calls columns of its own."""


def test_columns_have_names_of_a_librarys_own(speaking_store: mx.MetadataStore) -> None:
    video = feature("video", id_columns=["id", "_rowid"])
    values = {name: [f"v{number}"] for number, name in enumerate(OWN)}
    frame = pa.table({"id": ["a"], "etag": ["1"], **values})
    speaking_store.write(video, frame)
    rows = speaking_store.read(video).to_arrow()
    assert {name: rows[name].to_pylist() for name in OWN} == values
    changed = frame.set_column(1, "etag", pa.array(["2"]))
    increment = speaking_store.resolve_update(video, changed)
    assert increment.counts == mx.Counts(stale=1)
    speaking_store.write(video, increment.stale)
    speaking_store.delete(video, filters="_rowid = 'v0'", hard=True)
    assert speaking_store.count(video) == 0
