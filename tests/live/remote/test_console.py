"""A newcomer at a real browser: plays by hand, changes voice and prior, saves a preset, records, replays."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from streaming.commands.control_client import request_control
from streaming.devices.films.take_file import Take
from streaming.settings.config import Links
from tests.live.place import CHECKOUT, ShowFolder, output_of, wait_for
from tests.live.remote.browser import PROGRAM, BrowserPage, browse

pytestmark = [pytest.mark.live, pytest.mark.skipif(PROGRAM is None, reason="needs chromium")]
NO_SCROLLBARS = "document.documentElement.scrollWidth <= innerWidth"
LOADED = "(e => e && e.complete && e.naturalWidth > 100)(document.getElementById(%r))"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Newcomer:
    """Who knows the README alone, before the console of a show."""

    def __init__(self, stage: ShowFolder, page: BrowserPage, shots: Path) -> None:
        self.stage, self.page, self.shots = stage, page, shots
        self.shots.mkdir()

    def set_to(self, name: str) -> str:
        """What the show itself says that a control is."""
        lines = request_control(Links(run_dir=str(self.stage.run_dir)), timeout_s=20.0)
        return next([*line.split(), ""][1] for line in lines if line.split()[0] == name)

    def sees(self, words: str) -> None:
        """Wait until the notes say something."""
        self.page.wait(f"document.getElementById('notes').textContent.includes({words!r})")

    def keep_screenshot(self, name: str) -> None:
        data = self.page.screenshot()
        assert data.startswith(b"\x89PNG")
        (self.shots / f"{name}.png").write_bytes(data)

    def change_the_sound(self) -> str:
        """By the keys of the keyboard; gives the voice."""
        page = self.page
        page.value("document.getElementById('control-voice').focus()")
        page.press("ArrowDown")
        page.value("document.getElementById('control-guidance').focus()")
        page.press("ArrowRight")
        wait_for(lambda: self.set_to("guidance") == "1.6", 20.0)
        voice = str(page.value("document.getElementById('control-voice').value"))
        assert voice != "auto"
        wait_for(lambda: self.set_to("voice") == voice, 20.0)
        page.value("document.activeElement.blur()")
        return voice

    def change_the_prior(self) -> None:
        """By dropping a picture onto the page."""
        picture = self.stage.folder / "my sea.png"
        sea = np.repeat(np.linspace(40, 220, 120, dtype=np.uint8)[:, None, None], 160, 1).repeat(3, 2)
        cv2.imwrite(str(picture), cv2.circle(sea.copy(), (110, 40), 18, (60, 160, 250), -1))
        self.page.drop("#drop", picture)
        self.page.wait("document.querySelector('#shelf [aria-pressed=true]')?.textContent === 'my sea.png'", 60.0)
        assert "my sea.png" in " ".join(request_control(Links(run_dir=str(self.stage.run_dir)), timeout_s=20.0))

    def save_and_load_a_preset(self) -> None:
        page = self.page
        page.click("#preset-name")
        page.type("bright")
        page.click("#preset-save")
        page.wait("document.querySelectorAll('#presets .load').length === 1")
        page.value("document.activeElement.blur()")
        for key in "mfb":
            page.press(key)
        wait_for(lambda: [self.set_to(name) for name in ("mute", "freeze", "blackout")] == ["1"] * 3, 20.0)
        page.click("#presets .load")
        wait_for(lambda: [self.set_to(name) for name in ("mute", "freeze", "blackout")] == ["0"] * 3, 20.0)
        page.wait("document.getElementById('mute').getAttribute('aria-pressed') === 'false'")
        page.value("document.activeElement.blur()")

    def record_a_take(self, seconds: float) -> None:
        """End the take that the show began with, and record another one."""
        page = self.page
        page.click("#record")
        wait_for(lambda: self.set_to("record") == "0", 20.0)
        self.sees("1 take of")
        page.press("r")
        wait_for(lambda: len(list((self.stage.folder / "films").glob("*.mp4"))) == 2, 20.0)
        page.value(f"new Promise(done => setTimeout(done, {1000 * seconds}))")
        wait_for(lambda: self._take_is_long(), 20.0)
        page.press("r")
        self.sees("2 takes of")

    def _take_is_long(self) -> bool:
        return max(path.stat().st_size for path in sorted((self.stage.folder / "films").glob("*.take"))[1:]) > 2_000

    def look_around(self) -> None:
        """In the dark, on a phone, from the back of the stage, and at the pictures alone."""
        page = self.page
        page.look(1440, 900)
        page.wait(f"{NO_SCROLLBARS} && {LOADED % 'picture'}")
        self.keep_screenshot("console")
        page.look(1440, 900, "dark")
        self.keep_screenshot("console-dark")
        page.look(390, 844, "dark")
        page.wait(NO_SCROLLBARS)
        self.keep_screenshot("phone-dark")
        page.look(1280, 720)
        page.press("2")
        page.wait("document.documentElement.dataset.view === 'stage'")
        self.keep_screenshot("stage")
        page.press("3")
        page.wait(f"document.documentElement.scrollHeight <= innerHeight && {LOADED % 'performance'}")
        self.keep_screenshot("performance")
        page.press("1")

    def open_the_screen(self) -> None:
        """The page that is nothing but the picture, wide and narrow."""
        page = self.page
        page.value("location.href = '/screen'")
        for width, height in ((1280, 720), (390, 844)):
            page.look(width, height)
            seen = "!!document.getElementById('picture')?.naturalWidth"
            page.wait(f"location.pathname === '/screen' && {NO_SCROLLBARS} && {seen}")
            self.keep_screenshot(f"screen-{width}")


def replay(stage: ShowFolder, take: Path) -> Path:
    """Play a take again; gives the take of that."""
    command = [sys.executable, str(CHECKOUT / "run_live.py"), "replay", str(take), "--run-dir", str(stage.run_dir)]
    command += ["--osc", "off", "--console", "off", "--record", str(stage.folder / "again")]
    command += ["--speaker", f"file:{stage.folder / 'again.wav'}"]
    done = subprocess.run(command, cwd=stage.folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (copy,) = (stage.folder / "again").glob("*.take")
    return copy


def test_a_newcomer_plays_records_and_replays(
    stage: ShowFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTIPHON_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))
    stage.direction, port = "both", free_port()
    # Long enough for the slowest disk; the test ends it.
    arguments = ("--camera", "performer:drums@1", *output_of(stage), "--duration", "600")
    arguments += ("--screen", "web", "--console", str(port))
    with stage.begin(*arguments) as show:
        wait_for(stage.sounding)
        with browse(tmp_path / "browser", f"http://127.0.0.1:{port}/") as page:
            page.wait(
                "document.querySelectorAll('#processes tbody tr').length > 3 && !!document.querySelector('.meter')"
            )
            newcomer = Newcomer(stage, page, tmp_path / "shots")
            voice = newcomer.change_the_sound()
            newcomer.change_the_prior()
            newcomer.save_and_load_a_preset()
            newcomer.record_a_take(1.0)
            newcomer.look_around()
            newcomer.open_the_screen()
            assert page.errors == []
        show.terminate()
        _, errors = show.communicate(timeout=60)
    assert show.returncode == 0, errors
    report = stage.report()
    assert [report["stages"][name]["restarts"] for name in ("console", "recorder")] == [0, 0]
    assert "guidance is now 1.6" in report["notes"]
    assert f"voice is now {voice}" in report["notes"]
    assert (tmp_path / "config" / "console.json").exists()
    first, second = sorted((stage.folder / "films").glob("*.take"))
    frames = [one.frames for one in Take(second)]
    assert len(frames) > 10
    assert first.with_suffix(".mp4").stat().st_size > 10_000
    again = [one.frames for one in Take(replay(stage, second))]
    assert len(again) == len(frames)
    assert all(np.array_equal(one, other) for one, other in zip(again, frames, strict=True))
