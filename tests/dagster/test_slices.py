"""Several assets feed one feature, each the records with a fixed value of a column."""

from types import SimpleNamespace

import dagster as dg
import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd

FRAMES = dg.AssetKey(["shop", "frames"])
LEFT, RIGHT = (dg.AssetKey(["shop", "frames", side]) for side in ("left", "right"))
FACES = dg.AssetKey(["shop", "faces"])


BOTH_WAYS = pytest.mark.parametrize(
    "shop", ["id column", pytest.param("carried column", marks=pytest.mark.slow)], indirect=True
)


@pytest.fixture
def shop(request):
    """Frames of two cameras, and the faces on them; the camera may be carried, and no id."""
    is_carried = getattr(request, "param", None) == "carried column"
    ids = ["number"] if is_carried else ["camera", "number"]
    frame_spec = mx.FeatureSpec(
        key="shop/frames",
        id_columns=ids,
        fields=[mx.FieldSpec(key="image", version_from=["etag"])],
    )
    with mx.FeatureGraph().use() as graph:

        class Frames(mx.Feature, spec=frame_spec):
            """What a camera saw."""

            camera: str
            number: int
            etag: str

        deps = [mx.FeatureDep(feature=Frames, columns=["camera", "etag"][len(ids) - 1 :])]
        face_spec = mx.FeatureSpec(key="shop/faces", id_columns=ids, deps=deps, fields=["box"])

        class Faces(mx.Feature, spec=face_spec):
            """Who was seen."""

            camera: str
            number: int

        yield SimpleNamespace(Frames=Frames, Faces=Faces, graph=graph)


def seen(**cameras):
    """Samples: the numbers and etags of each camera's frames."""
    rows = [(camera, number, etag) for camera, of in cameras.items() for number, etag in of.items()]
    kinds = {"camera": pl.String, "number": pl.Int64, "etag": pl.String}
    return pl.DataFrame(rows, schema=kinds, orient="row")


def camera(lab, shop, side, samples, **options):
    """The asset of one camera's frames."""

    @mxd.metaxify(shop.Frames, where={"camera": side}, **options)
    def frames():
        return samples[side]

    return frames


def faces(lab, shop, side, **options):
    """The asset of the faces in one camera's frames."""

    @mxd.metaxify(shop.Faces, where={"camera": side}, **options)
    def faces_of(increment: mx.Increment):
        frame = pl.concat(list(increment.batches()))
        lab.processed.append(sorted(frame["number"]))
        return frame

    return faces_of


def stored(lab, feature):
    return [(row["camera"], row["number"]) for row in lab.records(feature)]


def test_each_asset_has_a_key_of_its_own(lab, shop):
    assets = [camera(lab, shop, side, {}) for side in ("left", "right")]

    assert [asset.key for asset in assets] == [LEFT, RIGHT]
    assert camera(lab, shop, "left/1", {}).key == dg.AssetKey(["shop", "frames", "left_1"])
    assert camera(lab, shop, "left", {}, key="mine").key == dg.AssetKey("mine")


@BOTH_WAYS
def test_each_asset_writes_its_own_records_and_leaves_the_others_alone(lab, shop):
    samples = {"left": seen(left={1: "a", 2: "a"}), "right": seen(right={3: "a"})}
    options = {"orphans": "delete"}
    left, right = (camera(lab, shop, side, samples, **options) for side in ("left", "right"))

    lab.run(left)
    first = lab.run(right)
    second = lab.run(left)

    assert lab.counts(first, RIGHT) == {"new": 1, "processed": 1}
    assert lab.counts(second, LEFT) == {"spared": 2}
    assert stored(lab, shop.Frames) == [("left", 1), ("left", 2), ("right", 3)]


def test_samples_of_other_assets_are_left_out(lab, shop):
    everything = seen(left={1: "a"}, right={3: "a"})

    result = lab.run(camera(lab, shop, "left", {"left": everything}))

    assert lab.counts(result, LEFT) == {"new": 1, "processed": 1}
    assert stored(lab, shop.Frames) == [("left", 1)]


def test_a_column_that_samples_lack_is_filled_in(lab, shop):
    samples = {"left": seen(left={1: "a"}).drop("camera")}

    lab.run(camera(lab, shop, "left", samples))

    assert stored(lab, shop.Frames) == [("left", 1)]


