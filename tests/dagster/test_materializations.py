"""What a materialization shows of its run."""

import dagster as dg
import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd


def test_the_whole_account_of_a_run(lab, media):
    lab.samples["c"] = ("1", "1")
    lab.run(*lab.assets(media))
    lab.samples |= {"a": ("2", "2"), "b": ("1", "2"), "d": ("1", "1")}

    metadata = lab.metadata(lab.run(*lab.assets(media)), lab.VIDEO)

    seconds = metadata.pop("metaxy/seconds")
    schema = metadata.pop("dagster/column_schema")
    told_elsewhere = [
        f"metaxy/{name}" for name in ("commit_table", "state_run", "increment", "preview")
    ]
    assert seconds > 0
    assert [column.name for column in schema.columns] == [
        "video_id", "path", "metaxy_provenance__audio", "metaxy_provenance__frames",
    ]  # fmt: skip
    assert metadata == {
        "dagster/row_count": 4,
        "dagster/table_name": "example__video",
        "metaxy/new": 1,
        "metaxy/stale": 2,
        "metaxy/orphaned": 0,
        "metaxy/blocked": 0,
        "metaxy/deleted": 0,
        "metaxy/processed": 3,
        "metaxy/spared": 1,
        "metaxy/changed_fields": {"audio": 1, "frames": 2},
        "metaxy/changed/audio": 1,
        "metaxy/changed/frames": 2,
        "metaxy/commits": [3],
        "metaxy/state_commit": 3,
        "metaxy/feature_version": media.graph.versions[media.Video.spec.key].feature,
        "metaxy/store": lab.store.database,
        "dagster/storage_kind": "duckdb",
        "dagster/uri": f"duckdb://{lab.store.database}#example__video",
        **{name: metadata[name] for name in told_elsewhere},
    }


def test_counts_are_plain_numbers_that_dagster_plots(lab, media):
    (event,) = lab.run(lab.video(media)).get_asset_materialization_events()
    metadata = event.materialization.metadata

    counts = ["new", "stale", "orphaned", "blocked", "processed", "spared", "deleted"]
    assert {type(metadata[f"metaxy/{name}"]) for name in counts} == {dg.IntMetadataValue}


def test_the_preview_shows_a_few_of_the_stored_columns(lab, media):
    lab.samples = dict.fromkeys("abcdefgh", ("1", "1"))
    result = lab.run(*lab.assets(media))

    lines = lab.metadata(result, lab.TRANSCRIPT)["metaxy/preview"].splitlines()

    assert lines[:2] == ["| video_id | text |", "| --- | --- |"]
    assert len(lines) == 7
    assert all(line.startswith("| ") and "text of" in line for line in lines[2:])


def test_a_run_without_work_has_no_preview(lab, media):
    lab.run(lab.video(media))

    assert "metaxy/preview" not in lab.metadata(lab.run(lab.video(media)), lab.VIDEO)


def test_the_column_schema_tells_stored_types_and_undeclared_columns(lab):
    with mx.FeatureGraph().use():
        fields = [mx.FieldSpec(key="body", version_from=["etag"])]
        spec = mx.FeatureSpec(key="m/page", id_columns=["page"], fields=fields)

        class Page(mx.Feature, spec=spec):
            """Columns are taken from the first write."""

    @mxd.metaxify(Page)
    def page():
        return pl.DataFrame({"page": [1], "etag": ["x"], "tags": [["a"]]})

    (event,) = lab.run(page).get_asset_materialization_events()
    schema = event.materialization.metadata["dagster/column_schema"].schema

    assert [(column.name, column.type) for column in schema.columns] == [
        ("page", "int64"),
        ("etag", "string"),
        ("tags", "list<l: string>"),
        ("metaxy_provenance__body", "int64"),
    ]


@pytest.mark.parametrize(
    ("text", "cell"),
    [("x|y", "x\\|y"), ("two\nlines", "two lines"), ("long" * 40, "long" * 14 + "lon…")],
)
def test_a_cell_of_the_preview_stays_in_its_table(lab, media, text, cell):
    @mxd.metaxify(media.Transcript)
    def transcript(increment: mx.Increment):
        return increment.new.head(1).with_columns(video_id=pl.lit("a"), text=pl.lit(text))

    lab.samples = {"a": ("1", "1")}
    result = lab.run(lab.video(media), transcript)

    preview = lab.metadata(result, lab.TRANSCRIPT)["metaxy/preview"]
    assert preview.splitlines()[2] == f"| a | {cell} |"


def test_lineage_stands_on_the_materialization_too(lab, media):
    result = lab.run(*lab.assets(media))

    found = lab.metadata(result, lab.TRANSCRIPT)["dagster/column_lineage"].deps_by_column
    assert found["metaxy_provenance__text"] == [
        dg.TableColumnDep(lab.VIDEO, "metaxy_provenance__audio")
    ]


def test_metadata_that_a_generator_adds_is_kept(lab, media):
    @mxd.metaxify(media.Transcript)
    def transcript(context: dg.AssetExecutionContext, increment: mx.Increment):
        context.add_asset_metadata({"model": "whisper"})
        yield lab.transcribed(increment.new)

    result = lab.run(lab.video(media), transcript)

    assert lab.metadata(result, lab.TRANSCRIPT)["model"] == "whisper"


def test_output_metadata_that_the_function_adds_is_kept(lab, media):
    @mxd.metaxify(media.Transcript)
    def transcript(context: dg.AssetExecutionContext, increment: mx.Increment):
        context.add_output_metadata({"model": "whisper"})
        return lab.transcribed(increment.new)

    result = lab.run(lab.video(media), transcript)

    assert lab.metadata(result, lab.TRANSCRIPT)["model"] == "whisper"
