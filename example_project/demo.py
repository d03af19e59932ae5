"""The demo: the pipeline runs through Dagster four times, and says what each time was spared."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import metaxy_core as mx
from example_project.media.library import add_clip, make_library, remove_clip, replace_audio
from example_project.settings import Settings, settings

FEATURES = (
    *("video", "crop", "face_detection", "speech_to_text"),
    *("still", "colour", "embedding", "cover"),
)
COUNTS = ("new", "stale", "orphaned", "blocked", "processed")
REPORT = Path("demo-report.json")
Done = Mapping[str, Mapping[str, Any]]
"""For each feature its runs, what they counted, and in what they received the increment."""
console = Console(width=118)


@dataclass(frozen=True)
class Row:
    """What one step did for one feature.

    Attributes:
        step: the step of the demo, from 1.
        feature: the feature.
        received: in what its increment was received: chunks, buckets, batches, or as a whole.
        records: records stored after the step.
        new: records computed for the first time.
        stale: records computed again.
        orphaned: records whose clip is gone.
        blocked: records that waited for something upstream.
        processed: records the runs computed.
        spared: records the runs left alone.
        seconds_spared: the time their computation took when it was done.
    """

    step: int
    feature: str
    received: str
    records: int
    new: int
    stale: int
    orphaned: int
    blocked: int
    processed: int
    spared: int
    seconds_spared: float


@dataclass(frozen=True)
class Step:
    """One step: what happens before the run, and the audio code version it runs under.

    A step that changes code names the field, and what the run will do is planned before it.
    """

    title: str
    prepare: Callable[[Settings], None]
    audio_code_version: str = "1"
    changed: str | None = None


def first_library(here: Settings) -> None:
    """Make the clips."""
    make_library(here.clips)


def nothing(here: Settings) -> None:
    """Leave everything as it is."""
    del here


def some_change(here: Settings) -> None:
    """Give three clips a new sound track, add one clip, remove one."""
    clips = sorted(here.clips.glob("*.mp4"))
    spoken = [clip for clip in clips if has_audio(clip)]
    for clip, sentence in zip(spoken[:3], NEW_SENTENCES, strict=True):
        replace_audio(clip, sentence)
    add_clip(here.clips, NEW_CLIP)
    remove_clip(here.clips, spoken[-1].stem)


NEW_CLIP = "chelsea-tilt-07"
NEW_SENTENCES = (
    "the weather is fine today",
    "please turn left at the station",
    "we will meet again tomorrow",
)
STEPS = (
    Step("First run: everything is new", first_library),
    Step("Run again: nothing to do", nothing),
    Step("Three clips get a new sound track, one clip arrives, one is deleted", some_change),
    Step(
        'The author bumps Video.audio from "1" to "2"',
        nothing,
        audio_code_version="2",
        changed="example/video.audio",
    ),
)


def has_audio(clip: Path) -> bool:
    """Whether a clip has a sound track."""
    from example_project.media.streams import probe

    return probe(clip).has_audio


def main() -> None:
    """Run all steps in a fresh folder, print a table and write the report."""
    shutil.rmtree(Settings().home, ignore_errors=True)
    here = settings()
    home = here.home / "dagster_home"
    home.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("dagster.yaml"), home)
    rows: list[Row] = []
    for number, step in enumerate(STEPS, start=1):
        console.print(f"[bold]Step {number}.[/] {step.title}")
        step.prepare(here)
        plan = None if step.changed is None else planned(here, step.changed)
        here.file.write_text(f"EXAMPLE_AUDIO_CODE_VERSION={step.audio_code_version}\n")
        done = run_round(home)
        found = figures(number, here, done["features"])
        console.print(f"  {done['runs']} runs, {done['passed']} checks passed", highlight=False)
        if done["failed"]:
            console.print(f"  These failed: {', '.join(done['failed'])}", highlight=False)
        if plan is not None:
            check_plan(plan, found)
        rows += found
    print_table(rows)
    REPORT.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    console.print(f"\nThe same figures are in [bold]{REPORT}[/].")
    console.print(f"What it found in the clips is on a page: [bold]{here.page}[/]")
    console.print(
        "See the runs, the lineage and the increments in Dagster's UI, sensors on, with\n"
        "    [bold]make dev[/]"
    )


def planned(here: Settings, changed: str) -> mx.Plan:
    """What a change of code would make the next run do; nothing is run for it."""
    from example_project import features  # noqa: F401 - registers the features

    with mx.DuckDBMetadataStore(here.database, read_only=True) as store:
        plan = store.plan(changed=[changed])
    console.print(f"\nThe plan, before the run: metaxy plan --change {changed}", highlight=False)
    console.print(f"{plan}\n", markup=False, highlight=False, soft_wrap=True)
    return plan


def check_plan(plan: mx.Plan, found: list[Row]) -> None:
    """End the demo where a run did anything else than was planned."""
    for row in found:
        feature = plan[f"example/{row.feature}"]
        expected = (feature.new, feature.stale, feature.orphaned)
        happened = (row.new, row.stale, row.orphaned)
        if expected != happened:
            raise SystemExit(
                f"Planned for {row.feature!r} were {expected}, and {happened} happened "
                f"(new, stale, orphaned)."
            )
    console.print("The run did what was planned.")


def run_round(home: Path) -> dict[str, Any]:
    """Let Dagster do a round in a process of its own, as after a deployment."""
    environment = {**os.environ, "DAGSTER_HOME": str(home)}
    environment.pop("EXAMPLE_AUDIO_CODE_VERSION", None)
    command = [sys.executable, "-m", "example_project.rounds"]
    with console.status("Dagster brings eight assets up to date …"):
        done = subprocess.run(  # noqa: S603 - our own interpreter and arguments
            command, env=environment, capture_output=True, text=True, check=False
        )
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise SystemExit("The Dagster run failed; its log stands above.")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def figures(step: int, here: Settings, done: Done) -> list[Row]:
    """What the runs of a round told, and the work that they spared."""
    from example_project import features  # noqa: F401 - registers the features

    with mx.DuckDBMetadataStore(here.database, read_only=True) as store:
        return [figure(step, feature, store, done.get(feature)) for feature in FEATURES]


def figure(step: int, feature: str, store: mx.MetadataStore, done: Mapping[str, Any] | None) -> Row:
    """One feature's figures in one round; nothing was done where no sensor asked for it."""
    columns = ["seconds", "metaxy_materialization_id"]
    records = store.read(f"example/{feature}", columns=columns).to_polars()
    if done is None:
        spared, counts, received = records, dict.fromkeys(COUNTS, 0), "-"
    else:
        computed = records["metaxy_materialization_id"].is_in(done["runs"])
        spared, counts, received = records.filter(~computed), done["counts"], done["received"]
    return Row(
        step=step,
        feature=feature,
        received=received,
        records=records.height,
        **counts,
        spared=spared.height,
        seconds_spared=round(float(spared["seconds"].sum()), 3),
    )


def print_table(rows: list[Row]) -> None:
    """One table over all steps."""
    table = Table(title="What was computed and what was spared")
    for heading in ("step", "feature", "received"):
        table.add_column(heading)
    numbers = ("records", "new", "stale", "orphaned", "blocked", "processed", "spared")
    for heading in (*numbers, "seconds spared"):
        table.add_column(heading, justify="right")
    for row in rows:
        first = row.feature == FEATURES[0]
        table.add_row(
            str(row.step) if first else "",
            row.feature,
            row.received,
            *(str(getattr(row, name)) for name in numbers),
            f"{row.seconds_spared:.2f}",
            end_section=row.feature == FEATURES[-1],
        )
    console.print(table)


if __name__ == "__main__":
    main()
