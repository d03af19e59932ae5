"""Two rounds over two clips: chunks, buckets and batches are computed, and then spared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from example_project.media.library import add_clip

CLIPS = ("astronaut-pan-01", "moon-zoom-01-silent")
TWO_ROUNDS = """
import json
import dagster as dg
from example_project.library import change
from example_project.rounds import one_round
from example_project.settings import settings

with dg.DagsterInstance.get() as instance:
    first = one_round(instance)
    change(settings().clips, ["say", "astronaut-pan-01", "the weather is fine today"])
    print(json.dumps([first, one_round(instance)]))
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rounds(tmp_path_factory) -> list[dict[str, Any]]:
    """A first round, and one after a clip got another sound track; the example has one home."""
    home = tmp_path_factory.mktemp("example")
    (home / "dagster_home").mkdir()
    (home / "dagster_home" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    for clip in CLIPS:
        add_clip(home / "clips", clip)
    environment = {"EXAMPLE_HOME": str(home), "DAGSTER_HOME": str(home / "dagster_home")}
    done = subprocess.run(
        [sys.executable, "-c", TWO_ROUNDS],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "weather is fine" in (home / "library.html").read_text()
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_the_first_round_computes_every_feature_in_its_own_way(rounds) -> None:
    features = rounds[0]["features"]
    received = {name: done["received"] for name, done in features.items()}
    assert received["crop"] == "whole"
    assert received["still"] == "1 chunk"
    assert received["colour"] == "4 buckets"
    assert received["embedding"] == "1 batch"
    stills = features["colour"]["counts"]["new"]
    assert stills == features["embedding"]["counts"]["new"] > len(CLIPS)
    assert features["cover"]["counts"]["processed"] == len(CLIPS)


def test_a_new_sound_track_is_no_work_for_stills(rounds) -> None:
    features = rounds[1]["features"]
    assert features["crop"]["counts"]["stale"] == 1
    assert features["speech_to_text"]["counts"]["processed"] == 1
    assert features["face_detection"]["counts"]["processed"] == 0
    assert features["still"]["counts"]["processed"] == 0
    assert not {"colour", "embedding", "cover"} & set(features)
    assert rounds[0]["runs"] > rounds[1]["runs"]


def test_all_checks_of_a_round_pass(rounds) -> None:
    assert [each["failed"] for each in rounds] == [[], []]
    assert min(each["passed"] for each in rounds) >= 19