@BOTH_WAYS
def test_orphans_are_those_of_the_asset(lab, shop):
    samples = {"left": seen(left={1: "a", 2: "a"}), "right": seen(right={3: "a", 4: "a"})}
    left, right = (camera(lab, shop, s, samples, orphans="delete") for s in ("left", "right"))
    lab.run(left)
    lab.run(right)
    samples |= {"left": seen(left={1: "a"}), "right": seen(right={3: "a"})}

    result = lab.run(left)

    assert lab.counts(result, LEFT) == {"orphaned": 1, "deleted": 1, "spared": 1}
    assert stored(lab, shop.Frames) == [("left", 1), ("right", 3), ("right", 4)]


def test_samples_in_several_frames_have_the_orphans_of_all_of_them(lab, shop):
    lab.run(camera(lab, shop, "right", {"right": seen(right={9: "a"})}))
    lab.run(camera(lab, shop, "left", {"left": seen(left={1: "a", 2: "a", 3: "a"})}))
    frames = [seen(left={1: "a"}), seen(left={2: "a"})]

    result = lab.run(camera(lab, shop, "left", {"left": frames}, orphans="delete"))

    assert lab.counts(result, LEFT) == {"orphaned": 1, "deleted": 1, "spared": 2}
    assert stored(lab, shop.Frames) == [("left", 1), ("left", 2), ("right", 9)]


def test_a_function_that_takes_the_increment_gets_its_own_part(lab, shop):
    everything = seen(left={1: "a", 2: "a"}, right={3: "a"})
    got = []

    @mxd.metaxify(shop.Frames, where={"camera": "left"}, samples=lambda: everything)
    def frames(increment: mx.Increment):
        got.append(sorted(increment.new["number"]))
        return increment.new

    lab.run(camera(lab, shop, "right", {"right": everything}))
    result = lab.run(frames)

    assert got == [[1, 2]]
    assert lab.counts(result, LEFT) == {"new": 2, "processed": 2}


@pytest.mark.slow
@BOTH_WAYS
def test_a_feature_downstream_is_shared_too(lab, shop):
    samples = {"left": seen(left={1: "a", 2: "a"}), "right": seen(right={3: "a", 4: "a"})}
    cameras = [camera(lab, shop, side, samples) for side in samples]
    left, right = (faces(lab, shop, side, orphans="delete") for side in samples)
    lab.run(*cameras)
    lab.run(left)
    lab.run(right)
    with lab.store.open() as store:
        gone = [name for name in ("camera", "number") if name in shop.Frames.spec.id_columns]
        store.delete(shop.Frames, seen(left={2: ""}, right={4: ""}).select(gone))

    result = lab.run(left)

    assert lab.processed == [[1, 2], [3, 4]]
    assert lab.counts(result, left.key) == {"orphaned": 1, "deleted": 1, "spared": 1}
    assert stored(lab, shop.Faces) == [("left", 1), ("right", 3), ("right", 4)]


def test_rows_of_another_asset_are_refused(lab, shop):
    lab.run(*(camera(lab, shop, "left", {"left": seen(left={1: "a"})}),))

    @mxd.metaxify(shop.Faces, where={"camera": "left"})
    def turned(increment: mx.Increment):
        return increment.new.with_columns(camera=pl.lit("right"))

    with pytest.raises(mx.MetaxyError, match=r"1 row.*'shop/faces'.*\"camera\" = 'left'.*'right'"):
        lab.run(turned)

    assert stored(lab, shop.Faces) == []


@pytest.mark.slow
def test_the_data_version_of_an_asset_changes_with_its_own_records_only(lab, shop):
    samples = {"left": seen(left={1: "a"}), "right": seen(right={3: "a"})}
    left, right = (camera(lab, shop, side, samples, orphans="delete") for side in samples)
    versions = []

    def run(*assets):
        lab.run(*assets)
        versions.append(lab.data_version(LEFT))

    run(left, right)
    samples["right"] = seen(right={3: "b", 4: "a", 5: "a"})
    run(right, left)
    samples["right"] = seen(right={})
    run(right, left)
    samples["left"] = seen(left={1: "b"})
    run(left)
    samples["left"] = seen(left={})
    run(left)

    first, second, third, changed, emptied = versions
    assert first == second == third
    assert len({first, changed, emptied}) == 3


@pytest.mark.slow
def test_a_data_version_is_found_behind_many_commits_of_others(lab, shop):
    samples = {"left": seen(left={1: "a"}), "right": [seen(right={n: "a"}) for n in range(2, 13)]}
    left, right = (camera(lab, shop, side, samples) for side in samples)
    lab.run(left)
    before = lab.data_version(LEFT)
    lab.run(right)
    lab.run(left)

    assert len(lab.metadata(lab.run(right), RIGHT)["metaxy/commits"]) == 0
    assert lab.data_version(LEFT) == before


