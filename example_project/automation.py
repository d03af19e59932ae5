"""What runs by itself: sensors follow the commits, schedules look after the rest at night."""

from __future__ import annotations

import dagster as dg

import metaxy_dagster as mxd
from example_project.assets import clips, reports, stills
from example_project.checks import nightly

ON = dg.DefaultSensorStatus.RUNNING
SCHEDULED = dg.DefaultScheduleStatus.RUNNING
SECONDS = 10
"""Between two ticks, so that a change is answered while one looks."""

# ------------------------------------------------------------------ jobs

refresh = dg.define_asset_job(
    "refresh",
    selection=[clips.video, clips.crop, clips.face_detection, clips.speech_to_text, stills.still],
    description="Brings all that is computed of whole clips up to date.",
)
colours = dg.define_asset_job(
    "colours",
    selection=dg.AssetSelection.assets(stills.colour).without_checks(),
    description="Measures the stills of one bucket.",
)
embeddings = dg.define_asset_job(
    "embeddings",
    selection=dg.AssetSelection.assets(stills.embedding).without_checks(),
    description="Describes the stills of one batch.",
)
covers = dg.define_asset_job(
    "covers",
    selection=[stills.cover, reports.look_alikes],
    description="Chooses covers and looks for clips that are alike.",
)
page = dg.define_asset_job(
    "page", selection=[reports.library_page], description="Writes the page of the library."
)
checks = dg.define_asset_job(
    "checks",
    selection=dg.AssetSelection.checks(*nightly),
    description="Checks what is computed in parts.",
)

# ------------------------------------------------------------------ maintenance

features = [
    clips.video, clips.crop, clips.face_detection, clips.speech_to_text,
    stills.still, stills.colour, stills.embedding, stills.cover,
]  # fmt: skip
samples = {clips.video.key.to_user_string(): clips.arrived_clips}
# A batch holds no orphans, so that nothing else deletes these.
delete_embeddings = mxd.delete_orphans_job(
    [stills.embedding], name="delete_embeddings", dry_run=False
)
maintenance = [
    mxd.delete_orphans_job(features, samples=samples),
    mxd.compact_job(features),
    mxd.observe_job(features),
    mxd.rebase_job(features, samples=samples),
    delete_embeddings,
]

asset_jobs = [refresh, colours, embeddings, covers, page, checks]

# ------------------------------------------------------------------ sensors and schedules

new_clips = mxd.upstream_change_sensor(
    of=[clips.crop, clips.face_detection, clips.speech_to_text, stills.still],
    name="new_clips",
    minimum_interval_seconds=SECONDS,
    default_status=ON,
)
new_stills = mxd.upstream_change_sensor(
    stills.still,
    name="new_stills",
    target=colours,
    partition_keys=[str(number) for number in range(stills.BUCKETS)],
    minimum_interval_seconds=SECONDS,
    default_status=ON,
)
batches = mxd.increment_partitions_sensor(
    stills.embedding, name="batches", minimum_interval_seconds=SECONDS, default_status=ON
)
new_colours = mxd.upstream_change_sensor(
    [stills.colour, stills.embedding],
    name="new_colours",
    target=covers,
    minimum_interval_seconds=60,  # each bucket and each batch makes commits of its own
    default_status=ON,
)
# Without sources the folder would never be observed.
conditions = dg.AutomationConditionSensorDefinition(
    "conditions", target=dg.AssetSelection.all(include_sources=True), default_status=ON
)
sensors = [new_clips, new_stills, batches, new_colours, conditions]

schedules = [
    mxd.increment_schedule(
        [clips.crop, clips.face_detection, clips.speech_to_text, stills.still],
        "0 2 * * *",
        name="nightly",
        default_status=SCHEDULED,
    ),
    dg.ScheduleDefinition(
        job=delete_embeddings, cron_schedule="0 3 * * *", default_status=SCHEDULED
    ),
    dg.ScheduleDefinition(job=checks, cron_schedule="30 3 * * *", default_status=SCHEDULED),
]
