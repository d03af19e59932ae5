"""Asset checks of features: what is left to do, what went wrong, and whether the table is sound."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import dagster as dg

from metaxy_core.keys import KeyLike
from metaxy_dagster.check_kinds import KINDS, CheckKind, Limits, State
from metaxy_dagster.errors import InvalidCheck
from metaxy_dagster.feature_name import FEATURE, FeatureName, feature_name
from metaxy_dagster.targets import Target, targets
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
    features: Any = None,
    *,
    checks: Collection[FeatureCheck] | None = None,
    severity: Severity | Mapping[FeatureCheck, Severity] | None = None,
    blocking: bool | Collection[FeatureCheck] = False,
    max_orphans: float = 0,
    max_attempts: int = 1,
    samples: Mapping[Any, Any] | None = None,
    name: str | None = None,
    store_key: str = "metaxy_store",
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
    found = targets(features, translator or MetaxyTranslator(), _FACTORY)
    names = [str(target.feature) for target in found]
    limits = _checked_limits(names, max_orphans, max_attempts)
    options = _Options(
        severities=_severities(names, severity),
        blocking=_blocking(names, blocking),
        limits=limits,
        name="checks" if name is None else name,
        store_key=store_key,
    )
    given = _samples(found, {} if samples is None else samples)
    told = {target.asset_key: _told(target, checks, names, given) for target in found}
    if checks is not None:
        _check_all_told(checks, found, told, given)
    return [
        _definition(target, told[target.asset_key], given.get(target.feature), options)
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
    target: Target, kinds: Mapping[str, CheckKind], samples: Any, options: _Options
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
            state = State(store, target.feature, samples, options.limits)
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


def _told(
    target: Target,
    checks: Collection[str] | None,
    names: Sequence[str],
    samples: Mapping[FeatureName, Any],
) -> dict[str, CheckKind]:
    """The checks that can be told of a feature, of those that are wanted."""
    wanted = KINDS.keys() if checks is None else _known(names, "checks", checks)
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
    samples: Mapping[FeatureName, Any],
) -> None:
    for check in checks:
        if not any(check in kinds for kinds in told.values()):
            why = {
                str(t.feature): KINDS[check].why_not(t.feature, has_samples=t.feature in samples)
                for t in found
            }
            raise InvalidCheck.from_reasons(check, {key: text or "" for key, text in why.items()})


def _known(names: Sequence[str], option: str, checks: Any) -> frozenset[str]:
    if isinstance(checks, str) or not isinstance(checks, Collection) or not checks:
        raise InvalidCheck.from_option(names, option, checks, f"a list of {', '.join(KINDS)}")
    for check in checks:
        if check not in KINDS:
            raise InvalidCheck.from_unknown(names, option, check, list(KINDS))
    return frozenset(checks)


def _severities(names: Sequence[str], severity: Any) -> dict[str, dg.AssetCheckSeverity]:
    usual = {
        name: dg.AssetCheckSeverity.ERROR if kind.is_error else dg.AssetCheckSeverity.WARN
        for name, kind in KINDS.items()
    }
    if severity is None:
        return usual
    if not isinstance(severity, Mapping):
        return dict.fromkeys(KINDS, _severity(names, "severity", severity))
    if severity:
        _known(names, "severity", severity)
    chosen = {
        name: _severity(names, f"severity[{name!r}]", each) for name, each in severity.items()
    }
    return {**usual, **chosen}


def _severity(names: Sequence[str], option: str, given: Any) -> dg.AssetCheckSeverity:
    try:
        return dg.AssetCheckSeverity(given)
    except ValueError as error:
        known = [each.value for each in dg.AssetCheckSeverity]
        raise InvalidCheck.from_unknown(names, option, given, known) from error


def _blocking(names: Sequence[str], blocking: Any) -> frozenset[str]:
    if isinstance(blocking, bool):
        return frozenset(KINDS) if blocking else frozenset()
    return _known(names, "blocking", blocking)


def _checked_limits(names: Sequence[str], max_orphans: Any, max_attempts: Any) -> Limits:
    is_share = type(max_orphans) is float and 0 <= max_orphans <= 1
    is_count = type(max_orphans) is int and max_orphans >= 0
    if not (is_share or is_count):
        expected = "a whole number of records from 0, or a share as a float from 0.0 to 1.0"
        raise InvalidCheck.from_option(names, "max_orphans", max_orphans, expected)
    if type(max_attempts) is not int or max_attempts < 1:
        expected = "a whole number from 1"
        raise InvalidCheck.from_option(names, "max_attempts", max_attempts, expected)
    return Limits(max_orphans, max_attempts)


def _samples(found: Sequence[Target], samples: Any) -> dict[FeatureName, Any]:
    names = [str(target.feature) for target in found]
    if not isinstance(samples, Mapping):
        expected = "a mapping of root features to frames or functions"
        raise InvalidCheck.from_option(names, "samples", samples, expected)
    given: dict[FeatureName, Any] = {}
    for feature, frame in samples.items():
        name = _named(found, feature)
        if name not in names or not name.plan.is_root:
            expected = f"samples of root features among them; {str(name)!r} is none"
            raise InvalidCheck.from_option(names, "samples", list(map(str, samples)), expected)
        given[name] = frame
    return given


def _named(found: Sequence[Target], feature: KeyLike) -> FeatureName:
    """A feature by class, or by key among those that are there."""
    for target in found:
        if isinstance(feature, str) and str(target.feature) == feature:
            return target.feature
    return feature_name(feature, _FACTORY)
