"""The stage of the browser process says where its page is."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.remote.browser.browser_stage import BrowserStage
from streaming.settings.config import Links, Show
from streaming.stage import Context
from streaming.telemetry.metrics import Metrics


@pytest.mark.parametrize(
    ("console", "cert", "page"),
    [("8420", "", "http://127.0.0.1:8420/play"), ("[::1]:8420", "stage.pem", "https://[::1]:8420/play")],
)
def test_the_page_is_said_once(tmp_path: Path, console: str, cert: str, page: str) -> None:
    notes, memo = list[str](), dict[str, object]()
    show = Show(camera="browser", console=console, console_cert=cert, links=Links(run_dir=str(tmp_path)))
    for _ in range(2):
        stage = BrowserStage()
        stage.setup(Context(show, Metrics(), note=notes.append, memo=memo))
        stage.close()
    assert notes == [f"browsers and OBS: {page}"]
