"""Speech is made from text, and text from speech, with engines that bring their own models."""

import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from av import AudioResampler

from example_project.media.container import audio_stream, open_media
from example_project.media.errors import MediaError
from example_project.media.espeak import UNKNOWN_VOICE

_RECOGNISER_RATE = 16_000
# One pass over the sound, with fewer guesses kept: three times as fast for a few words lost.
_QUICK_SEARCH = {"fwdflat": False, "maxhmmpf": 3000}
_PROGRAM = Path(__file__).with_name("espeak.py")


@dataclass(frozen=True, eq=False)
class Speech:
    """A spoken sentence.

    Attributes:
        samples: The sound, shape (samples,), 16-bit integers, one channel.
        rate: Samples per second (Hz).
    """

    samples: np.ndarray[Any, np.dtype[np.int16]]
    rate: int


def synthesise(sentence: str, *, voice: str = "en", speed: int = 150) -> Speech:
    """Speak a sentence with espeak-ng.

    The same arguments give the same samples, in any process and after any other sentence.

    Args:
        sentence: Plain text.
        voice: A language of espeak-ng, with a variant if wanted: "en", "en-us+edward".
        speed: Words per minute, from 80 to 450.

    Raises:
        MediaError: The sentence is blank, the voice unknown, or espeak-ng does not run.

    Example:
        >>> speech = synthesise("seven days a week")
        >>> speech.rate, speech.samples.dtype.name, speech.samples.ndim
        (22050, 'int16', 1)
    """
    if not sentence.strip():
        raise MediaError(repr(sentence), "there is nothing to say", "Give a sentence with words.")
    spoken = _spoken(sentence, voice, speed)
    rate: int = struct.unpack_from("<i", spoken)[0]
    return Speech(np.frombuffer(spoken, dtype="<i2", offset=4).astype(np.int16), rate)


def transcribe(clip: Path) -> str:
    """Recognise the English words spoken in a clip with PocketSphinx.

    A clip gives the same words whatever was transcribed before it.

    Args:
        clip: The media file.

    Returns:
        The words in lower case; empty when there is no audio stream, or no word in it.

    Raises:
        MediaError: The file is missing or no media.
    """
    sound = _sound(clip)
    if not sound:
        return ""
    from pocketsphinx import Decoder

    # A decoder keeps traces of what it heard, so that each clip needs a new one.
    decoder = Decoder(samprate=_RECOGNISER_RATE, loglevel="FATAL", **_QUICK_SEARCH)
    decoder.start_utt()
    decoder.process_raw(sound, full_utt=True)
    decoder.end_utt()
    heard = decoder.hyp()
    return str(heard.hypstr) if heard else ""


def _spoken(sentence: str, voice: str, speed: int) -> bytes:
    import espeakng_loader

    run = subprocess.run(  # noqa: S603 - our own program, no shell
        [
            *(sys.executable, "-I", "-S", str(_PROGRAM)),
            *(espeakng_loader.get_library_path(), voice, str(speed), sentence),
        ],
        cwd=Path(espeakng_loader.get_data_path()).parent,
        capture_output=True,
        check=False,
    )
    if run.returncode == UNKNOWN_VOICE:
        raise MediaError(voice, "espeak-ng has no such voice", "Use one such as 'en' or 'en-us'.")
    if run.returncode:
        reason = run.stderr.decode(errors="replace").strip() or f"exit code {run.returncode}"
        raise MediaError(sentence, f"espeak-ng failed: {reason}", "Reinstall espeakng-loader.")
    return run.stdout


def _sound(clip: Path) -> bytes:
    return b"".join(_sound_parts(clip))


def _sound_parts(clip: Path) -> Iterator[bytes]:
    resampler = AudioResampler(format="s16", layout="mono", rate=_RECOGNISER_RATE)
    with open_media(clip) as container:
        stream = audio_stream(container)
        if stream is None:
            return
        for frame in (*container.decode(stream), None):
            for part in resampler.resample(frame):
                yield part.to_ndarray().tobytes()
