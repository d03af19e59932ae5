"""Where the example keeps its files, and the one code version that the demo bumps."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of the example, from the environment or from ``settings.env`` in its folder.

    Attributes:
        home: folder of clips, crops and the store (``EXAMPLE_HOME``).
        audio_code_version: code version of ``Video.audio`` (``EXAMPLE_AUDIO_CODE_VERSION``).
    """

    model_config = SettingsConfigDict(env_prefix="EXAMPLE_", extra="ignore")

    home: Path = Path(__file__).parent.parent / "demo"
    audio_code_version: str = "1"

    @property
    def clips(self) -> Path:
        """The clips that arrive from outside."""
        return self.home / "clips"

    @property
    def crops(self) -> Path:
        """The crops that the pipeline makes."""
        return self.home / "crops"

    @property
    def stills(self) -> Path:
        """The stills that the pipeline makes, a folder for each clip."""
        return self.home / "stills"

    @property
    def page(self) -> Path:
        """The page that shows the library."""
        return self.home / "library.html"

    @property
    def database(self) -> Path:
        """The metadata store."""
        return self.home / "metadata.duckdb"

    @property
    def file(self) -> Path:
        """The settings that outlive a process, as lines ``NAME=value``."""
        return self.home / "settings.env"


@cache
def settings() -> Settings:
    """The settings of this process."""
    outside = Settings()
    kept: dict[str, Any] = {"_env_file": outside.file}
    return Settings(home=outside.home, **kept)
