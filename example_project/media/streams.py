"""A stream is known by the hash of its content, which is what tells whether a field has changed."""

import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import xxhash
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from example_project.media.container import (
    audio_stream,
    fraction,
    open_media,
    stream_packets,
    video_stream,
)

_MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class StreamHashes:
    """What the streams of a clip contain.

    Attributes:
        audio: 16 hexadecimal digits; None when the clip has no audio stream.
        frames: 16 hexadecimal digits.
    """

    audio: str | None
    frames: str


@dataclass(frozen=True)
class ClipInfo:
    """What a clip is like from outside.

    Attributes:
        duration: Seconds, of the longer stream.
        width: Pixels.
        height: Pixels.
        frame_count: Number of frames.
        size: Bytes of the file.
        has_audio: Whether there is an audio stream.
    """

    duration: float
    width: int
    height: int
    frame_count: int
    size: int
    has_audio: bool


def stream_hashes(clip: Path) -> StreamHashes:
    """Hash each stream of a clip: its encoded packets with their time stamps.

    The container has no part in it: a remux, or another stream beside it, leaves a hash as
    it was. Times count from the first packet of the stream, in milliseconds, which is what
    every container can keep.

    Args:
        clip: The media file.

    Returns:
        One XXH3 hash of 64 bits a stream.

    Raises:
        MediaError: The file is missing, no media, or without a video stream.
    """
    with open_media(clip) as container:
        frames = _packet_hash(container, video_stream(container))
    with open_media(clip) as container:
        audio = audio_stream(container)
        return StreamHashes(
            audio=None if audio is None else _packet_hash(container, audio), frames=frames
        )


def probe(clip: Path) -> ClipInfo:
    """Look up the measures of a clip without decoding it.

    Args:
        clip: The media file.

    Raises:
        MediaError: The file is missing, no media, or without a video stream.
    """
    with open_media(clip) as container:
        video = video_stream(container)
        return ClipInfo(
            duration=(container.duration or 0) / _MICROSECONDS,
            width=video.width,
            height=video.height,
            frame_count=sum(1 for _ in stream_packets(container, video)),
            size=clip.stat().st_size,
            has_audio=audio_stream(container) is not None,
        )


def _packet_hash(container: InputContainer, stream: VideoStream | AudioStream) -> str:
    content = xxhash.xxh3_64()
    start: Fraction | None = None
    for packet in stream_packets(container, stream):
        stamp = packet.dts if packet.pts is None else packet.pts
        time = (stamp or 0) * fraction(packet.time_base)
        start = time if start is None else start
        content.update(struct.pack("<qq", round((time - start) * 1000), packet.size))
        content.update(bytes(packet))
    return content.hexdigest()
