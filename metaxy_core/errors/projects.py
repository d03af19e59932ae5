"""What can be wrong between projects that share a store, and with selections of their features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from metaxy_core.errors.base import MetaxyError, listing, nearest
from metaxy_core.errors.configuration import ConfigError


class InvalidSelection(MetaxyError):
    """A selection that cannot be read, or that nothing matches."""

    @classmethod
    def from_text(cls, text: str, syntax: str) -> Self:
        return cls(f"{text!r} is no selection of features. {syntax}")

    @classmethod
    def from_known(cls, text: str, known: Sequence[object]) -> Self:
        return cls(f"No feature of the graph matches {text!r}; {nearest(text, known)}")

    @classmethod
    def from_externals(
        cls, text: str, project: str, snapshot: int, known: Sequence[object]
    ) -> Self:
        return cls(
            f"[externals] names {text!r} of project {project!r}, which its newest snapshot "
            f"({snapshot}) does not have; {nearest(text, known)} Correct it in metaxy.toml, or run "
            f"`metaxy push` in {project!r}."
        )


class ProjectError(MetaxyError):
    """Something that one project may not do with what is another's."""


class ExternalFeature(ProjectError):
    """A call on another project's feature that is its own project's business."""

    @classmethod
    def from_call(cls, feature: object, project: str, call: str) -> Self:
        return cls(
            f"Feature '{feature}' belongs to project {project!r} and may only be read here: "
            f"{call} it with the code of {project!r}. Nothing was done."
        )


class FeatureOwned(ProjectError):
    """A feature key that another project uses in the same store."""

    @classmethod
    def from_projects(cls, feature: object, owner: str, project: str, address: str) -> Self:
        found = f"Feature '{feature}' belongs to project {owner!r} in the store {address!r}, and "
        if not project:
            return cls(
                f"{found}the code at hand has no project. If it is that of {owner!r}, set project "
                f"= {owner!r} in metaxy.toml and call mx.init() first; otherwise give the feature "
                f"another key, or use another store. Nothing was done."
            )
        return cls(
            f"{found}project {project!r} defines it too. Give it another key or use another store; "
            f"to read that of {owner!r}, list it under [externals] in metaxy.toml; to take it "
            f"over, remove it from {owner!r} and run `metaxy push` there. Nothing was done."
        )


class UnknownProject(ProjectError):
    """A project that the store holds nothing of."""

    @classmethod
    def from_known(cls, project: str, address: str, known: Sequence[str]) -> Self:
        named = [name for name in known if name]
        return cls(
            f"The store {address!r} holds no graph of project {project!r}; "
            f"{nearest(project, named)} Choose one of them, or run `metaxy push` in {project!r}."
        )

    @classmethod
    def from_nameless(cls, address: str, known: Sequence[str]) -> Self:
        return cls(
            f"The graph has no project, and the store {address!r} holds only those of "
            f"{listing(known)}: name one of them with project=."
        )


class NotPushed(ProjectError):
    """A project of which no graph was recorded yet."""

    @classmethod
    def from_store(cls, project: str, address: str, known: Sequence[str]) -> Self:
        named = [name for name in known if name]
        hint = f" ({nearest(project, named).rstrip('.')})" if named else ""
        return cls(
            f"The store {address!r} has no snapshot of project {project!r}, whose features "
            f"[externals] names{hint}: run `metaxy push` in {project!r}, then `metaxy lock` here."
        )


class LockMissing(ConfigError):
    """External features without the file that holds their definitions."""

    @classmethod
    def from_file(cls, file: object, where: str) -> Self:
        return cls(
            f"{where} names [externals], but there is no {str(file)!r} with their definitions: "
            f"run `metaxy lock`."
        )


class LockOutOfDate(ConfigError):
    """External features whose definitions are not those of the lock file any more."""

    @classmethod
    def from_features(cls, file: object, moved: Sequence[str]) -> Self:
        return cls(
            f"{str(file)!r} is out of date: {listing(moved, 10)}. Run `metaxy lock`, and "
            f"`metaxy graph diff` to see what it moves."
        )

    @classmethod
    def from_settings(cls, file: object, where: str) -> Self:
        return cls(
            f"{str(file)!r} is out of date: it was made for other [externals] than {where} has "
            f"now. Run `metaxy lock`."
        )
