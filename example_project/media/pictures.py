"""A picture is an array of pixels, which one scaler brings to the size a clip needs."""

from typing import Any, TypeAlias

import numpy as np
from av import VideoFrame

Picture: TypeAlias = np.ndarray[Any, np.dtype[Any]]
"""Pixels as unsigned bytes, shape (height, width, 3), in the order red, green, blue."""


def scaled(picture: Picture, *, width: int, height: int) -> VideoFrame:
    """Return a picture at another size, ready to be encoded.

    Args:
        picture: Pixels, shape (rows, columns, 3), unsigned bytes.
        width: Pixels of the result; even.
        height: Pixels of the result; even.

    Returns:
        A frame in `yuv420p`, without a time stamp.

    Example:
        >>> frame = scaled(np.zeros((30, 40, 3), np.uint8), width=320, height=240)
        >>> frame.width, frame.height, frame.format.name
        (320, 240, 'yuv420p')
    """
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    return frame.reformat(
        width=width, height=height, format="yuv420p", interpolation="BICUBIC", threads=1
    )
