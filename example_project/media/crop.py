"""A crop keeps the middle of every picture, which is where the example's faces are."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from av import VideoFrame
from av.container import InputContainer
from av.video.stream import VideoStream

from example_project.media.container import fraction, join_streams, open_media, video_stream
from example_project.media.encode import encode_video
from example_project.media.pictures import scaled
from example_project.media.streams import ClipInfo, probe

_SMALLEST = 16


def crop_clip(source: Path, target: Path, *, size: int = 192) -> ClipInfo:
    """Cut the centred square out of every frame; copy the audio packets as they are.

    The same source gives the same bytes. The target appears in one step.

    Args:
        source: The clip to crop.
        target: The mp4 file to write, in a directory that exists.
        size: Width and height of the result in pixels; even, at least 16.

    Returns:
        The measures of the cropped clip.

    Raises:
        MediaError: The source is missing, no media, or without a video stream.
        ValueError: The size is odd or too small.
    """
    if size < _SMALLEST or size % 2:
        raise ValueError(f"size is {size}; it has to be even and at least {_SMALLEST} pixels")
    join_streams(target, video=_cropped_video(source, size), audio=source)
    return probe(target)


def replace_crop_audio(source: Path, target: Path) -> ClipInfo:
    """Give a cropped clip the present audio of its source; its frames keep every bit.

    The result is the file that `crop_clip` would write, as long as the source's frames are
    the same, without decoding one of them.

    Args:
        source: The clip whose audio is taken; when it has none, the target loses its own.
        target: The clip cropped from it earlier; it is replaced in one step.

    Returns:
        The measures of the cropped clip.

    Raises:
        MediaError: A file is missing or no media, or the target has no video stream.
    """
    join_streams(target, video=target, audio=source)
    return probe(target)


def _cropped_video(source: Path, size: int) -> BytesIO:
    with open_media(source) as container:
        stream = video_stream(container)
        return encode_video(
            _cropped_frames(container, stream, size),
            width=size,
            height=size,
            rate=fraction(stream.average_rate),
            time_base=fraction(stream.time_base),
        )


def _cropped_frames(
    container: InputContainer, stream: VideoStream, size: int
) -> Iterator[VideoFrame]:
    for frame in container.decode(stream):
        picture = frame.to_ndarray(format="rgb24")
        side = min(frame.height, frame.width)
        top, left = (frame.height - side) // 2, (frame.width - side) // 2
        square = scaled(picture[top : top + side, left : left + side], width=size, height=size)
        square.pts, square.time_base, square.duration = frame.pts, frame.time_base, frame.duration
        yield square