def test_the_page_tells_the_slice_and_its_rows(lab, shop):
    samples = {"left": seen(left={1: "a", 2: "a"}), "right": seen(right={3: "a"})}
    lab.run(camera(lab, shop, "left", samples))
    right = camera(lab, shop, "right", samples)

    metadata = lab.metadata(lab.run(right), RIGHT)

    assert (metadata["dagster/row_count"], metadata["dagster/partition_row_count"]) == (3, 1)
    assert metadata["metaxy/slice"] == "\"camera\" = 'right'"
    assert next(iter(right.specs)).metadata["metaxy/where"] == {"camera": "right"}


def test_an_input_of_an_assets_key_is_its_own_records(lab, shop):
    samples = {"left": seen(left={1: "a", 2: "a"}), "right": seen(right={3: "a"})}
    got = []

    @dg.asset(ins={"frames": dg.AssetIn(LEFT)})
    def report(frames: pl.DataFrame) -> None:
        got.append(sorted(frames["number"]))

    lab.run(*(camera(lab, shop, side, samples) for side in samples), report)

    assert got == [[1, 2]]


def test_deps_that_list_the_assets_take_the_place_of_the_features_key(lab, shop):
    cameras = [camera(lab, shop, side, {}) for side in ("left", "right")]

    @mxd.metaxify(shop.Faces, deps=cameras)
    def listed(increment: mx.Increment):
        return increment.new

    assert {dep.asset_key for spec in listed.specs for dep in spec.deps} == {LEFT, RIGHT}


def test_linked_assets_depend_on_all_of_them_and_load_the_whole_feature(lab, shop):
    samples = {"left": seen(left={1: "a", 2: "a"}), "right": seen(right={3: "a"})}
    got = []

    @mxd.metaxify(shop.Faces)
    def everyone(increment: mx.Increment, frames: pl.DataFrame):
        got.append(sorted(frames["number"]))
        return increment.new

    sides = [camera(lab, shop, side, samples) for side in samples]
    linked = mxd.linked_assets([*sides, everyone, mxd.external_feature(shop.Faces, key="copy")])
    (spec,) = linked[2].specs
    lab.run(*linked[:3])

    assert {dep.asset_key for dep in spec.deps} == {LEFT, RIGHT}
    assert {dep.asset_key for dep in linked[3].deps} == {LEFT, RIGHT}
    lineage = spec.metadata["dagster/column_lineage"].deps_by_column
    assert [dep.asset_key for dep in lineage["number"]] == [LEFT, RIGHT]
    assert got == [[1, 2, 3]]
    assert len(stored(lab, shop.Faces)) == 3


def test_a_linked_dep_keeps_its_partition_mapping(lab, shop):
    mapping = dg.LastPartitionMapping()
    deps = [dg.AssetDep(FRAMES, partition_mapping=mapping)]
    report = dg.asset(name="report", deps=deps)(lambda: None)
    sides = [camera(lab, shop, side, {}) for side in ("left", "right")]

    *_, linked, spec = mxd.linked_assets([*sides, report, dg.AssetSpec("page", deps=deps)])

    for found in (next(iter(linked.specs)), spec):
        assert {dep.asset_key: dep.partition_mapping for dep in found.deps} == {
            LEFT: mapping,
            RIGHT: mapping,
        }


def test_a_plain_asset_tells_its_share_in_its_metadata(lab, shop):
    @mxd.metaxify()
    @dg.asset(
        metadata={"metaxy/feature": shop.Frames, "metaxy/where": {"camera": "left"}},
        io_manager_key="metaxy_io_manager",
    )
    def frames():
        return seen(left={1: "a"}, right={3: "a"})

    result = lab.run(frames)

    assert frames.key == LEFT
    assert lab.counts(result, LEFT) == {"new": 1, "processed": 1}


@pytest.mark.parametrize("where", [{}, {"camera": None}, {"camera": 1.5}, {1: "a"}, "left"])
def test_a_where_that_is_no_columns_and_values_is_refused(shop, where):
    with pytest.raises(mxd.AssetError, match=r"'shop/frames' has where=.*'camera': 'left'"):
        mxd.metaxify(shop.Frames, where=where)(lambda: None)


