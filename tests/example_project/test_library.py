"""Whoever follows the walk-through changes the library by one command."""

from __future__ import annotations

import pytest

from example_project.library import change
from example_project.media.errors import MediaError
from example_project.media.streams import stream_hashes


def test_a_clip_arrives_says_something_else_and_goes(tmp_path) -> None:
    assert change(tmp_path, ["add", "chelsea-tilt-08"]) == "chelsea-tilt-08.mp4 arrived."
    clip = tmp_path / "chelsea-tilt-08.mp4"
    before = stream_hashes(clip)
    change(tmp_path, ["say", "chelsea-tilt-08", "good morning everyone"])
    after = stream_hashes(clip)
    assert (before.frames == after.frames, before.audio == after.audio) == (True, False)
    assert change(tmp_path, ["make"]) == f"1 clips are in {tmp_path}."
    change(tmp_path, ["remove", "chelsea-tilt-08"])
    assert not clip.exists()


def test_a_clip_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(MediaError, match="there is no such file"):
        change(tmp_path, ["say", "astronaut-pan-01", "hello"])
