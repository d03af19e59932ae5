"""``dg scaffold defs`` begins a component: its defs.yaml, and features where none are named."""

from __future__ import annotations

from typing import Any, Final

import dagster as dg
from pydantic import BaseModel, Field

_FEATURES: Final = '''\
"""Clips and what is said in them: two features, and the functions that compute them."""

import polars as pl

import metaxy_core as mx


class Clip(mx.Feature, spec=mx.FeatureSpec(
    key="media/clip",
    id_columns=["clip_id"],
    fields=[mx.FieldSpec(key="audio", version_from=["etag"])],
)):
    """A clip as it was uploaded."""

    clip_id: str
    path: str
    etag: str


class Transcript(mx.Feature, spec=mx.FeatureSpec(
    key="media/transcript",
    id_columns=["clip_id"],
    deps=[mx.FeatureDep(feature=Clip, columns=["path"])],
    fields=["text"],
)):
    """What is said in a clip."""

    clip_id: str
    path: str
    text: str


def clips() -> pl.DataFrame:
    """Every clip that there is. A changed etag makes its transcript stale."""
    return pl.DataFrame({
        "clip_id": ["a", "b"], "path": ["a.mp4", "b.mp4"], "etag": ["1", "1"],
    })


def transcribed(increment: mx.Increment):
    """The transcripts of new and changed clips."""
    for batch in increment.batches(1_000):
        yield batch.with_columns(text=pl.format("what is said in {}", "path"))
'''

_COMPUTE: Final = {
    "media/clip": ".features:clips",
    "media/transcript": {"function": ".features:transcribed", "orphans": "delete"},
}

_PYTHON: Final = '''\
"""The component as Python; a defs.yaml says the same."""

import dagster as dg

import metaxy_dagster as mxd


@dg.component_instance
def features(context: dg.ComponentLoadContext) -> mxd.MetaxyComponent:
    return mxd.MetaxyComponent(
{arguments}
    )
'''


class ScaffoldParams(BaseModel):
    """What ``dg scaffold defs metaxy_dagster.MetaxyComponent`` takes."""

    feature_module: str | None = Field(
        default=None,
        description="Module of the features; without it an example is written beside defs.yaml.",
    )
    store: str = Field(
        default="metadata.duckdb",
        description="DuckDB file, relative to the project's root, or a store of metaxy.toml.",
    )


class MetaxyScaffolder(dg.Scaffolder[ScaffoldParams]):
    """Writes a component that loads as it is."""

    @classmethod
    def get_scaffold_params(cls) -> type[ScaffoldParams]:
        """The options of the command line."""
        return ScaffoldParams

    def scaffold(self, request: dg.ScaffoldRequest[ScaffoldParams]) -> None:
        """Write defs.yaml or component.py, and features where none are named."""
        attributes: dict[str, Any] = {
            "feature_module": request.params.feature_module or ".features",
            "store": request.params.store,
        }
        if request.params.feature_module is None:
            folder = request.target_path.parent if request.append else request.target_path
            (folder / "features.py").write_text(_FEATURES, "utf-8")
            attributes["compute"] = _COMPUTE
        if request.scaffold_format == "yaml":
            dg.scaffold_component(request, attributes)
        else:
            arguments = "\n".join(f"        {k}={v!r}," for k, v in attributes.items())
            code = _PYTHON.format(arguments=arguments)
            (request.target_path / "component.py").write_text(code, "utf-8")
