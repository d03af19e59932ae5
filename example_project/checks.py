"""What should hold of the features, told after each run or once a night."""

from __future__ import annotations

import metaxy_dagster as mxd
from example_project.assets import clips, stills

in_runs = mxd.feature_checks(
    [
        clips.video,
        clips.crop,
        clips.face_detection,
        clips.speech_to_text,
        stills.still,
        stills.cover,
    ],
    samples={clips.video.key.to_user_string(): clips.arrived_clips},
    checks=["increment_empty", "orphans_below_threshold", "nothing_blocked", "ids_unique"],
    max_orphans=0.01,
)
"""Checks of what a run computes completely: they belong to it."""

nightly = mxd.feature_checks(
    [stills.colour, stills.embedding], severity={"increment_empty": "ERROR"}, max_orphans=0.2
)
"""Checks of what is computed in parts: a run of one bucket leaves the others to do."""

feature_checks = [*in_runs, *nightly]
