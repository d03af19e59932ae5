"""Partitions that are values of a column are written and loaded by themselves."""

import datetime as dt
from types import SimpleNamespace

import dagster as dg
import polars as pl
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.slices import During, Slice

FRAMES = dg.AssetKey(["shop", "frames"])
SIDES = dg.StaticPartitionsDefinition(["left", "right"])
DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-10")
YEARS = dg.DynamicPartitionsDefinition(name="years")
IO = "metaxy_io_manager"


@pytest.fixture
def shop():
    """Frames with a camera, a year and a moment."""
    spec = mx.FeatureSpec(
        key="shop/frames",
        id_columns=["number"],
        fields=[mx.FieldSpec(key="image", version_from=["etag"])],
    )
    with mx.FeatureGraph().use() as graph:

        class Frames(mx.Feature, spec=spec):
            """What a camera saw."""

            number: int
            camera: str
            year: int
            at: dt.datetime
            etag: str

        faces = mx.FeatureSpec(
            key="shop/faces",
            id_columns=["number"],
            deps=[mx.FeatureDep(feature=Frames, columns=["camera"])],
            fields=["box"],
        )

        class Faces(mx.Feature, spec=faces):
            """Who was seen."""

            number: int
            camera: str

        yield SimpleNamespace(Frames=Frames, Faces=Faces, graph=graph)


def seen(*rows):
    """Samples: number, camera and day of January 2024."""
    return pl.DataFrame(
        [(n, camera, 2000 + day, dt.datetime(2024, 1, day, 12), "1") for n, camera, day in rows],  # noqa: DTZ001 - stored without zone
        schema=["number", "camera", "year", "at", "etag"],
        orient="row",
    )


EVERYTHING = seen((1, "left", 1), (2, "left", 2), (3, "right", 2), (4, "right", 3))


def frames(shop, partitions, expression, samples=EVERYTHING):
    """A plain asset over everything, partitioned by a column."""

    @dg.asset(
        key=FRAMES,
        partitions_def=partitions,
        metadata={"metaxy/feature": shop.Frames, "partition_expr": expression},
        io_manager_key=IO,
    )
    def frames():
        return samples

    return frames


def reader(partitions, got, **options):
    """An asset that notes which frames it is given."""

    @dg.asset(ins={"frames": dg.AssetIn(FRAMES, **options)}, partitions_def=partitions)
    def report(frames: pl.DataFrame) -> None:
        got.append(sorted(frames["number"]))

    return report


def numbers(lab, feature):
    return sorted(row["number"] for row in lab.records(feature))


@pytest.fixture
def filled(lab, shop):
    with lab.store.open() as store:
        store.write(shop.Frames, store.resolve_update(shop.Frames, EVERYTHING).new)


def test_a_partition_is_written_by_itself(lab, shop):
    asset = frames(shop, SIDES, "camera")

    first = lab.run(asset, partition_key="left")
    stored = numbers(lab, shop.Frames)
    second = lab.run(asset, partition_key="right")

    assert stored == [1, 2]
    assert lab.counts(first, FRAMES) == lab.counts(second, FRAMES) == {"new": 2, "processed": 2}
    metadata = lab.metadata(second, FRAMES)
    assert (metadata["dagster/row_count"], metadata["dagster/partition_row_count"]) == (4, 2)


def test_a_function_resolves_its_partition_only(lab, shop, filled):
    asked = []

    @mxd.metaxify(
        shop.Faces,
        partitions_def=SIDES,
        metadata={"partition_expr": "camera"},
        orphans="delete",
    )
    def faces(increment: mx.Increment):
        asked.append(sorted(increment.new["number"]))
        return increment.new

    lab.run(faces, partition_key="left")
    lab.run(faces, partition_key="right")
    with lab.store.open() as store:
        store.delete(shop.Frames, filters="number IN (1, 3)")
    result = lab.run(faces, partition_key="right")

    assert asked == [[1, 2], [3, 4]]
    assert lab.counts(result, dg.AssetKey(["shop", "faces"]))["deleted"] == 1
    assert numbers(lab, shop.Faces) == [1, 2, 4]


def test_a_partitioned_asset_loads_its_own_partition(lab, shop, filled):
    got = []

    lab.run(frames(shop, SIDES, "camera"), reader(SIDES, got), partition_key="right")

    assert got == [[3, 4]]


