"""A moving picture is filmed off a still photograph, so that the example needs no download."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from av import VideoFrame

from example_project.media.pictures import Picture, scaled

WIDTH, HEIGHT = 320, 240

_PORTRAIT_CANVAS = (360, 480)
# Of the 100 faces that scikit-image has, some that its own cascade finds at any size.
_FACES = (*range(49, 55), *range(56, 64), *range(68, 76), 77, 78)
_GROUND = ("coffee", "rocket", "brick", "gravel")


@dataclass(frozen=True)
class Subject:
    """What a clip shows.

    Attributes:
        photograph: Gives the picture for a take.
        row: Height of the point the camera aims at, as a part of the picture.
        column: The same from the left.
        framing: Height of what the camera sees, as a part of the picture.
    """

    photograph: Callable[[int], Picture]
    row: float = 0.5
    column: float = 0.5
    framing: float = 0.8


def filmed(subject: str, move: str, take: int, frame_count: int) -> Iterator[VideoFrame]:
    """Film a subject, with the time stamp of each frame being its number.

    Args:
        subject: A key of `SUBJECTS`.
        move: One of `MOVES`.
        take: A number from 1 to `TAKES`; it decides how far the move goes and which faces it sees.
        frame_count: How many frames, at least 2.

    Yields:
        Frames of `WIDTH` by `HEIGHT` pixels.
    """
    scene = SUBJECTS[subject]
    picture = scene.photograph(take)
    direction = 1 if take % 2 else -1
    for number in range(frame_count):
        progress = direction * (2 * number / (frame_count - 1) - 1)
        frame = scaled(_view(picture, scene, move, progress, take), width=WIDTH, height=HEIGHT)
        frame.pts = number
        yield frame


def _view(picture: Picture, scene: Subject, move: str, progress: float, take: int) -> Picture:
    rows, columns = picture.shape[:2]
    travel = (0.04 + 0.0025 * take) * progress
    height = min(rows * scene.framing, columns * HEIGHT / WIDTH)
    if move == "zoom":
        height *= 0.85 - 1.5 * travel
    width = height * WIDTH / HEIGHT
    top = rows * scene.row - height / 2 + (travel * height if move == "tilt" else 0)
    left = columns * scene.column - width / 2 + (travel * width if move == "pan" else 0)
    row, column = _inside(top, height, rows), _inside(left, width, columns)
    return picture[row : row + round(height), column : column + round(width)]


def _inside(start: float, length: float, available: int) -> int:
    return min(max(round(start), 0), available - round(length))


def _photograph(name: str) -> Callable[[int], Picture]:
    return lambda _: _stored(name)


@cache
def _stored(name: str) -> Picture:
    from skimage import data

    stored = getattr(data, name)()
    # A stereo photograph is its left view, its right view and the distance between them.
    picture = np.asarray(stored[0] if isinstance(stored, tuple) else stored)
    if picture.ndim == 2:  # noqa: PLR2004 - rows and columns, without colours
        return np.stack([picture] * 3, axis=-1)
    return picture[..., :3]


def _portrait(take: int) -> Picture:
    canvas = _canvas(take)
    _place(canvas, face=take - 1, side=150, row=180, column=240)
    return canvas


def _group(take: int) -> Picture:
    canvas = _canvas(take)
    for place, (row, column) in enumerate(((95, 165), (95, 315), (265, 165), (265, 315))):
        _place(canvas, face=4 * (take - 1) + place, side=110, row=row, column=column)
    return canvas


def _canvas(take: int) -> Picture:
    ground = _stored(_GROUND[take % len(_GROUND)])
    height, width = _PORTRAIT_CANVAS
    top, left = (ground.shape[0] - height) // 2, (ground.shape[1] - width) // 2
    return ground[top : top + height, left : left + width].copy()


def _place(canvas: Picture, *, face: int, side: int, row: int, column: int) -> None:
    from skimage.data import lfw_subset

    grey = lfw_subset()[_FACES[face % TAKES]] * 255  # type: ignore[no-untyped-call]
    small = np.stack([grey] * 3, axis=-1).astype(np.uint8)
    large = scaled(small, width=side, height=side).to_ndarray(format="rgb24")
    top, left = row - side // 2, column - side // 2
    canvas[top : top + side, left : left + side] = large


TAKES = len(_FACES)
"""How often a subject can be filmed anew."""

MOVES = ("pan", "tilt", "zoom")
"""How the camera moves: sideways, up and down, in and out."""

SUBJECTS = {
    "astronaut": Subject(_photograph("astronaut"), row=0.25, column=0.43, framing=0.5),
    "portrait": Subject(_portrait, framing=0.9),
    "group": Subject(_group, framing=0.95),
    "brick": Subject(_photograph("brick")),
    "chelsea": Subject(_photograph("chelsea")),
    "coffee": Subject(_photograph("coffee")),
    "coins": Subject(_photograph("coins")),
    "grass": Subject(_photograph("grass")),
    "hubble": Subject(_photograph("hubble_deep_field")),
    "moon": Subject(_photograph("moon")),
    "motorcycle": Subject(_photograph("stereo_motorcycle")),
    "retina": Subject(_photograph("retina")),
    "rocket": Subject(_photograph("rocket")),
    "tissue": Subject(_photograph("immunohistochemistry")),
}
"""What can be filmed, by the first word of a clip's id."""

FACES = frozenset({"astronaut", "portrait", "group"})
"""The subjects that have a face."""
