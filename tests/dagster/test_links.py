"""A materialization leads on to its commits, to the runs before it, and to what is upstream."""

import dagster as dg

import metaxy_dagster as mxd


def values(result, key):
    (event,) = [
        event.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key == key
    ]
    return event.metadata


def test_the_commits_of_a_run_are_a_table(lab, media):
    lab.run(*lab.assets(media))
    lab.samples |= {"a": ("2", "2"), "c": ("1", "1")}

    table = values(lab.run(*lab.assets(media)), lab.VIDEO)["metaxy/commit_table"]

    (row,) = [record.data for record in table.records]
    assert {name: row[name] for name in ("commit", "records", "new", "replaced")} == {
        "commit": 3,
        "records": 2,
        "new": 1,
        "replaced": 1,
    }
    assert row["feature_version"] == media.graph.versions[media.Video.spec.key].feature


def test_many_commits_are_shown_from_the_last_ones_on(lab, media):
    lab.samples = {f"v{number:02}": ("1", "1") for number in range(25)}

    @mxd.metaxify(media.Transcript)
    def transcript(increment):
        yield from map(lab.transcribed, increment.batches(1))

    metadata = values(lab.run(lab.video(media), transcript), lab.TRANSCRIPT)

    assert len(metadata["metaxy/commits"].value) == 25
    shown = [record.data["commit"] for record in metadata["metaxy/commit_table"].records]
    assert shown == list(range(7, 27))


def test_a_run_without_work_leads_to_the_run_that_made_the_state(lab, media):
    first = lab.run(*lab.assets(media))

    metadata = values(lab.run(*lab.assets(media)), lab.TRANSCRIPT)

    assert metadata["metaxy/state_run"] == dg.MetadataValue.dagster_run(first.run_id)
    assert metadata["metaxy/state_commit"].value == 2
    assert "metaxy/commit_table" not in metadata


def test_records_written_outside_of_dagster_lead_to_no_run(lab, media):
    with lab.store.open() as store:
        increment = store.resolve_update(media.Video, lab.clips(lab.samples))
        store.write(media.Video, increment.new, materialization_id="by hand")

    metadata = values(lab.run(lab.video(media)), lab.VIDEO)

    assert metadata["metaxy/state_commit"].value == 1
    assert "metaxy/state_run" not in metadata


def test_the_state_of_each_upstream_feature_is_a_table(lab, media):
    first = lab.run(*lab.assets(media))

    table = values(first, lab.TRANSCRIPT)["metaxy/upstream"]

    versions = media.graph.versions[media.Video.spec.key]
    (row,) = [record.data for record in table.records]
    assert row.pop("at").startswith("20")
    assert row == {
        "feature": "example/video",
        "code_version": versions.code,
        "feature_version": versions.feature,
        "commit": "1",
        "run": first.run_id,
    }


def test_an_upstream_feature_that_was_never_written_has_no_commit(lab, media):
    metadata = values(lab.run(lab.transcript(media)), lab.TRANSCRIPT)

    (row,) = [record.data for record in metadata["metaxy/upstream"].records]
    assert (row["commit"], row["at"], row["run"]) == ("none", "none", "none")


def test_each_changed_field_is_a_number_that_dagster_plots(lab, media):
    lab.run(*lab.assets(media))
    lab.samples |= {"a": ("2", "1"), "b": ("2", "2")}

    metadata = values(lab.run(lab.video(media)), lab.VIDEO)

    assert metadata["metaxy/changed/audio"] == dg.MetadataValue.int(2)
    assert metadata["metaxy/changed/frames"] == dg.MetadataValue.int(1)


def test_the_increment_is_previewed_in_the_log_and_on_the_page(lab, media):
    lab.run(lab.video(media), lab.transcript(media))
    lab.samples |= {f"v{number}": ("1", "1") for number in range(7)} | {"a": ("2", "1")}

    result = lab.run(*lab.assets(media))

    shown = lab.metadata(result, lab.TRANSCRIPT)["metaxy/increment"]
    head, _, *rows, gap, more = shown.splitlines()
    assert head == "| video_id | path | changed |"
    assert len(rows) == 5
    assert {row.split(" | ")[2].strip(" |") for row in rows} == {"text"}
    assert (gap, more) == ("", "… and 3 more")
    samples = lab.metadata(result, lab.VIDEO)["metaxy/increment"]
    messages = [record.user_message for record in lab.instance.all_logs(result.run_id)]
    assert f"example/video, first records to do:\n\n{samples}" in messages
    assert f"example/transcript, first records to do:\n\n{shown}" in messages


def test_a_run_without_work_previews_no_increment(lab, media):
    lab.run(*lab.assets(media))

    assert "metaxy/increment" not in lab.metadata(lab.run(*lab.assets(media)), lab.TRANSCRIPT)


def test_an_asset_tells_its_kind_of_store_before_it_ran(lab, media):
    (spec,) = lab.video(media).specs

    assert spec.metadata["dagster/storage_kind"] == "duckdb"
    assert spec.metadata["dagster/table_name"] == "example__video"


def test_an_op_outside_of_assets_writes_a_feature_and_accounts_for_it(lab, media):
    out = dg.Out(io_manager_key="metaxy_io_manager", metadata={"metaxy/feature": media.Video})

    @dg.op(out=out)
    def clips():
        return lab.clips(lab.samples)

    @dg.job(resource_defs=lab.resources)
    def fill():
        clips()

    result = fill.execute_in_process(instance=lab.instance)

    (event,) = [event for event in result.all_events if event.event_type_value == "HANDLED_OUTPUT"]
    metadata = event.event_specific_data.metadata
    assert metadata["metaxy/state_run"] == dg.MetadataValue.dagster_run(result.run_id)
    assert metadata["metaxy/commits"].value == [1]
