"""What the pipeline produces: eight features, each saying which fields it reads."""

from __future__ import annotations

import metaxy_core as mx
from example_project.settings import settings


class Video(
    mx.Feature,
    spec=mx.FeatureSpec(
        key="example/video",
        id_columns=["clip_id"],
        fields=[
            mx.FieldSpec(
                key="audio",
                code_version=settings().audio_code_version,
                version_from=["audio_hash"],
                description="The clip's sound.",
            ),
            mx.FieldSpec(
                key="frames", version_from=["frames_hash"], description="The clip's pictures."
            ),
        ],
    ),
):
    """A clip as it arrived, each of its streams versioned by its own content."""

    clip_id: str
    path: str
    audio_hash: str | None
    frames_hash: str
    duration: float
    has_audio: bool
    seconds: float


class Crop(
    mx.Feature,
    spec=mx.FeatureSpec(
        key="example/crop",
        id_columns=["clip_id"],
        deps=[mx.FeatureDep(feature=Video, columns=["path"], rename={"path": "clip_path"})],
        fields=["audio", "frames"],
        cost_per_record=0.5,
        cost_unit="GPU s",
    ),
):
    """The middle of a clip as a square, its sound unchanged."""

    clip_id: str
    path: str
    width: int
    height: int
    seconds: float


class FaceDetection(
    mx.Feature,
    spec=mx.FeatureSpec(
        key="example/face_detection",
        id_columns=["clip_id"],
        deps=[mx.FeatureDep(feature=Crop, columns=["path"], rename={"path": "crop_path"})],
        fields=[
            mx.FieldSpec(key="faces", deps=[mx.FieldDep(feature=Crop, fields=["frames"])]),
        ],
        cost_per_record=2.0,
        cost_unit="GPU s",
    ),
):
    """How many faces a crop shows; reads the frames only."""

    clip_id: str
    faces: int
    seconds: float


class SpeechToText(
    mx.Feature,
    spec=mx.FeatureSpec(
        key="example/speech_to_text",
        id_columns=["clip_id"],
        deps=[
            mx.FeatureDep(
                feature=Video,
                columns=["path"],
                rename={"path": "clip_path"},
                filter="has_audio",
            )
        ],
        fields=[
            mx.FieldSpec(key="transcription", deps=[mx.FieldDep(feature=Video, fields=["audio"])]),
        ],
        cost_per_record=6.0,
        cost_unit="GPU s",
    ),
):
    """What is said in a clip that has sound; reads the audio only."""

    clip_id: str
    transcript: str
    seconds: float


class Still(
    mx.Feature,
    spec=mx.FeatureSpec(
        key="example/still",
        id_columns=["clip_id", "number"],
        deps=[
            mx.FeatureDep(
                feature=Video,
                columns=["path"],
                rename={"path": "clip_path"},
                lineage=mx.expansion(),
            )
        ],
        fields=[mx.FieldSpec(key="pixels", deps=[mx.FieldDep(feature=Video, fields=["frames"])])],
    ),
):
    """A small picture out of a clip, several of each; reads the frames only."""

    clip_id: str
    number: int
    path: str
    seconds: float


class Colour(
    mx.Feature,
    spec=mx.FeatureSpec(
        key="example/colour",
        id_columns=["clip_id", "number"],
        deps=[mx.FeatureDep(feature=Still, columns=["path"])],
        fields=["colour", "sharpness"],
    ),
):
    """How a still is coloured, and how sharp it is."""

    clip_id: str
    number: int
    path: str
    red: float
    green: float
    blue: float
    sharpness: float
    seconds: float


class Embedding(
    mx.Feature,
    spec=mx.FeatureSpec(
        key="example/embedding",
        id_columns=["clip_id", "number"],
        deps=[mx.FeatureDep(feature=Still, columns=["path"], rename={"path": "still_path"})],
        fields=["vector"],
        cost_per_record=0.2,
        cost_unit="GPU s",
    ),
):
    """The outlines of a still as a vector, by which similar stills are found."""

    clip_id: str
    number: int
    vector: list[float]
    seconds: float


class Cover(
    mx.Feature,
    spec=mx.FeatureSpec(
        key="example/cover",
        id_columns=["clip_id"],
        deps=[mx.FeatureDep(feature=Colour, lineage=mx.aggregation(on=["clip_id"]))],
        fields=["choice"],
    ),
):
    """The sharpest still of a clip, which stands for it."""

    clip_id: str
    number: int
    path: str
    shade: str
    seconds: float