def test_a_where_over_a_column_that_is_not_known_beforehand_is_refused(shop):
    with pytest.raises(mxd.AssetError, match=r"where=\{'size': ...\}, but its table will not"):
        mxd.metaxify(shop.Frames, where={"size": 1})(lambda: None)

    with shop.graph.use():
        spec = mx.FeatureSpec(
            key="m", id_columns=["camera", "number"], deps=[shop.Frames], fields=["x"]
        )

        class Mood(mx.Feature, spec=spec):
            number: int
            mood: str

    with pytest.raises(mxd.AssetError, match=r"'mood': ...\}, but no dep brings it.*columns="):
        mxd.metaxify(Mood, where={"mood": "good"})(lambda increment: None)


def test_where_is_not_for_assets_that_exist(shop):
    with pytest.raises(mxd.AssetError, match=r"cannot use where \(its metadata may have 'metaxy/w"):
        mxd.metaxify(shop.Frames, where={"camera": "left"})(dg.AssetSpec("x"))


# ------------------------------------------------------------------ beside other parts


@pytest.fixture
def both(lab, shop):
    """Frames of both cameras are stored, two of them the left one's."""
    samples = {"left": seen(left={1: "a", 2: "a"}), "right": seen(right={3: "a"})}
    lab.run(*(camera(lab, shop, side, samples) for side in ("left", "right")))
    return samples


@pytest.mark.slow
@BOTH_WAYS
def test_a_slice_is_computed_in_chunks(lab, shop, both):
    result = lab.run(faces(lab, shop, "left", chunk_size=1))

    assert lab.processed == [[1], [2]]
    assert lab.counts(result, dg.AssetKey(["shop", "faces", "left"]))["processed"] == 2


@pytest.mark.slow
@BOTH_WAYS
def test_chunks_of_two_slices_in_one_run_are_told_apart(lab, shop, both):
    sides = [faces(lab, shop, side, chunk_size=1) for side in ("left", "right")]

    result = lab.run(*sides)

    counts = [lab.counts(result, asset.key) for asset in sides]
    assert [each["processed"] for each in counts] == [2, 1]


@BOTH_WAYS
def test_a_slice_is_divided_into_buckets(lab, shop, both):
    asset = faces(lab, shop, "left", buckets=2)

    for key in "01":
        lab.run(asset, partition_key=key)

    assert stored(lab, shop.Faces) == [("left", 1), ("left", 2)]


@BOTH_WAYS
def test_batches_of_a_slice_are_planned(lab, shop, both):
    asset = faces(lab, shop, "left", batch_size=1)
    sensor = mxd.increment_partitions_sensor(asset)

    with lab.store.open() as store:
        resources = {"metaxy_store": lab.store}
        sensor(dg.build_sensor_context(instance=lab.instance, resources=resources))
        planned = store.planned_ids(shop.Faces, f"partitions {asset.partitions_def.name}")

    assert sorted(planned["number"]) == [1, 2]


@pytest.mark.slow
def test_maintenance_reports_each_slice_under_its_own_data_version(lab, shop, both):
    samples = {"right": seen(right={3: "b"})}
    assets = [camera(lab, shop, side, both) for side in ("left", "right")]
    job = mxd.observe_job(assets)
    before = observed(lab, job)

    lab.run(camera(lab, shop, "right", samples))
    after = observed(lab, job)

    assert before[LEFT] == after[LEFT] == (lab.data_version(LEFT), 2)
    assert before[RIGHT] != after[RIGHT] == (lab.data_version(RIGHT), 1)


def observed(lab, job):
    """The data version and the number of records that each asset is told to have."""
    result = job.execute_in_process(resources=lab.resources, instance=lab.instance)
    found = [event.event_specific_data.asset_observation for event in result.all_events
             if event.event_type_value == "ASSET_OBSERVATION"]  # fmt: skip
    return {
        each.asset_key: (
            each.tags["dagster/data_version"],
            each.metadata["dagster/row_count"].value,
        )
        for each in found
    }


@BOTH_WAYS
def test_a_check_of_a_slice_looks_at_its_records(lab, shop, both):
    assets = [faces(lab, shop, side) for side in ("left", "right")]
    checks = mxd.feature_checks(assets, checks=["increment_empty"])

    result = lab.run(assets[0], *checks)

    passed = {each.asset_key.path[-1]: each.passed for each in result.get_asset_check_evaluations()}
    assert passed["left"]


def test_partitions_are_made_in_one_way_only(lab, shop):
    cameras = dg.StaticPartitionsDefinition(["left", "right"])
    with pytest.raises(mxd.AssetError, match=r"partitions_def=, and buckets= .*keep one"):
        faces(lab, shop, "left", buckets=2, partitions_def=cameras)
