"""What somebody sees and clicks in the browser."""

from __future__ import annotations

import pytest

from example_project.browser import chromium, ui_of
from tests.dagster.live.processes import Deployment
from tests.dagster.live.project import Headline


@pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine")
def test_materialize_on_an_assets_page_shows_what_the_increment_was(live: Deployment) -> None:
    new, _ = live.work(Headline)
    with ui_of(live, patience=live.servers.patience) as page:
        page.goto("/assets/web/headline?view=overview")
        page.get_by_text("Never materialized").wait_for()
        page.get_by_role("button", name="Materialize").first.click()
        page.get_by_text("metaxy/new", exact=True).wait_for()

        def shown(key: str) -> list[str]:
            row = page.get_by_role("row").filter(has=page.get_by_text(key, exact=True))
            return row.get_by_role("cell").all_inner_texts()

        assert (shown("metaxy/new")[-1], shown("metaxy/processed")[-1]) == (str(new), str(new))
        assert shown("metaxy/stale")[-1] == "0"
    assert len(live.records(Headline)) == new
