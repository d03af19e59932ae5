"""The example's media work is real: clips are made, cut, hashed, looked at and listened to."""

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from example_project.media.container import join_streams
from example_project.media.crop import crop_clip, replace_crop_audio
from example_project.media.encode import encode_speech
from example_project.media.errors import MediaError
from example_project.media.faces import detect_faces
from example_project.media.library import (
    CLIP_IDS,
    add_clip,
    make_library,
    remove_clip,
    replace_audio,
)
from example_project.media.scenes import FACES, MOVES, SUBJECTS, filmed
from example_project.media.speech import synthesise, transcribe
from example_project.media.streams import ClipInfo, StreamHashes, probe, stream_hashes

ROOT = Path(__file__).parents[2]
SILENT = [clip_id for clip_id in CLIP_IDS if clip_id.endswith("-silent")]
WITH_FACES = [clip_id for clip_id in CLIP_IDS if clip_id.split("-")[0] in FACES]
WITHOUT_FACES = [clip_id for clip_id in CLIP_IDS if clip_id not in WITH_FACES]
# Of each kind one: with a face, without, without a voice, and none of the library.
REPRODUCED = ("astronaut-pan-01", "coffee-pan-01", "moon-zoom-01-silent", "chelsea-tilt-07")


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """The whole library, for reading only."""
    directory = tmp_path_factory.mktemp("library")
    make_library(directory)
    return directory


@pytest.fixture
def clip(library, tmp_path):
    """A clip of one's own, with a face and a voice."""
    return copy(library / "astronaut-pan-01.mp4", tmp_path / "clip.mp4")


@pytest.fixture
def silent_clip(library, tmp_path):
    """A clip of one's own, without an audio stream."""
    return copy(library / "moon-zoom-01-silent.mp4", tmp_path / "silent.mp4")


def copy(source, target):
    target.write_bytes(source.read_bytes())
    return target


def in_another_process(statement):
    subprocess.run(
        [sys.executable, "-B", "-c", statement],
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def remuxed(source, target, container_format):
    with av.open(source) as old, av.open(target, "w", format=container_format) as new:
        copies = [new.add_stream_from_template(stream) for stream in old.streams]
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                new.mux(packet)
    return target


def pixels(path):
    with av.open(path) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


# ------------------------------------------------------------------ the library


def test_the_library_holds_clips_with_and_without_faces_and_sound(library):
    assert sorted(path.stem for path in library.iterdir()) == sorted(CLIP_IDS)
    assert len(CLIP_IDS) >= 24
    assert min(len(WITH_FACES), len(WITHOUT_FACES)) >= 6
    assert len(SILENT) >= 3


@pytest.mark.parametrize("clip_id", CLIP_IDS)
def test_a_clip_is_short_and_small_and_its_frames_differ(library, clip_id):
    path = library / f"{clip_id}.mp4"
    info = probe(path)
    assert info == ClipInfo(
        duration=info.duration,
        width=320,
        height=240,
        frame_count=info.frame_count,
        size=path.stat().st_size,
        has_audio=clip_id not in SILENT,
    )
    assert 1.5 <= info.duration <= 3
    assert info.duration == pytest.approx(info.frame_count / 8, abs=0.07)
    assert info.size < 150_000
    frames = pixels(path)
    assert len(frames) == info.frame_count
    assert (frames[0] != frames[-1]).any()


def test_every_clip_has_content_of_its_own(library):
    hashes = [stream_hashes(path) for path in library.iterdir()]
    assert len({each.frames for each in hashes}) == len(CLIP_IDS)
    assert len({each.audio for each in hashes} - {None}) == len(CLIP_IDS) - len(SILENT)


def test_another_process_makes_the_same_bytes(library, tmp_path):
    here = {clip_id: add_clip(tmp_path / "here", clip_id).read_bytes() for clip_id in REPRODUCED}
    in_another_process(
        "from pathlib import Path; from example_project.media.library import add_clip\n"
        f"for clip_id in {REPRODUCED[::-1]!r}: add_clip(Path({str(tmp_path / 'there')!r}), clip_id)"
    )
    there = {path.stem: path.read_bytes() for path in (tmp_path / "there").iterdir()}
    assert there == here
    assert here["coffee-pan-01"] == (library / "coffee-pan-01.mp4").read_bytes()


def test_making_the_library_again_leaves_a_changed_clip_alone(library, tmp_path):
    for path in library.iterdir():
        copy(path, tmp_path / path.name)
    changed = tmp_path / "coffee-pan-01.mp4"
    replace_audio(changed, "please open the window")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "rocket-tilt-01.mp4").unlink()
    assert make_library(tmp_path) == [tmp_path / f"{clip_id}.mp4" for clip_id in CLIP_IDS]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_further_clip_is_added_and_removed(tmp_path):
    added = add_clip(tmp_path, "chelsea-tilt-07")
    assert added == tmp_path / "chelsea-tilt-07.mp4"
    assert "chelsea-tilt-07" not in CLIP_IDS
    assert probe(added).has_audio
    remove_clip(tmp_path, "chelsea-tilt-07")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_subject_can_be_filmed_with_every_move_up_to_the_last_take(subject, move):
    sizes = {(frame.width, frame.height) for frame in filmed(subject, move, 24, 3)}
    assert sizes == {(320, 240)}


