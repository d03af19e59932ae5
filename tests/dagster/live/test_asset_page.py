"""What somebody sees and clicks in the browser."""

from __future__ import annotations

import re

import pytest

from example_project.browser import chromium, ui_of
from tests.dagster.live.processes import Deployment
from tests.dagster.live.project import Topic  # noqa: F401


@pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine")
def test_materialize_on_an_assets_page_shows_what_the_increment_was(live: Deployment) -> None:
    from playwright.sync_api import expect

    with ui_of(live) as page:
        page.goto("/assets/web/headline?view=overview")
        page.get_by_role("button", name="Materialize", exact=False).first.click()
        page.screenshot(path="/tmp/clicked.png")
        page.wait_for_timeout(20000)
        page.screenshot(path="/tmp/clicked2.png")
