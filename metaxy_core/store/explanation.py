"""An explanation says why a record is what it is, field by field, up to the root."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from metaxy_core.store.outline import Origin, Outline, plain_id
from metaxy_core.store.record_ids import shown_id

MISSING: Final = "missing"
UNKNOWN: Final = "unknown"
NOT_READ: Final = "not read"


class Status(StrEnum):
    """What a record is in the next increment of its feature."""

    NEW = "new"
    STALE = "stale"
    ORPHANED = "orphaned"
    BLOCKED = "blocked"
    UP_TO_DATE = "up to date"
    STORED = "stored"
    """A root's record whose samples were not given: only they tell whether it is stale."""
    UNKNOWN = "unknown"
    """Neither stored nor called for."""


class Change(StrEnum):
    """What happened to an upstream record, or to one of its fields, since it was read."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"
    UNKNOWN = "unknown"
    """The state that was read is not in the history any more."""


@dataclass(frozen=True)
class MemberChange:
    """A member of an aggregated group that changed since the group was read.

    Attributes:
        id: the member's id columns.
        change: whether it was added, removed or changed.
        then: its data version when it was read, 16 hex digits, or ``missing``.
        now: its present data version, or ``missing``.
        origin: the commit that did it; None where it was not one of the upstream feature's.
        reason: the same in words.
    """

    id: Mapping[str, Any]
    change: Change
    then: str
    now: str
    origin: Origin | None
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "id": plain_id(self.id),
            "change": self.change.value,
            "then": self.then,
            "now": self.now,
            "origin": self.origin.to_dict() if self.origin else None,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class ReadField:
    """An upstream field that a field reads, as it was read and as it is.

    Attributes:
        feature: key of the upstream feature.
        field: key of its field.
        change: what happened in between.
        then: its data version when it was read: 16 hex digits, ``missing`` where there was no
            record, ``unknown`` where the history is gone, ``not read`` where the field did not read
            it; of a group, the number of its members.
        now: the same at present.
        then_origin: the commit that had brought the former one; None for none, or for a group.
        now_origin: the commit that brought the present one; None for none, or for a group.
        members: what changed of a group.
        reasons: what happened, in words; empty where nothing did.
    """

    feature: str
    field: str
    change: Change
    then: str
    now: str
    then_origin: Origin | None = None
    now_origin: Origin | None = None
    members: tuple[MemberChange, ...] = ()
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.feature}.{self.field}"

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "feature": self.feature,
            "field": self.field,
            "change": self.change.value,
            "then": self.then,
            "now": self.now,
            "then_origin": self.then_origin.to_dict() if self.then_origin else None,
            "now_origin": self.now_origin.to_dict() if self.now_origin else None,
            "members": [member.to_dict() for member in self.members],
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True)
class FieldExplanation:
    """One field of the explained record.

    Attributes:
        field: key of the field.
        changed: whether its provenance is another one than expected; None where that is open: the
            record is blocked or orphaned, or needs samples.
        stored: the stored provenance, 16 hex digits; None where there is none.
        expected: the provenance that the present upstream calls for; None where there is none.
        code_then: the code version by which it was computed; None where it was not.
        code_now: the present code version.
        reads: the upstream fields it reads, or did read.
        reasons: why it changed or is blocked, or what happened without changing it, in words.
    """

    field: str
    changed: bool | None
    stored: str | None
    expected: str | None
    code_then: str | None
    code_now: str
    reads: tuple[ReadField, ...] = ()
    reasons: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "field": self.field,
            "changed": self.changed,
            "stored": self.stored,
            "expected": self.expected,
            "code_then": self.code_then,
            "code_now": self.code_now,
            "reads": [read.to_dict() for read in self.reads],
            "reasons": list(self.reasons),
        }

    def outline(self) -> Outline:
        """The field for people."""
        told = {None: "", True: "changed ", False: "unchanged "}[self.changed]
        versions = " → ".join(dict.fromkeys(filter(None, [self.stored, self.expected])))
        style = "yellow" if self.changed else "dim"
        reasons = tuple(Outline(reason) for reason in self.reasons)
        return Outline(f"{self.field}: {told}{versions}", style, reasons)


@dataclass(frozen=True)
class Explanation:
    """Why a record is new, stale, orphaned, blocked or up to date.

    Attributes:
        feature: key of the feature.
        id: the record's id columns; an expansion's parent's.
        status: what the record is in the next increment.
        origin: the commit that wrote the stored record; None where none is stored.
        feature_version: the definition it was written under.
        reasons: what concerns the record as a whole, in words.
        fields: its fields, in declared order.
        upstream: the explanations of the upstream records it is or was computed from.
        omitted: how many further members of groups are not explained.
    """

    feature: str
    id: Mapping[str, Any]
    status: Status
    origin: Origin | None
    feature_version: str | None
    reasons: tuple[str, ...]
    fields: tuple[FieldExplanation, ...]
    upstream: tuple[Explanation, ...] = ()
    omitted: int = 0

    def __str__(self) -> str:
        return str(self.outline())

    def to_dict(self) -> dict[str, Any]:
        """The whole tree as plain values, for JSON; times are ISO text in UTC."""
        return {
            "feature": self.feature,
            "id": plain_id(self.id),
            "status": self.status.value,
            "origin": self.origin.to_dict() if self.origin else None,
            "feature_version": self.feature_version,
            "reasons": list(self.reasons),
            "fields": [field.to_dict() for field in self.fields],
            "upstream": [record.to_dict() for record in self.upstream],
            "omitted": self.omitted,
        }

    def outline(self) -> Outline:
        """The tree for people; a record that is reached by two paths is told once."""
        return self._outline(set())

    def _outline(self, told: set[str]) -> Outline:
        name = f"{self.feature} {shown_id(self.id)}"
        if name in told:
            return Outline(f"{name}: {self.status}, explained above", "dim")
        told.add(name)
        return Outline(f"{name}: {self.status}", _STYLES[self.status], tuple(self._lines(told)))

    def _lines(self, told: set[str]) -> Iterator[Outline]:
        if self.origin is not None:
            yield Outline(f"stored by {self.origin}", "dim")
        for reason in self.reasons:
            yield Outline(reason)
        for field in self.fields:
            yield field.outline()
        for record in self.upstream:
            yield record._outline(told)  # noqa: SLF001 - another object of this class
        if self.omitted:
            yield Outline(f"and {self.omitted} more upstream records", "dim")


_STYLES: Final = {
    Status.NEW: "bold green",
    Status.STALE: "bold yellow",
    Status.ORPHANED: "bold red",
    Status.BLOCKED: "bold magenta",
    Status.UP_TO_DATE: "bold",
    Status.STORED: "bold",
    Status.UNKNOWN: "bold red",
}