# ------------------------------------------------------------------ streams


@pytest.mark.parametrize("container_format", ["mp4", "mov", "matroska"])
def test_a_remux_leaves_the_hashes(clip, tmp_path, container_format):
    other = remuxed(clip, tmp_path / "remuxed", container_format)
    assert other.read_bytes() != clip.read_bytes()
    assert stream_hashes(other) == stream_hashes(clip)


def test_a_clip_without_audio_has_no_audio_hash(silent_clip):
    assert stream_hashes(silent_clip).audio is None


def test_a_new_sentence_changes_the_audio_alone(clip):
    before, picture = stream_hashes(clip), pixels(clip)
    replace_audio(clip, "thank you very much")
    after = stream_hashes(clip)
    assert after == StreamHashes(audio=after.audio, frames=before.frames)
    assert after.audio not in (None, before.audio)
    np.testing.assert_array_equal(pixels(clip), picture)
    assert [path.name for path in clip.parent.iterdir()] == [clip.name]


def test_the_same_sentence_gives_the_same_file(clip):
    replace_audio(clip, "thank you very much")
    first = clip.read_bytes()
    replace_audio(clip, "please open the window")
    replace_audio(clip, "thank you very much")
    assert clip.read_bytes() == first


def test_a_silent_clip_gets_a_voice(silent_clip):
    before = stream_hashes(silent_clip)
    replace_audio(silent_clip, "seven days a week")
    assert stream_hashes(silent_clip).frames == before.frames
    assert probe(silent_clip).has_audio


def test_reading_hashes_loads_neither_recogniser_nor_detector():
    in_another_process(
        "import sys, example_project.media.streams\n"
        "assert not {'pocketsphinx', 'skimage'} & set(sys.modules)"
    )


# ------------------------------------------------------------------ crops


@pytest.mark.parametrize("clip_id", ["astronaut-zoom-02", "hubble-pan-02-silent"])
def test_a_crop_is_a_square_with_the_audio_of_its_source(library, tmp_path, clip_id):
    source, target = library / f"{clip_id}.mp4", tmp_path / "crop.mp4"
    info = crop_clip(source, target)
    assert info == probe(target)
    assert (info.width, info.height) == (192, 192)
    assert info.frame_count == probe(source).frame_count
    assert info.duration == pytest.approx(probe(source).duration, abs=0.001)
    assert stream_hashes(target).audio == stream_hashes(source).audio
    assert stream_hashes(target).frames != stream_hashes(source).frames


def test_a_crop_shows_the_middle(library, tmp_path):
    source = library / "coffee-pan-01.mp4"
    crop_clip(source, tmp_path / "crop.mp4", size=240)
    difference = pixels(tmp_path / "crop.mp4").astype(int) - pixels(source)[:, :, 40:280]
    assert np.abs(difference).mean() < 5


def test_the_cheap_path_gives_the_file_of_a_full_crop(clip, tmp_path):
    cheap, full = tmp_path / "cheap.mp4", tmp_path / "full.mp4"
    crop_clip(clip, cheap)
    before = stream_hashes(cheap)
    replace_audio(clip, "thank you very much")
    info = replace_crop_audio(clip, cheap)
    assert info == crop_clip(clip, full)
    assert stream_hashes(cheap) == StreamHashes(stream_hashes(clip).audio, before.frames)
    assert cheap.read_bytes() == full.read_bytes()


def test_a_crop_loses_its_audio_with_its_source(clip, silent_clip, tmp_path):
    target = tmp_path / "crop.mp4"
    crop_clip(clip, target)
    assert not replace_crop_audio(silent_clip, target).has_audio


@pytest.mark.parametrize("size", [0, 14, 191])
def test_a_crop_of_no_possible_size_is_refused(clip, tmp_path, size):
    with pytest.raises(ValueError, match=f"size is {size}"):
        crop_clip(clip, tmp_path / "crop.mp4", size=size)


def test_a_failed_crop_leaves_the_target_alone(clip, tmp_path):
    target, source = tmp_path / "crop.mp4", tmp_path / "broken.mp4"
    crop_clip(clip, target)
    before = target.read_bytes()
    source.write_text("no media")
    with pytest.raises(MediaError):
        crop_clip(source, target)
    assert target.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"clip.mp4", "crop.mp4", "broken.mp4"}


# ------------------------------------------------------------------ faces


def _some_by_default(clip_ids, step):
    """Every so many clips in every run, and all of them in slow ones."""
    for number, clip_id in enumerate(clip_ids):
        yield pytest.param(clip_id, marks=pytest.mark.slow if number % step else ())


