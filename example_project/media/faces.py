"""Faces are found by a classic cascade, which needs neither a download nor a GPU."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from example_project.media.container import open_media, video_stream
from example_project.media.pictures import Picture
from example_project.media.streams import probe

if TYPE_CHECKING:
    from skimage.feature import Cascade

# Windows from a sixth of the picture up to most of it, each a fifth larger than the last.
_SMALLEST_PART = 6
_LARGEST_PART = 0.8
_SCALE_FACTOR = 1.2
# So many windows have to agree on a face: one fewer sees one in a retina.
_AGREEING = 5


@dataclass(frozen=True)
class Face:
    """A face in one frame, as a box in pixels of the clip.

    Attributes:
        frame: Number of the frame, from 0.
        row: Upper edge.
        column: Left edge.
        width: Pixels.
        height: Pixels.
    """

    frame: int
    row: int
    column: int
    width: int
    height: int


def detect_faces(clip: Path, *, frames: int = 3) -> list[Face]:
    """Find the faces that look into the camera, in a few frames of a clip.

    Args:
        clip: The media file.
        frames: How many frames to look at, evenly spaced from the first to the last; at
            least 1, which takes the one in the middle.

    Returns:
        The faces, by frame, row and column; empty when there is none.

    Raises:
        MediaError: The file is missing, no media, or without a video stream.
        ValueError: `frames` is less than 1.
    """
    if frames < 1:
        raise ValueError(f"frames is {frames}; look at 1 frame at least")
    wanted = _spread(probe(clip).frame_count, frames)
    found = [
        Face(number, int(box["r"]), int(box["c"]), int(box["width"]), int(box["height"]))
        for number, picture in _pictures(clip, wanted)
        for box in _boxes(picture)
    ]
    return sorted(found, key=lambda face: (face.frame, face.row, face.column))


def _spread(count: int, wanted: int) -> set[int]:
    if wanted == 1:
        return {count // 2}
    return {round(step * (count - 1) / (wanted - 1)) for step in range(wanted)}


def _pictures(clip: Path, numbers: set[int]) -> Iterator[tuple[int, Picture]]:
    with open_media(clip) as container:
        for number, frame in enumerate(container.decode(video_stream(container))):
            if number in numbers:
                yield number, frame.to_ndarray(format="rgb24")


def _boxes(picture: Picture) -> list[dict[str, Any]]:
    side = min(picture.shape[:2])
    smallest, largest = side // _SMALLEST_PART, int(side * _LARGEST_PART)
    boxes: list[dict[str, Any]] = _cascade().detect_multi_scale(
        img=picture,
        scale_factor=_SCALE_FACTOR,
        step_ratio=1,
        min_size=(smallest, smallest),
        max_size=(largest, largest),
        min_neighbor_number=_AGREEING,
    )
    return boxes


@cache
def _cascade() -> "Cascade":
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    trained = lbp_frontal_face_cascade_filename()  # type: ignore[no-untyped-call]
    return Cascade(trained)
