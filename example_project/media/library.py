"""The example's clips are made on the spot, always the same ones, from their names alone."""

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from zlib import crc32

from example_project.media.container import join_streams
from example_project.media.encode import encode_speech, encode_video
from example_project.media.errors import MediaError
from example_project.media.scenes import HEIGHT, MOVES, SUBJECTS, TAKES, WIDTH, filmed
from example_project.media.speech import synthesise

CLIP_IDS = (
    *("astronaut-pan-01", "astronaut-zoom-02", "astronaut-tilt-03", "astronaut-zoom-04-silent"),
    *("portrait-pan-01", "portrait-zoom-02", "portrait-tilt-03", "portrait-pan-05"),
    *("portrait-zoom-06-silent", "group-pan-01", "group-zoom-02", "group-tilt-03"),
    *("brick-pan-01", "chelsea-pan-01", "chelsea-zoom-02", "coffee-pan-01", "coffee-tilt-02"),
    *("coins-tilt-01", "hubble-zoom-01", "hubble-pan-02-silent", "moon-zoom-01-silent"),
    *("motorcycle-pan-01", "motorcycle-zoom-02", "retina-zoom-01", "rocket-tilt-01"),
    *("rocket-zoom-02", "tissue-pan-01"),
)
"""The clips of a new library."""

# The variants of espeak-ng that a recogniser understands best, with their words per minute.
_EDWARD = ("en-us+edward", 155)
_KLATT = ("en-us+klatt4", 140)
_ROBOT = ("en-us+robosoft3", 155)
_LINES = (
    ("the weather is nice today", *_ROBOT),
    ("turn left at the station", *_KLATT),
    ("seven days a week", *_ROBOT),
    ("the train leaves at seven in the morning", *_EDWARD),
    ("we are going to the beach", *_EDWARD),
    ("this is the news", *_EDWARD),
    ("the coffee is on the table", *_KLATT),
    ("he was born in nineteen eighty", *_EDWARD),
    ("thank you very much", *_ROBOT),
    ("the rocket is ready to fly", *_ROBOT),
    ("it is going to rain tomorrow", *_KLATT),
    ("the doctor will see you now", *_ROBOT),
    ("we have to leave tomorrow", *_EDWARD),
    ("they sold the old house last year", *_ROBOT),
    ("nobody knows the answer", *_KLATT),
    ("the show begins at nine", *_EDWARD),
    ("please open the window", *_EDWARD),
    ("she is reading a book", *_ROBOT),
    ("the moon is very bright tonight", *_EDWARD),
    ("please close the door", *_ROBOT),
    ("my father works in the city", *_ROBOT),
    ("everything will be all right", *_KLATT),
    ("there is nothing to be afraid of", *_ROBOT),
    ("how much does it cost", *_ROBOT),
    ("he has lived in london for years", *_EDWARD),
    ("this is not a good idea", *_KLATT),
    ("good morning everyone", *_EDWARD),
    ("i would like a cup of tea", *_ROBOT),
)

_FRAMES_PER_SECOND = 8
_SHORTEST, _LONGEST, _SILENT = 12, 24, 16
_PAUSE = 0.25

_CLIP_ID = re.compile(
    rf"(?P<subject>{'|'.join(SUBJECTS)})-(?P<move>{'|'.join(MOVES)})"
    r"-(?P<take>\d\d)(?P<silent>-silent)?"
)


@dataclass(frozen=True)
class _Recipe:
    subject: str
    move: str
    take: int
    sentence: str | None
    voice: str
    speed: int


def make_library(directory: Path) -> list[Path]:
    """Make every clip of `CLIP_IDS` that is not there yet.

    The same id gives the same bytes in every directory and every process; a clip that exists
    is left as it is.

    Args:
        directory: Where the clips go; it is created if need be.

    Returns:
        The paths of the clips, in the order of `CLIP_IDS`.
    """
    return [add_clip(directory, clip_id) for clip_id in CLIP_IDS]


def add_clip(directory: Path, clip_id: str) -> Path:
    """Make one clip, of the library's own or a further one; leave it alone if it exists.

    Args:
        directory: Where the clip goes; it is created if need be.
        clip_id: `<subject>-<move>-<take>`, with `-silent` behind it for a clip without an
            audio stream: a key of `scenes.SUBJECTS`, one of `scenes.MOVES`, and a number
            from 01 to 24, such as "chelsea-tilt-07".

    Returns:
        The path of the clip, `<clip_id>.mp4`.

    Raises:
        MediaError: The id is none of that form.
    """
    recipe = _recipe(clip_id)
    clip = directory / f"{clip_id}.mp4"
    if not clip.exists():
        directory.mkdir(parents=True, exist_ok=True)
        _write(clip, recipe)
    return clip


def remove_clip(directory: Path, clip_id: str) -> None:
    """Delete a clip.

    Args:
        directory: The directory of the library.
        clip_id: The file name without its suffix.

    Raises:
        MediaError: The library has no such clip.
    """
    clip = directory / f"{clip_id}.mp4"
    if not clip.is_file():
        present = ", ".join(sorted(path.stem for path in directory.glob("*.mp4"))) or "none"
        raise MediaError(clip, "the library has no such clip", f"Name one it has: {present}.")
    clip.unlink()


def replace_audio(clip: Path, sentence: str) -> None:
    """Let a clip say something else; its video packets keep every bit.

    Args:
        clip: The mp4 file, with or without an audio stream; it is replaced in one step.
        sentence: What to say; in English, so that it can be transcribed.

    Raises:
        MediaError: The clip is missing or no media, or the sentence is blank.
    """
    voice, speed = _EDWARD
    speech = encode_speech(synthesise(sentence, voice=voice, speed=speed))
    join_streams(clip, video=clip, audio=speech)


def _recipe(clip_id: str) -> _Recipe:
    parts = _CLIP_ID.fullmatch(clip_id)
    if parts is None or not 1 <= int(parts["take"]) <= TAKES:
        raise MediaError(
            repr(clip_id),
            "no clip can be made from this id",
            "Write <subject>-<move>-<take> or <subject>-<move>-<take>-silent, with a subject of "
            f"{', '.join(SUBJECTS)}; a move of {', '.join(MOVES)}; a take from 01 to {TAKES}.",
        )
    known = clip_id in CLIP_IDS
    choice = CLIP_IDS.index(clip_id) if known else crc32(clip_id.encode())
    sentence, voice, speed = _LINES[choice % len(_LINES)]
    return _Recipe(
        subject=parts["subject"],
        move=parts["move"],
        take=int(parts["take"]),
        sentence=None if parts["silent"] else sentence,
        voice=voice,
        speed=speed,
    )


def _write(clip: Path, recipe: _Recipe) -> None:
    audio, frame_count = None, _SILENT
    if recipe.sentence is not None:
        speech = synthesise(recipe.sentence, voice=recipe.voice, speed=recipe.speed)
        audio = encode_speech(speech)
        seconds = len(speech.samples) / speech.rate + _PAUSE
        frame_count = min(max(math.ceil(seconds * _FRAMES_PER_SECOND), _SHORTEST), _LONGEST)
    video = encode_video(
        filmed(recipe.subject, recipe.move, recipe.take, frame_count),
        width=WIDTH,
        height=HEIGHT,
        rate=Fraction(_FRAMES_PER_SECOND),
        time_base=Fraction(1, _FRAMES_PER_SECOND),
    )
    join_streams(clip, video=video, audio=audio)
