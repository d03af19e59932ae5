"""Stills are small pictures out of a clip; what they look like is computed from their pixels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from example_project.media.container import open_media, video_stream, written_atomically
from example_project.media.errors import MediaError
from example_project.media.pictures import Picture

_WIDTH, _HEIGHT = 96, 72
_EVERY = 4
# Cells of 24 pixels with eight directions each: 3 x 4 x 8 numbers.
_CELL, _DIRECTIONS = 24, 8


@dataclass(frozen=True)
class Look:
    """What a still looks like.

    Attributes:
        red: mean of the red pixels, from 0 to 255.
        green: the same for green.
        blue: the same for blue.
        sharpness: variance of the second derivative of the brightness.
    """

    red: float
    green: float
    blue: float
    sharpness: float


def save_stills(clip: Path, directory: Path) -> list[Path]:
    """Take every fourth frame out of a clip, scaled down.

    Args:
        clip: The media file.
        directory: Where the PNG files go; it is created if need be. Stills of the same clip that
            are there already are replaced.

    Returns:
        The paths of the stills in the order of the frames; at least one.

    Raises:
        MediaError: The clip is missing, no media, or without a video stream.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for former in directory.glob("*.png"):
        former.unlink()
    saved: list[Path] = []
    with open_media(clip) as container:
        for number, frame in enumerate(container.decode(video_stream(container))):
            if number % _EVERY:
                continue
            small = frame.reformat(width=_WIDTH, height=_HEIGHT, format="rgb24", threads=1)
            target = directory / f"{len(saved):02}.png"
            with written_atomically(target) as draft:
                Image.fromarray(small.to_ndarray()).save(draft, format="PNG")
            saved.append(target)
    return saved


def look_of(still: Path) -> Look:
    """Measure the colours and the sharpness of a still.

    Raises:
        MediaError: The file is missing or no picture.
    """
    pixels = _pixels(still)
    red, green, blue = (float(mean) for mean in pixels.mean(axis=(0, 1)))
    grey = pixels.mean(axis=2)
    edges = grey[1:-1, :-2] + grey[1:-1, 2:] + grey[:-2, 1:-1] + grey[2:, 1:-1]
    return Look(red, green, blue, sharpness=float((edges - 4 * grey[1:-1, 1:-1]).var()))


def outlines_of(still: Path) -> list[float]:
    """Describe a still by the directions of its outlines, as a vector of length 1.

    It is a histogram of oriented gradients (Dalal and Triggs, 2005).

    Raises:
        MediaError: The file is missing or no picture.
    """
    from skimage.feature import hog

    vector: np.ndarray[Any, np.dtype[np.float64]] = hog(
        _pixels(still).mean(axis=2),
        orientations=_DIRECTIONS,
        pixels_per_cell=(_CELL, _CELL),
        cells_per_block=(1, 1),
    )
    length = float(np.linalg.norm(vector))
    return [float(number) for number in (vector / length if length else vector)]


def _pixels(still: Path) -> Picture:
    try:
        with Image.open(still) as picture:
            return np.asarray(picture.convert("RGB"), dtype=np.float64)
    except OSError as error:
        raise MediaError(
            still, "this is no readable picture", "Compute the still again."
        ) from error
