"""What tests of every package share: a graph of their own, and a project to try things on."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import polars as pl
import polars.selectors as cs
import pydantic
import pytest

import metaxy_core as mx

# Building expressions makes many short-lived objects; looking for cycles among them less often
# makes the suite a sixth faster.
gc.set_threshold(100_000, 50, 100)

Fields = Mapping[str, int | str] | Sequence[str | mx.FieldSpec]


class Project:
    """Features and one store, with short words for what nearly every test does."""

    def __init__(self, store: mx.MetadataStore) -> None:
        self.store = store

    def feature(
        self,
        key: str,
        *,
        fields: Fields = ("default",),
        deps: Sequence[Any] = (),
        ids: Sequence[str] = ("id",),
        columns: Mapping[str, Any] | None = None,
        extra: str = "ignore",
    ) -> type[mx.Feature]:
        """Declare a feature in the active graph; the same key again is its next release.

        ``fields`` maps names to code versions, or lists specs; ``columns`` maps names to
        annotations, or to pairs of an annotation and a default.
        """
        if isinstance(fields, Mapping):
            fields = [mx.FieldSpec(key=name, code_version=code) for name, code in fields.items()]
        spec = mx.FeatureSpec(key=key, id_columns=ids, deps=deps, fields=fields)
        annotations = {
            name: kind if isinstance(kind, tuple) else (kind, ...)
            for name, kind in (columns or {}).items()
        }
        return pydantic.create_model(
            key,
            __base__=mx.Feature,
            __module__="project",
            __cls_kwargs__={"spec": spec, "extra": extra},
            **annotations,
        )

    @staticmethod
    def samples(**versions: Any) -> pl.DataFrame:
        """Samples by id: the version of the field ``default``, or a version for each field."""
        by_field = [v if isinstance(v, dict) else {"default": v} for v in versions.values()]
        return pl.DataFrame({"id": list(versions), "metaxy_provenance_by_field": by_field})

    def labels(self, **versions: Any) -> pl.DataFrame:
        """Samples of the fixture ``label``."""
        return self.samples(**versions).with_columns(name=pl.lit("cat"))

    @staticmethod
    def overridden(frame: pl.DataFrame, **versions: Any) -> pl.DataFrame:
        """Rows whose data versions are set, field by field."""
        members = {name: pl.lit(value) for name, value in versions.items()}
        return frame.with_columns(metaxy_data_version_by_field=pl.struct(**members))

    def override(self, feature: type[mx.Feature], **versions: Any) -> mx.Counts:
        """Process a feature and set the data versions of what came out."""
        increment = self.store.resolve_update(feature)
        for frame in increment.batches():
            self.store.write(feature, self.overridden(frame, **versions))
        return increment.counts

    def process(self, feature: type[mx.Feature], samples: Any = None, **columns: Any) -> mx.Counts:
        """Do the work of an increment: write what is new and stale, delete what is orphaned."""
        increment = self.store.resolve_update(feature, samples)
        added = [pl.lit(value).alias(name) for name, value in columns.items()]
        for frame in increment.batches():
            self.store.write(feature, frame.with_columns(added))
        if increment.counts.orphaned:
            self.store.delete(feature, increment.orphaned)
        return increment.counts

    def pipeline(self, **codes: str) -> tuple[type[mx.Feature], type[mx.Feature], type[mx.Feature]]:
        """Crops of faces of videos, under code versions; 1 where none is given."""
        video = self.feature("video", fields={"default": codes.get("video", "1")})
        faces = self.feature("faces", fields={"default": codes.get("faces", "1")}, deps=[video])
        crops = self.feature("crops", fields={"default": codes.get("crops", "1")}, deps=[faces])
        return video, faces, crops

    def process_pipeline(self, **samples: str) -> None:
        """Do the work of the whole pipeline under its first code versions."""
        video, faces, crops = self.pipeline()
        self.process(video, self.samples(**samples))
        self.process(faces)
        self.process(crops)

    def counts(self, feature: type[mx.Feature], samples: Any = None) -> mx.Counts:
        """What there is to do for a feature."""
        return self.store.resolve_update(feature, samples).counts

    @staticmethod
    def rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
        """Rows in a fixed order, without the columns whose values are hashes or times."""
        told = cs.by_name("metaxy_changed_fields", require_all=False)
        return sorted(frame.select(~cs.starts_with("metaxy_") | told).to_dicts(), key=repr)

    def records(self, feature: type[mx.Feature], **options: Any) -> list[dict[str, Any]]:
        """What is stored of a feature, without system columns."""
        return self.rows(self.store.read(feature, **options).to_polars())

    def ids(self, feature: type[mx.Feature], **options: Any) -> list[str]:
        """The ids of what is stored of a feature."""
        return sorted(self.store.read(feature, **options).to_polars()["id"])

    def content(self, *features: type[mx.Feature]) -> list[list[dict[str, Any]]]:
        """Every row that is stored of some features."""
        read = [
            self.store.read(f, history=True, include_deleted=True).to_polars() for f in features
        ]
        return [frame.sort("metaxy_commit", "id").to_dicts() for frame in read]

    def state(self) -> dict[str, Any]:
        """Everything the store holds of the active graph's features, to be compared."""
        return {
            str(definition.key): (
                self.store.read(definition.key, history=True, include_deleted=True)
                .to_polars()
                .sort("metaxy_commit", *definition.spec.id_columns)
                .to_dicts(),
                self.store.history(definition.key),
            )
            for definition in mx.FeatureGraph.active()
        }

    @contextmanager
    def refuses(self, error: type[mx.MetaxyError], *said: str) -> Iterator[None]:
        """The block raises an error whose message has these parts, and the store stays as it is."""
        before = self.state()
        with pytest.raises(error) as caught:
            yield
        missing = [part for part in said if part not in str(caught.value)]
        assert not missing, f"{missing} not in: {caught.value}"
        assert self.state() == before


@pytest.fixture
def graph() -> Iterator[mx.FeatureGraph]:
    """A graph that this test has for itself, active while it runs."""
    with mx.FeatureGraph().use() as own:
        yield own


@pytest.fixture
def project(store: mx.MetadataStore, graph: mx.FeatureGraph) -> Project:
    """A project over the ``store`` fixture of the suite that asks for it."""
    assert len(graph) == 0
    return Project(store)


@pytest.fixture
def video(project: Project) -> type[mx.Feature]:
    """A root."""
    return project.feature("video")


@pytest.fixture
def label(project: Project) -> type[mx.Feature]:
    """A root that not every video has a record in."""
    return project.feature("label", columns={"name": str | None})


@pytest.fixture
def both(project: Project, video: type[mx.Feature], label: type[mx.Feature]) -> type[mx.Feature]:
    """Videos, with their labels where there are any."""
    return project.feature("both", deps=[video, mx.FeatureDep(feature=label, optional=True)])
