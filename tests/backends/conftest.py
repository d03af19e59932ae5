"""Every store that runs this suite: a further one is one more entry of ``STORES``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import metaxy_core as mx
from metaxy_core.store.backends.bigquery import CAPABILITIES as BIGQUERY
from metaxy_core.store.backends.capabilities import IN_FILE
from metaxy_core.store.backends.clickhouse import CAPABILITIES as CLICKHOUSE
from metaxy_core.store.backends.delta import CAPABILITIES as DELTA
from metaxy_core.store.backends.ducklake_catalogs import IN_FILE as DUCKLAKE
from metaxy_core.store.backends.iceberg import CAPABILITIES as ICEBERG
from metaxy_core.store.backends.lance import CAPABILITIES as LANCE
from metaxy_core.store.backends.postgres import CAPABILITIES as POSTGRES
from metaxy_core.store.backends.sqlite import IN_FILE as SQLITE
from tests.bigquery_service import bigquery_in, missing_emulator
from tests.core.store.ducklake.kinds import opened as opened_ducklake
from tests.servers import clickhouse_in, postgres_in

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

    from tests.conftest import Project

Opened = Callable[[], mx.MetadataStore]


@dataclass(frozen=True)
class Store:
    """One kind of store, and what it can do beyond what every store does.

    Attributes:
        name: how tests are named after it.
        opened_at: opens it in a folder, over fallbacks, with further options; the same folder again
            is the same data, if it is durable.
        capabilities: ``durable``, data outlive the store object and can be opened twice at once;
            ``processes``, by several processes too; ``files``, a copy of the folder is a copy of
            the store.
        repeats: the engine's expressions run in another store already, so that it is for slow runs
            only; what a store keeps, and random histories, are tested in every run.
        emulated: a stand-in runs in the place of a service, far slower, and for slow runs only.
        missing: what has to be installed for it to run here; empty where nothing is missing.
    """

    name: str
    opened_at: Callable[..., mx.MetadataStore]
    capabilities: frozenset[str] = frozenset()
    repeats: bool = False
    emulated: bool = False
    missing: str = ""

    def param(self, *, repeats: bool) -> ParameterSet:
        """The store for a fixture.

        Args:
            repeats: whether the test repeats in it what was tested in another one.
        """
        marks = []
        if (repeats and self.repeats) or self.emulated:
            marks.append(pytest.mark.slow)
        if self.emulated:
            marks.append(pytest.mark.emulated)
        if self.missing:
            marks.append(pytest.mark.skip(reason=self.missing))
        return pytest.param(self, marks=marks, id=self.name)


QUICK = {"threads": 1}  # more of them cost more than they bring with few records


def ducklake_over(catalog: str) -> Callable[..., mx.MetadataStore]:
    """Opens DuckLake stores that belong to a folder, by what holds their catalog."""
    return lambda folder, *below, **options: opened_ducklake(
        catalog, folder, fallback=below, **options
    )


STORES = [
    Store(
        "duckdb",
        lambda folder, *below, **options: mx.DuckDBMetadataStore(
            folder / "metadata.duckdb", fallback=below, settings=QUICK, **options
        ),
        IN_FILE.names,
    ),
    Store(
        "sqlite",
        lambda folder, *below, **options: mx.SQLiteMetadataStore(
            folder / "metadata.sqlite", fallback=below, **options
        ),
        SQLITE.names,
        repeats=True,
    ),
    Store("postgres", postgres_in, POSTGRES.names, repeats=True),
    Store("clickhouse", clickhouse_in, CLICKHOUSE.names, repeats=True),
    Store(
        "bigquery",
        bigquery_in,
        BIGQUERY.names,
        repeats=True,
        emulated=True,
        missing=missing_emulator(),
    ),
    Store(
        "memory",
        lambda folder, *below, **options: mx.DuckDBMetadataStore(
            ":memory:", fallback=below, settings=QUICK, **options
        ),
        repeats=True,
    ),
    Store(
        "delta",
        lambda folder, *below, **options: mx.DeltaMetadataStore(
            folder / "delta", fallback=below, settings=QUICK, **options
        ),
        DELTA.names,
        repeats=True,
    ),
    Store(
        "iceberg",
        lambda folder, *below, **options: mx.IcebergMetadataStore(
            folder / "iceberg", fallback=below, settings=QUICK, **options
        ),
        ICEBERG.names,
        repeats=True,
    ),
    Store(
        "lance",
        lambda folder, *below, **options: mx.LanceMetadataStore(
            folder / "lance", fallback=below, settings=QUICK, **options
        ),
        LANCE.names,
        repeats=True,
    ),
    Store("ducklake", ducklake_over("duckdb"), DUCKLAKE.names, repeats=True),
]

CATALOGS = [
    Store("ducklake-sqlite", ducklake_over("sqlite"), DUCKLAKE.names, repeats=True),
    Store("ducklake-postgres", ducklake_over("postgres"), DUCKLAKE.names, repeats=True),
]
"""Other places for what one of the stores keeps: for tests of values, writers and histories."""

EVERY = [*STORES, *CATALOGS]


@pytest.fixture(params=[kind.param(repeats=True) for kind in STORES])
def kind(request: pytest.FixtureRequest) -> Store:
    """The kind of store of this run; skips where it lacks what the test needs."""
    needed = {name for mark in request.node.iter_markers("needs") for name in mark.args}
    if missing := sorted(needed - request.param.capabilities):
        pytest.skip(f"{request.param.name} is not for {', '.join(missing)}")
    return request.param


@pytest.fixture(autouse=True)
def _own_graph(graph: mx.FeatureGraph) -> None:
    """Features of one test are unknown to the next."""


@pytest.fixture
def opened(kind: Store, tmp_path: Path) -> Iterator[Opened]:
    """Opens the store once more; every store object is closed at the end."""
    with ExitStack() as objects:
        yield lambda: objects.enter_context(kind.opened_at(tmp_path))


@pytest.fixture
def store(opened: Opened) -> mx.MetadataStore:
    """An empty store."""
    return opened()


@pytest.fixture(params=[kind.param(repeats=kind in CATALOGS) for kind in EVERY])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[mx.MetadataStore]:
    """A store of each kind, in every run: what it keeps is what nothing else shows."""
    with request.param.opened_at(tmp_path) as store:
        yield store


SPEAKING = ("duckdb", "sqlite", "postgres")
"""Those with SQL of their own that are quick; most others compute in DuckDB."""


@pytest.fixture(params=[kind.param(repeats=kind.name not in SPEAKING) for kind in EVERY])
def speaking_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[mx.MetadataStore]:
    """A store of each kind, in every run where it has SQL of its own."""
    with request.param.opened_at(tmp_path) as store:
        yield store


@pytest.fixture
def sample() -> type[mx.Feature]:
    """A root whose only version comes from the column ``etag``."""
    field = mx.FieldSpec(key="default", version_from=["etag"])
    spec = mx.FeatureSpec(key="sample", id_columns=["id"], fields=[field])

    class Sample(mx.Feature, spec=spec):
        pass

    return Sample


@pytest.fixture
def branch(kind: Store, tmp_path: Path, store: mx.MetadataStore) -> Iterator[mx.MetadataStore]:
    """A second store, over the first."""
    folder = tmp_path / "branch"
    folder.mkdir()
    with kind.opened_at(folder, store) as over:
        yield over


@pytest.fixture
def videos(project: Project) -> type[mx.Feature]:
    """The root of the suite, with ten records."""
    feature = project.feature("video")
    project.process(feature, project.samples(**{f"v{i}": "a" for i in range(10)}))
    return feature
