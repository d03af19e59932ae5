"""Takes the pictures of the documentation: the example in Dagster's UI, after it has run."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Error, Page

from example_project.browser import ui_of, wait_for
from example_project.graphql import Dagster
from example_project.media.library import add_clip, make_library
from example_project.servers import Servers
from example_project.settings import Settings

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"
LATER_CLIP: Final = "chelsea-tilt-07"
"""A clip that arrives after the first run, so that the numbers have a history."""

PATIENCE: Final = 300
"""Seconds that anything may take."""


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        name: the file, without its ending.
        path: the page, with names of ``names_in`` in braces.
        shows: a text that is there when the page is complete.
        act: what to do on the page before the picture is taken.
    """

    name: str
    path: str
    shows: str
    act: Callable[[Page], None] | None = None


def show_edges(page: Page) -> None:
    """Wait until the assets are joined by lines, which are drawn last."""
    page.locator("svg path[fill='none']").nth(EDGES).wait_for(state="attached")


def show_metadata(page: Page) -> None:
    """Bring what the last materialization told to the top."""
    heading = page.get_by_text("Metadata", exact=True).first
    heading.evaluate("it => { it.style.scrollMarginTop = '24px'; it.scrollIntoView(); }")


def show_plots(page: Page) -> None:
    """Show the numbers of all materializations as curves."""
    page.get_by_role("button", name="Plots").click()
    page.locator("canvas").first.wait_for()
    show_metadata(page)


def show_ticks(page: Page) -> None:
    """List the ticks of the last hour."""
    page.get_by_role("button", name="1hr").click()
    page.get_by_text("Loading ticks").wait_for(state="hidden")


def open_launchpad(page: Page) -> None:
    """Open what starts a run with a config, and write one."""
    materialize = page.get_by_role("button", name="Materialize")
    materialize.locator("xpath=following::button[1]").click()
    page.get_by_text("Open launchpad").click()
    page.get_by_text("No errors").wait_for()
    page.locator(".CodeMirror").first.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(CONFIG)
    page.wait_for_load_state("networkidle")
    page.get_by_text("No errors").wait_for()


LOCATION: Final = "/locations/example_project"
ASSET: Final = "example/crop"
"""The asset whose page is shown."""

SENSOR: Final = "new_stills"
"""The sensor whose ticks are shown."""

CONFIG: Final = """\
ops:
  example__crop:
    config:
      increment:
        limit: 10
        filters: "clip_id LIKE 'moon%'"
        force: "width < 200"
"""
"""What the launchpad shows."""

EDGES: Final = 10
"""The example has more lines between its assets than this."""

PICTURES: Final = (
    Picture("dagster-lineage", f"{LOCATION}/asset-groups/example/lineage", "{name}", show_edges),
    Picture("dagster-asset", "/assets/{asset}?view=overview", "metaxy/new", show_metadata),
    Picture("dagster-materialization", "/assets/{asset}?view=events", "metaxy/new"),
    Picture("dagster-plots", "/assets/{asset}?view=overview", "metaxy/new", show_plots),
    Picture("dagster-launchpad", "/assets/{asset}?view=overview", "metaxy/new", open_launchpad),
    Picture("dagster-partitions", "/assets/{buckets}?view=partitions&partition=0", "metaxy/new"),
    Picture("dagster-batches", "/assets/{batches}?view=events", "metaxy/new"),
    Picture("dagster-checks", "/assets/{asset}?view=checks", "increment_empty"),
    Picture("dagster-sensor", f"{LOCATION}/sensors/{{sensor}}", "Cursor", show_ticks),
)


def main() -> None:
    """Run the example in a folder that is thrown away, and take the pictures."""
    with tempfile.TemporaryDirectory(prefix="example-") as folder:
        home = Path(folder)
        clips = Settings(home=home).clips
        environment = {"EXAMPLE_HOME": folder, "DAGSTER_HOME": str(home / "dagster_home")}
        make_library(clips)
        code = ("-m", "example_project.definitions")
        with Servers(
            home / "dagster_home", *code, environment=environment, patience=PATIENCE
        ) as servers:
            servers.stop("daemon")
            run_all(environment)
            add_clip(clips, LATER_CLIP)
            run_all(environment)
            servers.start("daemon")
            dagster = Dagster(servers)
            servers.wait_until("every sensor ticked", lambda: have_ticked(dagster))
            take(dagster, names_in(dagster))


# --------------------------------------------------------------------------- what is shown


def run_all(environment: Mapping[str, str]) -> None:
    """Do what the job and the sensors of the example have to do."""
    command = [sys.executable, "-m", "example_project.rounds"]
    process = {**os.environ, **environment}
    subprocess.run(command, env=process, check=True, stdout=sys.stderr)  # noqa: S603 - our own


def have_ticked(dagster: Dagster) -> bool:
    """Whether the daemon has evaluated every sensor that is on."""
    states = [sensor["sensorState"] for sensor in dagster.repository(_SENSORS)["sensors"]]
    return all(state["ticks"] for state in states if state["status"] == "RUNNING")


def names_in(dagster: Dagster) -> dict[str, str]:
    """What the placeholders in pictures stand for, as far as the example has it.

    ``asset``, its ``name`` and ``sensor`` are given above; ``buckets`` and ``batches`` are the
    first assets with partitions that are fixed, and with partitions that come and go.
    """
    fields = "assetKey { path } partitionDefinition { type }"
    found = dagster.repository(f"assetNodes {{ {fields} }}")
    names = {"asset": ASSET, "name": ASSET.split("/")[-1], "sensor": SENSOR}
    for node in found["assetNodes"]:
        key = "/".join(node["assetKey"]["path"])
        kind = (node["partitionDefinition"] or {}).get("type")
        if kind in _PARTITIONS:
            names.setdefault(_PARTITIONS[kind], key)
    return names


_SENSORS: Final = "sensors { name sensorState { status ticks(limit: 1) { status timestamp } } }"
_PARTITIONS: Final = {"STATIC": "buckets", "DYNAMIC": "batches"}


# --------------------------------------------------------------------------- pictures


def take(dagster: Dagster, names: Mapping[str, str]) -> None:
    """Take every picture whose page the example has."""
    with ui_of(dagster, patience=PATIENCE / 5) as page:
        for picture in PICTURES:
            try:
                path, shows = picture.path.format(**names), picture.shows.format(**names)
            except KeyError as missing:
                print(f"{picture.name}: the example has no {missing}", file=sys.stderr)
                continue
            try:
                page.goto(path)
                wait_for(page, shows, patience=PATIENCE / 5)
                if picture.act is not None:
                    picture.act(page)
                page.wait_for_load_state("networkidle")
            except Error as error:
                print(f"{picture.name}: {path} did not show {shows!r}: {error}", file=sys.stderr)
                continue
            written = write(picture.name, page.screenshot(animations="disabled"))
            print(f"{written.name}: {written.stat().st_size // 1_000} kB", flush=True)


def write(name: str, screenshot: bytes) -> Path:
    """Keep a screenshot in 256 colours, which is as many as pages of text and lines need."""
    target = IMAGES / f"{name}.png"
    picture = Image.open(io.BytesIO(screenshot)).convert("RGB")
    # This method spends colours on what is rare, such as icons, too.
    few = picture.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(target, optimize=True)
    return target


if __name__ == "__main__":
    main()
