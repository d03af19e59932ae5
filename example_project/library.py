"""Change the library by hand, as whoever uploads clips would, and watch what Dagster does.

python -m example_project.library make
python -m example_project.library say astronaut-pan-01 "the weather is fine today"
python -m example_project.library add chelsea-tilt-08
python -m example_project.library remove coins-tilt-01
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from example_project.media.errors import MediaError
from example_project.media.library import add_clip, make_library, remove_clip, replace_audio
from example_project.settings import settings


def change(directory: Path, arguments: Sequence[str]) -> str:
    """Do what a command line says; gives a sentence about it.

    Args:
        directory: the folder of the clips.
        arguments: the command and its arguments.

    Raises:
        MediaError: there is no such clip, or none can be made of the name.
        SystemExit: the command line cannot be read.
    """
    asked = _parser().parse_args(arguments)
    match asked.command:
        case "make":
            clips = [*directory.glob("*.mp4")] or make_library(directory)
            return f"{len(clips)} clips are in {directory}."
        case "say":
            replace_audio(directory / f"{asked.clip}.mp4", asked.sentence)
            return f"{asked.clip} has another sound track."
        case "add":
            return f"{add_clip(directory, asked.clip).name} arrived."
        case _:
            remove_clip(directory, asked.clip)
            return f"{asked.clip} is gone."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m example_project.library")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("make", help="make the clips of a new library, where there is none")
    say = commands.add_parser("say", help="let a clip say something else")
    say.add_argument("clip")
    say.add_argument("sentence")
    commands.add_parser("add", help="add a clip, such as chelsea-tilt-08").add_argument("clip")
    commands.add_parser("remove", help="delete a clip").add_argument("clip")
    return parser


def main() -> None:
    """Do what the command line of this process says."""
    try:
        print(change(settings().clips, sys.argv[1:]))
    except MediaError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
