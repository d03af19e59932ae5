"""What Dagster knows of a feature's asset before anything ran."""

import dagster as dg
import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd


def spec_of(asset: dg.AssetsDefinition) -> dg.AssetSpec:
    (spec,) = asset.specs
    return spec


def columns(schema: dg.TableSchema) -> list[tuple[str, str, bool]]:
    return [(item.name, item.type, item.constraints.nullable) for item in schema.columns]


def lineage(found: dg.TableColumnLineage) -> dict[str, list[str]]:
    return {
        name: sorted(f"{dep.asset_key.to_user_string()}.{dep.column_name}" for dep in deps)
        for name, deps in found.deps_by_column.items()
    }


def root_asset(feature, **options) -> dg.AssetsDefinition:
    @mxd.metaxify(feature, **options)
    def samples():
        return None

    return samples


def test_the_asset_has_the_feature_s_key_group_description_and_kinds(lab, media):
    spec = spec_of(lab.transcript(media))

    assert spec.key == lab.TRANSCRIPT
    assert [dep.asset_key for dep in spec.deps] == [lab.VIDEO]
    assert spec.group_name == "example"
    assert spec.description == "What is said in a clip."
    assert spec.kinds == {"metaxy", "duckdb"}
    assert spec.tags["metaxy/feature"] == "example.transcript"
    assert spec.owners == []


def test_metadata_tells_the_versions_of_feature_and_fields(lab, media):
    metadata = spec_of(lab.video(media)).metadata
    versions = media.graph.versions[media.Video.spec.key]

    assert metadata["metaxy/feature"] == "example/video"
    assert metadata["metaxy/feature_version"] == versions.feature
    assert metadata["dagster/table_name"] == "example__video"
    assert [record.data for record in metadata["metaxy/fields"].records] == [
        {"field": str(key), "code_version": "1", "version": version, "reads": ""}
        for key, version in versions.fields.items()
    ]


def test_the_fields_table_tells_what_each_field_reads(lab, media):
    (record,) = spec_of(lab.transcript(media)).metadata["metaxy/fields"].records

    assert record.data["reads"] == "example/video.audio"


def test_the_column_schema_has_ids_columns_and_a_version_for_each_field(lab, media):
    schema = spec_of(lab.video(media)).metadata["dagster/column_schema"]

    assert columns(schema) == [
        ("video_id", "string", False),
        ("path", "string", False),
        ("metaxy_provenance__audio", "int64", False),
        ("metaxy_provenance__frames", "int64", False),
    ]


def test_the_column_lineage_follows_ids_carried_columns_renames_and_fields():
    with mx.FeatureGraph().use():
        clip = mx.FeatureSpec(key="m/clip", id_columns=["id"], fields=["audio", "frames"])
        audit = mx.FeatureSpec(key="m/audit", id_columns=["clip"], fields=["mark"])

        class Clip(mx.Feature, spec=clip):
            id: str
            path: str
            size: int

        class Audit(mx.Feature, spec=audit):
            clip: str
            path: str

        deps = [
            mx.FeatureDep(feature=Clip, columns=["path", "size"]),
            mx.FeatureDep(feature=Audit, rename={"clip": "id", "path": "report"}),
        ]
        reads = [mx.FieldDep(feature=Clip, fields=["audio"]), mx.FieldDep(feature=Audit)]
        fields = [mx.FieldSpec(key="text", deps=reads), mx.FieldSpec(key="frames")]

        class Text(
            mx.Feature,
            spec=mx.FeatureSpec(key="m/text", id_columns=["id"], deps=deps, fields=fields),
        ):
            id: str
            path: str
            report: str
            words: int

        @mxd.metaxify(Text)
        def text(increment):
            return None

    assert lineage(spec_of(text).metadata["dagster/column_lineage"]) == {
        "id": ["m/audit.clip", "m/clip.id"],
        "path": ["m/clip.path"],
        "report": ["m/audit.path"],
        "metaxy_provenance__text": [
            "m/audit.metaxy_provenance__mark",
            "m/clip.metaxy_provenance__audio",
        ],
        "metaxy_provenance__frames": ["m/clip.metaxy_provenance__frames"],
    }


def test_a_root_has_no_lineage(lab, media):
    assert "dagster/column_lineage" not in spec_of(lab.video(media)).metadata


def test_the_feature_s_own_metadata_is_shown():
    with mx.FeatureGraph().use():
        spec = mx.FeatureSpec(key="clip", metadata={"cost_per_record": 0.02})

        class Clip(mx.Feature, spec=spec):
            pass

    assert spec_of(root_asset(Clip)).metadata["cost_per_record"] == 0.02


