"""Importing is cheap: nothing loads a data library before it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import metaxy_core as mx

HEAVY = ["ibis", "polars", "duckdb", "pyarrow", "pandas", "numpy", "sqlglot", "narwhals", "dagster"]

FEATURE = """
import metaxy_core as mx
class Video(mx.Feature, spec=mx.FeatureSpec(key="video")):
    path: str
mx.FeatureGraph.active().versions
"""


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "code",
    [
        "import metaxy_core",
        "import metaxy_core as mx; mx.FeatureSpec(key='a/b', fields=['x'], deps=['c'])",
        "from metaxy_core import Feature, FeatureGraph, FeatureSpec, FieldSpec, FieldDep",
        FEATURE,
    ],
    ids=["package", "spec", "names", "feature"],
)
def test_definitions_load_no_data_library(code: str) -> None:
    told = python(f"{code}\nimport sys; print(*sorted(sys.modules))").split()
    assert sorted({name.split(".")[0] for name in told} & set(HEAVY)) == []
    assert "metaxy_core" in told


def test_every_public_name_can_be_had() -> None:
    assert [name for name in mx.__all__ if not hasattr(mx, name)] == []
    assert dir(mx) == sorted(mx.__all__)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(AttributeError, match="'metaxy_core' has no attribute 'Feture'"):
        _ = mx.Feture
