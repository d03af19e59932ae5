"""A command works on a project: its configuration, its features and one of its stores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from metaxy_core.errors import NoFeatures
from metaxy_core.graph.graph import FeatureGraph

if TYPE_CHECKING:
    import typer

    from metaxy_core.config import Config
    from metaxy_core.store.base import MetadataStore


@dataclass(frozen=True)
class Source:
    """Where features are defined.

    Attributes:
        entrypoints: modules and .py files.
        root: where relative files start.
        named_by: who names the entrypoints, for messages.
    """

    entrypoints: tuple[str, ...]
    root: Path
    named_by: str


@dataclass(frozen=True)
class Project:
    """What the options of a command line say about the project.

    Attributes:
        config_file: the metaxy.toml, where one was given.
        store: name of the store, where one was given.
        entrypoints: what defines the features, where it was given.
    """

    config_file: Path | None = None
    store: str | None = None
    entrypoints: tuple[str, ...] = ()

    @classmethod
    def from_options(
        cls,
        context: typer.Context,
        config: Path | None,
        store: str | None,
        entrypoints: Sequence[str] | None,
    ) -> Self:
        """The project, where options after a command win over those before it."""
        outer = context.find_object(cls) or cls()
        return cls(
            config_file=config or outer.config_file,
            store=store or outer.store,
            entrypoints=tuple(entrypoints or outer.entrypoints),
        )

    @cached_property
    def config(self) -> Config:
        """The configuration."""
        from metaxy_core.config import Config

        return Config.load(self.config_file)

    @property
    def source(self) -> Source:
        """Where the project's features are defined.

        Raises:
            NoFeatures: nothing says where.
        """
        if self.entrypoints:
            return Source(self.entrypoints, Path.cwd(), "--entrypoint")
        if not self.config.entrypoints:
            raise NoFeatures(
                f"Nothing says where the features are: give --entrypoint FILE, or add "
                f'entrypoints = ["features.py"] to {self.config.place}.'
            )
        return Source(self.config.entrypoints, self.config.root, self.config.place)

    @contextmanager
    def features(self) -> Iterator[FeatureGraph]:
        """The project's features and the external ones, active inside the block.

        Raises:
            NoFeatures: nothing says where they are, or none is there.
        """
        from metaxy_core.config import import_entrypoints, put_on_path

        source = self.source
        put_on_path(self.config.root)
        with FeatureGraph().use() as graph:
            self.config.prepare(graph)
            known = len(graph)
            import_entrypoints(source.entrypoints, source.root, source.named_by)
            if len(graph) == known:
                raise NoFeatures(
                    f"{', '.join(source.entrypoints)} (from {source.named_by}) defines no feature; "
                    f"name the module with the subclasses of Feature."
                )
            graph.check_complete()
            yield graph

    def open_store(self) -> MetadataStore:
        """The store that the command works on."""
        return self.config.open_store(self.store)