def test_a_mapping_says_which_partitions_are_loaded(lab, shop, filled):
    got = []
    mapping = dg.StaticPartitionMapping({"left": "all", "right": "all"})
    report = reader(dg.StaticPartitionsDefinition(["all"]), got, partition_mapping=mapping)
    upstream = frames(shop, SIDES, "camera")

    lab.run(upstream, report, selection=[report], partition_key="all")

    assert got == [[1, 2, 3, 4]]


def test_an_asset_without_partitions_loads_those_there_are(lab, shop, filled):
    got = []
    report = reader(None, got)

    lab.run(frames(shop, dg.StaticPartitionsDefinition(["left"]), "camera"), report,
            selection=[report])  # fmt: skip

    assert got == [[1, 2]]


def test_dynamic_partitions_are_values_in_the_type_of_the_column(lab, shop, filled):
    got = []
    lab.instance.add_dynamic_partitions("years", ["2001", "2002"])
    report = reader(YEARS, got)

    lab.run(frames(shop, YEARS, "year"), report, selection=[report], partition_key="2002")

    assert got == [[2, 3]]


def test_without_any_dynamic_partition_nothing_is_loaded(lab, shop, filled):
    got = []
    report = reader(None, got)

    lab.run(frames(shop, YEARS, "year"), report, selection=[report])

    assert got == [[]]


def test_a_time_window_is_written_by_itself(lab, shop):
    lab.run(frames(shop, DAYS, "at"), partition_key="2024-01-02")

    assert numbers(lab, shop.Frames) == [2, 3]


def test_time_windows_hold_days_and_times_that_are_text():
    days = Slice((During("at", (("2024-01-02", "2024-01-03"),)),))
    name = FeatureName(mx.FeatureGraph(), mx.FeatureKey("shop/frames"))
    texts = ["2024-01-01T23:59", "2024-01-02", "2024-01-02T12:00", "2024-01-03", None]

    inside = days.of_samples(name, pl.DataFrame({"at": texts}))

    assert inside["at"].to_pylist() == ["2024-01-02", "2024-01-02T12:00"]


def test_time_windows_are_loaded(lab, shop, filled):
    got = []
    mapping = dg.TimeWindowPartitionMapping(start_offset=-1)
    report = reader(DAYS, got, partition_mapping=mapping)

    lab.run(frames(shop, DAYS, "at"), report, selection=[report], partition_key="2024-01-02")

    assert got == [[1, 2, 3]]


def test_each_dimension_has_its_column(lab, shop, filled):
    got = []
    both = dg.MultiPartitionsDefinition({"day": DAYS, "camera": SIDES})
    report = reader(both, got)
    upstream = frames(shop, both, {"day": "at", "camera": "camera"})
    key = dg.MultiPartitionKey({"day": "2024-01-02", "camera": "left"})

    lab.run(upstream, report, selection=[report], partition_key=key)

    assert got == [[2]]


def test_partitions_without_a_column_load_the_whole_feature(lab, shop, filled):
    got = []

    @dg.asset(
        key=FRAMES,
        partitions_def=SIDES,
        metadata={"metaxy/feature": shop.Frames},
        io_manager_key=IO,
    )
    def bare(): ...

    report = reader(SIDES, got)

    lab.run(bare, report, selection=[report], partition_key="left")

    assert got == [[1, 2, 3, 4]]


def test_the_input_may_name_the_column_too(lab, shop, filled):
    got = []
    spec = dg.AssetSpec(FRAMES, partitions_def=SIDES, metadata={"metaxy/feature": shop.Frames})
    report = reader(SIDES, got, metadata={"partition_expr": "camera", "columns": ["number"]})

    lab.run(spec.with_io_manager_key(IO), report, partition_key="left")

    assert got == [[1, 2]]


@pytest.mark.parametrize(
    ("partitions", "expression", "key", "message"),
    [
        (SIDES, {"a": "b"}, "left", r"'partition_expr': \{'a': 'b'\}.*need the name of one column"),
        (SIDES, "year", "left", r"by its column 'year', a whole number, and 'left' is none"),
        (
            dg.MultiPartitionsDefinition({"day": DAYS, "camera": SIDES}),
            "camera",
            dg.MultiPartitionKey({"day": "2024-01-02", "camera": "left"}),
            r"need a column for each of the dimensions camera, day",
        ),
        (SIDES, "size", "left", r"'shop/frames' ha.* no column|has no column 'size'|'size'"),
    ],
)
def test_an_expression_that_does_not_fit_is_refused(
    lab, shop, filled, partitions, expression, key, message
):
    got = []
    report = reader(partitions, got)

    with pytest.raises(mx.MetaxyError, match=message):
        lab.run(frames(shop, partitions, expression), report, selection=[report], partition_key=key)
    assert got == []
