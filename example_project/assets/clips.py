"""What is computed of whole clips: each asset handles its increment in one step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

import metaxy_core as mx
import metaxy_dagster as mxd
from example_project.assets.records import computed
from example_project.features import Crop, FaceDetection, SpeechToText, Video
from example_project.media.crop import crop_clip, replace_crop_audio
from example_project.media.faces import detect_faces
from example_project.media.speech import transcribe
from example_project.media.streams import probe, stream_hashes
from example_project.settings import settings


def arrived_clips() -> pl.DataFrame:
    """Every clip in the folder, with one content hash per media stream."""
    rows = []
    for path in sorted(settings().clips.glob("*.mp4")):
        hashes = stream_hashes(path)
        rows.append(
            {
                "clip_id": path.stem,
                "path": str(path),
                "audio_hash": hashes.audio,
                "frames_hash": hashes.frames,
            }
        )
    return pl.DataFrame(rows, schema=dict.fromkeys(_SAMPLE_COLUMNS, pl.String))


_SAMPLE_COLUMNS = ("clip_id", "path", "audio_hash", "frames_hash")


video_samples = mxd.observable_samples(
    Video, arrived_clips, automation_condition=dg.AutomationCondition.on_cron("* * * * *")
)


@mxd.metaxify(
    Video,
    samples=arrived_clips,
    deps=[video_samples],
    orphans="delete",
    automation_condition=mxd.on_upstream_change(),
)
def video(increment: mx.Increment) -> Iterator[pl.DataFrame]:
    """Look into each new or changed clip."""
    yield from computed(increment, looked_into)


@mxd.metaxify(Crop, orphans="delete")
def crop(context: dg.AssetExecutionContext, increment: mx.Increment) -> Iterator[pl.DataFrame]:
    """Cut each clip to a square; where only the sound changed, exchange only the sound."""
    settings().crops.mkdir(parents=True, exist_ok=True)

    def work(row: dict[str, Any]) -> dict[str, Any]:
        source, target = Path(row["clip_path"]), settings().crops / f"{row['clip_id']}.mp4"
        sound_only = row["metaxy_changed_fields"] == ["audio"] and target.exists()
        info = (replace_crop_audio if sound_only else crop_clip)(source, target)
        context.log.debug("%s: %s", row["clip_id"], "sound" if sound_only else "sound and frames")
        return {"path": str(target), "width": info.width, "height": info.height}

    yield from computed(increment, work)


@mxd.metaxify(FaceDetection, orphans="delete")
def face_detection(increment: mx.Increment) -> Iterator[pl.DataFrame]:
    """Count the faces that a crop shows."""

    def work(row: dict[str, Any]) -> dict[str, Any]:
        return {"faces": len(detect_faces(Path(row["crop_path"])))}

    yield from computed(increment, work)


@mxd.metaxify(SpeechToText, orphans="delete")
def speech_to_text(increment: mx.Increment) -> Iterator[pl.DataFrame]:
    """Write down what is said."""
    yield from computed(increment, written_down)


# What is done with one record; the twin, which YAML declares, does the same.


def looked_into(row: dict[str, Any]) -> dict[str, Any]:
    """How long a clip is, and whether it has sound."""
    info = probe(Path(row["path"]))
    return {"duration": info.duration, "has_audio": info.has_audio}


def written_down(row: dict[str, Any]) -> dict[str, Any]:
    """What is said in a clip."""
    return {"transcript": transcribe(Path(row["clip_path"]))}
