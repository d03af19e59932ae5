"""A headless browser on Dagster's UI."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Page, sync_playwright
from playwright.sync_api import TimeoutError as OutOfPatience

from example_project.graphql import Dagster

WIDTH: Final = 1400
HEIGHT: Final = 900
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_ONCE: Final = 20
"""Seconds that a page has before it is loaded again."""

_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str | None:
    """Where this machine has Chromium; None where it has not."""
    found = (shutil.which(name) for name in _NAMES)
    return next((path for path in found if path), None)


@contextmanager
def ui_of(dagster: Dagster, *, patience: float = 120) -> Iterator[Page]:
    """A page to visit Dagster's UI with; paths are below the webserver's address.

    Args:
        dagster: the webserver.
        patience: seconds that anything on a page may take to appear.

    Raises:
        RuntimeError: this machine has no Chromium.
    """
    program = chromium()
    if program is None:
        raise RuntimeError(
            f"None of {', '.join(_NAMES)} is on this machine; "
            f"`apt-get install chromium` brings the first."
        )
    # Who visits for the first time is asked to subscribe to news, over the whole page.
    dagster.query("mutation { setNuxSeen }")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        try:
            page = browser.new_page(
                base_url=dagster.servers.url,
                viewport={"width": WIDTH, "height": HEIGHT},
                timezone_id="UTC",
                locale="en-GB",
            )
            page.set_default_timeout(patience * 1_000)
            yield page
        finally:
            browser.close()


def wait_for(page: Page, text: str, *, patience: float) -> None:
    """Wait until a page shows a text; it is loaded again now and then.

    While much is going on, a page of Dagster may have asked before there was an answer, and does
    not ask again.

    Args:
        page: the page.
        text: the whole text of an element.
        patience: seconds to wait.

    Raises:
        TimeoutError: of Playwright: the text never came.
    """
    shown = page.get_by_text(text, exact=True).first
    for left in range(int(patience // _ONCE), -1, -1):
        try:
            shown.wait_for(timeout=_ONCE * 1_000)
        except OutOfPatience:
            if not left:
                raise
            page.reload()
        else:
            return
