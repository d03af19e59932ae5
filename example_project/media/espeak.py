"""Speaks one sentence as a program of its own, because espeak-ng carries state to the next one.

Called as `espeak.py LIBRARY VOICE SPEED SENTENCE` from the directory that holds
`espeak-ng-data`; writes the sample rate (32 bits) and then the samples (16 bits each, mono),
all little-endian, to its standard output. Exit code 3 says that the voice is unknown.
"""

import ctypes
import struct
import sys

UNKNOWN_VOICE = 3

_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_SPEED = 1
_UTF8 = 1
_SEED = 1
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


def speak(library: str, voice: str, speed: int, sentence: str) -> bytes:
    """Return the rate and the samples of a spoken sentence, as described above."""
    espeak = ctypes.CDLL(library)
    # The path is relative because espeak-ng cuts off a path of more than 160 characters.
    rate = espeak.espeak_Initialize(_SYNCHRONOUS, 0, b".", _DO_NOT_EXIT)
    if rate <= 0:
        sys.exit("espeak-ng finds no voice data beside its library")
    # It seeds its noise with the time of day.
    espeak.espeak_ng_SetRandSeed(_SEED)
    parts = [struct.pack("<i", rate)]
    callback = _CALLBACK(lambda samples, count, _: _collected(parts, samples, count))
    espeak.espeak_SetSynthCallback(callback)
    if espeak.espeak_SetVoiceByName(voice.encode()):
        sys.exit(UNKNOWN_VOICE)
    espeak.espeak_SetParameter(_SPEED, speed, 0)
    text = sentence.encode()
    espeak.espeak_Synth(text, len(text) + 1, 0, 1, 0, _UTF8, None, None)
    espeak.espeak_Synchronize()
    return b"".join(parts)


def _collected(parts: list[bytes], samples: "ctypes._Pointer[ctypes.c_short]", count: int) -> int:
    if count > 0:
        parts.append(struct.pack(f"<{count}h", *samples[:count]))
    return 0


if __name__ == "__main__":
    _, library, voice, speed, sentence = sys.argv
    sys.stdout.buffer.write(speak(library, voice, int(speed), sentence))
