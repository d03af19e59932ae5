"""Pictures and sound become streams here, by encoders set to give the same bytes every time."""

from collections.abc import Iterable
from fractions import Fraction
from io import BytesIO

import av
from av import AudioFrame, VideoFrame
from av.codec.context import Flags

from example_project.media.container import BIT_EXACT
from example_project.media.speech import Speech

# 1,024 samples, one AAC packet, last 64 ms: time stamps stay whole in every container.
AUDIO_RATE = 16_000
_AUDIO_BITS_PER_SECOND = 64_000
_AAC = {"aac_coder": "fast", "threads": "1"}
_X264 = {"preset": "veryfast", "crf": "26", "bf": "0", "threads": "1"}


def encode_video(
    frames: Iterable[VideoFrame], *, width: int, height: int, rate: Fraction, time_base: Fraction
) -> BytesIO:
    """Encode frames as H.264.

    Args:
        frames: The frames in order, `width` by `height` pixels, with `pts` in `time_base` units.
        width: Pixels; an even number.
        height: Pixels; an even number.
        rate: Frames per second.
        time_base: Seconds per unit of `pts`.

    Returns:
        An mp4 file in memory with one video stream.
    """
    buffer = BytesIO()
    with av.open(buffer, "w", format="mp4", options=BIT_EXACT) as output:
        stream = output.add_stream("libx264", rate=rate, options=_X264)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = time_base
        stream.codec_context.flags |= Flags.bitexact
        for frame in frames:
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer


def encode_speech(speech: Speech) -> BytesIO:
    """Encode speech as AAC, 16 kHz mono.

    Args:
        speech: The samples with their rate.

    Returns:
        An mp4 file in memory with one audio stream.
    """
    buffer = BytesIO()
    with av.open(buffer, "w", format="mp4", options=BIT_EXACT) as output:
        stream = output.add_stream("aac", rate=AUDIO_RATE, options=_AAC)
        stream.codec_context.layout = "mono"
        stream.bit_rate = _AUDIO_BITS_PER_SECOND
        stream.codec_context.flags |= Flags.bitexact
        output.mux(stream.encode(_audio_frame(speech)))
        output.mux(stream.encode(None))
    return buffer


def _audio_frame(speech: Speech) -> AudioFrame:
    frame = AudioFrame.from_ndarray(speech.samples[None, :], format="s16", layout="mono")
    frame.sample_rate = speech.rate
    frame.time_base = Fraction(1, speech.rate)
    frame.pts = 0
    return frame
