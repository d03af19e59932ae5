"""What a field read of one dep is compared here with what it would read now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from metaxy_core.graph.plan import DepPlan, UpstreamField
from metaxy_core.store.explanation import MISSING, UNKNOWN, Change, MemberChange, ReadField
from metaxy_core.store.outline import Origin, hex_version
from metaxy_core.store.record_ids import shown_id
from metaxy_core.store.tracing import StoredRow

_MEMBERS_NAMED = 10

Rows = Sequence[StoredRow]


@dataclass(frozen=True)
class DepStates:
    """The records of one dep, as they were read and as they are.

    Attributes:
        dep: how the dep is wired, now or, where it is gone, then.
        then: the rows that were read; None where the history is gone or nothing was computed.
        now: the newest rows, those that the dep does not take included.
    """

    dep: DepPlan
    then: Rows | None
    now: Rows

    @property
    def taken(self) -> list[StoredRow]:
        """The rows that the dep takes at present."""
        return [row for row in self.now if row.taken]

    def read(self, field: UpstreamField) -> ReadField:
        """What happened to a field of the dep's records since it was read."""
        return self._read_group(field) if self.dep.aggregates else self._read_record(field)

    def telling(self) -> list[StoredRow]:
        """The newest rows of the records that are or were read, those that changed first."""
        if not self.dep.aggregates:
            return list(self.now)
        then = self._by_id([row for row in self.then or () if row.taken])
        concerned = [row for row in self.now if row.taken or self._key(row) in then]
        return sorted(concerned, key=lambda row: self._is_as_read(row, then.get(self._key(row))))

    def why_missing(self) -> str:
        """Why the dep has no record at present."""
        if self.dep.aggregates:
            return f"{self.dep.feature} has no member in this group"
        gone = self.now[0] if self.now else None
        return f"{self.dep.feature} has no such record: {self._why_gone(gone)}"

    def _why_gone(self, row: StoredRow | None) -> str:
        if row is None:
            return "it is not stored"
        if row.deleted:
            return f"deleted in {row.origin}"
        if self.dep.filter is not None:
            return f"as of {row.origin} it does not pass the filter {self.dep.filter.text!r}"
        return f"it went to another group in {row.origin}"

    # ------------------------------------------------------------------ one record

    def _read_record(self, field: UpstreamField) -> ReadField:
        now = next(iter(self.taken), None)
        if self.then is None:
            return self._told(field, Change.UNKNOWN, None, now, then=UNKNOWN)
        then = next((row for row in self.then if row.taken), None)
        if then is None or now is None:
            change = Change.UNCHANGED if then is now else Change.ADDED if now else Change.REMOVED
            reasons = _reason_of_record(self, change, now)
        else:
            old, new = then.data_version(field.field), now.data_version(field.field)
            change = Change.UNCHANGED if old == new else Change.CHANGED
            reasons = _reason_of_version(field, then, now)
        return self._told(field, change, then, now, reasons=reasons)

    @staticmethod
    def _told(
        field: UpstreamField,
        change: Change,
        then_row: StoredRow | None,
        now_row: StoredRow | None,
        *,
        then: str | None = None,
        reasons: tuple[str, ...] = (),
    ) -> ReadField:
        return ReadField(
            feature=str(field.feature),
            field=str(field.field),
            change=change,
            then=then or _version(then_row, field),
            now=_version(now_row, field),
            then_origin=then_row.origin if then_row else None,
            now_origin=now_row.origin if now_row else None,
            reasons=reasons,
        )

    # ------------------------------------------------------------------ a group

    def _read_group(self, field: UpstreamField) -> ReadField:
        now = self.taken
        members: tuple[MemberChange, ...] = ()
        if self.then is None:
            change, then = Change.UNKNOWN, UNKNOWN
        else:
            before = [row for row in self.then if row.taken]
            members = tuple(self._members(field, before))
            change, then = _group_change(before, now, members), _size(before)
        reasons = [f"{field.feature}: {member.reason}" for member in members[:_MEMBERS_NAMED]]
        if len(members) > _MEMBERS_NAMED:
            more = len(members) - _MEMBERS_NAMED
            reasons.append(f"{field.feature}: {more} more members changed")
        return ReadField(
            feature=str(field.feature),
            field=str(field.field),
            change=change,
            then=then,
            now=_size(now),
            members=members,
            reasons=tuple(reasons),
        )

    def _members(self, field: UpstreamField, before: Rows) -> Iterator[MemberChange]:
        then, now = self._by_id(before), self._by_id(self.taken)
        latest = self._by_id(self.now)
        for key in [*(key for key in now if key not in then), *then]:
            old, new = then.get(key), now.get(key)
            if old is None or new is None or _differ(field, old, new):
                yield self._member(field, old, new, latest.get(key))

    def _member(
        self,
        field: UpstreamField,
        old: StoredRow | None,
        new: StoredRow | None,
        latest: StoredRow | None,
    ) -> MemberChange:
        ids = (old or new or latest).ids(self.dep.record_ids)  # type: ignore[union-attr]
        then, now = _version(old, field), _version(new, field)
        origin: Origin | None = latest.origin if latest else None
        if new is None:
            change, words = Change.REMOVED, f"removed: {self._why_gone(latest)}"
        elif old is None:
            change, words = Change.ADDED, f"added in {origin}"
        else:
            change, words = Change.CHANGED, f"changed from {then} to {now} in {origin}"
        return MemberChange(ids, change, then, now, origin, f"member {shown_id(ids)} {words}")

    def _by_id(self, rows: Rows) -> dict[tuple[object, ...], StoredRow]:
        return {self._key(row): row for row in rows}

    def _key(self, row: StoredRow) -> tuple[object, ...]:
        return tuple(row.ids(self.dep.record_ids).values())

    def _is_as_read(self, row: StoredRow, then: StoredRow | None) -> bool:
        reads = [UpstreamField(self.dep.feature, key) for key in self.dep.fields]
        return then is not None and row.taken and not any(_differ(r, then, row) for r in reads)


def _reason_of_record(states: DepStates, change: Change, now: StoredRow | None) -> tuple[str, ...]:
    if change is Change.ADDED and now is not None:
        return (f"the record of {states.dep.feature} appeared in {now.origin}",)
    if change is Change.REMOVED:
        return (f"the record of {states.dep.feature} disappeared: {states.why_missing()}",)
    return ()


def _reason_of_version(field: UpstreamField, then: StoredRow, now: StoredRow) -> tuple[str, ...]:
    if _differ(field, then, now):
        old, new = _version(then, field), _version(now, field)
        return (f"{field} changed from {old} to {new} in {now.origin}",)
    if now.origin.commit == then.origin.commit:
        return ()
    if then.provenance(field.field) == now.provenance(field.field):
        return ()
    by = " as the user set it" if now.is_set(field.field) else ""
    return (f"{field} was computed again in {now.origin}, but its data version stayed{by}",)


def _differ(field: UpstreamField, then: StoredRow, now: StoredRow) -> bool:
    return then.data_version(field.field) != now.data_version(field.field)


def _version(row: StoredRow | None, field: UpstreamField) -> str:
    return MISSING if row is None else hex_version(row.data_version(field.field)) or UNKNOWN


def _size(rows: Rows) -> str:
    if not rows:
        return MISSING
    return "1 member" if len(rows) == 1 else f"{len(rows)} members"


def _group_change(before: Rows, now: Rows, members: Sequence[MemberChange]) -> Change:
    if not before and now:
        return Change.ADDED
    if before and not now:
        return Change.REMOVED
    return Change.CHANGED if members else Change.UNCHANGED
