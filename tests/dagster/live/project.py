"""A project as somebody deploys it: one asset for each way to receive an increment."""

import json
import os
from pathlib import Path

import dagster as dg
import polars as pl

import metaxy_core as mx
import metaxy_dagster as mxd

ID = {"id_columns": ["id"]}
BODY = [mx.FieldSpec(key="body", version_from=["etag"])]

with mx.FeatureGraph().use():

    class Page(mx.Feature, spec=mx.FeatureSpec(key="web/page", fields=BODY, **ID)):
        id: int
        etag: str

    class Summary(mx.Feature, spec=mx.FeatureSpec(key="web/summary", deps=[Page], **ID)):
        id: int
        length: int

    class Headline(mx.Feature, spec=mx.FeatureSpec(key="web/headline", deps=[Page], **ID)):
        id: int
        length: int

    class Words(mx.Feature, spec=mx.FeatureSpec(key="web/words", deps=[Page], **ID)):
        id: int
        length: int

    class Links(mx.Feature, spec=mx.FeatureSpec(key="web/links", deps=[Page], **ID)):
        id: int
        length: int

    class Post(mx.Feature, spec=mx.FeatureSpec(key="feed/post", fields=BODY, **ID)):
        """Written by another program."""

        id: int
        etag: str

    class Alert(mx.Feature, spec=mx.FeatureSpec(key="feed/alert", deps=[Post], **ID)):
        id: int
        length: int

    class Topic(mx.Feature, spec=mx.FeatureSpec(key="feed/topic", deps=[Post], **ID)):
        id: int
        length: int

    class Digest(mx.Feature, spec=mx.FeatureSpec(key="feed/digest", deps=[Topic], **ID)):
        id: int
        length: int


def samples() -> pl.DataFrame:
    """The pages that the file beside the store tells of."""
    listed = Path(os.environ["METAXY_TEST_DATABASE"]).with_name("pages.json")
    etags = json.loads(listed.read_text())
    return pl.DataFrame({"id": [int(key) for key in etags], "etag": list(etags.values())})


def measured(increment: mx.Increment):
    """The work of every feature."""
    yield increment.new.with_columns(length=pl.lit(1))
    yield increment.stale.with_columns(length=pl.lit(2))


page = mxd.metaxify(Page)(samples)
summary = mxd.metaxify(Summary)(measured)
headline = mxd.metaxify(Headline)(measured)
words = mxd.metaxify(Words, chunk_size=2)(measured)
links = mxd.metaxify(Links, buckets=4)(measured)
alert = mxd.metaxify(Alert)(measured)
topic = mxd.metaxify(Topic, batch_size=2)(measured)
digest = mxd.metaxify(Digest)(measured)

store = mxd.MetaxyStoreResource(database=dg.EnvVar("METAXY_TEST_DATABASE"), settings={"threads": 1})

defs = dg.Definitions(
    assets=[
        page,
        summary,
        headline,
        words,
        links,
        alert,
        topic,
        digest,
        mxd.external_feature(Post),
    ],
    asset_checks=mxd.feature_checks(words, checks=["increment_empty", "ids_unique"]),
    sensors=[
        mxd.upstream_change_sensor(of=alert, name="alerts", minimum_interval_seconds=1),
        mxd.increment_partitions_sensor(topic, name="topics", minimum_interval_seconds=1),
    ],
    resources={"metaxy_store": store, "metaxy_io_manager": mxd.MetaxyIOManager(store=store)},
    executor=dg.in_process_executor,
)
