"""Sensors, ops and jobs have names that Dagster allows, made of the features they are about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg


def dagster_name(*features: str) -> str:
    """A name made of features' keys: the first one, and how many more there are.

    Example:
        >>> dagster_name("example/my-video")
        'example_my_video'
        >>> dagster_name("example/video", "a", "b")
        'example_video_and_2_more'
    """
    first = re.sub(r"\W", "_", str(features[0]))
    return first if len(features) == 1 else f"{first}_and_{len(features) - 1}_more"


def op_name(asset: dg.AssetKey) -> str:
    """The name that Dagster gives the op of an asset.

    Example:
        >>> import dagster as dg
        >>> op_name(dg.AssetKey(["example", "my-video"]))
        'example__my_video'
    """
    return "__".join(asset.path).replace("-", "_")
