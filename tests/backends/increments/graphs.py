"""Random graphs of features, in which everything that a definition can say occurs."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from .definitions import LEVELS, Dep, Feature, Field, Over

IDS = {
    "g": ["g0", "g1"],
    "id": ["r0", "r1", "r2", "r3"],
    "child": ["r0.0", "r0.1", "r1.0", "r2.0"],
}
OFFSPRING = {
    ("g0", "id"): ["r0", "r1"],
    ("g1", "id"): ["r2", "r3"],
    ("g0", "child"): ["r0.0", "r0.1"],
    ("g1", "child"): ["r1.0", "r2.0"],
    ("r0", "child"): ["r0.0", "r0.1"],
    ("r1", "child"): ["r1.0"],
    ("r2", "child"): ["r2.0"],
}
FIELDS = ["a", "b", "p/a", "q/b"]


def random_releases(random: Random) -> list[tuple[Feature, ...]]:
    """Features, and two further releases of them, each with one change more."""
    releases = [random_features(random)]
    while len(releases) < 3:
        releases.append(changed(random, releases[-1]))
    return releases


def random_features(random: Random) -> tuple[Feature, ...]:
    """Two to four features, of which the first, and perhaps the second, is a root."""
    made: list[Feature] = []
    for number in range(random.choice([2, 3, 3, 4])):
        key = f"f/{number}"
        if number == 0 or (number == 1 and random.randint(0, 3) == 3):
            level = random.choice(["id", "id", *LEVELS])
            made.append(Feature(key, level, level, random_fields(random, [], {})))
        else:
            made.append(random_dependent(random, key, made))
    return tuple(made)


def random_dependent(random: Random, key: str, made: list[Feature]) -> Feature:
    """A feature with one to three deps, the first of which decides what its records are."""
    first = random.choice(made)
    coarser, finer = coarser_than(first.level), finer_than(first.level)
    lineage = random.choice(
        ["identity", "identity", *["expansion"] * bool(finer), *["aggregation"] * bool(coarser)]
    )
    grain = random.choice(coarser) if lineage == "aggregation" else first.level
    level = random.choice(finer) if lineage == "expansion" else grain
    others = [above for above in made if above is not first and grain in levels_in(above)]
    chosen = random.sample(others, min(random.choice([0, 0, 1, 1, 2]), len(others)))
    deps = [random_dep(random, first, lineage, key)]
    for above in chosen:
        same = ["identity", "expansion"] if level != grain else ["identity"]
        kind = random.choice(same) if above.level == grain else "aggregation"
        deps.append(random_dep(random, above, kind, key))
    features = {above.key: above for above in made}
    return Feature(key, level, grain, random_fields(random, deps, features), tuple(deps))


def random_dep(random: Random, above: Feature, lineage: str, key: str) -> Dep:
    mapping: Any = random.choice(
        [None, None, None, None, "by_name", "by_suffix", "explicit", "all", "none"]
    )
    if mapping == "explicit":
        offered = [field.key for field in above.fields]
        mapping = tuple(
            (own, tuple(random.sample(offered, random.randint(0, len(offered)))))
            for own in random.sample(FIELDS, 2)
        )
    return Dep(
        above.key,
        lineage,
        optional=random.choice([False, True]),
        filter=random_filter(random, above),
        mapping=mapping,
        carries=lineage != "aggregation" and random.choice([False, True]),
    )


def random_filter(random: Random, above: Feature) -> Over | None:
    by_number = Over("n", 0, or_null=random.choice([False, True]))
    by_id = Over(above.column(above.level), IDS[above.level][0])
    return random.choice([None, None, None, by_number, by_id])


def random_fields(
    random: Random, deps: list[Dep], features: dict[str, Feature]
) -> tuple[Field, ...]:
    offered: list[tuple[str, str | None]] = [
        (dep.feature, key)
        for dep in deps
        for key in (None, *(field.key for field in features[dep.feature].fields))
    ]
    return tuple(
        Field(key, "1", random_reads(random, offered))
        for key in random.sample(FIELDS, random.randint(1, 3))
    )


def random_reads(
    random: Random, offered: list[tuple[str, str | None]]
) -> tuple[tuple[str, str | None], ...] | None:
    if not offered or random.choice([True, True, False]):
        return None
    return tuple(random.sample(offered, random.randint(0, min(3, len(offered)))))


def changed(random: Random, features: tuple[Feature, ...]) -> tuple[Feature, ...]:
    """Other code of a field, a field more, a field less, or another filter or option of a dep."""
    kinds = [with_other_code, with_other_code, with_one_more, with_one_less, with_other_dep]
    index = random.randrange(len(features))
    feature = random.choice(kinds)(random, features[index], features)
    return (*features[:index], feature, *features[index + 1 :])


def with_other_code(random: Random, feature: Feature, _: tuple[Feature, ...]) -> Feature:
    bumped = random.choice(feature.fields)
    fields = [
        replace(field, code=f"{field.code}+") if field is bumped else field
        for field in feature.fields
    ]
    return replace(feature, fields=tuple(fields))


def with_one_more(random: Random, feature: Feature, _: tuple[Feature, ...]) -> Feature:
    absent = sorted({*FIELDS} - {field.key for field in feature.fields})
    if not absent:
        return feature
    return replace(feature, fields=(*feature.fields, Field(random.choice(absent))))


def with_one_less(random: Random, feature: Feature, features: tuple[Feature, ...]) -> Feature:
    """A field that another names stays."""
    named = {pair for other in features for own in other.fields for pair in own.reads or ()}
    for dep in (dep for other in features for dep in other.deps):
        if isinstance(dep.mapping, tuple):
            named |= {(dep.feature, key) for _, keys in dep.mapping for key in keys}
    free = [field for field in feature.fields if (feature.key, field.key) not in named]
    if not free or len(feature.fields) == 1:
        return with_one_more(random, feature, features)
    gone = random.choice(free)
    return replace(feature, fields=tuple(field for field in feature.fields if field is not gone))


def with_other_dep(random: Random, feature: Feature, features: tuple[Feature, ...]) -> Feature:
    if not feature.deps:
        return with_other_code(random, feature, features)
    changing = random.choice(feature.deps)
    above = next(other for other in features if other.key == changing.feature)
    optional, condition = random.choice([False, True]), random_filter(random, above)
    other = replace(changing, optional=optional, filter=condition)
    deps = tuple(other if dep is changing else dep for dep in feature.deps)
    return replace(feature, deps=deps)


def coarser_than(level: str) -> tuple[str, ...]:
    return LEVELS[: LEVELS.index(level)]


def finer_than(level: str) -> tuple[str, ...]:
    return LEVELS[LEVELS.index(level) + 1 :]


def levels_in(feature: Feature) -> tuple[str, ...]:
    """The levels whose ids a feature's records carry: its own and all coarser ones."""
    return (*coarser_than(feature.level), feature.level)
