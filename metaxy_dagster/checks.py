"""Asset checks of features: what is left to do, what went wrong, and whether the table is sound."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import dagster as dg

from metaxy_dagster.check_kinds import KINDS, CheckKind
from metaxy_dagster.check_state import Limits, State
from metaxy_dagster.chosen import Features, one_or_more
from metaxy_dagster.errors import InvalidCheck
from metaxy_dagster.errors.assets import quoted
from metaxy_dagster.feature_name import FEATURE
from metaxy_dagster.resource import STORE_KEY
from metaxy_dagster.root_samples import RootSamples
from metaxy_dagster.targets import Target, targets_of
from metaxy_dagster.translator import MetaxyTranslator

FeatureCheck = Literal[
    "increment_empty",
    "orphans_below_threshold",
    "nothing_blocked",
    "nothing_failing",
    "ids_unique",
    "schema_as_declared",
    "provenance_complete",
]
Severity = dg.AssetCheckSeverity | Literal["WARN", "ERROR"]

_FACTORY: Final = "feature_checks"


def feature_checks(
    features: Features | None = None,
    *,
    checks: Collection[FeatureCheck] | None = None,
    severity: Severity | Mapping[FeatureCheck, Severity] | None = None,
    blocking: bool | Collection[FeatureCheck] = False,
    max_orphans: float = 0,
    max_attempts: int = 1,
    samples: Mapping[Any, Any] | None = None,
    name: str | None = None,
    store_key: str = STORE_KEY,
    translator: MetaxyTranslator | None = None,
) -> list[dg.AssetChecksDefinition]:
    """Asset checks of features, one definition for each asset, which opens the store once.

    What a check needs and a feature does not have leaves it out: a root is compared only with
    ``samples``, only a feature with deps can be blocked, and of another project's feature only the
    table is looked at.

    Args:
        features: a feature, a selection such as ``"example/*"``, an asset or a spec, or several of
            these; None for every feature of the active graph.
        checks: which ones; None for all.
        severity: of all checks, or by check. Where it says nothing, what happens in normal
            operation warns (work left, orphans, blocked, failing), and what no store should hold is
            an error (repeated ids, columns that are not as declared, missing provenance).
        blocking: whether assets downstream wait for the checks, or for which of them; in Dagster
            only a failed check of severity ERROR holds them up.
        max_orphans: so many orphans pass; a float from 0 to 1 is a share of the stored records.
        max_attempts: with so many failures a record counts as failing, and not as work left; what
            runs give to ``resolve_update(max_attempts=...)``.
        samples: for root features, every record that should exist: a frame, or a function without
            parameters that gives one.
        name: how the names of the ops end, where a second call is about the same assets; ``checks``
            where it is None.
        store_key: key of the store resource.
        translator: what the assets of features are called; assets and specs bring their own key.

    Raises:
        InvalidCheck: an option names a check that there is not, or has a value of the wrong kind;
            or a check was asked for that can be told of none of the features.
        AssetError: what was given holds no feature.
        InvalidSelection: the selection matches nothing.

    Example:
        >>> import metaxy_core as mx
        >>> with mx.FeatureGraph().use():
        ...     class Clip(mx.Feature, spec=mx.FeatureSpec(key="clip")): ...
        ...     class Text(mx.Feature, spec=mx.FeatureSpec(key="text", deps=[Clip])): ...
        >>> chosen = ["increment_empty", "ids_unique"]
        >>> (checks,) = feature_checks(Text, checks=chosen, severity={"increment_empty": "ERROR"})
        >>> sorted(key.name for key in checks.check_keys)
        ['ids_unique', 'increment_empty']
    """
    chosen = one_or_more(_FACTORY, features)
    found = targets_of(chosen, translator)
    call = f"{_FACTORY} of {quoted(chosen.features)}"
    options = _Options(
        severities=_severities(call, severity),
        blocking=_blocking(call, blocking),
        limits=_checked_limits(call, max_orphans, max_attempts),
        name="checks" if name is None else name,
        store_key=store_key,
    )
    given = RootSamples.of(call, chosen.graph, samples)
    wanted = frozenset(KINDS) if checks is None else _known(call, "checks", checks)
    told = {target.asset_key: _told(target, wanted, given) for target in found}
    if checks is not None:
        _check_all_told(checks, found, told, given)
    return [
        _definition(target, told[target.asset_key], given, options)
        for target in found
        if told[target.asset_key]
    ]


@dataclass(frozen=True)
class _Options:
    """What holds for all features of a call.

    Attributes:
        severities: severity of each kind of check.
        blocking: the kinds that assets downstream wait for.
        limits: how much is too much.
        name: how the names of the ops end.
        store_key: key of the store resource.
    """

    severities: Mapping[str, dg.AssetCheckSeverity]
    blocking: frozenset[str]
    limits: Limits
    name: str
    store_key: str


def _definition(
    target: Target, kinds: Mapping[str, CheckKind], samples: RootSamples, options: _Options
) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name=f"{target.name}_{options.name}",
        description=f"Checks of feature {target.feature!s}.",
        specs=[
            dg.AssetCheckSpec(
                name,
                asset=target.asset_key,
                description=kind.description,
                blocking=name in options.blocking,
                metadata={FEATURE: str(target.feature)},
            )
            for name, kind in kinds.items()
        ],
        can_subset=True,
        required_resource_keys={options.store_key},
    )
    def run(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        selected = {key.name for key in context.selected_asset_check_keys}
        with getattr(context.resources, options.store_key).open() as store:
            state = State(store, target, samples, options.limits)
            for name, kind in kinds.items():
                if name in selected:
                    yield _result(context, target, name, kind, state, options.severities[name])

    return run


def _result(
    context: dg.AssetCheckExecutionContext,
    target: Target,
    name: str,
    kind: CheckKind,
    state: State,
    severity: dg.AssetCheckSeverity,
) -> dg.AssetCheckResult:
    verdict = kind.judge(state)
    tell = context.log.info if verdict.passed else context.log.warning
    tell(f"{target.feature!s}, {name}: {verdict.description}")
    return dg.AssetCheckResult(
        passed=verdict.passed,
        asset_key=target.asset_key,
        check_name=name,
        severity=severity,
        description=verdict.description,
        metadata={FEATURE: str(target.feature), **verdict.metadata},
    )


# --------------------------------------------------------------------------- options


def _told(target: Target, wanted: Collection[str], samples: RootSamples) -> dict[str, CheckKind]:
    """The checks that can be told of a feature, of those that are wanted."""
    has_samples = target.feature in samples
    return {
        name: kind
        for name, kind in KINDS.items()
        if name in wanted and kind.why_not(target.feature, has_samples=has_samples) is None
    }


def _check_all_told(
    checks: Collection[str],
    found: Sequence[Target],
    told: Mapping[dg.AssetKey, Mapping[str, CheckKind]],
    samples: RootSamples,
) -> None:
    for check in checks:
        if not any(check in kinds for kinds in told.values()):
            why = {
                str(t.feature): KINDS[check].why_not(t.feature, has_samples=t.feature in samples)
                for t in found
            }
            raise InvalidCheck.from_reasons(check, {key: text or "" for key, text in why.items()})


def _known(call: str, option: str, checks: Any) -> frozenset[str]:
    if isinstance(checks, str) or not isinstance(checks, Collection) or not checks:
        raise InvalidCheck.from_argument(call, option, checks, f"a list of {', '.join(KINDS)}")
    for check in checks:
        if check not in KINDS:
            raise InvalidCheck.from_unknown(call, option, check, list(KINDS))
    return frozenset(checks)


def _severities(call: str, severity: Any) -> dict[str, dg.AssetCheckSeverity]:
    usual = {
        name: dg.AssetCheckSeverity.ERROR if kind.is_error else dg.AssetCheckSeverity.WARN
        for name, kind in KINDS.items()
    }
    if severity is None:
        return usual
    if not isinstance(severity, Mapping):
        return dict.fromkeys(KINDS, _severity(call, "severity", severity))
    if severity:
        _known(call, "severity", severity)
    chosen = {name: _severity(call, f"severity[{name!r}]", each) for name, each in severity.items()}
    return {**usual, **chosen}


def _severity(call: str, option: str, given: Any) -> dg.AssetCheckSeverity:
    try:
        return dg.AssetCheckSeverity(given)
    except ValueError as error:
        known = [each.value for each in dg.AssetCheckSeverity]
        raise InvalidCheck.from_unknown(call, option, given, known) from error


def _blocking(call: str, blocking: Any) -> frozenset[str]:
    if isinstance(blocking, bool):
        return frozenset(KINDS) if blocking else frozenset()
    return _known(call, "blocking", blocking)


def _checked_limits(call: str, max_orphans: Any, max_attempts: Any) -> Limits:
    is_share = type(max_orphans) is float and 0 <= max_orphans <= 1
    is_count = type(max_orphans) is int and max_orphans >= 0
    if not (is_share or is_count):
        expected = "a whole number of records from 0, or a share as a float from 0.0 to 1.0"
        raise InvalidCheck.from_argument(call, "max_orphans", max_orphans, expected)
    if type(max_attempts) is not int or max_attempts < 1:
        expected = "a whole number from 1"
        raise InvalidCheck.from_argument(call, "max_attempts", max_attempts, expected)
    return Limits(max_orphans, max_attempts)
