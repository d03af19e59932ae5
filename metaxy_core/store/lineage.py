"""The lineage of a record: the very upstream versions that it was computed from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from metaxy_core.store.outline import Origin, Outline, plain_id
from metaxy_core.store.record_ids import shown_id


@dataclass(frozen=True)
class Lineage:
    """One state of a record, and the states of the upstream records that it was computed from.

    Attributes:
        feature: key of the feature.
        id: the record's id columns, or a parent's.
        data_versions: data version of each field, 16 hex digits.
        provenance: provenance of each field, 16 hex digits.
        commit: the commit that wrote this state.
        created_at: when, in UTC.
        materialization_id: the run that did it, where it said so.
        upstream: the upstream records as they were when this one was computed.
        exact: whether this and everything upstream is certain. It is not where the history that
            would reproduce a provenance was erased; ``upstream`` is then the newest state before
            the commit.
        is_found: whether the state of the direct upstream is certain.
    """

    feature: str
    id: Mapping[str, Any]
    data_versions: Mapping[str, str | None]
    provenance: Mapping[str, str | None]
    commit: int
    created_at: dt.datetime
    materialization_id: str | None
    upstream: tuple[Lineage, ...]
    exact: bool
    is_found: bool = True

    def __str__(self) -> str:
        return str(self.outline())

    def to_dict(self) -> dict[str, Any]:
        """The whole tree as plain values, for JSON; times are ISO text in UTC."""
        return {
            "feature": self.feature,
            "id": plain_id(self.id),
            "data_versions": dict(self.data_versions),
            "provenance": dict(self.provenance),
            **self._origin.to_dict(),
            "exact": self.exact,
            "upstream": [record.to_dict() for record in self.upstream],
        }

    def outline(self) -> Outline:
        """The tree for people."""
        lines = [Outline(str(self._origin), "dim")]
        for field, version in self.data_versions.items():
            own = self.provenance[field]
            computed = "" if version == own else f" (set by the user; provenance {own})"
            lines.append(Outline(f"{field} {version}{computed}", "cyan"))
        if not self.is_found:
            told = "its upstream below is the newest before this commit" if self.upstream else ""
            lines.append(Outline("; ".join(filter(None, [NOT_FOUND, told])), "yellow"))
        upstream = (record.outline() for record in self.upstream)
        label = f"{self.feature} {shown_id(self.id)}"
        return Outline(label, "bold", (*lines, *upstream))

    @property
    def _origin(self) -> Origin:
        return Origin(self.commit, self.created_at, self.materialization_id)


NOT_FOUND = "the versions that it was computed from are not in the history any more"
