"""Maintenance jobs count first, do what they are told, and tell Dagster the truth about it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import dagster as dg
import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd
from metaxy_core.errors import InvalidSelection, MigrationRefused, UnknownFeature
from metaxy_dagster.errors import InvalidOptions

FACTORIES = {
    "delete_orphans": mxd.delete_orphans_job,
    "compact": mxd.compact_job,
    "observe": mxd.observe_job,
    "rebase": mxd.rebase_job,
}


def launched(
    lab: Any, job: dg.JobDefinition, *, raise_on_error: bool = True, **config: Any
) -> dg.ExecuteInProcessResult:
    """Run a job as the launchpad does."""
    (node,) = (node.name for node in job.graph.nodes)
    return job.execute_in_process(
        run_config={"ops": {node: {"config": config}}},
        resources=lab.resources,
        instance=lab.instance,
        raise_on_error=raise_on_error,
    )


def output(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """The metadata of the op's output, without prefix, tables as lists of rows."""
    (event,) = (e for e in result.all_node_events if e.event_type_value == "STEP_OUTPUT")
    return shown(event.event_specific_data.metadata)


def shown(metadata: Any) -> dict[str, Any]:
    return {
        name.removeprefix("metaxy/"): [dict(record.data) for record in value.records]
        if isinstance(value, dg.TableMetadataValue)
        else value.value
        for name, value in metadata.items()
    }


