"""The pipeline of the README, as it is and after an author bumped a code version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from metaxy_core import FeatureGraph

SOURCE = Path(__file__).parents[1] / "readme_features.py.txt"


@pytest.fixture
def readme_graph() -> Callable[[int], FeatureGraph]:
    """The README's features, with the code version of Video.audio as it is given."""

    def build(audio: int) -> FeatureGraph:
        source = SOURCE.read_text("utf-8").replace("code_version=1", f"code_version={audio}", 1)
        with FeatureGraph().use() as graph:
            exec(source, {"__name__": "readme"})
        return graph

    return build
