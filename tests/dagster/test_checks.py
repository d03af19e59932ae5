"""Asset checks tell what is left to do, what fails, and whether a table is sound."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, get_args

import dagster as dg
import duckdb
import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd
from metaxy_core.errors import InvalidSelection
from metaxy_dagster.check_kinds import KINDS
from metaxy_dagster.checks import FeatureCheck
from metaxy_dagster.errors import InvalidCheck, InvalidOptions, MissingFeature

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


def names(checks: list[dg.AssetChecksDefinition]) -> dict[str, set[str]]:
    """The checks of each asset."""
    return {
        key.asset_key.to_user_string(): {
            other.name for other in definition.check_keys if other.asset_key == key.asset_key
        }
        for definition in checks
        for key in definition.check_keys
    }


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """What came out of each check of a run, by its name."""
    return {each.check_name: each for each in result.get_asset_check_evaluations()}


ALONE = dg.AssetSelection.all_asset_checks()


def checked(lab: Any, features: Any, **options: Any) -> dict[str, Any]:
    """Run the checks of features alone."""
    checks = mxd.feature_checks(features, **options)
    return evaluations(lab.run(*checks, selection=ALONE))


def found(evaluation: Any, *names: str) -> list[Any]:
    return [evaluation.metadata[f"metaxy/{name}"].value for name in names]


def tamper(lab: Any, statement: str) -> None:
    """Go past the store."""
    with duckdb.connect(lab.store.database) as connection:
        connection.execute(statement)


# ------------------------------------------------------------------ after a run


def test_after_a_run_every_check_passes(lab: Any, media: SimpleNamespace) -> None:
    checks = mxd.feature_checks([media.Video, media.Transcript])
    result = lab.run(*lab.assets(media), *checks)
    assert {each.passed for each in result.get_asset_check_evaluations()} == {True}
    assert len(result.get_asset_check_evaluations()) == 4 + 7


def test_checks_run_after_their_asset_in_the_same_run(lab: Any, media: SimpleNamespace) -> None:
    (check,) = mxd.feature_checks(media.Transcript, checks=["increment_empty"])
    result = lab.run(*lab.assets(media), check)
    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.passed
    assert evaluation.target_materialization_data.run_id == result.run_id


def test_one_check_can_be_run_alone(lab: Any, media: SimpleNamespace) -> None:
    lab.run(*lab.assets(media))
    checks = mxd.feature_checks(media.Transcript)
    chosen = dg.AssetSelection.checks(dg.AssetCheckKey(lab.TRANSCRIPT, "ids_unique"))
    result = lab.run(*checks, selection=chosen)
    assert list(evaluations(result)) == ["ids_unique"]


def test_before_the_first_run_what_is_stored_is_sound(lab: Any, media: SimpleNamespace) -> None:
    results = checked(lab, media.Transcript)
    assert {name: each.passed for name, each in results.items()} == dict.fromkeys(KINDS, True)


# ------------------------------------------------------------------ what is left to do


def test_new_and_stale_records_are_counted_and_named(lab: Any, media: SimpleNamespace) -> None:
    lab.run(*lab.assets(media))
    lab.samples |= {"b": ("2", "1"), "c": ("1", "1")}
    lab.run(lab.video(media))
    left = checked(lab, media.Transcript)["increment_empty"]
    assert not left.passed
    assert found(left, "new", "stale", "changed_fields", "ids") == [1, 1, {"text": 1}, ["b", "c"]]
    assert "Materialize example/transcript" in left.description


def test_a_root_is_compared_with_samples_where_they_are_known(
    lab: Any, media: SimpleNamespace
) -> None:
    lab.run(*lab.assets(media))
    lab.samples = {"a": ("2", "1"), "c": ("1", "1")}
    results = checked(lab, media.Video, samples={media.Video: lambda: lab.clips(lab.samples)})
    assert found(results["increment_empty"], "new", "stale") == [1, 1]
    assert found(results["orphans_below_threshold"], "orphaned", "ids") == [1, ["b"]]


def test_samples_may_be_a_frame_under_the_feature_s_key(lab: Any, media: SimpleNamespace) -> None:
    lab.run(*lab.assets(media))
    samples = {"example/video": lab.clips(lab.samples)}
    assert checked(lab, media.Video, samples=samples)["increment_empty"].passed


def orphaned(lab: Any, media: SimpleNamespace) -> None:
    """One of two transcripts is orphaned."""
    lab.run(*lab.assets(media))
    with lab.store.open() as store:
        store.delete(media.Video, filters="video_id = 'b'")


@pytest.mark.parametrize(("allowed", "passed"), [(0, False), (1, True), (0.4, False), (0.5, True)])
def test_orphans_are_held_against_a_number_or_a_share(
    lab: Any, media: SimpleNamespace, allowed: float, passed: bool
) -> None:
    orphaned(lab, media)
    result = checked(lab, media.Transcript, max_orphans=allowed)["orphans_below_threshold"]
    assert result.passed == passed
    assert found(result, "orphaned", "orphaned_share", "ids") == [1, 0.5, ["b"]]
    assert ("delete_orphans_job" in result.description) == (not passed)


def test_blocked_records_are_told_with_what_blocks_them(lab: Any, media: SimpleNamespace) -> None:
    lab.run(*lab.assets(media))
    bumped = lab.features(audio="2")
    blocked = checked(lab, bumped.Transcript)["nothing_blocked"]
    assert (blocked.passed, *found(blocked, "blocked")) == (False, 2)
    assert "Materialize example/video" in blocked.description


def test_a_failing_record_is_told_with_its_error_and_is_not_work_left(
    lab: Any, media: SimpleNamespace
) -> None:
    lab.run(lab.video(media))
    with lab.store.open() as store:
        store.write(
            media.Transcript, lab.transcribed(store.resolve_update(media.Transcript).new[:1])
        )
        store.record_failure(media.Transcript, ["b"], ValueError("no audio"))
    results = checked(lab, media.Transcript)
    failing = results["nothing_failing"]
    assert (failing.passed, *found(failing, "failing", "last_errors")) == (
        False, 1, {"b": "ValueError: no audio"},
    )  # fmt: skip
    assert (results["increment_empty"].passed, *found(results["increment_empty"], "failing")) == (
        True, 1,
    )  # fmt: skip


def test_a_record_that_may_be_tried_again_is_work_left(lab: Any, media: SimpleNamespace) -> None:
    lab.run(lab.video(media))
    with lab.store.open() as store:
        store.record_failure(media.Transcript, ["a", "b"], "no audio")
        store.record_failure(media.Transcript, ["b"], "no audio")
    results = checked(lab, media.Transcript, max_attempts=2)
    assert found(results["nothing_failing"], "failing") == [1]
    assert found(results["increment_empty"], "new", "ids") == [1, ["a"]]


def test_failures_of_a_root_need_no_samples(lab: Any, media: SimpleNamespace) -> None:
    with lab.store.open() as store:
        new = store.resolve_update(media.Video, lab.clips(lab.samples)).new
        store.record_failure(media.Video, new, "unreadable")
    assert found(checked(lab, media.Video)["nothing_failing"], "failing") == [2]


# ------------------------------------------------------------------ what is stored


@pytest.mark.parametrize(
    ("statement", "check", "numbers"),
    [
        (
            "INSERT INTO example__transcript FROM example__transcript WHERE video_id = 'b'",
            "ids_unique",
            {"repeated_ids": 1, "null_ids": 0, "ids": ["b"]},
        ),
        (
            "UPDATE example__transcript SET metaxy_provenance__text = NULL WHERE video_id = 'a'",
            "provenance_complete",
            {"incomplete": 1, "ids": ["a"]},
        ),
        (
            "ALTER TABLE example__transcript DROP COLUMN text",
            "schema_as_declared",
            {"columns": 1, "mismatches": ["text is missing"]},
        ),
    ],
)
def test_what_was_written_past_the_store_is_an_error(
    lab: Any, media: SimpleNamespace, statement: str, check: str, numbers: dict[str, Any]
) -> None:
    lab.run(*lab.assets(media))
    tamper(lab, statement)
    table = ["ids_unique", "provenance_complete", "schema_as_declared"]
    results = checked(lab, media.Transcript, checks=table)
    assert {name for name, each in results.items() if not each.passed} == {check}
    assert results[check].severity == ERROR
    assert found(results[check], *numbers) == list(numbers.values())


def test_a_read_only_store_can_be_checked(lab: Any, media: SimpleNamespace) -> None:
    lab.run(*lab.assets(media))
    reader = mxd.MetaxyStoreResource(database=lab.store.database, read_only=True)
    checks = mxd.feature_checks(media.Transcript, store_key="reader")
    resources = {"reader": reader}
    result = dg.materialize(checks, instance=lab.instance, resources=resources, selection=ALONE)
    assert {each.passed for each in evaluations(result).values()} == {True}


# ------------------------------------------------------------------ which checks, of what


def test_a_root_has_the_checks_that_need_no_samples(media: SimpleNamespace) -> None:
    table = {"ids_unique", "schema_as_declared", "provenance_complete", "nothing_failing"}
    assert names(mxd.feature_checks(media.Video)) == {"example/video": table}


def test_of_another_project_s_feature_only_the_table_is_checked(media: SimpleNamespace) -> None:
    definition = media.graph["example/video"].model_copy(update={"external": True})
    graph = mx.FeatureGraph([definition])
    with graph.use():
        (found_checks,) = names(mxd.feature_checks("example/video")).values()
    assert found_checks == {"ids_unique", "schema_as_declared", "provenance_complete"}


def test_a_selection_and_no_features_at_all_look_at_the_active_graph(
    media: SimpleNamespace,
) -> None:
    with media.graph.use():
        assert set(names(mxd.feature_checks("+example/transcript"))) == {
            "example/video", "example/transcript",
        }  # fmt: skip
        assert set(names(mxd.feature_checks(checks=["ids_unique"]))) == {
            "example/video", "example/transcript",
        }  # fmt: skip


def test_an_asset_is_checked_under_its_own_key(lab: Any, media: SimpleNamespace) -> None:
    asset = lab.video(media, key=["media", "clips"])
    checks = mxd.feature_checks(asset, checks=["ids_unique"])
    result = lab.run(asset, *checks)
    (evaluation,) = result.get_asset_check_evaluations()
    assert (evaluation.asset_key.path, evaluation.passed) == (["media", "clips"], True)


def test_assets_without_a_feature_are_passed_over_where_others_have_one(
    lab: Any, media: SimpleNamespace
) -> None:
    @dg.asset
    def report() -> None: ...

    assert set(names(mxd.feature_checks([report, *lab.assets(media)]))) == {
        "example/video", "example/transcript",
    }  # fmt: skip
    with pytest.raises(MissingFeature, match="'report'"):
        mxd.feature_checks(report)


def test_a_translator_says_where_the_assets_are(media: SimpleNamespace) -> None:
    class Media(mxd.MetaxyTranslator):
        def asset_key(self, definition: Any) -> dg.AssetKey:
            return super().asset_key(definition).with_prefix("media")

    checks = mxd.feature_checks(media.Transcript, translator=Media())
    assert set(names(checks)) == {"media/example/transcript"}


def test_every_kind_of_check_can_be_named() -> None:
    assert set(get_args(FeatureCheck)) == set(KINDS)


# ------------------------------------------------------------------ severity and blocking


def test_work_left_warns_and_an_unsound_table_is_an_error(lab: Any, media: SimpleNamespace) -> None:
    results = checked(lab, media.Transcript)
    assert {name for name, each in results.items() if each.severity == ERROR} == {
        "ids_unique", "schema_as_declared", "provenance_complete",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("severity", "expected"),
    [
        ("ERROR", {"increment_empty": ERROR, "ids_unique": ERROR}),
        (WARN, {"increment_empty": WARN, "ids_unique": WARN}),
        ({"increment_empty": ERROR}, {"increment_empty": ERROR, "ids_unique": ERROR}),
        ({"ids_unique": "WARN"}, {"increment_empty": WARN, "ids_unique": WARN}),
    ],
)
def test_severity_is_chosen_for_all_checks_or_for_each(
    lab: Any, media: SimpleNamespace, severity: Any, expected: dict[str, Any]
) -> None:
    chosen = ["increment_empty", "ids_unique"]
    results = checked(lab, media.Transcript, checks=chosen, severity=severity)
    assert {name: each.severity for name, each in results.items()} == expected


def test_a_blocking_check_holds_assets_downstream_up(lab: Any, media: SimpleNamespace) -> None:
    checks = mxd.feature_checks(
        media.Video,
        checks=["increment_empty"],
        severity="ERROR",
        blocking=True,
        samples={media.Video: lab.clips({"missing": ("1", "1")})},
    )
    result = lab.run(*lab.assets(media), *checks, raise_on_error=False)
    assert not result.success
    assert lab.records(media.Transcript) == []


def test_only_the_named_checks_block(media: SimpleNamespace) -> None:
    (checks,) = mxd.feature_checks(media.Transcript, blocking=["ids_unique"])
    assert [spec.name for spec in checks.check_specs if spec.blocking] == ["ids_unique"]


def test_two_calls_about_one_asset_live_in_one_code_location(
    lab: Any, media: SimpleNamespace
) -> None:
    blocking = mxd.feature_checks(media.Transcript, checks=["ids_unique"], blocking=True)
    other = mxd.feature_checks(media.Transcript, checks=["nothing_blocked"], name="later")
    assert [each.node_def.name for each in (*blocking, *other)] == [
        "example__transcript_checks", "example__transcript_later",
    ]  # fmt: skip
    result = lab.run(*lab.assets(media), *blocking, *other)
    assert set(evaluations(result)) == {"ids_unique", "nothing_blocked"}


def test_checks_of_features_whose_keys_look_alike_live_in_one_code_location(lab: Any) -> None:
    with mx.FeatureGraph().use() as graph:
        for key in ("a/b_c", "a_b/c"):
            type("Clip", (mx.Feature,), {}, spec=mx.FeatureSpec(key=key))
    assets = mxd.load_feature_assets(graph)
    checks = mxd.feature_checks(assets, checks=["ids_unique"])
    selection = dg.AssetSelection.checks(*checks)
    assert lab.run(*assets, *checks, selection=selection).success


# ------------------------------------------------------------------ mistakes


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"checks": ["fresh"]}, "checks='fresh'; choose among increment_empty"),
        ({"checks": "ids_unique"}, "checks='ids_unique'; give a list"),
        ({"checks": []}, "checks=[]; give a list"),
        ({"severity": "FATAL"}, "severity='FATAL'; choose among WARN, ERROR"),
        ({"severity": {"fresh": "WARN"}}, "severity='fresh'; choose among increment_empty"),
        ({"severity": {"ids_unique": 3}}, "severity['ids_unique']=3; choose among WARN, ERROR"),
        ({"blocking": ["fresh"]}, "blocking='fresh'; choose among increment_empty"),
        ({"max_orphans": -1}, "max_orphans=-1; give a whole number"),
        ({"max_orphans": 1.5}, "max_orphans=1.5; give a whole number"),
        ({"max_orphans": True}, "max_orphans=True; give a whole number"),
        ({"max_attempts": 0}, "max_attempts=0; give a whole number from 1"),
        ({"samples": pl.DataFrame()}, "give a mapping of root features"),
        (
            {"samples": {"example/transcript": pl.DataFrame()}},
            "which is no root feature",
        ),
    ],
)
def test_a_bad_option_is_told_with_the_feature_and_the_choice(
    media: SimpleNamespace, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidOptions) as error:
        mxd.feature_checks(media.Transcript, **options)
    assert "feature_checks of 'example/transcript' has" in str(error.value)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        ("increment_empty", "'example/video': it is a root, and samples= does not have"),
        ("nothing_blocked", "'example/video': it has no deps that it could wait for"),
    ],
)
def test_a_check_that_can_be_told_of_no_feature_is_refused(
    media: SimpleNamespace, check: str, reason: str
) -> None:
    with pytest.raises(InvalidCheck, match=check) as error:
        mxd.feature_checks(media.Video, checks=[check])
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("features", "error", "told"),
    [
        (3, InvalidOptions, "has features=3; give classes, keys, selections"),
        ([], InvalidOptions, "was given no feature; say which ones"),
        ("nothing/*", InvalidSelection, "nothing/*"),
    ],
)
def test_what_names_no_feature_is_refused(
    media: SimpleNamespace, features: Any, error: type[Exception], told: str
) -> None:
    with media.graph.use(), pytest.raises(error) as raised:
        mxd.feature_checks(features)
    assert told in str(raised.value)
