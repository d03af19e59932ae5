"""Versions are for ever: the hash, the text that is hashed, and what follows, are pinned here."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.engine.hashing import escape, hash_text

if TYPE_CHECKING:
    import duckdb

TEXTS = [
    "",
    "abc",
    "a",
    "ä",
    "日本語",
    "🎬",
    "x|y",
    "a\\b",
    "NULL",
    "\n",
    " ",
    "'",
    '"',
    "a" * 10_000,
]


def python(code: str, hash_seed: str) -> Any:
    """What a fresh interpreter prints, with another order of its sets."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


# --------------------------------------------------------------------------- the hash


def test_the_hash_meets_its_published_vector() -> None:
    assert hashlib.md5(b"abc", usedforsecurity=False).hexdigest() == (
        "900150983cd24fb0d6963f7d28e17f72"
    )
    assert hash_text("abc") == 3481232194675933584
    assert f"{hash_text('abc'):016x}" == "304fd23c98500190"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 338333539836370388),
        ("a", 2933798017325973772),
        ("ä", 2460551472613890436),
    ],
)
def test_the_hash_of_other_texts_stays(text: str, expected: int) -> None:
    assert hash_text(text) == expected


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:8]))
def test_the_hash_is_the_first_eight_bytes_of_md5_little_endian_without_the_top_bit(
    text: str,
) -> None:
    digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    value = sum(byte << 8 * place for place, byte in enumerate(digest[:8]))
    assert hash_text(text) == value % 2**63


@pytest.fixture(scope="module")
def in_duckdb() -> dict[str, int]:
    """The hash of each text, computed by the macro that the store defines."""
    with mx.DuckDBMetadataStore(":memory:") as store:
        backend: Any = store._parts.backend
        connection: duckdb.DuckDBPyConnection = backend.connection
        connection.register("texts", pl.DataFrame({"text": TEXTS}).to_arrow())
        query = "SELECT text, metaxy_hash(text) AS hashed, typeof(metaxy_hash(text)) FROM texts"
        rows = connection.execute(query).fetchall()
    assert {kind for _, _, kind in rows} == {"BIGINT"}
    return {text: hashed for text, hashed, _ in rows}


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:8]))
def test_duckdb_and_python_hash_alike(in_duckdb: dict[str, int], text: str) -> None:
    assert in_duckdb[text] == hash_text(text)


def test_the_hash_of_null_is_null() -> None:
    with mx.DuckDBMetadataStore(":memory:") as store:
        backend: Any = store._parts.backend
        assert backend.connection.execute("SELECT metaxy_hash(NULL)").fetchone() == (None,)


def test_no_two_lists_of_parts_have_one_text() -> None:
    lists = [["x|y", "z"], ["x", "y|z"], ["x", "y", "z"], ["x\\", "y|z"], ["x\\|y", "z"], ["x|y|z"]]
    texts = ["|".join(map(escape, parts)) for parts in lists]
    assert len(set(texts)) == len(lists)


# --------------------------------------------------------------------------- pinned versions

PINNED = """
import json
import metaxy_core as mx

both = [mx.FieldSpec(key="audio", code_version=1), mx.FieldSpec(key="frames", code_version="2-b")]
class Video(mx.Feature, spec=mx.FeatureSpec(key="example/video", id_columns=["id"], fields=both)):
    path: str
class Label(mx.Feature, spec=mx.FeatureSpec(
    key="example/label", id_columns=["id"],
    fields=[mx.FieldSpec(key="name", version_from=["name", "etag"])],
)):
    name: str
class Crop(mx.Feature, spec=mx.FeatureSpec(
    key="example/crop", id_columns=["id"], fields=["audio", "frames", "all"],
    deps=[
        mx.FeatureDep(feature=Video, filter="path <> 'x' AND id IN ('v1', 'v2')"),
        mx.FeatureDep(feature=Label, optional=True, columns=[]),
    ],
)):
    pass
graph = mx.FeatureGraph.active()
versions = {
    str(key): {
        "feature": found.feature,
        "code": found.code,
        "fields": {str(field): version for field, version in sorted(found.fields.items())},
    }
    for key, found in sorted(graph.versions.features.items())
}
static = json.dumps({"project": graph.versions.project, "features": versions})
"""