@pytest.mark.parametrize(
    "clip_id", [*_some_by_default(WITH_FACES, 4), *_some_by_default(WITHOUT_FACES, 4)]
)
def test_faces_are_found_exactly_where_there_are_some(library, tmp_path, clip_id):
    source, crop = library / f"{clip_id}.mp4", tmp_path / "crop.mp4"
    crop_clip(source, crop)
    expected = clip_id in WITH_FACES
    assert (bool(detect_faces(source)), bool(detect_faces(crop))) == (expected, expected)


def test_a_face_is_a_box_around_the_face(library):
    path = library / "astronaut-pan-01.mp4"
    last = probe(path).frame_count - 1
    faces = detect_faces(path)
    assert {face.frame for face in faces} == {0, round(last / 2), last}
    for face in faces:
        assert 60 < face.width == face.height < 130
        assert 40 < face.row + face.height / 2 < 160
        assert 80 < face.column + face.width / 2 < 240


def test_looking_at_no_frame_is_refused(clip):
    with pytest.raises(ValueError, match="frames is 0"):
        detect_faces(clip, frames=0)


# ------------------------------------------------------------------ speech


def test_a_sentence_sounds_the_same_after_any_other():
    def sound(sentence, voice):
        return synthesise(sentence, voice=voice, speed=140).samples.tolist()

    first = sound("good morning everyone", "en")
    noisy = sound("the ship is small", "en-us+whisper")
    assert sound("good morning everyone", "en") == first
    assert sound("the ship is small", "en-us+whisper") == noisy


def test_speech_is_sound_with_a_rate():
    speech = synthesise("seven days a week")
    assert (speech.rate, speech.samples.dtype, speech.samples.ndim) == (22_050, np.int16, 1)
    assert 0.5 < len(speech.samples) / speech.rate < 3
    assert np.abs(speech.samples).max() > 2_000


def test_a_transcript_does_not_depend_on_what_was_heard_before(library):
    paths = [library / f"{name}.mp4" for name in ("group-pan-01", "rocket-tilt-01")]
    forward = {path: transcribe(path) for path in paths}
    assert {path: transcribe(path) for path in reversed(paths)} == forward
    assert all(forward.values())
    assert len(set(forward.values())) == len(paths)


def test_words_are_recognised(clip):
    replace_audio(clip, "thank you very much")
    assert "very much" in transcribe(clip)


def test_a_clip_without_audio_has_an_empty_transcript(silent_clip):
    assert transcribe(silent_clip) == ""


# ------------------------------------------------------------------ errors

READERS = {
    "stream_hashes": stream_hashes,
    "probe": probe,
    "detect_faces": detect_faces,
    "transcribe": transcribe,
    "crop_clip": lambda path: crop_clip(path, path.with_name("crop.mp4")),
    "replace_crop_audio": lambda path: replace_crop_audio(path, path),
    "replace_audio": lambda path: replace_audio(path, "hello"),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize("content", [b"", b"no media at all", None], ids=["empty", "text", "none"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, reader, content):
    path = tmp_path / "clip.mp4"
    problem = "there is no such file. Create it" if content is None else "this is no readable media"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MediaError, match=problem) as caught:
        reader(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert [other.name for other in tmp_path.iterdir()] == ([] if content is None else ["clip.mp4"])


def test_a_clip_cut_off_is_named(clip):
    clip.write_bytes(clip.read_bytes()[:9_000])
    with pytest.raises(MediaError, match="no readable media"):
        stream_hashes(clip)


def test_a_file_without_pictures_is_named(tmp_path):
    sound = tmp_path / "sound.mp4"
    sound.write_bytes(encode_speech(synthesise("hello")).getvalue())
    with pytest.raises(MediaError, match=r"sound\.mp4: it holds no video stream\. Give"):
        probe(sound)
    with pytest.raises(MediaError, match="it holds no video stream"):
        join_streams(tmp_path / "joined.mp4", video=sound, audio=None)
    assert not (tmp_path / "joined.mp4").exists()


@pytest.mark.parametrize("clip_id", ["unicorn-pan-01", "chelsea-pan-00", "chelsea-pan", "../x"])
def test_an_id_that_says_nothing_is_refused(tmp_path, clip_id):
    with pytest.raises(MediaError, match=r"no clip can be made from this id\. Write <subject>-"):
        add_clip(tmp_path, clip_id)
    assert list(tmp_path.iterdir()) == []


def test_a_clip_that_is_not_there_cannot_be_removed(clip):
    with pytest.raises(MediaError, match=r"rocket-pan-01\.mp4: .* no such clip\. .* has: clip\."):
        remove_clip(clip.parent, "rocket-pan-01")


@pytest.mark.parametrize("sentence", ["", "  \n"])
def test_a_blank_sentence_is_refused(sentence):
    with pytest.raises(MediaError, match="there is nothing to say"):
        synthesise(sentence)


def test_an_unknown_voice_is_refused():
    with pytest.raises(MediaError, match=r"tlh: espeak-ng has no such voice\. Use one"):
        synthesise("hello", voice="tlh")
