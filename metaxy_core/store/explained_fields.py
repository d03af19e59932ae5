"""One field of a record is explained: its provenance, its code, and what it read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from metaxy_core import system_columns as sc
from metaxy_core.graph.plan import FeaturePlan, FieldPlan, UpstreamField
from metaxy_core.keys import FeatureKey
from metaxy_core.store.explanation import NOT_READ, Change, FieldExplanation, ReadField, Status
from metaxy_core.store.outline import hex_version
from metaxy_core.store.reads import DepStates
from metaxy_core.store.tracing import Former, StoredRow, Tracing

Difference = Mapping[str, Any]


def root_field(
    field: FieldPlan,
    status: Status,
    row: StoredRow | None,
    difference: Difference,
    code_then: str | None,
) -> FieldExplanation:
    """The explanation of a root's field.

    Args:
        field: the field.
        status: what the record is.
        row: the stored record.
        difference: the comparison's row, where samples were given and something differs.
        code_then: the code version by which the field was computed.
    """
    reasons = list(_code_reasons(field, row, code_then))
    changed = _is_changed(field, status, difference)
    if status is Status.STORED and reasons:
        changed = True
    if status is Status.STALE and changed and not reasons:
        columns = f" ({', '.join(field.version_from)})" if field.version_from else ""
        reasons.append(f"its sample changed{columns}")
    return FieldExplanation(
        field=str(field.key),
        changed=changed,
        stored=_stored(field, row),
        expected=_expected(field, status, row, difference),
        code_then=code_then,
        code_now=field.code_version,
        reasons=tuple(reasons),
    )


@dataclass(frozen=True)
class ComputedField:
    """A field of a record that was computed from others.

    Attributes:
        tracing: where code versions are looked up.
        field: the field.
        plan: the feature's plan.
        former: the upstream state that the record was computed from; None where none is stored.
        states: each dep's records, then and now.
        status: what the record is.
        row: the stored record.
    """

    tracing: Tracing
    field: FieldPlan
    plan: FeaturePlan
    former: Former | None
    states: Mapping[FeatureKey, DepStates]
    status: Status
    row: StoredRow | None

    def explanation(self, difference: Difference) -> FieldExplanation:
        """The explanation, given the comparison's row, which is empty where nothing differs."""
        code_then = self.tracing.code_version(self.row, self.field.key)
        reads = tuple(self._reads())
        reasons = [
            *_code_reasons(self.field, self.row, code_then),
            *self._rewired(),
            *(reason for read in reads for reason in read.reasons),
            *self._blocking(),
        ]
        return FieldExplanation(
            field=str(self.field.key),
            changed=_is_changed(self.field, self.status, difference),
            stored=_stored(self.field, self.row),
            expected=_expected(self.field, self.status, self.row, difference),
            code_then=code_then,
            code_now=self.field.code_version,
            reads=reads,
            reasons=tuple(reasons),
        )

    @property
    def _then(self) -> FieldPlan | None:
        """The field as it was planned when the record was computed."""
        fields = self.former.plan.fields if self.former else ()
        return next((each for each in fields if each.key == self.field.key), None)

    @property
    def _gained(self) -> tuple[UpstreamField, ...]:
        before = self._then.reads if self._then else ()
        return tuple(read for read in self.field.reads if read not in before)

    @property
    def _lost(self) -> tuple[UpstreamField, ...]:
        before = self._then.reads if self._then else ()
        return tuple(read for read in before if read not in self.field.reads)

    def _reads(self) -> Iterator[ReadField]:
        for upstream in (*self.field.reads, *self._lost):
            read = self.states[upstream.feature].read(upstream)
            if upstream in self._gained:
                yield replace(
                    read,
                    change=Change.ADDED,
                    then=NOT_READ,
                    then_origin=None,
                    members=(),
                    reasons=(),
                )
            elif upstream in self._lost:
                yield replace(
                    read,
                    change=Change.REMOVED,
                    now=NOT_READ,
                    now_origin=None,
                    members=(),
                    reasons=(),
                )
            else:
                yield read

    def _rewired(self) -> Iterator[str]:
        if self._then is None:
            return
        if self._gained:
            yield f"now reads {', '.join(map(str, self._gained))}"
        if self._lost:
            yield f"no longer reads {', '.join(map(str, self._lost))}"

    def _blocking(self) -> Iterator[str]:
        """What has to be computed again before this field, each code version once."""
        codes = {
            UpstreamField(dep.feature, key): code
            for dep in self.plan.deps
            for key, code in dep.code_versions
        }
        for upstream in self.field.reads:
            taken = self.states[upstream.feature].taken
            used = {self.tracing.code_version(row, upstream.field) for row in taken}
            for code in sorted(used - {codes[upstream]}, key=str):
                by = "without this field" if code is None else f"by code version {code}"
                yield (
                    f"{upstream} was computed {by}, now {codes[upstream]}; "
                    f"it has to be computed again first"
                )


def _code_reasons(field: FieldPlan, row: StoredRow | None, then: str | None) -> Iterator[str]:
    if row is None:
        return
    if then is None:
        yield "the stored record does not have this field"
    elif then != field.code_version:
        yield f"code version {then} → {field.code_version}"


def _is_changed(field: FieldPlan, status: Status, difference: Difference) -> bool | None:
    if status in {Status.NEW, Status.STALE}:
        return bool(difference[sc.changed(field.key)])
    return False if status is Status.UP_TO_DATE else None


def _stored(field: FieldPlan, row: StoredRow | None) -> str | None:
    return None if row is None else hex_version(row.provenance(field.key))


def _expected(
    field: FieldPlan, status: Status, row: StoredRow | None, difference: Difference
) -> str | None:
    if status in {Status.NEW, Status.STALE}:
        return hex_version(difference[sc.provenance(field.key)])
    return _stored(field, row) if status is Status.UP_TO_DATE else None