RECORDS = (
    PINNED
    + """
import polars as pl
versions = [{"audio": "a|1", "frames": "f"}, {"audio": "", "frames": "\\u00e4"}]
videos = pl.DataFrame({"id": ["v1", "v2"], "path": "p", "metaxy_provenance_by_field": versions})
labels = pl.DataFrame({"id": ["v1", "v2"], "name": ["x|y", None], "etag": ["z", "\\\\N"]}).head(1)
with mx.DuckDBMetadataStore(":memory:") as store:
    store.write(Video, store.resolve_update(Video, videos).new)
    store.write(Label, labels)
    store.write(Crop, store.resolve_update(Crop).new)
    found = {
        key: {
            row["id"]: row["metaxy_provenance_by_field"]
            for row in store.read(key).to_polars().sort("id").to_dicts()
        }
        for key in ("example/video", "example/label", "example/crop")
    }
records = json.dumps(found)
"""
)

STATIC_VERSIONS: dict[str, Any] = {
    "project": "b16a041bdceeb094",
    "features": {
        "example/crop": {
            "feature": "05a829e70f5d38ca",
            "code": "12036af02ff04401",
            "fields": {
                "all": "c9a582d878cc1b29",
                "audio": "55322a6b99b1a958",
                "frames": "1f6cf83e904f1eb1",
            },
        },
        "example/label": {
            "feature": "854646172532a60f",
            "code": "1c75d3407b8d8af3",
            "fields": {"name": "90985813b8220b2d"},
        },
        "example/video": {
            "feature": "ed2a5903b8156ecd",
            "code": "412693bf3c7ccb4f",
            "fields": {"audio": "7e53bae8533f2298", "frames": "c64eb5ccf378d752"},
        },
    },
}
RECORD_VERSIONS: dict[str, Any] = {
    "example/video": {
        "v1": {"audio": "3972f1af2d2760ad", "frames": "6bf033c3067a6865"},
        "v2": {"audio": "758b48a797381023", "frames": "0cdd99ef95ce6ed4"},
    },
    "example/label": {"v1": {"name": "61c3721272699d20"}},
    "example/crop": {
        "v1": {
            "audio": "5cbe05d5b43f7b30",
            "frames": "34b5d671a80eae08",
            "all": "0f089576c83ce7ea",
        },
        "v2": {
            "audio": "369213a21a14b9aa",
            "frames": "08dbfdc4b221e0d9",
            "all": "4495c0e93c050e6d",
        },
    },
}


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_static_versions_are_the_pinned_ones_in_every_process(seed: str) -> None:
    assert python(PINNED + "print(static)", seed) == STATIC_VERSIONS


@pytest.mark.parametrize("seed", ["0", "4242"])
def test_record_versions_are_the_pinned_ones_in_every_process(seed: str) -> None:
    assert python(RECORDS + "print(records)", seed) == RECORD_VERSIONS


def test_a_pinned_record_version_follows_from_its_text() -> None:
    video = {
        "audio": hash_text("v1|audio|1|s|a\\|1"),
        "frames": hash_text("v1|frames|2-b|s|f"),
    }
    label = hash_text("v1|name|1|s|x\\|y|z")
    read = f"example/label|name|{label}|example/video|audio|{video['audio']}"
    crop = {
        "audio": hash_text(f"v1|audio|1|example/video|audio|{video['audio']}"),
        "frames": hash_text(f"v1|frames|1|example/video|frames|{video['frames']}"),
        "all": hash_text(f"v1|all|1|{read}|example/video|frames|{video['frames']}"),
    }
    pinned = {key: records["v1"] for key, records in RECORD_VERSIONS.items()}
    assert pinned == {
        "example/video": {name: f"{version:016x}" for name, version in video.items()},
        "example/label": {"name": f"{label:016x}"},
        "example/crop": {name: f"{version:016x}" for name, version in crop.items()},
    }
