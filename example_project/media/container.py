"""Media files are taken apart and put together in one place, so that bytes are repeatable."""

import heapq
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from io import BytesIO
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from example_project.media.errors import MediaError

if TYPE_CHECKING:
    from av.packet import Packet

# Neither a date nor the name of the muxer is written into a file.
BIT_EXACT = {"fflags": "+bitexact"}


@contextmanager
def open_media(source: Path | BytesIO) -> Iterator[InputContainer]:
    """Open a file, or an encoded stream in memory, for reading.

    Args:
        source: The file; for a stream in memory, the buffer, which is read from its start.

    Yields:
        The container; it has at least one video or audio stream.

    Raises:
        MediaError: There is no such file, or its content is no readable media.
    """
    if isinstance(source, BytesIO):
        source.seek(0)
    elif not source.is_file():
        raise MediaError(source, "there is no such file", "Create it, or correct the path.")
    try:
        with av.open(source, "r") as container:
            yield container
    except (av.error.InvalidDataError, av.error.EOFError) as error:
        raise MediaError(
            source if isinstance(source, Path) else "stream in memory",
            f"this is no readable media file ({error.strerror})",
            "Delete it and create it again.",
        ) from error


def video_stream(container: InputContainer) -> VideoStream:
    """Return the first video stream.

    Raises:
        MediaError: The container holds no video.
    """
    if not container.streams.video:
        raise MediaError(
            container.name, "it holds no video stream", "Give a file that has pictures."
        )
    return container.streams.video[0]


def audio_stream(container: InputContainer) -> AudioStream | None:
    """Return the first audio stream, or None when the container holds no audio."""
    return container.streams.audio[0] if container.streams.audio else None


def stream_packets(
    container: InputContainer, stream: VideoStream | AudioStream
) -> "Iterator[Packet[Any]]":
    """Yield the packets of one stream that carry data, in the order of decoding."""
    return (packet for packet in container.demux(stream) if packet.size and packet.dts is not None)


def fraction(ratio: Any) -> Fraction:
    """Return a time base or a rate as a fraction, whichever rational type PyAV gives it."""
    return Fraction(ratio.numerator, ratio.denominator)


@contextmanager
def written_atomically(target: Path) -> Iterator[Path]:
    """Yield a path to write to; its file takes the place of `target` when all went well."""
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        yield draft
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def join_streams(target: Path, *, video: Path | BytesIO, audio: Path | BytesIO | None) -> None:
    """Write an mp4 file from the pictures of one source and the sound of another.

    Packets are copied and not encoded anew, so that the streams keep every bit. The same
    streams give the same file. `target` may be one of the sources.

    Args:
        target: The file to write; it is replaced in one step.
        video: Where the pictures come from.
        audio: Where the sound comes from, if there is any in it; None for a silent file.

    Raises:
        MediaError: A source is missing or unreadable, or `video` holds no pictures.
    """
    with written_atomically(target) as draft:
        if audio is None:
            with open_media(video) as pictures, _mp4(draft) as output:
                _copy(output, [(pictures, video_stream(pictures))])
            return
        with open_media(video) as pictures, open_media(audio) as sound, _mp4(draft) as output:
            parts: list[tuple[InputContainer, VideoStream | AudioStream]]
            parts = [(pictures, video_stream(pictures))]
            if (track := audio_stream(sound)) is not None:
                parts.append((sound, track))
            _copy(output, parts)


def _mp4(path: Path) -> OutputContainer:
    return av.open(path, "w", format="mp4", options=BIT_EXACT)


def _copy(
    output: OutputContainer, parts: list[tuple[InputContainer, VideoStream | AudioStream]]
) -> None:
    copies = [output.add_stream_from_template(stream) for _, stream in parts]
    tracks = [
        zip(stream_packets(container, stream), repeat(copy), strict=False)
        for (container, stream), copy in zip(parts, copies, strict=True)
    ]
    for packet, copy in heapq.merge(*tracks, key=lambda pair: _decoding_time(pair[0])):
        packet.stream = copy
        output.mux(packet)


def _decoding_time(packet: "Packet[Any]") -> Fraction:
    return (packet.dts or 0) * fraction(packet.time_base)
