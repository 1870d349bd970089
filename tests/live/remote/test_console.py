"""A show that is played from a real browser: voice, slider, keys and a preset, by hand; the show says the same."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from streaming.commands.control_client import request_control
from streaming.settings.config import Links
from tests.live.place import ShowFolder, output_of, wait_for
from tests.live.remote.browser import PROGRAM, browse

pytestmark = [pytest.mark.live, pytest.mark.skipif(PROGRAM is None, reason="needs chromium")]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_browser_plays_the_show(stage: ShowFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))
    port = free_port()

    def set_to(name: str) -> str:
        lines = request_control(Links(run_dir=str(stage.run_dir)), timeout_s=20.0)
        return next(line.split()[1] for line in lines if line.split()[0] == name)

    arguments = ("--camera", "performer:drums@1", *output_of(stage), "--duration", "60", "--console", str(port))
    with stage.begin(*arguments) as show:
        wait_for(stage.sounding)
        with browse(tmp_path / "browser", f"http://127.0.0.1:{port}/") as page:
            page.wait(
                "document.querySelectorAll('#processes tbody tr').length > 3 && !!document.querySelector('.meter')"
            )
            page.value("document.getElementById('control-voice').focus()")
            page.press("ArrowDown")
            page.value("document.getElementById('control-guidance').focus()")
            page.press("ArrowRight")
            wait_for(lambda: set_to("guidance") == "1.6", 20.0)
            voice = page.value("document.getElementById('control-voice').value")
            assert voice != "auto"
            wait_for(lambda: set_to("voice") == voice, 20.0)
            page.click("#preset-name")
            page.type("bright")
            page.click("#preset-save")
            page.wait("document.querySelectorAll('#presets .load').length === 1")
            page.value("document.activeElement.blur()")
            page.press("m")
            page.press("f")
            wait_for(lambda: set_to("mute") == "1", 20.0)
            page.click("#presets .load")
            wait_for(lambda: set_to("mute") == "0" and set_to("freeze") == "0", 20.0)
            page.wait("document.getElementById('mute').getAttribute('aria-pressed') === 'false'")
            assert page.screenshot().startswith(b"\x89PNG")
            assert page.errors == []
        show.terminate()
        _, errors = show.communicate(timeout=60)
    assert show.returncode == 0, errors
    report = stage.report()
    assert report["stages"]["console"]["restarts"] == 0
    assert "guidance is now 1.6" in report["notes"]
    assert f"voice is now {voice}" in report["notes"]
    assert (tmp_path / "config" / "console.json").exists()