def test_a_group_is_made_valid_and_a_key_of_one_part_has_the_default_group():
    with mx.FeatureGraph().use():

        class Dashed(mx.Feature, spec=mx.FeatureSpec(key="raw-media/clip-2")):
            pass

        class Single(mx.Feature, spec=mx.FeatureSpec(key="clip")):
            pass

    assert spec_of(root_asset(Dashed)).key == dg.AssetKey(["raw-media", "clip-2"])
    assert spec_of(root_asset(Dashed)).group_name == "raw_media"
    assert spec_of(root_asset(Single)).group_name == "default"


def test_options_of_the_asset_go_before_what_the_feature_says(lab, media):
    condition = dg.AutomationCondition.eager()
    spec = spec_of(
        lab.video(
            media,
            group_name="mine",
            description="My words.",
            owners=["team:media"],
            tags={"tier": "1", "metaxy/feature": "mine"},
            kinds={"python"},
            metadata={"metaxy/fields": "mine", "note": "x"},
            automation_condition=condition,
            deps=["raw_files"],
        )
    )

    assert spec.group_name == "mine"
    assert spec.description == "My words."
    assert spec.owners == ["team:media"]
    assert (spec.tags["tier"], spec.tags["metaxy/feature"]) == ("1", "mine")
    assert spec.kinds == {"python", "metaxy", "duckdb"}
    assert (spec.metadata["metaxy/fields"], spec.metadata["note"]) == ("mine", "x")
    assert spec.automation_condition == condition
    assert [dep.asset_key for dep in spec.deps] == [dg.AssetKey("raw_files")]


def test_retry_policy_pool_and_op_tags_reach_the_op(lab, media):
    policy = dg.RetryPolicy(max_retries=2)
    asset = lab.video(media, retry_policy=policy, pool="gpu", op_tags={"tier": "1"})

    assert (asset.op.retry_policy, asset.op.pool, asset.op.tags["tier"]) == (policy, "gpu", "1")


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"name": "clips"}, ["example", "clips"]),
        ({"key_prefix": "prod"}, ["prod", "example", "video"]),
        ({"key_prefix": ["prod", "eu"], "name": "clips"}, ["prod", "eu", "example", "clips"]),
        ({"key": "clips"}, ["clips"]),
    ],
)
def test_name_prefix_and_key_of_the_asset_can_be_chosen(lab, media, options, path):
    assert lab.video(media, **options).key == dg.AssetKey(path)


def test_a_translator_decides_keys_of_assets_deps_and_lineage(lab, media):
    class Prefixed(mxd.MetaxyTranslator):
        def asset_key(self, definition):
            return super().asset_key(definition).with_prefix("media")

        def group_name(self, definition):
            return f"{definition.key.parts[0]}_features"

        def description(self, definition):
            return f"{definition.table}: {definition.description}"

        def kinds(self, definition):
            return {"video"}

        def tags(self, definition):
            return {"tier": "gold"}

        def owners(self, definition):
            return ["team:media"]

        def metadata(self, definition):
            return {"fields": len(definition.spec.fields)}

    assets = [
        lab.video(media, translator=Prefixed()),
        lab.transcript(media, translator=Prefixed()),
    ]
    result = lab.run(*assets)
    spec = spec_of(assets[1])

    assert spec.key == dg.AssetKey(["media", "example", "transcript"])
    assert [dep.asset_key.to_user_string() for dep in spec.deps] == ["media/example/video"]
    assert spec.group_name == "example_features"
    assert spec.description == "example__transcript: What is said in a clip."
    assert (spec.kinds, spec.owners) == ({"video"}, ["team:media"])
    assert (spec.tags["tier"], spec.metadata["fields"]) == ("gold", 1)
    assert lineage(lab.metadata(result, spec.key)["dagster/column_lineage"]) == {
        "video_id": ["media/example/video.video_id"],
        "metaxy_provenance__text": ["media/example/video.metaxy_provenance__audio"],
    }
    assert lab.records(media.Transcript) == lab.texts("a", "b")


def test_the_function_s_docstring_describes_a_feature_that_has_no_words():
    with mx.FeatureGraph().use():

        class Clip(mx.Feature, spec=mx.FeatureSpec(key="clip")):
            pass

    @mxd.metaxify(Clip)
    def clip() -> pl.DataFrame:
        """Finds the clips."""

    assert spec_of(clip).description == "Finds the clips."


def test_definitions_load_with_their_resources(lab, media):
    definitions = dg.Definitions(assets=lab.assets(media), resources=lab.resources)

    dg.Definitions.validate_loadable(definitions)