def told(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Which assets a run reported, and how."""
    names = {"ASSET_MATERIALIZATION": "materialized", "ASSET_OBSERVATION": "observed"}
    return {
        event.asset_key.to_user_string(): names[event.event_type_value]
        for event in result.all_events
        if event.event_type_value in names
    }


def observation(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dg.AssetObservation:
    (event,) = (e for e in result.get_asset_observation_events() if e.asset_key == key)
    return event.event_specific_data.asset_observation


def lost(lab: Any, media: SimpleNamespace, *names: str) -> None:
    """Clips a to d were processed, then some of the clips were deleted."""
    lab.samples = dict.fromkeys("abcd", ("1", "1"))
    lab.run(*lab.assets(media))
    with lab.store.open() as store:
        store.delete(media.Video, pl.DataFrame({"video_id": list(names)}))


def ids(lab: Any, feature: Any) -> list[str]:
    return [row["video_id"] for row in lab.records(feature)]


# ------------------------------------------------------------------ orphans


def test_a_dry_run_counts_orphans_and_deletes_none(lab: Any, media: SimpleNamespace) -> None:
    lost(lab, media, "c")
    result = launched(lab, mxd.delete_orphans_job(media.Transcript))
    assert output(result) == {
        "orphaned": 1,
        "deleted": 0,
        "dry_run": True,
        "features": [
            {"feature": "example/transcript", "orphaned": 1, "deleted": 0, "note": ""},
        ],
    }
    assert (ids(lab, media.Transcript), told(result)) == (["a", "b", "c", "d"], {})


def test_orphans_are_deleted_under_the_run_s_id(lab: Any, media: SimpleNamespace) -> None:
    lost(lab, media, "c")
    result = launched(lab, mxd.delete_orphans_job(media.Transcript), dry_run=False)
    assert (output(result)["deleted"], ids(lab, media.Transcript)) == (1, ["a", "b", "d"])
    with lab.store.open() as store:
        assert store.commits(media.Transcript)[0].materialization_id == result.run_id


def test_a_job_may_start_without_dry_run(lab: Any, media: SimpleNamespace) -> None:
    lost(lab, media, "c")
    launched(lab, mxd.delete_orphans_job(media.Transcript, dry_run=False))
    assert ids(lab, media.Transcript) == ["a", "b", "d"]


def test_what_was_deleted_upstream_is_orphaned_downstream_in_the_same_run(
    lab: Any, media: SimpleNamespace
) -> None:
    lost(lab, media)
    lab.samples = dict.fromkeys("abc", ("1", "1"))
    job = mxd.delete_orphans_job(
        [media.Transcript, media.Video],
        samples={media.Video: lambda: lab.clips(lab.samples)},
        dry_run=False,
    )
    result = launched(lab, job)
    assert output(result)["deleted"] == 2
    assert (ids(lab, media.Video), ids(lab, media.Transcript)) == (["a", "b", "c"],) * 2


def test_a_root_without_samples_is_passed_over(lab: Any, media: SimpleNamespace) -> None:
    lab.run(*lab.assets(media))
    result = launched(lab, mxd.delete_orphans_job([media.Video, media.Transcript]))
    root, _ = output(result)["features"]
    assert root == {
        "feature": "example/video", "orphaned": "", "deleted": 0, "note": "needs samples",
    }  # fmt: skip


def test_a_hard_delete_erases_the_history_too(lab: Any, media: SimpleNamespace) -> None:
    lost(lab, media, "c")
    launched(lab, mxd.delete_orphans_job(media.Transcript), dry_run=False, hard=True)
    with lab.store.open() as store:
        rows = store.read(media.Transcript, history=True, include_deleted=True).to_polars()
    assert sorted(rows["video_id"]) == ["a", "b", "d"]


def test_too_large_a_share_is_left_alone_and_fails_the_run(
    lab: Any, media: SimpleNamespace
) -> None:
    lost(lab, media, "a", "b", "c")
    job = mxd.delete_orphans_job(media.Transcript)
    result = launched(lab, job, dry_run=False, raise_on_error=False)
    assert not result.success
    (failure,) = (e for e in result.all_node_events if e.event_type_value == "STEP_FAILURE")
    description = failure.event_specific_data.user_failure_data.description
    assert "example/transcript (3 of 4)" in description
    assert "larger max_share" in description
    assert ids(lab, media.Transcript) == ["a", "b", "c", "d"]
    launched(lab, job, dry_run=False, max_share=0.75)
    assert ids(lab, media.Transcript) == ["d"]


def test_a_dry_run_only_notes_that_the_share_is_too_large(lab: Any, media: SimpleNamespace) -> None:
    lost(lab, media, "a", "b", "c")
    result = launched(lab, mxd.delete_orphans_job(media.Transcript))
    assert output(result)["features"][0]["note"] == "more than 50% of 4 records"


def test_deleting_makes_what_is_downstream_stale_in_dagster_and_not_the_asset_itself(
    lab: Any, media: SimpleNamespace
) -> None:
    lost(lab, media, "c")
    before = lab.instance.get_latest_materialization_event(lab.TRANSCRIPT).asset_materialization
    result = launched(lab, mxd.delete_orphans_job(media.Transcript), dry_run=False)
    after = lab.instance.get_latest_materialization_event(lab.TRANSCRIPT).asset_materialization
    assert told(result) == {"example/transcript": "materialized"}
    with lab.store.open() as store:
        expected = mxd.data_version(store, media.Transcript).value
    version = "dagster/data_version"
    assert expected != before.tags[version]
    assert after.tags == {**before.tags, version: expected}
    assert shown(after.metadata)["deleted"] == 1
    assert shown(after.metadata)["dagster/row_count"] == 3


def test_an_asset_that_dagster_never_materialized_is_observed(
    lab: Any, media: SimpleNamespace
) -> None:
    lost(lab, media, "c")
    lab.instance.wipe()
    result = launched(lab, mxd.delete_orphans_job(media.Transcript), dry_run=False)
    assert told(result) == {"example/transcript": "observed"}


def test_every_asset_that_feeds_a_feature_is_told(lab: Any, media: SimpleNamespace) -> None:
    lost(lab, media, "c")
    metadata = {"metaxy/feature": "example/transcript"}
    specs = [dg.AssetSpec(["texts", name], metadata=metadata) for name in ("spoken", "written")]
    with media.graph.use():
        job = mxd.delete_orphans_job(specs, dry_run=False)
    result = launched(lab, job)
    assert told(result) == {"texts/spoken": "observed", "texts/written": "observed"}
    assert output(result)["deleted"] == 1


# ------------------------------------------------------------------ compaction


def rewritten(lab: Any, media: SimpleNamespace) -> None:
    """Both clips and transcripts have one former version."""
    lab.run(*lab.assets(media))
    lab.samples = dict.fromkeys("ab", ("2", "2"))
    lab.run(*lab.assets(media))


def rows(lab: Any, feature: Any) -> int:
    with lab.store.open() as store:
        return store.read(feature, history=True).count()


def test_compaction_is_counted_before_it_is_done(lab: Any, media: SimpleNamespace) -> None:
    rewritten(lab, media)
    job = mxd.compact_job([media.Video, media.Transcript])
    planned = output(launched(lab, job, keep="0d"))
    assert (planned["rows"], planned["erased"], rows(lab, media.Video)) == (4, 0, 4)
    done = launched(lab, job, keep="0d", dry_run=False)
    assert (output(done)["rows"], output(done)["erased"], rows(lab, media.Video)) == (4, 4, 2)
    assert told(done) == {"example/video": "observed", "example/transcript": "observed"}


def test_compaction_leaves_data_versions_as_they_were(lab: Any, media: SimpleNamespace) -> None:
    rewritten(lab, media)
    before = lab.data_version(lab.TRANSCRIPT)
    result = launched(lab, mxd.compact_job(media.Transcript), keep="0d", dry_run=False)
    assert observation(result, lab.TRANSCRIPT).tags == {"dagster/data_version": before}


@pytest.mark.slow
@pytest.mark.parametrize(("keep", "erased"), [("30d", 0), ("1", 0), ("0d", 2), ("4", 2)])
def test_history_is_kept_for_a_span_or_from_a_commit_on(
    lab: Any, media: SimpleNamespace, keep: str, erased: int
) -> None:
    rewritten(lab, media)
    job = mxd.compact_job(media.Transcript, dry_run=False)
    assert output(launched(lab, job, keep=keep))["erased"] == erased


def test_a_feature_with_little_history_is_left_alone(lab: Any, media: SimpleNamespace) -> None:
    rewritten(lab, media)
    job = mxd.compact_job(media.Transcript, dry_run=False)
    result = launched(lab, job, keep="0d", at_least=3)
    assert output(result)["features"] == [
        {"feature": "example/transcript", "rows": 2, "erased": 0, "note": "fewer than 3"},
    ]
    assert rows(lab, media.Transcript) == 4


def test_an_unreadable_span_is_told(lab: Any, media: SimpleNamespace) -> None:
    with pytest.raises(InvalidOptions, match="keep='a month', and 'a month' is neither"):
        launched(lab, mxd.compact_job(media.Transcript), keep="a month")


# ------------------------------------------------------------------ observations


def test_every_feature_is_observed_with_its_counts(lab: Any, media: SimpleNamespace) -> None:
    lab.run(*lab.assets(media))
    lab.samples |= {"b": ("2", "1"), "c": ("1", "1")}
    lab.run(lab.video(media))
    with media.graph.use():
        result = launched(lab, mxd.observe_job())
    found = observation(result, lab.TRANSCRIPT)
    assert found.tags == {"dagster/data_version": lab.data_version(lab.TRANSCRIPT)}
    names = ("dagster/row_count", "new", "stale", "orphaned", "blocked", "commits", "last_commit")
    assert [shown(found.metadata)[name] for name in names] == [2, 1, 1, 0, 0, 1, 2]
    root = shown(observation(result, lab.VIDEO).metadata)
    assert (root["dagster/row_count"], "new" in root) == (3, False)
    assert output(result)["records"] == 5


def test_a_root_with_samples_is_compared_too(lab: Any, media: SimpleNamespace) -> None:
    samples = {"example/video": lab.clips({"a": ("1", "1")})}
    result = launched(lab, mxd.observe_job(media.Video, samples=samples))
    assert shown(observation(result, lab.VIDEO).metadata)["new"] == 1


def test_without_increments_nothing_is_compared(lab: Any, media: SimpleNamespace) -> None:
    lab.run(*lab.assets(media))
    result = launched(lab, mxd.observe_job(media.Transcript), increments=False)
    assert "new" not in shown(observation(result, lab.TRANSCRIPT).metadata)


# ------------------------------------------------------------------ rebases


def test_a_rebase_is_counted_first(lab: Any, media: SimpleNamespace) -> None:
    lab.run(*lab.assets(media))
    bumped = lab.features(text="2")
    result = launched(lab, mxd.rebase_job(bumped.Transcript))
    assert output(result)["features"] == [
        {"feature": "example/transcript", "to_restamp": 2, "restamped": 0, "left": 0},
    ]
    with lab.store.open() as store:
        assert store.resolve_update(bumped.Transcript).counts.stale == 2


def test_a_rebase_leaves_nothing_to_do_and_dagster_sees_the_present_code(
    lab: Any, media: SimpleNamespace
) -> None:
    lab.run(*lab.assets(media))
    before = lab.instance.get_latest_materialization_event(lab.TRANSCRIPT).asset_materialization
    bumped = lab.features(text="2")
    transcript = lab.transcript(bumped)
    result = launched(lab, mxd.rebase_job(transcript), dry_run=False)
    assert output(result)["restamped"] == 2
    with lab.store.open() as store:
        assert not store.resolve_update(bumped.Transcript).counts
    after = lab.instance.get_latest_materialization_event(lab.TRANSCRIPT).asset_materialization
    code = "dagster/code_version"
    (current,) = transcript.code_versions_by_key.values()
    assert before.tags[code] != current
    assert after.tags == {**before.tags, code: current}


def test_a_rebase_that_leaves_records_stale_does_not_claim_the_present_code(
    lab: Any, media: SimpleNamespace
) -> None:
    lab.run(*lab.assets(media))
    lab.samples["b"] = ("2", "1")
    lab.run(lab.video(media))
    result = launched(lab, mxd.rebase_job(lab.features(text="2").Transcript), dry_run=False)
    assert (output(result)["restamped"], output(result)["left"]) == (1, 1)
    assert told(result) == {"example/transcript": "observed"}


def renamed(field: str) -> SimpleNamespace:
    """A root whose only field has this name."""
    with mx.FeatureGraph().use():

        class Clip(mx.Feature, spec=mx.FeatureSpec(
            key="clip", id_columns=["id"],
            fields=[mx.FieldSpec(key=field, version_from=["etag"])],
        )):  # fmt: skip
            id: str
            etag: str

    return SimpleNamespace(Clip=Clip)


def test_a_renamed_field_is_told_in_the_launchpad(lab: Any) -> None:
    samples = pl.DataFrame({"id": ["a"], "etag": ["1"]})
    with lab.store.open() as store:
        store.write(renamed("sound").Clip, samples)
    job = mxd.rebase_job(renamed("audio").Clip)
    (row,) = output(launched(lab, job))["features"]
    assert "'audio'" in row["note"]
    with pytest.raises(MigrationRefused, match="audio"):
        launched(lab, job, dry_run=False)
    fields = {"clip": {"audio": "sound"}}
    assert output(launched(lab, job, dry_run=False, fields=fields))["restamped"] == 1


# ------------------------------------------------------------------ scope, names, mistakes


def test_a_run_may_be_about_some_of_the_job_s_features(lab: Any, media: SimpleNamespace) -> None:
    lab.run(*lab.assets(media))
    job = mxd.observe_job([media.Video, media.Transcript])
    result = launched(lab, job, features=["*/video"])
    assert told(result) == {"example/video": "observed"}


@pytest.mark.parametrize(
    ("selection", "error", "message"),
    [
        (["example/video"], InvalidOptions, "is about example/transcript, and features="),
        (["no/such"], UnknownFeature, "no/such"),
        (["nothing/*"], InvalidSelection, "nothing/"),
    ],
)
def test_a_selection_of_nothing_in_the_job_is_refused(
    lab: Any, media: SimpleNamespace, selection: list[str], error: type[Exception], message: str
) -> None:
    job = mxd.observe_job(media.Transcript)
    with pytest.raises(error, match=message):
        launched(lab, job, features=selection)


def test_features_of_two_graphs_are_refused(lab: Any, media: SimpleNamespace) -> None:
    with pytest.raises(InvalidOptions, match="are of two graphs"):
        mxd.observe_job([media.Video, lab.features().Transcript])


def test_samples_of_what_is_no_root_are_refused(media: SimpleNamespace) -> None:
    with pytest.raises(InvalidOptions, match="samples of 'example/transcript'"):
        mxd.observe_job(media.Transcript, samples={media.Transcript: pl.DataFrame()})


def test_the_jobs_live_in_one_code_location_also_twice(lab: Any, media: SimpleNamespace) -> None:
    first = [factory(media.Transcript) for factory in FACTORIES.values()]
    second = [factory(media.Video, name=f"video_{key}") for key, factory in FACTORIES.items()]
    defs = dg.Definitions(assets=lab.assets(media), jobs=[*first, *second], resources=lab.resources)
    dg.Definitions.validate_loadable(defs)
    assert [job.name for job in first] == [f"{name}_job" for name in FACTORIES]


@pytest.mark.parametrize("name", FACTORIES)
def test_every_choice_in_the_launchpad_is_described(media: SimpleNamespace, name: str) -> None:
    job = FACTORIES[name](media.Transcript)
    (node,) = job.graph.nodes
    assert node.name == name
    fields = node.definition.config_schema.config_type.fields
    assert [key for key, field in fields.items() if not field.description] == []
    assert "features" in fields


def test_ops_can_be_put_in_a_row(lab: Any, media: SimpleNamespace) -> None:
    lost(lab, media, "c")
    delete = mxd.delete_orphans_op(media.Transcript, dry_run=False)
    compact = mxd.compact_op(media.Transcript, dry_run=False)
    observe = mxd.observe_op(media.Transcript)

    @dg.job
    def nightly():
        observe(compact(delete()))

    result = nightly.execute_in_process(
        run_config={"ops": {"compact": {"config": {"keep": "0d"}}}},
        resources=lab.resources,
        instance=lab.instance,
    )
    steps = [e.step_key for e in result.all_events if e.event_type_value == "STEP_SUCCESS"]
    assert steps == ["delete_orphans", "compact", "observe"]
    assert (ids(lab, media.Transcript), rows(lab, media.Transcript)) == (["a", "b", "d"], 3)


def test_the_children_of_a_lost_parent_are_deleted(lab: Any, media: SimpleNamespace) -> None:
    with media.graph.use():
        dep = mx.FeatureDep(feature=media.Video, columns=[], lineage=mx.expansion())
        spec = mx.FeatureSpec(key="example/chunk", id_columns=["video_id", "number"], deps=[dep])

        class Chunk(mx.Feature, spec=spec):
            number: int

    with lab.store.open() as store:
        store.write(media.Video, lab.clips(dict.fromkeys("abc", ("1", "1"))))
        parents = store.resolve_update(Chunk).new
        store.write(Chunk, parents.join(pl.DataFrame({"number": [0, 1]}), how="cross"))
        store.delete(media.Video, filters="video_id = 'c'")
    result = launched(lab, mxd.delete_orphans_job(Chunk), dry_run=False)
    assert (output(result)["deleted"], ids(lab, Chunk)) == (2, ["a", "a", "b", "b"])


def test_a_partitioned_asset_is_observed(lab: Any, media: SimpleNamespace) -> None:
    lost(lab, media, "c")
    partitions = dg.StaticPartitionsDefinition(["x", "y"])
    spec = dg.AssetSpec(
        lab.TRANSCRIPT,
        metadata={"metaxy/feature": "example/transcript"},
        partitions_def=partitions,
    )
    with media.graph.use():
        job = mxd.delete_orphans_job(spec, dry_run=False)
    assert told(launched(lab, job)) == {"example/transcript": "observed"}


def test_another_project_s_records_are_not_touched(lab: Any, media: SimpleNamespace) -> None:
    rewritten(lab, media)
    external = media.graph["example/video"].model_copy(update={"external": True})
    with mx.FeatureGraph([external]).use():
        for job in (mxd.compact_job("example/video"), mxd.delete_orphans_job("example/video")):
            result = launched(lab, job, dry_run=False)
            assert output(result)["features"][0]["note"] == "another project's"
    assert rows(lab, media.Video) == 4
